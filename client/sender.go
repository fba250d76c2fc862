package packhooks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
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
	client http.Client
}

// A response is a 2xx response with its whole body.
type response struct {
	Response
	body  []byte
	ended bool // the body's length was announced, or its end marked: it was not cut short
}

// send sends req up to the configured number of times. decode reads the body; its error is returned as it is,
// unless the body was cut short.
func (s *sender) send(req *http.Request, decode func(*response) error) error {
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
func (s *sender) attempt(req *http.Request, count *requestCount, decode func(*response) error) error {
	count.attempts++
	ctx, cancel := context.WithCancelCause(context.WithValue(req.Context(), requestCountKey{}, count))
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
	resp, err := s.exchange(req)
	count.attempts = min(max(count.attempts, int(count.sent.Load()-count.redirects.Load())), s.maxAttempts)
	if err == nil {
		resp.Attempts = count.attempts
		if err = decode(resp); errors.Is(err, errTruncated) && !resp.ended {
			err = newConnectionError(req, err, "")
		}
	}
	switch e := err.(type) { //nolint:errorlint // not wrapped yet; what a token source wraps is not of this request
	case *connectionError:
		e.attempts = count.attempts
	case *Error:
		e.Attempts = count.attempts
	}
	a := Attempt{Method: req.Method, Path: req.URL.EscapedPath(), Number: count.attempts, Duration: time.Since(start), Err: err}
	if resp != nil {
		a.StatusCode, a.RequestID = resp.StatusCode, resp.RequestID
	}
	for _, hook := range s.hooks {
		hook(ctx, a)
	}
	return err
}

// exchange sends req and reads the response, which may be partial or nil if there is an error.
func (s *sender) exchange(req *http.Request) (*response, error) {
	token, err := s.token(req.Context())
	if err == nil {
		err = checkToken(token)
	}
	if err != nil {
		return nil, fmt.Errorf("getting token: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", s.userAgent)

	resp, err := s.client.Do(req)
	if err != nil {
		return nil, noResponse(req, err, token)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode/100 != 2 {
		e := newError(req, resp, token, s.maxBytes)
		return &response{Response: e.Response}, e
	}
	body, err := readBody(resp, s.maxBytes)
	if err == nil {
		// A server may end a truncated body properly when it sees the connection close.
		err = context.Cause(req.Context())
	}
	r := &response{Response: newResponse(resp, token), body: body, ended: ended(resp)}
	switch {
	case errors.Is(err, ErrResponseTooLarge):
		return r, err
	case badEncoding(err):
		return r, fmt.Errorf("%w: the body is not valid gzip (%s)", ErrMalformedPage, r.received())
	case err != nil:
		return r, noResponse(req, err, token)
	}
	return r, nil
}

// noResponse types the error of an attempt without a complete response.
func noResponse(req *http.Request, err error, token string) error {
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err // without the URL: its query, or the address of a redirect, come from the server
	}
	cause := context.Cause(req.Context())
	var timeout *timeoutError
	switch {
	case errors.Is(err, ErrCrossOrigin) || errors.Is(err, ErrMalformedPage):
		return err
	case errors.As(cause, &timeout) || errors.Is(cause, errAbandoned):
		err = cause
	case strings.HasPrefix(err.Error(), "failed to parse Location header"):
		err = errLocation
	}
	return newConnectionError(req, err, token)
}

// A requestCount counts the requests of one call. net/http itself resends a request when a connection closes before the
// response, with HTTP/2 GOAWAY without limit, so it counts the connections taken, less the redirects.
type requestCount struct {
	attempts        int
	sent, redirects atomic.Int32
}

type requestCountKey struct{}

// interrupted returns the context's error, wrapped with that of the previous failure if there was one. An attempt that
// the context ended says nothing about the service.
func interrupted(cause, last, err error) error {
	if last != nil {
		return fmt.Errorf("%w; the last failure: %w", cause, last)
	}
	var connection *connectionError
	if err == nil || errors.As(err, &connection) || errors.Is(err, cause) {
		return cause
	}
	return fmt.Errorf("%w: %w", cause, err)
}

// checkRedirect is the redirect policy: a redirect must stay on the origin, as it carries the token, and must lead to the
// requested list.
func (s *sender) checkRedirect(req *http.Request, via []*http.Request) error {
	if !strings.EqualFold(origin(req.URL), origin(s.baseURL)) {
		return fmt.Errorf("%w: from %s", ErrCrossOrigin, origin(s.baseURL))
	}
	if operation := operationOf(via[0].URL, s.baseURL); !endsIn(req.URL.EscapedPath(), operation) {
		return fmt.Errorf("%w: a redirect does not lead to %q", ErrMalformedPage, operation)
	}
	if count, ok := req.Context().Value(requestCountKey{}).(*requestCount); ok {
		count.redirects.Add(1)
	}
	if s.http.CheckRedirect != nil {
		return s.http.CheckRedirect(req, via)
	}
	if len(via) >= maxRedirects {
		return errRedirects
	}
	return nil
}

const maxRedirects = 10
