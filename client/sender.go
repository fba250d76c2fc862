package packhooks

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// A sender sends requests: it adds the headers, retries transient failures, and returns a 2xx response with its
// whole body, or a typed error.
//
// It sets the token itself. A RoundTripper would add it to redirected requests as well.
type sender struct {
	config
	client http.Client // the caller's, copied
}

// send sends req up to the configured number of times. decode reads the body of a 2xx response; its error is returned
// as it is, unless the body was cut short.
func (s *sender) send(req *http.Request, decode func(Response, []byte) error) error {
	count := &requestCount{}
	var last error
	for {
		err := s.attempt(req, count, decode)
		if err == nil {
			return nil
		}
		if cause := req.Context().Err(); cause != nil {
			return interrupted(cause, last, err)
		}
		wait, again := s.retry(req, err, count.attempts)
		if !again {
			return err
		}
		last = err
		select {
		case <-time.After(wait):
		case <-req.Context().Done():
			return interrupted(req.Context().Err(), last, nil)
		}
	}
}

// attempt sends req once and calls the hooks.
func (s *sender) attempt(req *http.Request, count *requestCount, decode func(Response, []byte) error) error {
	count.attempts++
	ctx, cancel := context.WithCancelCause(req.Context())
	defer cancel(nil)
	ctx, stop := context.WithTimeoutCause(ctx, s.attemptTimeout, &timeoutError{s.attemptTimeout.String()})
	defer stop()
	trace := httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		if count.sent.Add(1)-count.redirects.Load() > int32(s.maxAttempts) {
			cancel(errAbandoned)
		}
	}}
	req = req.Clone(httptrace.WithClientTrace(ctx, &trace))

	start := time.Now()
	resp, err := s.exchange(req, count, decode)
	a := Attempt{
		Method: req.Method, Path: req.URL.EscapedPath(), Number: count.attempts, Duration: time.Since(start),
		StatusCode: resp.StatusCode, RequestID: resp.RequestID, Err: err,
	}
	for _, hook := range s.hooks {
		hook(ctx, a)
	}
	return err
}

// exchange sends req and reads the response, whose status and headers it returns also with an error.
func (s *sender) exchange(req *http.Request, count *requestCount, decode func(Response, []byte) error) (r Response, err error) {
	token, err := s.token(req.Context())
	if err == nil {
		err = checkToken(token)
	}
	if err != nil {
		return r, fmt.Errorf("getting token: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", s.userAgent)

	client := s.client
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error { return s.checkRedirect(next, via, count) }
	resp, err := client.Do(req)
	count.attempts = min(max(count.attempts, int(count.sent.Load()-count.redirects.Load())), s.maxAttempts)
	if err != nil {
		return r, noResponse(req, err, token, count.attempts)
	}
	defer func() { _ = resp.Body.Close() }()
	r = newResponse(resp, token, count.attempts)
	if resp.StatusCode/100 != 2 {
		e := newError(req, resp, r, token, s.maxBytes)
		return e.Response, e
	}
	body, err := r.readBody(resp, s.maxBytes)
	if err == nil {
		// A server may end a truncated body properly when it sees the connection close.
		err = context.Cause(req.Context())
	}
	if err != nil {
		return r, noResponse(req, err, token, count.attempts)
	}
	if err = decode(r, body); errors.Is(err, errTruncated) && !ended(resp) {
		err = newConnectionError(req, err, token, count.attempts)
	}
	return r, err
}

// A requestCount counts the requests of one call. net/http itself resends a request when a connection closes before the
// response, with HTTP/2 GOAWAY without limit, so it counts the connections taken, less the redirects.
type requestCount struct {
	attempts        int
	sent, redirects atomic.Int32
}

// interrupted returns the context's error, wrapped with that of the previous failure if there was one. An attempt that
// the context ended says nothing about the service.
func interrupted(cause, last, err error) error {
	if last != nil {
		return fmt.Errorf("%w; the last failure: %w", cause, last)
	}
	if errorOf[*connectionError](err) != nil || errors.Is(err, cause) {
		return cause
	}
	return fmt.Errorf("%w: %w", cause, err)
}

// transientStatuses are retried. CDNs send 520 to 524 if the origin fails; 529 means overload.
var transientStatuses = []int{408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529}

func transient(status int) bool { return slices.Contains(transientStatuses, status) }

// retry reports whether to send req again after n attempts, the last of which failed with err, and how long to wait.
func (s *sender) retry(req *http.Request, err error, n int) (wait time.Duration, again bool) {
	if n >= s.maxAttempts || req.Method != http.MethodGet {
		return 0, false
	}
	left := time.Duration(math.MaxInt64)
	if deadline, ok := req.Context().Deadline(); ok {
		left = time.Until(deadline)
	}
	var connection *connectionError
	var status *Error
	switch {
	case errors.As(err, &connection) && !permanent(connection.cause()):
	case errors.As(err, &status) && transient(status.StatusCode):
		if status.RetryAfter > s.maxRetryAfter || status.RetryAfter >= left {
			return 0, false
		}
		wait = status.RetryAfter
		wait += random(min(wait, (left-wait)/2)) // or all rejected clients would return at once
	default:
		return 0, false
	}
	wait = max(wait, s.backoff(n))
	return wait, wait < left
}

// backoff is the wait after the nth failure: see WithBackoff.
func (s *sender) backoff(n int) time.Duration {
	wait := s.minWait
	for ; n > 1 && wait < s.maxWait; n-- {
		wait += min(wait, s.maxWait-wait)
	}
	return wait - random(wait/2)
}

func random(below time.Duration) time.Duration {
	return rand.N(below + 1) //nolint:gosec // spreads load, guards nothing
}

// retryAfter reads the longest Retry-After: seconds, or an HTTP-date, which is taken relative to the server's own
// Date so that a wrong clock on one side does not matter. What is neither, or lies in the past, is 0; more seconds
// than a Duration holds are the longest Duration.
func retryAfter(h http.Header) (longest time.Duration) {
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	for _, text := range h.Values("Retry-After") {
		text = strings.TrimSpace(text)
		if at, err := http.ParseTime(text); err == nil {
			longest = max(longest, at.Sub(now))
		} else if text != "" && strings.Trim(text, "0123456789") == "" {
			wait, err := time.ParseDuration(text + "s")
			if err != nil {
				return math.MaxInt64
			}
			longest = max(longest, wait)
		}
	}
	return longest
}

// checkRedirect is the redirect policy: a redirect must stay on the origin, as it carries the token, and must lead to the
// requested list.
func (s *sender) checkRedirect(req *http.Request, via []*http.Request, count *requestCount) error {
	if !strings.EqualFold(origin(req.URL), origin(s.baseURL)) {
		return fmt.Errorf("%w: from %s", ErrCrossOrigin, origin(s.baseURL))
	}
	if err := checkPath("a redirect", req.URL, via[0].URL, s.baseURL); err != nil {
		return err
	}
	count.redirects.Add(1)
	if s.client.CheckRedirect != nil {
		return s.client.CheckRedirect(req, via)
	}
	if len(via) >= maxRedirects {
		return errRedirects
	}
	return nil
}

const maxRedirects = 10
