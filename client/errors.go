package packhooks

import (
	"cmp"
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

// Sentinel errors, matched with errors.Is.
var (
	ErrInvalidArgument  = errors.New("invalid argument")                   // of this package's functions; nothing was sent
	ErrUnauthorized     = errors.New("token is not valid")                 // 401
	ErrForbidden        = errors.New("token does not cover this")          // 403
	ErrNotFound         = errors.New("not found")                          // 404
	ErrRateLimited      = errors.New("rate limit exceeded")                // 429
	ErrUnavailable      = errors.New("service is unavailable")             // 408, 425, 502 to 504, 520 to 524, 529, or a failed connection
	ErrCrossOrigin      = errors.New("redirect to another origin refused") // the token is not sent there
	ErrPageLoop         = errors.New("page links form a loop")             // a link was repeated within one walk
	ErrNoPage           = errors.New("no such page")                       // before the first page or after the last
	ErrMalformedPage    = errors.New("malformed page")                     // a 2xx body, a link or a redirect that breaks the contract
	ErrResponseTooLarge = errors.New("response too large")                 // more bytes than WithMaxResponseBytes, or 10,000 webhooks
	ErrTooMany          = errors.New("too many items")                     // more than the limit of Collect
)

// An Error is a response with a status other than 2xx. Match it with errors.As, or by its meaning with errors.Is.
//
// fmt, slog and encoding/json leave out Body and Header, whatever the verb: a server may have put anything there.
type Error struct {
	Response
	Method     string
	Path       string        // of the request, without the query
	Problem    *Problem      // what the body says, also in other shapes than RFC 9457; nil when it says nothing
	Body       []byte        `json:"-"` // at most 64 KiB of it
	RetryAfter time.Duration // how long the server asked to wait (RFC 9110, section 10.2.3); 0 when it did not
}

// Error returns the status, what the server says about it, how long it asks to wait, and the request id.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(strings.TrimSpace(strconv.Itoa(e.StatusCode) + " " + http.StatusText(e.StatusCode)))
	if text := e.detail(); text != "" {
		b.WriteString(": " + text)
	} else if mediaType := e.mediaType(); mediaType != "" {
		b.WriteString(" (got " + mediaType + ")")
	}
	if e.RetryAfter > 0 {
		b.WriteString("; try again in " + e.RetryAfter.Round(time.Millisecond).String())
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
	text := cmp.Or(e.Problem.Detail, e.Problem.Title)
	for _, p := range value(e.Problem.Errors) {
		text += "; " + p.Parameter + ": " + p.Detail
	}
	return printable(text)
}

// Is reports whether target is the sentinel error of e's status.
func (e *Error) Is(target error) bool {
	if own := map[int]error{401: ErrUnauthorized, 403: ErrForbidden, 404: ErrNotFound, 429: ErrRateLimited}[e.StatusCode]; own != nil {
		return target == own
	}
	return target == ErrUnavailable && e.StatusCode != http.StatusInternalServerError && transient(e.StatusCode)
}

// Format writes the error's text for every verb. It is a method of the value, so that a copy does not print its
// body either.
func (e Error) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// LogValue returns the error's text (log/slog).
func (e Error) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// A callError adds what was being done. Unlike the error of fmt.Errorf it prints its text for every verb: for verbs
// that do not fit, fmt prints the fields.
type callError struct {
	doing string
	cause error
}

func (e *callError) Error() string              { return e.doing + ": " + e.cause.Error() }
func (e *callError) Unwrap() error              { return e.cause }
func (e *callError) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrInvalidArgument, fmt.Errorf(format, args...))
}

// printable limits text from a server to one line of bounded length, for logs and terminals.
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
