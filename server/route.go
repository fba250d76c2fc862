package server

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// matchRoute answers 404 for a path that is nowhere and 405 for a method that the path does not have, HEAD and
// OPTIONS among them (echo would answer OPTIONS by itself).
func matchRoute(e *echo.Echo) echo.MiddlewareFunc {
	methods := map[string][]string{}
	for _, route := range e.Routes() {
		methods[route.Path] = append(methods[route.Path], route.Method)
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			allowed := methods[c.Path()]
			if len(allowed) == 0 || slices.Contains(c.ParamValues(), "") {
				return echo.ErrNotFound
			}
			if !slices.Contains(allowed, c.Request().Method) {
				allow := strings.Join(allowed, ", ")
				return &problem{
					status: http.StatusMethodNotAllowed,
					detail: "this path answers " + allow + " only",
					header: map[string]string{echo.HeaderAllow: allow},
				}
			}
			return next(c)
		}
	}
}
