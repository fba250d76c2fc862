package server

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// matchRoute responds 404 to an unknown path and 405 to an undeclared method, including HEAD and OPTIONS (echo would
// handle OPTIONS itself).
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
					detail: "this path supports only " + allow,
					header: map[string]string{echo.HeaderAllow: allow},
				}
			}
			return next(c)
		}
	}
}
