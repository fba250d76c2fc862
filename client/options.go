package packhooks

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"time"
)

// An Option changes how a Client works.
type Option func(*config) error

type config struct {
	baseURL          *url.URL
	http             *http.Client
	maxAttempts      int
	minWait, maxWait time.Duration
	attemptTimeout   time.Duration
	maxBytes         int64
	userAgent        string
	log              *slog.Logger
}

func defaults() *config {
	base, _ := parseBaseURL(DefaultBaseURL)
	return &config{
		baseURL:        base,
		http:           &http.Client{},
		maxAttempts:    4,
		minWait:        100 * time.Millisecond,
		maxWait:        5 * time.Second,
		attemptTimeout: 30 * time.Second,
		maxBytes:       10 << 20,
		userAgent:      "packhooks/" + Version + " (" + strings.Fields(runtime.Version())[0] + ")",
		log:            slog.New(slog.DiscardHandler),
	}
}

// WithBaseURL sends requests below another URL than DefaultBaseURL, such as http://127.0.0.1:8080/v1. One with a
// query, a fragment or userinfo is refused. The token travels in clear over http.
func WithBaseURL(base string) Option {
	return func(c *config) (err error) {
		c.baseURL, err = parseBaseURL(base)
		return err
	}
}

// WithHTTPClient uses a copy of hc: its Transport, Jar and Timeout, the last for each attempt. Its CheckRedirect
// is asked after this package's own rule, which refuses to leave the base URL's origin.
//
// The default is an empty http.Client, which takes http.DefaultTransport and so its proxy settings.
func WithHTTPClient(hc *http.Client) Option {
	return func(c *config) error {
		if hc == nil {
			return errors.New("the HTTP client is nil")
		}
		c.http = hc
		return nil
	}
}

// WithMaxAttempts sends a request at most n times; 1 turns retries off. The default is 4.
func WithMaxAttempts(n int) Option {
	return func(c *config) error {
		if n < 1 {
			return fmt.Errorf("max attempts %d: want at least 1", n)
		}
		c.maxAttempts = n
		return nil
	}
}

// WithBackoff waits about shortest after the first failure and seven times longer after each further one, at most
// longest; up to a quarter of a wait is taken off at random, so that clients do not come back all at once. A
// Retry-After that is longer than the wait is waited for instead. One beyond longest ends the call at once with the
// typed error, as does a wait that outlasts the context's deadline.
//
// The default is 100 ms and 5 s. With 4 attempts those are waits of 0.1, 0.7 and 4.9 s, at least 4.2 s together:
// enough for a server that is restarted and away for 3 s.
func WithBackoff(shortest, longest time.Duration) Option {
	return func(c *config) error {
		if shortest <= 0 || longest < shortest {
			return fmt.Errorf("backoff of %v to %v: want 0 < shortest <= longest", shortest, longest)
		}
		c.minWait, c.maxWait = shortest, longest
		return nil
	}
}

// WithAttemptTimeout gives each attempt d, reading the body included. The default is 30 s.
func WithAttemptTimeout(d time.Duration) Option {
	return func(c *config) error {
		if d <= 0 {
			return fmt.Errorf("attempt timeout %v: want more than 0", d)
		}
		c.attemptTimeout = d
		return nil
	}
}

// WithMaxResponseBytes refuses a response body of more than n bytes, after decompression, with
// ErrResponseTooLarge. The default is 10 MiB; a page of 100 webhooks is 25 kB where endpoints are short.
func WithMaxResponseBytes(n int64) Option {
	return func(c *config) error {
		if n < 1 || n == math.MaxInt64 {
			return fmt.Errorf("max response bytes %d: want 1 to %d", n, int64(math.MaxInt64-1))
		}
		c.maxBytes = n
		return nil
	}
}

// WithUserAgent puts product, such as "shop/1.4", before this package's own User-Agent.
func WithUserAgent(product string) Option {
	return func(c *config) error {
		if product == "" || strings.ContainsFunc(product, func(r rune) bool { return r < ' ' || r > '~' }) {
			return fmt.Errorf("user agent %q: want printable ASCII", product)
		}
		c.userAgent = product + " " + c.userAgent
		return nil
	}
}

// WithLogger logs each attempt to log at debug level: method, path, status, duration and request id, never the
// token, a body or a query. By default nothing is logged.
func WithLogger(log *slog.Logger) Option {
	return func(c *config) error {
		if log == nil {
			return errors.New("the logger is nil")
		}
		c.log = log
		return nil
	}
}
