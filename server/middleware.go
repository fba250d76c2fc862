package server

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"

	"github.com/labstack/echo/v4"
)

// recoverPanic turns a panic into a 500 and logs the stack. The value of a panic may hold secrets, so it is logged only
// if it is a runtime error.
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
