package packhooks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxErrorBytes is how much of an error's body is kept: enough for a problem or the head of a proxy's page.
const maxErrorBytes = 64 << 10

const (
	usualBytes = 32 << 10 // a page of 100 webhooks whose endpoints are short
	mostAtOnce = 1 << 20  // is set aside on the word of a Content-Length
)

// A payload is a response body that was read whole.
type payload struct{ *bytes.Buffer }

func (payload) Close() error { return nil }

// content returns the body that a doer left in resp.
func content(resp *http.Response) []byte { return resp.Body.(payload).Bytes() }

// readPayload replaces resp.Body, unless it is larger than limit, by what it held.
func readPayload(resp *http.Response, limit int64) error {
	tooLarge := fmt.Errorf("%w: more than %d bytes", ErrResponseTooLarge, limit)
	if resp.ContentLength > limit {
		return tooLarge
	}
	size := resp.ContentLength
	if size < 0 {
		size = min(usualBytes, limit)
	}
	var b bytes.Buffer
	b.Grow(int(min(size, mostAtOnce)) + bytes.MinRead)
	if _, err := b.ReadFrom(io.LimitReader(resp.Body, limit+1)); err != nil {
		return fmt.Errorf("reading the response body: %w", err)
	}
	if int64(b.Len()) > limit {
		return tooLarge
	}
	resp.Body = payload{&b}
	return nil
}

// newError reads resp, whose status is not 2xx. A body that cannot be read or parsed takes nothing from the status.
func newError(req *http.Request, resp *http.Response, token Secret, limit int64) *Error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, min(limit, maxErrorBytes)))
	e := &Error{
		StatusCode: resp.StatusCode,
		Method:     req.Method,
		Path:       req.URL.EscapedPath(),
		Body:       []byte(withoutToken(string(body), token)),
		Header:     headerWithoutToken(resp.Header, token),
		RetryAfter: retryAfter(resp.Header),
	}
	e.Problem = parseProblem(e.Body, resp.StatusCode)
	e.RequestID = e.Header.Get("X-Request-Id")
	if e.RequestID == "" && e.Problem != nil {
		e.RequestID = e.Problem.RequestID
	}
	return e
}

// parseProblem returns nil unless body is a JSON object that says something. A member of the wrong type does not
// hide the others.
func parseProblem(body []byte, status int) *Problem {
	var wire struct {
		Problem
		Message string `json:"message"`
	}
	var wrongType *json.UnmarshalTypeError
	if err := json.Unmarshal(body, &wire); err != nil && !errors.As(err, &wrongType) {
		return nil
	}
	p := wire.Problem
	if p.Detail == "" {
		p.Detail = wire.Message
	}
	if p.Detail == "" && p.Title == "" {
		return nil
	}
	if p.Status == 0 {
		p.Status = int32(status)
	}
	return &p
}
