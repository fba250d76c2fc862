package server

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"github.com/packhooks/packhooks/server/store"
)

const realm = `Bearer realm="packhooks"`

// authenticate finds out what the bearer token of a request allows (RFC 6750).
func authenticate(tokens store.Authenticator) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			token, ok := bearerToken(c.Request().Header.Values(echo.HeaderAuthorization))
			if !ok {
				return unauthorized(realm, `send a token as "Authorization: Bearer TOKEN"`)
			}
			ctx := c.Request().Context()
			grant, err := tokens.Authenticate(ctx, token)
			if errors.Is(err, store.ErrUnauthorized) {
				return unauthorized(realm+`, error="invalid_token"`, "the token is malformed, unknown, expired or revoked; ask for a new one")
			}
			if err != nil {
				return err
			}
			stateOf(ctx).grant = grant
			return next(c)
		}
	}
}

func bearerToken(authorization []string) (string, bool) {
	if len(authorization) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(authorization[0], " ")
	token = strings.TrimLeft(token, " ")
	return token, strings.EqualFold(scheme, "Bearer") && token != ""
}

// authorize lets a request through when its token covers the organization in its path.
func authorize(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		s := stateOf(c.Request().Context())
		if !slices.Contains(s.grant.Organizations, s.requested) {
			return &problem{status: http.StatusForbidden, detail: "the token does not cover this organization"}
		}
		s.organization = s.requested
		return next(c)
	}
}

// limiter holds each token to its rate and to its share of what is worked on at once, so that no token can take the
// server away from the others. It keeps some bytes for each token that was ever valid.
type limiter struct {
	perSecond float64
	burst     int
	inFlight  int32
	byToken   sync.Map // token id to *account
}

type account struct {
	rate     *rate.Limiter
	inFlight atomic.Int32
}

func (l *limiter) limit(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		a := l.account(stateOf(c.Request().Context()).grant.TokenID)
		defer a.inFlight.Add(-1)
		if a.inFlight.Add(1) > l.inFlight {
			return tryLater(http.StatusTooManyRequests, time.Second,
				"the token has as many requests in flight as it may; wait for the seconds in Retry-After", nil)
		}
		reservation := a.rate.Reserve()
		if wait := reservation.Delay(); wait > 0 {
			reservation.Cancel()
			return tryLater(http.StatusTooManyRequests, wait.Round(time.Millisecond),
				"the token is over its rate; wait for the seconds in Retry-After", nil)
		}
		return next(c)
	}
}

func (l *limiter) account(tokenID string) *account {
	a, ok := l.byToken.Load(tokenID)
	if !ok {
		limit := rate.Limit(l.perSecond)
		if l.perSecond < 0 {
			limit = rate.Inf
		}
		a, _ = l.byToken.LoadOrStore(tokenID, &account{rate: rate.NewLimiter(limit, l.burst)})
	}
	return a.(*account)
}
