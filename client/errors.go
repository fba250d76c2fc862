package packhooks

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
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

// maxErrorBytes is how much of an error's body is kept: enough for a problem or the head of a proxy's page.
const maxErrorBytes = 64 << 10

// newError reads resp, whose status is not 2xx. A body that cannot be read or parsed does not hide the status.
func newError(req *http.Request, resp *http.Response, r Response, token string, limit int64) *Error {
	var body []byte
	if resp.StatusCode >= 200 { // the body of a 101 is the connection: reading it would not end
		body, _ = io.ReadAll(io.LimitReader(resp.Body, min(limit, maxErrorBytes)))
	}
	e := &Error{
		Response:   r,
		Method:     req.Method,
		Path:       req.URL.EscapedPath(),
		Body:       []byte(mask(string(body), token)),
		RetryAfter: retryAfter(resp.Header),
	}
	p, ok := parseProblem(body)
	text := strings.TrimSpace(string(body))
	if !ok && e.mediaType() == "text/plain" && !strings.ContainsAny(text[:min(1, len(text))], "{[\"<") {
		p.Detail = text
	}
	if p.Detail != "" || p.Title != "" || p.Errors != nil {
		p.mask(token)
		p.Status = cmp.Or(p.Status, int32(resp.StatusCode))
		e.RequestID = cmp.Or(e.RequestID, p.RequestID)
		e.Problem = &p
	}
	return e
}

// parseProblem reads a problem (RFC 9457), an OAuth error (RFC 6749, section 5.2), or the message and errors of
// common frameworks. A member of the wrong type does not hide the others. ok is false when body is no object.
func parseProblem(body []byte) (p Problem, ok bool) {
	var wire struct {
		Problem
		Message     string          `json:"message"`
		Error       json.RawMessage `json:"error"`
		Description string          `json:"error_description"`
		Errors      json.RawMessage `json:"errors"`
	}
	var wrongType *json.UnmarshalTypeError
	if err := json.Unmarshal(body, &wire); err != nil && !errors.As(err, &wrongType) {
		return p, false
	}
	var text string
	var nested struct {
		Message string `json:"message"`
	}
	_, _ = json.Unmarshal(wire.Error, &text), json.Unmarshal(wire.Error, &nested)
	p = wire.Problem
	p.Detail = cmp.Or(p.Detail, wire.Message, wire.Description, nested.Message, text)
	if list := parameterErrors(wire.Errors); len(list) > 0 {
		p.Errors = &list
	}
	return p, true
}

// parameterErrors reads the contract's list, or {"field": ["reason", …]}.
func parameterErrors(raw []byte) (list []ParameterError) {
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	var byField map[string][]string
	if json.Unmarshal(raw, &byField) != nil {
		return nil
	}
	list = nil
	for _, field := range slices.Sorted(maps.Keys(byField)) {
		list = append(list, ParameterError{Parameter: field, Detail: strings.Join(byField[field], ", ")})
	}
	return list
}

// mask hides the token in p. It is called after decoding, as JSON may escape any character.
func (p *Problem) mask(token string) {
	texts := []*string{&p.Type, &p.Title, &p.Detail, &p.Instance, &p.RequestID}
	for i := range value(p.Errors) {
		texts = append(texts, &(*p.Errors)[i].Parameter, &(*p.Errors)[i].Detail)
	}
	for _, text := range texts {
		*text = mask(*text, token)
	}
}

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
