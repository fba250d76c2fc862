package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"
)

// logAccess writes one record a request. It answers errors itself, so that the record holds the final status.
func logAccess(logger *slog.Logger) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			start := time.Now()
			if err := next(c); err != nil {
				c.Error(err)
			}
			x := stateOf(c.Request().Context())
			level, attrs := slog.LevelInfo, []slog.Attr{
				slog.String("request_id", x.requestID),
				slog.String("method", loggedMethod(c)),
				slog.String("route", c.Path()),
				slog.Int("status", c.Response().Status),
				slog.Duration("duration", time.Since(start)),
				slog.String("organization", x.organization),
				slog.String("token_id", x.grant.TokenID),
			}
			if x.fault != nil {
				level, attrs = slog.LevelWarn, append(attrs, slog.String("fault", x.fault.Error()))
			}
			if c.Response().Status == http.StatusInternalServerError {
				level = slog.LevelError
			}
			logger.LogAttrs(c.Request().Context(), level, "request", attrs...)
			return nil
		}
	}
}

// loggedMethod keeps a made-up method, which can be any text, out of the log.
func loggedMethod(c echo.Context) string {
	switch m := c.Request().Method; m {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return m
	default:
		return "other"
	}
}

// recoverPanic turns a panic into a 500. The value of a panic can hold anything, secrets included, so only a
// runtime error's text goes into the log; the stack, which shows where, always does.
func recoverPanic(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch v := recover().(type) {
			case nil:
			case runtime.Error:
				err = fmt.Errorf("panic: %w\n%s", v, debug.Stack())
			case error:
				if errors.Is(v, http.ErrAbortHandler) {
					panic(v) // net/http's own way to drop a connection
				}
				err = fmt.Errorf("panic: a %T\n%s", v, debug.Stack())
			default:
				err = fmt.Errorf("panic: a %T\n%s", v, debug.Stack())
			}
		}()
		return next(c)
	}
}
