// Package server serves Pack Cloud's webhook subscriptions API, as described by api/openapi.yaml, from any store.
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
// The store holds webhooks and tokens. The caller is responsible for listening, TLS and connection timeouts.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"github.com/packhooks/packhooks/api"
	"github.com/packhooks/packhooks/gen/serverapi"
	"github.com/packhooks/packhooks/server/store"
)

// The defaults of Config.
const (
	DefaultBasePath       = "/v1"
	DefaultRatePerSecond  = 100.0
	DefaultRateBurst      = 1000
	DefaultMaxInFlight    = 256
	DefaultMaxBytesInHand = 64 << 20
	DefaultRequestTimeout = 10 * time.Second
)

// Config configures a server. Webhooks, Tokens and PublicURL are required.
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

	// Observe is called after each response, for metrics and traces. It must not block. Default: none.
	Observe func(context.Context, Outcome)

	// NoDocs leaves out /docs, /openapi.yaml and /openapi.json.
	NoDocs bool

	// DocsOrganization is the organization that the docs page prefills. Default: none.
	DocsOrganization string

	// RatePerSecond is how many requests a token may make each second in the long run, RateBurst how many at
	// once; excess requests get 429. Defaults: DefaultRatePerSecond, DefaultRateBurst. A negative rate is none.
	RatePerSecond float64
	RateBurst     int

	// MaxInFlight is how many requests the store works on at once; excess requests get 503. One token may have half of
	// what the others leave free; excess requests get 429. Default: DefaultMaxInFlight.
	MaxInFlight int

	// MaxBytesInHand is how many bytes of responses may be unwritten at once, 16 KiB for each request included. A token
	// may have half of what the others leave free, and so may an address with all its unknown tokens; excess requests get 429.
	// Default: DefaultMaxBytesInHand.
	MaxBytesInHand int64

	// TrustedProxies is how many proxies in front add the address that they saw to X-Forwarded-For. Default: none, and
	// the header is not looked at.
	TrustedProxies int

	// RequestTimeout is how long the store may take for one request before it is a 503.
	// Default: DefaultRequestTimeout.
	RequestTimeout time.Duration
}

var basePathPattern = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)*$`)

// withDefaults fills in defaults and validates c.
func (c Config) withDefaults() (Config, error) {
	if c.Webhooks == nil || c.Tokens == nil {
		return c, fmt.Errorf("configuring server: Webhooks and Tokens are required")
	}
	if !validPublicURL(c.PublicURL) { // not quoted: it may hold a password
		return c, fmt.Errorf("configuring server: public URL must be an absolute http or https URL without user, query and fragment")
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	c.BasePath = strings.TrimRight(cmp.Or(c.BasePath, DefaultBasePath), "/")
	if !basePathPattern.MatchString(c.BasePath) {
		return c, fmt.Errorf("configuring server: base path %q is not a path of unreserved characters such as %q", c.BasePath, DefaultBasePath)
	}
	c.Logger = cmp.Or(c.Logger, slog.Default())
	c.RatePerSecond = cmp.Or(c.RatePerSecond, DefaultRatePerSecond)
	if c.RatePerSecond < 0 {
		c.RatePerSecond = float64(rate.Inf)
	}
	c.RateBurst = cmp.Or(c.RateBurst, DefaultRateBurst)
	c.MaxInFlight = cmp.Or(c.MaxInFlight, DefaultMaxInFlight)
	c.RequestTimeout = cmp.Or(c.RequestTimeout, DefaultRequestTimeout)
	c.MaxBytesInHand = cmp.Or(c.MaxBytesInHand, DefaultMaxBytesInHand)
	if min(c.RateBurst, c.MaxInFlight, c.TrustedProxies+1) < 0 || c.RequestTimeout < 0 || c.MaxBytesInHand < 0 {
		return c, fmt.Errorf("configuring server: rate burst, requests and bytes in flight, proxies and request timeout must be positive")
	}
	return c, nil
}

func validPublicURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

// New returns the handler of a conforming server. It does no I/O.
func New(config Config) (http.Handler, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	doc, err := api.Load()
	if err != nil {
		return nil, err
	}
	operations, err := loadOperations(doc)
	if err != nil {
		return nil, err
	}
	admission := newAdmission(config)
	handler, err := newHandler(config, doc, admission)
	if err != nil {
		return nil, err
	}
	requestID := doc.Components.Headers["XRequestId"]
	if requestID == nil || requestID.Value.Schema == nil {
		return nil, errors.New("loading contract: no header XRequestId with a schema, by which requests are named")
	}
	e := echo.New()
	middlewares := map[string][]echo.MiddlewareFunc{}
	for id, operation := range operations {
		middlewares[id] = []echo.MiddlewareFunc{
			with(authenticate),       // who calls, and how often; nothing below gets a response without a valid token
			with(operation.validate), // the request against the contract; fills in defaults
			with(authorize),          // last, so that a malformed organization is a 400
		}
	}
	options := serverapi.RegisterHandlersOptions{BaseURL: config.BasePath, OperationMiddlewares: middlewares}
	serverapi.RegisterHandlersWithOptions(e, serverapi.NewStrictHandler(handler, nil), options)
	if !config.NoDocs {
		if err := registerDocs(e, doc, config.BasePath, config.DocsOrganization); err != nil {
			return nil, err
		}
	}
	e.Use(
		identify(requestID.Value.Schema.Value),           // first, so that everything after can name the request
		with(record(config)),                             // outside of what may fail or panic, to see the outcome
		with(recoverPanic),                               // before any code that could panic
		with(matchRoute(e, config.BasePath, operations)), // 404 and 405 come before 401: which paths exist is no secret
		with(admission.admit),                            // before any expensive work
	)
	return e, nil
}
