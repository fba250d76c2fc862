package server

import (
	"context"
	"crypto/rand"
	"regexp"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/packhooks/packhooks/server/store"
)

// exchange is what the middlewares learn about a request, for each other, the handler and the access log.
type exchange struct {
	requestID    string
	grant        store.Grant
	organization string // as the token may see it
	fault        error  // why the answer is a 5xx; for the log alone
}

type exchangeKey struct{}

// exchangeOf returns the exchange that identify put into the request's context.
func exchangeOf(ctx context.Context) *exchange {
	x, ok := ctx.Value(exchangeKey{}).(*exchange)
	if !ok {
		return &exchange{}
	}
	return x
}

var requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

// identify names the exchange and sets the headers that every response has.
func identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		x := &exchange{requestID: c.Request().Header.Get(echo.HeaderXRequestID)}
		// A client's id goes into the log: only a harmless one, and no token that took a wrong turn.
		if !requestIDPattern.MatchString(x.requestID) || strings.Contains(x.requestID, store.TokenPrefix) {
			x.requestID = rand.Text()
		}
		header := c.Response().Header()
		header.Set(echo.HeaderXRequestID, x.requestID)
		header.Set(echo.HeaderXContentTypeOptions, "nosniff")
		header.Set(echo.HeaderCacheControl, noStore)
		c.SetRequest(c.Request().WithContext(context.WithValue(c.Request().Context(), exchangeKey{}, x)))
		return next(c)
	}
}
