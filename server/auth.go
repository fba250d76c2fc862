package server

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
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
			exchangeOf(ctx).grant = grant
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
		organization := c.Param(organizationParam)
		if c.Request().URL.RawPath != "" { // then echo matched the encoded path
			decoded, err := url.PathUnescape(organization)
			if err != nil {
				return err
			}
			organization = decoded
		}
		x := exchangeOf(c.Request().Context())
		if !slices.Contains(x.grant.Organizations, organization) {
			return &problem{status: http.StatusForbidden, detail: "the token does not cover this organization"}
		}
		x.organization = organization
		return next(c)
	}
}

// rateLimiter holds each token to its rate. It keeps some bytes for each token that was ever valid.
type rateLimiter struct {
	perSecond float64
	burst     int
	byToken   sync.Map // token id to *rate.Limiter
}

func (r *rateLimiter) limit(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if r.perSecond < 0 {
			return next(c)
		}
		id := exchangeOf(c.Request().Context()).grant.TokenID
		l, ok := r.byToken.Load(id)
		if !ok {
			l, _ = r.byToken.LoadOrStore(id, rate.NewLimiter(rate.Limit(r.perSecond), r.burst))
		}
		reservation := l.(*rate.Limiter).Reserve()
		if wait := reservation.Delay(); wait > 0 {
			reservation.Cancel()
			return tryLater(http.StatusTooManyRequests, wait.Round(time.Millisecond),
				"the token is over its rate; wait for the seconds in Retry-After", nil)
		}
		return next(c)
	}
}
