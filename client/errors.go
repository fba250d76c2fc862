package packhooks

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// What an error of this package is, by errors.Is.
var (
	ErrUnauthorized     = errors.New("token is not valid")                 // 401
	ErrForbidden        = errors.New("token does not cover this")          // 403
	ErrNotFound         = errors.New("not found")                          // 404
	ErrRateLimited      = errors.New("rate limit exceeded")                // 429
	ErrUnavailable      = errors.New("service is unavailable")             // 502, 503, 504, or the connection failed
	ErrCrossOrigin      = errors.New("redirect to another origin refused") // the token never goes there
	ErrPageLoop         = errors.New("page links form a loop")             // a link came again within one walk
	ErrNoPage           = errors.New("no such page")                       // beyond the first or last page
	ErrMalformedPage    = errors.New("malformed page")                     // a 2xx body, a link or a redirect that breaks the contract
	ErrResponseTooLarge = errors.New("response too large")                 // more than WithMaxResponseBytes
)

// An Error is an answer with a status other than 2xx. Match it with errors.As, or by its meaning with errors.Is.
//
// fmt, slog and encoding/json leave out Body and Header, whatever the verb: a server may have put anything there.
type Error struct {
	StatusCode int
	Method     string
	Path       string   // of the request, without the query
	RequestID  string   // the server's name for the exchange; may be empty
	Problem    *Problem // nil when the body held none

	Body       []byte        `json:"-"` // at most 64 KiB of it
	Header     http.Header   `json:"-"`
	RetryAfter time.Duration // how long the server asked to wait; 0 when it did not
	Attempts   int           // how many requests were sent
}

// Error names the status, what the server said of it, how long it wants to be left alone, and the request id.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(strings.TrimSpace(strconv.Itoa(e.StatusCode) + " " + http.StatusText(e.StatusCode)))
	if text := e.detail(); text != "" {
		b.WriteString(": " + text)
	}
	if e.RetryAfter > 0 {
		b.WriteString("; try again in " + e.RetryAfter.String())
	}
	if e.RequestID != "" {
		b.WriteString(" (request id " + printable(e.RequestID) + ")")
	}
	return b.String()
}

func (e *Error) detail() string {
	if e.Problem == nil {
		return ""
	}
	text := e.Problem.Detail
	if text == "" {
		text = e.Problem.Title
	}
	if e.Problem.Errors != nil {
		for _, p := range *e.Problem.Errors {
			text += "; " + p.Parameter + ": " + p.Detail
		}
	}
	return printable(text)
}

// Is reports whether the status is what target stands for.
func (e *Error) Is(target error) bool {
	switch e.StatusCode {
	case http.StatusUnauthorized:
		return target == ErrUnauthorized
	case http.StatusForbidden:
		return target == ErrForbidden
	case http.StatusNotFound:
		return target == ErrNotFound
	case http.StatusTooManyRequests:
		return target == ErrRateLimited
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return target == ErrUnavailable
	}
	return false
}

// Format writes the error's text for every verb. It is a method of the value, so that one that was copied does
// not print its body either.
func (e Error) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// LogValue returns the error's text (log/slog).
func (e Error) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// A callError says what was being done. Unlike fmt.Errorf's it prints its text for every verb: for one that does
// not fit, fmt would print the fields of the *Error within.
type callError struct {
	doing string
	cause error
}

func (e *callError) Error() string              { return e.doing + ": " + e.cause.Error() }
func (e *callError) Unwrap() error              { return e.cause }
func (e *callError) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// A connectionError is an attempt that brought no whole answer.
type connectionError struct {
	attempts int
	cause    error
}

func (e *connectionError) Error() string {
	if e.attempts == 1 {
		return e.cause.Error()
	}
	return fmt.Sprintf("%v (%d attempts)", e.cause, e.attempts)
}

func (e *connectionError) Unwrap() error        { return e.cause }
func (e *connectionError) Is(target error) bool { return target == ErrUnavailable }

// printable keeps a server's words to one line of bounded length: they end up in logs and terminals.
func printable(text string) string {
	const limit = 300
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > limit {
		text = string(runes[:limit]) + "…"
	}
	return text
}
