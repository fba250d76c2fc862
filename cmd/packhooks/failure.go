package main

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// failure is an error with a hint or an exit code.
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

// exitCode prints an error and its hint, and returns the exit code: 1 for a failure, 2 for an invalid command line. A
// closed standard output never gets here: the Go runtime ends the process by SIGPIPE.
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
