// Package server answers Pack Cloud's webhook subscriptions API, as api/openapi.yaml describes it, from any store.
//
//	handler, err := server.New(server.Config{
//		Webhooks:  db, // a store.Lister
//		Tokens:    db, // a store.Authenticator
//		PublicURL: "https://webhooks.example.com",
//	})
//	if err != nil {
//		return err
//	}
//	return http.ListenAndServe("127.0.0.1:8080", handler)
//
// It decides statuses, pages, links and errors; where webhooks and tokens live is the store's business, and
// listening, TLS and timeouts of connections are the program's.
package server

import (
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/packhooks/packhooks/gen/serverapi"
	"github.com/packhooks/packhooks/server/store"
)

// The defaults of Config.
const (
	DefaultBasePath       = "/v1"
	DefaultRatePerSecond  = 100.0
	DefaultRateBurst      = 1000
	DefaultMaxInFlight    = 256
	DefaultRequestTimeout = 10 * time.Second
)

// Config is what a server is made of. Webhooks, Tokens and PublicURL are required.
type Config struct {
	Webhooks store.Lister
	Tokens   store.Authenticator

	// PublicURL is where clients reach the server: an absolute http or https URL, without BasePath. The links of
	// a page begin with it; the Host header and forwarded headers are never looked at.
	PublicURL string

	// BasePath comes before every path of the contract. Default: DefaultBasePath; "/" for none.
	BasePath string

	// Logger receives one record for each request and one for each fault. Default: slog.Default().
	Logger *slog.Logger

	// NoDocs leaves out /docs, /openapi.yaml and /openapi.json.
	NoDocs bool

	// RatePerSecond is how many requests a token may make each second in the long run, RateBurst how many at
	// once; what is over is a 429. Defaults: DefaultRatePerSecond, DefaultRateBurst. A negative rate is none.
	RatePerSecond float64
	RateBurst     int

	// MaxInFlight is how many requests are worked on at once; what is over is a 503 right away. One token may take
	// up half of it, rounded up; what is over is a 429. Default: DefaultMaxInFlight.
	MaxInFlight int

	// RequestTimeout is how long the store may take for one request before it is a 503.
	// Default: DefaultRequestTimeout.
	RequestTimeout time.Duration
}

var basePathPattern = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)*$`)

// withDefaults fills what is left out and refuses what cannot work.
func (c Config) withDefaults() (Config, error) {
	if c.Webhooks == nil || c.Tokens == nil {
		return c, fmt.Errorf("configuring server: Webhooks and Tokens are required")
	}
	if !validPublicURL(c.PublicURL) { // not quoted: it may hold a password
		return c, fmt.Errorf("configuring server: public URL must be an absolute http or https URL without user, query and fragment")
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	c.BasePath = strings.TrimRight(orDefault(c.BasePath, DefaultBasePath), "/")
	if !basePathPattern.MatchString(c.BasePath) {
		return c, fmt.Errorf("configuring server: base path %q is not a path of unreserved characters such as %q", c.BasePath, DefaultBasePath)
	}
	c.Logger = orDefault(c.Logger, slog.Default())
	c.RatePerSecond = orDefault(c.RatePerSecond, DefaultRatePerSecond)
	c.RateBurst = orDefault(c.RateBurst, DefaultRateBurst)
	c.MaxInFlight = orDefault(c.MaxInFlight, DefaultMaxInFlight)
	c.RequestTimeout = orDefault(c.RequestTimeout, DefaultRequestTimeout)
	if c.RateBurst < 0 || c.MaxInFlight < 0 || c.MaxInFlight > math.MaxInt32 || c.RequestTimeout < 0 {
		return c, fmt.Errorf("configuring server: rate burst, requests in flight and request timeout must be positive")
	}
	return c, nil
}

func validPublicURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// New returns the handler of a conforming server. It does no I/O.
func New(config Config) (http.Handler, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	operations, err := loadOperations()
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.HTTPErrorHandler = respondProblem
	// What strangers can have without a token, such as the docs page, takes up no place in flight: all of these are for
	// the contract's operations alone.
	capInFlight := capInFlight(config.MaxInFlight)
	limiter := &limiter{perSecond: config.RatePerSecond, burst: config.RateBurst, inFlight: int32((config.MaxInFlight + 1) / 2)} //nolint:gosec // checked above
	middlewares := map[string][]echo.MiddlewareFunc{}
	for id, operation := range operations {
		middlewares[id] = []echo.MiddlewareFunc{
			capInFlight,                      // before any work is done
			limitTime(config.RequestTimeout), // before the store is asked anything
			authenticate(config.Tokens),      // who asks; nothing below is told to strangers
			limiter.limit,                    // by token, so after it is known
			operation.validate,               // the request against the contract; fills in defaults
			authorize,                        // last, so that a malformed organization is a 400
		}
	}
	serverapi.RegisterHandlersWithOptions(e, serverapi.NewStrictHandler(&handler{
		webhooks: config.Webhooks,
		baseURL:  config.PublicURL + config.BasePath,
	}, nil), serverapi.RegisterHandlersOptions{BaseURL: config.BasePath, OperationMiddlewares: middlewares})
	if !config.NoDocs {
		if err := registerDocs(e, config.PublicURL+config.BasePath); err != nil {
			return nil, err
		}
	}
	e.Use(
		identify,                 // first, so that everything after can name the request
		logAccess(config.Logger), // outside of what may fail or panic, so that it sees the outcome
		recoverPanic,             // before any code that could panic
		matchRoute(e),            // 404 and 405 come before 401: which paths exist is no secret
	)
	return e, nil
}
