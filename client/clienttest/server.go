// Package clienttest runs a fake of the webhook subscriptions API inside a test, so that code which uses package
// packhooks can be tested over real HTTP:
//
//	srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme", clienttest.Webhooks(60)...))
//	c, err := packhooks.New(srv.Token, packhooks.WithBaseURL(srv.URL))
//
// It serves the webhooks, and the faults, that a test chooses: see [Server.Inject]. [Laravel] makes it respond like a
// stock Laravel service. It does not validate requests as strictly as a conforming server.
package clienttest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	packhooks "github.com/packhooks/packhooks/client"
	"github.com/packhooks/packhooks/client/internal/clientapi"
)

// A Server is a fake of the API.
type Server struct {
	URL   string // for packhooks.WithBaseURL
	Token string // covers every organization that has been given webhooks

	http    *httptest.Server
	paths   http.ServeMux
	laravel bool

	mu       sync.Mutex
	webhooks map[string][]packhooks.Webhook
	faults   []Fault
	requests []Request
}

// A Request is a request that the server received.
type Request struct {
	Method   string
	Path     string // as it was sent, still escaped
	RawQuery string
	Header   http.Header // without Authorization; see Token
	Token    string      // the bearer token; empty when there was none
}

// An Option prepares a Server.
type Option func(*Server)

// WithWebhooks gives the organization these webhooks, in this order. Call it without any for an empty organization.
func WithWebhooks(organizationID string, webhooks ...packhooks.Webhook) Option {
	return func(s *Server) { s.SetWebhooks(organizationID, webhooks...) }
}

// Laravel responds in the style of a Laravel service: 15 webhooks a page, http links without the page size, further
// keys in the envelope, an empty list or text where the contract has an object or a number, the first page for a
// cursor that cannot be read, and a redirect to a login page for a token that is not valid.
func Laravel() Option { return func(s *Server) { s.laravel = true } }

// NewServer starts a server on a free port of the loopback interface. It is closed when the test ends.
func NewServer(t testing.TB, opts ...Option) *Server {
	t.Helper()
	s := Start(opts...)
	t.Cleanup(s.Close)
	return s
}

// Start starts a server outside of a test, such as in an Example or TestMain. The caller must close it.
func Start(opts ...Option) *Server {
	s := &Server{Token: "clienttest-token", webhooks: map[string][]packhooks.Webhook{}}
	for _, opt := range opts {
		opt(s)
	}
	base, _ := url.Parse(packhooks.DefaultBaseURL) // as the next line does
	list, err := clientapi.NewListWebhooksRequest(packhooks.DefaultBaseURL+"/", "{organization}", nil)
	if err != nil {
		panic(err)
	}
	s.paths.HandleFunc(list.URL.Path, s.list)
	s.paths.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.fail(w, r, http.StatusNotFound, "no such path") })
	if s.laravel {
		s.paths.Handle("/login", Respond(http.StatusOK, "text/html", "<!DOCTYPE html><title>Log in</title>")(nil))
	}
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	s.URL = s.http.URL + base.Path
	return s
}

// Close closes the server and its connections, including delayed ones.
func (s *Server) Close() {
	s.http.CloseClientConnections()
	s.http.Close()
}

// SetWebhooks replaces the webhooks of the organization, also while a client is walking through them.
func (s *Server) SetWebhooks(organizationID string, webhooks ...packhooks.Webhook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.webhooks[organizationID] = slices.Clone(webhooks)
}

// Requests returns the requests that the server has seen, in the order of their arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// serve records r and applies the next fault, if any.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	header := r.Header.Clone()
	header.Del("Authorization")
	var fault Fault
	s.mu.Lock()
	s.requests = append(s.requests, Request{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, header, bearer(r)})
	w.Header().Set("X-Request-Id", fmt.Sprintf("clienttest-%d", len(s.requests)))
	w.Header().Set("Cache-Control", "no-store")
	if len(s.faults) > 0 {
		fault, s.faults = s.faults[0], s.faults[1:]
	}
	s.mu.Unlock()
	var handler http.Handler = &s.paths
	if fault != nil {
		handler = fault(handler)
	}
	handler.ServeHTTP(w, r)
}

func bearer(r *http.Request) string {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return token
}

// Webhooks returns n different webhooks: wh_000001 and so on.
func Webhooks(n int) []packhooks.Webhook {
	events := []string{"orders.created", "orders.cancelled", "shipments.created", ""}
	epoch := time.Date(2024, 8, 2, 9, 30, 0, 0, time.UTC)
	list := make([]packhooks.Webhook, n)
	for i := range list {
		at := epoch.Add(time.Duration(i) * time.Minute)
		list[i] = packhooks.Webhook{
			ID:        fmt.Sprintf("wh_%06d", i+1),
			EventCode: events[i%len(events)],
			Endpoint:  fmt.Sprintf("https://myapp.packcloud.local/hook-%d", i+1),
			Secret:    packhooks.NewSecret(fmt.Sprintf("clienttest-secret-%06d", i+1)),
			Enabled:   i%5 != 4,
			CreatedAt: at,
			UpdatedAt: at.Add(time.Hour),
		}
	}
	return list
}
