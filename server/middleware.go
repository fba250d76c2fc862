package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/packhooks/packhooks/server/store"
)

// requestState passes what is known about a request between middleware, handler and access log. It is the request's
// context, too.
type requestState struct {
	context.Context
	Outcome   // complete once the response is written
	requestID string
	fault     error // why the response is a 5xx; for the log alone

	// Who asks, before any look-up.
	remoteIP, peer string   // the address, and what counts as one (see remoteOf)
	token, key     string   // key is a hash of the token
	known          *account // of a token that was valid a moment ago
	holder         string   // whose share the request counts for: the key of a known token, or the peer

	admission *admission
	unwritten int64 // bytes that the request counts for

	grant        store.Grant
	unproven     bool       // the grant is remembered, and the token may have been revoked since
	query        url.Values // as it was sent, once it is found to be valid
	requested    string     // the organization in the path, once it is found to be well-formed
	organization string     // the same, once the token is found to cover it
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
func stateOf(ctx context.Context) *requestState { return ctx.Value(stateKey{}).(*requestState) }

// middleware is an echo.MiddlewareFunc with the state of the request.
type middleware func(c echo.Context, s *requestState, next echo.HandlerFunc) error

func with(m middleware) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error { return m(c, stateOf(c.Request().Context()), next) }
	}
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

// recoverPanic turns a panic into a 500 and logs the stack. The value of a panic may hold secrets, so it is logged only
// if it is a runtime error.
func recoverPanic(c echo.Context, _ *requestState, next echo.HandlerFunc) (err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case runtime.Error:
			err = fmt.Errorf("panic: %w\n%s", v, debug.Stack())
		default:
			if abort, ok := v.(error); ok && errors.Is(abort, http.ErrAbortHandler) {
				panic(v) // net/http's own way to drop a connection
			}
			err = fmt.Errorf("panic: a %T\n%s", v, debug.Stack())
		}
	}()
	return next(c)
}

// matchRoute responds 404 to an unknown path and 405 to an undeclared method, including HEAD and OPTIONS (echo would
// handle OPTIONS itself).
func matchRoute(e *echo.Echo, basePath string, operations map[string]*operation) middleware {
	ids := map[string]string{}
	for id, o := range operations {
		ids[o.route.Method+" "+basePath+strings.NewReplacer("{", ":", "}", "").Replace(o.route.Path)] = id
	}
	routes := map[string]map[string]string{} // the ids, empty for the docs, by path and method
	for _, r := range e.Routes() {
		if routes[r.Path] == nil {
			routes[r.Path] = map[string]string{}
		}
		routes[r.Path][r.Method] = ids[r.Method+" "+r.Path]
	}
	return func(c echo.Context, s *requestState, next echo.HandlerFunc) error {
		methods, known := routes[c.Path()]
		id, allowed := methods[c.Request().Method]
		if known {
			s.Route, s.Operation = c.Path(), id
		}
		if !known || slices.Contains(c.ParamValues(), "") {
			return &problem{status: http.StatusNotFound, detail: "no such path"}
		}
		if !allowed {
			allow := strings.Join(slices.Sorted(maps.Keys(methods)), ", ")
			return &problem{
				status: http.StatusMethodNotAllowed,
				detail: "this path supports only " + allow,
				header: map[string]string{echo.HeaderAllow: allow},
			}
		}
		return next(c)
	}
}
