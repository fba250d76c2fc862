package packhooks

import (
	"cmp"
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
)

// A connectionError is an attempt without a complete response.
//
// errors.Is and errors.As see its cause, and nothing prints it: net/http's errors quote what they cannot parse.
type connectionError struct {
	text  string
	cause func() error
}

func (e *connectionError) Error() string { return e.text }
func (e *connectionError) Is(target error) bool {
	return target == ErrUnavailable || errors.Is(e.cause(), target)
}
func (e *connectionError) As(target any) bool { return errors.As(e.cause(), target) }

// noResponse types the error of an attempt without a complete response.
func noResponse(req *http.Request, err error, token string, attempts int) error {
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err // without the URL: its query, or the address of a redirect, come from the server
	}
	cause := context.Cause(req.Context())
	switch {
	case errors.Is(err, ErrCrossOrigin) || errors.Is(err, ErrMalformedPage) || errors.Is(err, ErrResponseTooLarge):
		return err
	case errorOf[*timeoutError](cause) != nil || errors.Is(cause, errAbandoned):
		err = cause
	case strings.HasPrefix(err.Error(), "failed to parse Location header"):
		err = errLocation
	}
	return newConnectionError(req, err, token, attempts)
}

func newConnectionError(req *http.Request, err error, token string, attempts int) *connectionError {
	text := fmt.Sprintf("%s %s: %s", req.Method, origin(req.URL)+req.URL.EscapedPath(), printable(mask(describe(err), token)))
	if attempts > 1 {
		text += fmt.Sprintf(" (%d attempts)", attempts)
	}
	return &connectionError{text, func() error { return err }}
}

var (
	errRedirects = fmt.Errorf("stopped after %d redirects", maxRedirects)
	errAbandoned = errors.New("the server closed every connection without a response")
	errLocation  = errors.New("a redirect has no valid Location")
	errUnknown   = errors.New("no valid HTTP response")
)

// describe returns the part of err's text that was not written by the server.
func describe(err error) string {
	known := cmp.Or(
		errorOf[*tls.CertificateVerificationError](err), errorOf[tls.RecordHeaderError](err), errorOf[*net.OpError](err),
		errorOf[*net.DNSError](err), errorOf[*timeoutError](err),
	)
	for _, plain := range []error{
		errRedirects, errAbandoned, errLocation, http.ErrSchemeMismatch, context.Canceled, context.DeadlineExceeded,
		os.ErrDeadlineExceeded, io.ErrUnexpectedEOF, io.EOF, net.ErrClosed,
	} {
		if known == nil && errors.Is(err, plain) {
			known = plain
		}
	}
	return cmp.Or(known, errorOf[syscall.Errno](err), errUnknown).Error()
}

// errorOf returns the error in err's tree that is a T, or nil.
func errorOf[T error](err error) error {
	var found T
	if errors.As(err, &found) {
		return found
	}
	return nil
}

// permanent reports whether a retry would fail the same way, as with a bad address, certificate or redirect.
func permanent(err error) bool {
	var lookup *net.DNSError
	var operation *net.OpError
	return errors.Is(err, errRedirects) || errors.Is(err, errLocation) || errors.Is(err, http.ErrSchemeMismatch) ||
		errorOf[*tls.CertificateVerificationError](err) != nil || errorOf[tls.RecordHeaderError](err) != nil ||
		errorOf[*net.AddrError](err) != nil || errors.As(err, &lookup) && lookup.IsNotFound ||
		// A TLS alert: "certificate required", "bad certificate", "handshake failure" and their kind.
		errors.As(err, &operation) && operation.Op == "remote error" && !strings.Contains(err.Error(), "internal error")
}

// badEncoding reports whether a body is not the gzip that its header announces.
func badEncoding(err error) bool {
	return errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errorOf[flate.CorruptInputError](err) != nil
}

// A timeoutError is the end of WithAttemptTimeout. The caller's context has not ended.
type timeoutError struct{ after string }

func (e *timeoutError) Error() string   { return "no complete response within " + e.after }
func (e *timeoutError) Timeout() bool   { return true }
func (e *timeoutError) Temporary() bool { return true }
func (e *timeoutError) Unwrap() error   { return os.ErrDeadlineExceeded }
