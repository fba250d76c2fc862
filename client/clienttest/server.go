// Package clienttest runs a small server of the webhook subscriptions API inside a test, so that code which uses
// package client can be tested against real HTTP without the real service:
//
//	srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme", clienttest.Webhooks(60)...))
//	c, err := packhooks.New(srv.Token, packhooks.WithBaseURL(srv.URL))
//
// It keeps to the contract: pages with exact links in both directions, problems for whatever is wrong with a
// request, tokens that cover some organizations. What goes wrong in production can be injected: see Server.Inject.
// It keeps everything in memory and is no place to serve from.
package clienttest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	packhooks "github.com/packhooks/packhooks/client"
)

const basePath = "/v1"

// A Server is a server of the API with the webhooks that a test gave it.
type Server struct {
	URL   string // for packhooks.WithBaseURL
	Token string // covers every organization that has been given webhooks

	http *httptest.Server

	mu       sync.Mutex
	webhooks map[string][]packhooks.Webhook
	tokens   map[string][]string
	faults   []Fault
	requests []Request
	answered int
}

// A Request is one that the server saw, whatever became of it.
type Request struct {
	Method   string
	Path     string // as it was sent, still escaped
	RawQuery string
	Header   http.Header // without Authorization; see Token
	Token    string      // the bearer token; empty when there was none
}

// An Option prepares a Server.
type Option func(*Server)

// WithWebhooks gives the organization these webhooks; none of them makes it one that the server knows.
func WithWebhooks(organizationID string, webhooks ...packhooks.Webhook) Option {
	return func(s *Server) { s.SetWebhooks(organizationID, webhooks...) }
}

// WithToken accepts a further token, which covers only the organizations that are named.
func WithToken(token string, organizationIDs ...string) Option {
	return func(s *Server) { s.tokens[token] = organizationIDs }
}

// NewServer starts a server on a free port of the loopback interface; it is closed when the test ends.
func NewServer(t testing.TB, opts ...Option) *Server {
	t.Helper()
	s := Start(opts...)
	t.Cleanup(s.Close)
	return s
}

// Start starts a server where there is no test, such as in an Example or a TestMain. Close it.
func Start(opts ...Option) *Server {
	s := &Server{
		Token:    "clienttest-token",
		webhooks: map[string][]packhooks.Webhook{},
		tokens:   map[string][]string{},
	}
	for _, opt := range opts {
		opt(s)
	}
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	s.URL = s.http.URL + basePath
	return s
}

// Close ends the server and its connections, also those that a fault holds up.
func (s *Server) Close() {
	s.http.CloseClientConnections()
	s.http.Close()
}

// SetWebhooks replaces the webhooks of the organization, also while a client is walking through them.
func (s *Server) SetWebhooks(organizationID string, webhooks ...packhooks.Webhook) {
	webhooks = slices.Clone(webhooks)
	for i := range webhooks {
		w := &webhooks[i]
		w.CreatedAt, w.UpdatedAt = w.CreatedAt.UTC().Truncate(time.Microsecond), w.UpdatedAt.UTC().Truncate(time.Microsecond)
	}
	slices.SortFunc(webhooks, compare)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.webhooks[organizationID] = webhooks
}

// Requests returns the requests that the server has seen, in the order of their arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	var handler http.Handler = http.HandlerFunc(s.answer)
	if fault := s.record(r); fault != nil {
		handler = fault(handler)
	}
	handler.ServeHTTP(w, r)
}

// record notes r and takes the fault that it is to meet, if any.
func (s *Server) record(r *http.Request) Fault {
	header := r.Header.Clone()
	header.Del("Authorization")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, Request{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, header, bearer(r)})
	if len(s.faults) == 0 {
		return nil
	}
	fault := s.faults[0]
	s.faults = s.faults[1:]
	return fault
}

func (s *Server) nextID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answered++
	return fmt.Sprintf("clienttest-%d", s.answered)
}

func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return token
}

// covers reports whether the server knows the token, and whether it covers the organization.
func (s *Server) covers(token, organizationID string) (known, covered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if token == s.Token {
		_, covered = s.webhooks[organizationID]
		return true, covered
	}
	organizations, known := s.tokens[token]
	return known, slices.Contains(organizations, organizationID)
}
