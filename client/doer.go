package packhooks

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// A doer sends the requests of the generated client: it adds the headers, tries again where that may help, and
// answers with a 2xx whose body is read whole (see content) or with a typed error.
//
// The token is set here and not in a RoundTripper, which would add it to redirected requests as well.
type doer struct {
	token   Secret
	cfg     *config
	http    http.Client
	timeout error // why an attempt ended that took too long
}

func newDoer(token Secret, cfg *config) *doer {
	d := &doer{token: token, cfg: cfg, http: *cfg.http}
	d.timeout = fmt.Errorf("no whole answer within %v: %w", cfg.attemptTimeout, os.ErrDeadlineExceeded)
	d.http.CheckRedirect = sameOperationOnly(cfg.baseURL, cfg.http.CheckRedirect)
	return d
}

// Do sends req up to the configured number of times.
func (d *doer) Do(req *http.Request) (*http.Response, error) {
	var last error
	for n := 1; ; n++ {
		resp, err := d.attempt(req, n)
		if err == nil {
			return resp, nil
		}
		if cause := req.Context().Err(); cause != nil {
			return nil, interrupted(cause, last, err)
		}
		wait, again := d.retry(req, err, n)
		if !again {
			return nil, err
		}
		last = err
		if err := pause(req.Context(), wait); err != nil {
			return nil, interrupted(err, last, nil)
		}
	}
}

// attempt sends req once.
func (d *doer) attempt(req *http.Request, n int) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(req.Context(), d.cfg.attemptTimeout, d.timeout)
	defer cancel()
	r := req.Clone(ctx)
	r.Header.Set("Authorization", "Bearer "+d.token.Reveal())
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", d.cfg.userAgent)

	start := time.Now()
	resp, err := d.exchange(r, n)
	log := d.cfg.log.With("method", req.Method, "path", req.URL.EscapedPath(), "attempt", n, "duration", time.Since(start))
	if err != nil {
		log.DebugContext(ctx, "request failed", "error", err)
		return nil, err
	}
	log.DebugContext(ctx, "request done", "status", resp.StatusCode, "request_id", withoutToken(resp.Header.Get("X-Request-Id"), d.token))
	return resp, nil
}

func (d *doer) exchange(req *http.Request, n int) (*http.Response, error) {
	resp, err := d.http.Do(req)
	if err != nil {
		return nil, d.broken(req, err, n)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		e := newError(req, resp, d.token, d.cfg.maxBytes)
		e.Attempts = n
		return nil, e
	}
	err = readPayload(resp, d.cfg.maxBytes)
	if errors.Is(err, ErrResponseTooLarge) {
		return nil, err
	}
	if err == nil {
		// A server that sees the connection go may end a body in good form before all of it was sent.
		err = context.Cause(req.Context())
	}
	if err != nil {
		return nil, d.broken(req, err, n)
	}
	return resp, nil
}

// broken types an exchange that brought no whole answer. The error leaves out the query, and the address that a
// redirect named: the other side chose them.
func (d *doer) broken(req *http.Request, err error, n int) error {
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	if errors.Is(context.Cause(req.Context()), d.timeout) {
		err = d.timeout
	}
	if text := err.Error(); withoutToken(text, d.token) != text {
		err = errors.New(withoutToken(text, d.token))
	}
	err = fmt.Errorf("%s %s: %w", req.Method, origin(req.URL)+req.URL.EscapedPath(), err)
	if permanent(err) {
		return err
	}
	return &connectionError{attempts: n, cause: err}
}

// permanent reports whether err would come again: the redirect or the server's name or certificate is at fault.
func permanent(err error) bool {
	var (
		certificate *tls.CertificateVerificationError
		notTLS      tls.RecordHeaderError
		lookup      *net.DNSError
	)
	return errors.Is(err, ErrCrossOrigin) || errors.Is(err, ErrMalformedPage) || errors.Is(err, errRedirects) ||
		errors.As(err, &certificate) || errors.As(err, &notTLS) ||
		errors.As(err, &lookup) && lookup.IsNotFound
}

// interrupted returns an error that is the context's and that of the failure before it, if there was one. An
// attempt that the context ended says nothing of the service.
func interrupted(cause, last, err error) error {
	var connection *connectionError
	if last == nil && errors.As(err, &connection) {
		err = connection.cause
	}
	switch {
	case last != nil:
		return fmt.Errorf("%w; the last failure: %w", cause, last)
	case errors.Is(err, cause):
		return err
	default:
		return fmt.Errorf("%w: %w", cause, err)
	}
}

// withoutToken masks the token in what came from the other side, which may echo a request. A token that is as
// short as a word is left alone.
func withoutToken(text string, token Secret) string {
	if t := token.Reveal(); len(t) >= 8 {
		return strings.ReplaceAll(text, t, SecretMask)
	}
	return text
}

func headerWithoutToken(h http.Header, token Secret) http.Header {
	h = h.Clone()
	for _, values := range h {
		for i := range values {
			values[i] = withoutToken(values[i], token)
		}
	}
	return h
}
