package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/packhooks/packhooks/server/store"
)

// StatusClientGone is logged for requests whose client disconnected before the response.
const StatusClientGone = 499

// Outcome describes a finished request. It has no free-form client input, so it is safe for metric labels.
type Outcome struct {
	Operation string // operationId; empty where the contract has no such path and method
	Method    string // "other" for one that HTTP does not define
	Route     string // the path with placeholders; empty for an unknown path
	Status    int
	Bytes     int64 // of the body
	Duration  time.Duration

	// Reason says why: no_token, unknown_token, expired_token or revoked_token of a 401; rate, bytes_share, places_share,
	// failed_authentications or docs_files of a 429; bytes_all, places_all, unknown_tokens or storage of a 503; client_gone when the
	// client went away before the response was written.
	Reason string
}

// access logs and observes requests.
type access struct {
	Config
	operations map[string]string // by method, space and route
	routes     map[string]bool
}

func newAccess(config Config, e *echo.Echo, operations map[string]*operation) access {
	a := access{config, map[string]string{}, map[string]bool{}}
	for _, route := range e.Routes() {
		a.routes[route.Path] = true
	}
	for id, o := range operations {
		a.operations[o.route.Method+" "+config.BasePath+strings.NewReplacer("{", ":", "}", "").Replace(o.route.Path)] = id
	}
	return a
}

// record logs one line per request. It writes error responses itself, so that the line has the final status.
func (a access) record(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		s := stateOf(c.Request().Context())
		connection := s.Context // ends when the client goes away
		s.remoteIP, s.peer = remoteOf(c.Request(), a.TrustedProxies)
		err := next(c)
		gone := connection.Err() != nil && (c.Response().Committed && err != nil || errors.Is(err, context.Canceled))
		o := a.outcome(c, err, gone)
		o.Duration = time.Since(start)
		if a.Observe != nil {
			a.Observe(c.Request().Context(), o)
		}
		a.log(c, s, o)
		return nil
	}
}

// outcome also writes the response to an error.
func (a access) outcome(c echo.Context, err error, gone bool) Outcome {
	s, committed := stateOf(c.Request().Context()), c.Response().Committed
	if err != nil {
		c.Error(err)
	}
	o := Outcome{Method: loggedMethod(c), Status: c.Response().Status, Bytes: c.Response().Size}
	if a.routes[c.Path()] {
		o.Route, o.Operation = c.Path(), a.operations[c.Request().Method+" "+c.Path()]
	}
	switch {
	case gone:
		s.reason, s.fault = "client_gone", nil
		if !committed {
			o.Status = StatusClientGone
		}
	case committed && err != nil:
		s.fault = err
	}
	o.Reason = s.reason
	return o
}

func (a access) log(c echo.Context, s *requestState, o Outcome) {
	level := slog.LevelInfo
	attrs := append(make([]slog.Attr, 0, 14),
		slog.String("request_id", s.requestID),
		slog.String("method", o.Method),
		slog.String("route", o.Route),
		slog.Int("status", o.Status),
		slog.Float64("duration_ms", float64(o.Duration.Microseconds())/1000),
		slog.Int64("bytes", o.Bytes),
		slog.String("remote_ip", s.remoteIP),
		slog.String("user_agent", harmless(c.Request().UserAgent())),
		slog.String("requested_organization", harmless(s.requested)),
		slog.String("organization", s.organization),
		slog.String("token_id", s.grant.TokenID),
	)
	if o.Reason != "" {
		attrs = append(attrs, slog.String("reason", o.Reason))
	}
	if s.fault != nil {
		level, attrs = slog.LevelWarn, append(attrs, slog.String("fault", s.fault.Error()))
	}
	if o.Status == http.StatusInternalServerError {
		level = slog.LevelError
	}
	a.Logger.LogAttrs(c.Request().Context(), level, "request", attrs...)
}

// harmless keeps misplaced tokens and long text out of the log.
func harmless(text string) string {
	if strings.Contains(text, store.TokenPrefix) {
		return ""
	}
	return text[:min(len(text), 200)]
}

// loggedMethod keeps arbitrary text in place of a method out of the log.
func loggedMethod(c echo.Context) string {
	switch m := c.Request().Method; m {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return m
	default:
		return "other"
	}
}
