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

// record logs and observes each request. It writes error responses itself, so that the final status is known.
func record(config Config) middleware {
	return func(c echo.Context, s *requestState, next echo.HandlerFunc) error {
		start := time.Now()
		connection := s.Context // ends when the client goes away
		s.remoteIP, s.peer = remoteOf(c.Request(), config.TrustedProxies)
		err := next(c)
		committed := c.Response().Committed
		gone := connection.Err() != nil && (committed && err != nil || errors.Is(err, context.Canceled))
		if err != nil && !committed {
			respondProblem(c, s, err)
		}
		s.Method, s.Status, s.Bytes = loggedMethod(c.Request().Method), c.Response().Status, c.Response().Size
		switch {
		case gone:
			s.Reason, s.fault = "client_gone", nil
			if !committed {
				s.Status = StatusClientGone
			}
		case committed && err != nil:
			s.fault = err
		}
		s.Duration = time.Since(start)
		if config.Observe != nil {
			config.Observe(s, s.Outcome)
		}
		s.log(config.Logger, c.Request().UserAgent())
		return nil
	}
}

func (s *requestState) log(logger *slog.Logger, userAgent string) {
	level := slog.LevelInfo
	attrs := append(make([]slog.Attr, 0, 14),
		slog.String("request_id", s.requestID),
		slog.String("method", s.Method),
		slog.String("route", s.Route),
		slog.Int("status", s.Status),
		slog.Float64("duration_ms", float64(s.Duration.Microseconds())/1000),
		slog.Int64("bytes", s.Bytes),
		slog.String("remote_ip", s.remoteIP),
		slog.String("user_agent", harmless(userAgent)),
		slog.String("requested_organization", harmless(s.requested)),
		slog.String("organization", s.organization),
		slog.String("token_id", s.grant.TokenID),
	)
	if s.Reason != "" {
		attrs = append(attrs, slog.String("reason", s.Reason))
	}
	if s.fault != nil {
		level, attrs = slog.LevelWarn, append(attrs, slog.String("fault", s.fault.Error()))
	}
	if s.Status == http.StatusInternalServerError {
		level = slog.LevelError
	}
	logger.LogAttrs(s, level, "request", attrs...)
}

// harmless keeps misplaced tokens and long text out of the log.
func harmless(text string) string {
	if strings.Contains(text, store.TokenPrefix) {
		return ""
	}
	return text[:min(len(text), 200)]
}

// loggedMethod keeps arbitrary text in place of a method out of the log.
func loggedMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return method
	default:
		return "other"
	}
}
