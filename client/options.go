package packhooks

import (
	"context"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"time"
)

// An Option configures a Client.
type Option func(*config) error

type config struct {
	baseURL          *url.URL
	http             *http.Client
	token            func(context.Context) (string, error)
	maxAttempts      int
	minWait, maxWait time.Duration
	maxRetryAfter    time.Duration
	attemptTimeout   time.Duration
	maxBytes         int64
	userAgent        string
	hooks            []func(context.Context, Attempt)
}

func defaults() config {
	base, _ := parseBaseURL(DefaultBaseURL)
	return config{
		baseURL:        base,
		http:           &http.Client{Transport: sharedTransport()},
		maxAttempts:    8,
		minWait:        100 * time.Millisecond,
		maxWait:        2 * time.Second,
		maxRetryAfter:  time.Minute,
		attemptTimeout: 30 * time.Second,
		maxBytes:       10 << 20,
		userAgent:      "packhooks/" + Version + " (" + strings.Fields(runtime.Version())[0] + ")",
	}
}

// sharedTransport is http.DefaultTransport with more idle connections per host: with the default of two, concurrent
// calls open a connection for most requests.
var sharedTransport = sync.OnceValue(func() http.RoundTripper {
	standard, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t := standard.Clone()
	t.MaxIdleConnsPerHost = 64
	t.MaxResponseHeaderBytes = 1 << 20
	return t
})

// WithBaseURL sets the URL that requests go below, such as http://127.0.0.1:8080/v1. The default is DefaultBaseURL.
// A query, a fragment or userinfo in it is an error. Over http the token travels in clear text.
func WithBaseURL(base string) Option {
	return func(c *config) (err error) {
		c.baseURL, err = parseBaseURL(base)
		return err
	}
}

// WithHTTPClient sends requests through a copy of hc: its Transport, its Jar, and its Timeout for each attempt. Its
// CheckRedirect is called after this package's own check, which refuses to leave the base URL's origin.
//
// The default has the settings of http.DefaultTransport, proxies included, and keeps up to 64 idle connections.
func WithHTTPClient(hc *http.Client) Option {
	return option(hc != nil, func(c *config) { c.http = hc }, "the HTTP client is nil")
}

// WithTokenSource gets the token of each attempt from source, which may be called concurrently. An error of source
// ends the call; errors.Is and errors.As find it.
func WithTokenSource(source func(ctx context.Context) (token string, err error)) Option {
	return option(source != nil, func(c *config) { c.token = source }, "the token source is nil")
}

// WithMaxAttempts sends a request at most n times, redirects not counted. 1 turns retries off. The default is 8.
func WithMaxAttempts(n int) Option {
	return option(n >= 1 && n <= math.MaxInt32, func(c *config) { c.maxAttempts = n }, "max attempts %d: want at least 1", n)
}

// WithBackoff waits shortest after the first failure and twice as long after each further one, up to longest. Up to
// half of each wait is taken off at random, so that clients do not return all at once.
//
// The default is 100 ms and 2 s. With 8 attempts that is 3.5 to 7.1 s in all: enough for the restart of a server.
func WithBackoff(shortest, longest time.Duration) Option {
	return option(shortest > 0 && longest >= shortest, func(c *config) { c.minWait, c.maxWait = shortest, longest },
		"backoff of %v to %v: want 0 < shortest <= longest", shortest, longest)
}

// WithMaxRetryAfter sets the longest Retry-After (RFC 9110, section 10.2.3) that is waited for. The wait is the
// server's time and, at random, up to as much again. A longer Retry-After, or one beyond the context's deadline,
// ends the call at once with the *Error. The default is 60 s.
func WithMaxRetryAfter(limit time.Duration) Option {
	return option(limit >= 0, func(c *config) { c.maxRetryAfter = limit }, "max Retry-After %v: want at least 0", limit)
}

// WithAttemptTimeout limits each attempt, reading the body included, to d. The default is 30 s.
func WithAttemptTimeout(d time.Duration) Option {
	return option(d > 0, func(c *config) { c.attemptTimeout = d }, "attempt timeout %v: want more than 0", d)
}

// WithMaxResponseBytes limits a response body to n bytes, after decompression. A larger one is ErrResponseTooLarge.
// The default is 10 MiB: the largest page that the contract allows has 4.9 MB, and a usual one of 100 webhooks 25 kB.
func WithMaxResponseBytes(n int64) Option {
	return option(n >= 1 && n < math.MaxInt64, func(c *config) { c.maxBytes = n }, "max response bytes %d: want at least 1", n)
}

// WithUserAgent puts product, such as "shop/1.4", before this package's own User-Agent.
func WithUserAgent(product string) Option {
	return option(product != "" && visible(product), func(c *config) { c.userAgent = product + " " + c.userAgent },
		"user agent %q: want printable ASCII", product)
}

// WithLogger logs each attempt at debug level: method, path, status, duration and request id, but neither the token
// nor a body or query. By default nothing is logged.
func WithLogger(log *slog.Logger) Option {
	if log == nil {
		return func(*config) error { return invalid("the logger is nil") }
	}
	return WithAttemptHook(func(ctx context.Context, a Attempt) {
		attrs := []any{"method", a.Method, "path", a.Path, "attempt", a.Number, "duration", a.Duration}
		if a.StatusCode != 0 {
			attrs = append(attrs, "status", a.StatusCode, "request_id", a.RequestID)
		}
		if a.Err != nil {
			attrs = append(attrs, "error", a.Err)
		}
		log.DebugContext(ctx, "request", attrs...)
	})
}

// An Attempt is one request of a call and its result.
type Attempt struct {
	Method     string
	Path       string // without the query
	Number     int    // 1 for the first of a call
	Duration   time.Duration
	StatusCode int    // 0 when no response arrived
	RequestID  string // the server's name for the request; may be empty
	Err        error  // nil for a 2xx response with a well-formed body
}

// WithAttemptHook calls hook after each attempt, in the goroutine of the call: for metrics, say.
func WithAttemptHook(hook func(ctx context.Context, a Attempt)) Option {
	return option(hook != nil, func(c *config) { c.hooks = append(c.hooks, hook) }, "the attempt hook is nil")
}

// option returns an option that is valid if ok, or the error of format and args.
func option[T any](ok bool, set func(*T), format string, args ...any) func(*T) error {
	return func(to *T) error {
		set(to)
		return check(ok, format, args...)
	}
}

// apply applies opts to what they set.
func apply[T any, O ~func(*T) error](to *T, opts []O) error {
	for _, opt := range opts {
		if opt == nil {
			return invalid("an option is nil")
		}
		if err := opt(to); err != nil {
			return err
		}
	}
	return nil
}

func check(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return invalid(format, args...)
}
