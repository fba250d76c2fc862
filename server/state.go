package server

import (
	"context"
	"crypto/rand"
	"net/url"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/packhooks/packhooks/server/store"
)

// requestState passes what is known about a request between middleware, handler and access log. It is the request's
// context, too.
type requestState struct {
	context.Context
	caller
	requestID    string
	remoteIP     string
	query        url.Values // as it was sent, once it is found to be valid
	requested    string     // the organization in the path, once it is found to be well-formed
	organization string     // the same, once the token is found to cover it
	reason       string     // why the response is a 401, 429 or 503; see Outcome
	fault        error      // why the response is a 5xx; for the log alone
}

type stateKey struct{}

// Value makes the state available in derived contexts.
func (s *requestState) Value(key any) any {
	if _, ok := key.(stateKey); ok {
		return s
	}
	return s.Context.Value(key)
}

// stateOf returns the state that identify put into the request's context.
func stateOf(ctx context.Context) *requestState {
	s, ok := ctx.Value(stateKey{}).(*requestState)
	if !ok {
		return &requestState{Context: ctx}
	}
	return s
}

// identify names the request and sets the headers that every response has.
func identify(schema *openapi3.Schema) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			s := &requestState{Context: c.Request().Context(), requestID: c.Request().Header.Get(echo.HeaderXRequestID)}
			// The client's id is logged, so it must be valid and contain no token.
			if s.requestID == "" || schema.VisitJSONString(s.requestID) != nil || strings.Contains(s.requestID, store.TokenPrefix) {
				s.requestID = rand.Text()
			}
			header := c.Response().Header()
			header.Set(echo.HeaderXRequestID, s.requestID)
			header.Set(echo.HeaderXContentTypeOptions, "nosniff")
			header.Set(echo.HeaderCacheControl, noStore)
			c.SetRequest(c.Request().WithContext(s))
			return next(c)
		}
	}
}
