package main

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// failure is an error that says what to do next, or that ends the program with a status of its own.
type failure struct {
	error
	hint string
	code int
}

func (f *failure) Unwrap() error { return f.error }

// hint adds the next step to an error.
func hint(err error, format string, args ...any) error {
	return &failure{error: err, hint: fmt.Sprintf(format, args...), code: 1}
}

// usage is an error of the command line itself.
func usage(err error, format string, args ...any) error {
	return &failure{error: err, hint: fmt.Sprintf(format, args...), code: 2}
}

// exitCode prints an error, if there is one, as a line and perhaps a hint, and returns the status to exit with:
// 1 for a failure, 2 for a command line that makes no sense. A reader of standard output that went away never gets
// here: the Go runtime ends the process by SIGPIPE, as is usual.
func exitCode(stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	f := &failure{code: 1}
	errors.As(err, &f)
	if errors.Is(err, context.Canceled) {
		_, _ = fmt.Fprintln(stderr, "packhooks: interrupted")
		return f.code
	}
	_, _ = fmt.Fprintf(stderr, "%s %s\n", styled(stderr, red, "packhooks:"), printable(err.Error()))
	if f.hint != "" {
		_, _ = fmt.Fprintf(stderr, "%s %s\n", styled(stderr, yellow, "packhooks: hint:"), f.hint)
	}
	return f.code
}
