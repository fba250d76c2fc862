package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/packhooks/packhooks/server"
	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
)

// lister is a store that does what a test says.
type lister func(context.Context, store.PageQuery) (store.Page, error)

func (l lister) ListWebhooks(ctx context.Context, q store.PageQuery) (store.Page, error) {
	return l(ctx, q)
}

func TestFaultsOfTheStore(t *testing.T) {
	tests := []struct {
		name  string
		store lister
		want  int
	}{
		{"unavailable", func(context.Context, store.PageQuery) (store.Page, error) {
			return store.Page{}, fmt.Errorf("dialing: %w", store.ErrUnavailable)
		}, 503},
		{"too slow", func(ctx context.Context, _ store.PageQuery) (store.Page, error) {
			<-ctx.Done()
			return store.Page{}, ctx.Err()
		}, 503},
		{"broken", func(context.Context, store.PageQuery) (store.Page, error) {
			return store.Page{}, errors.New("secret-cause")
		}, 500},
		{"a document that is none", func(context.Context, store.PageQuery) (store.Page, error) {
			return store.Page{Webhooks: make([]document.Document, 1), HasNext: true}, nil
		}, 500},
		{"panic", func(context.Context, store.PageQuery) (store.Page, error) { panic("secret-value") }, 500},
		{"runtime panic", func(context.Context, store.PageQuery) (store.Page, error) {
			var p *store.Page
			return *p, nil
		}, 500},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t, func(c *server.Config) { c.Webhooks, c.RequestTimeout = test.store, 50*time.Millisecond })
			a := f.list("")
			if a.StatusCode != test.want || strings.Contains(string(a.body), "secret") || strings.Contains(string(a.body), "dialing") {
				t.Errorf("%d %s", a.StatusCode, a.body)
			}
			if a.Header.Get("Link") != "" {
				t.Errorf("Link is %q", a.Header.Get("Link"))
			}
			if test.want == 503 && a.Header.Get("Retry-After") != "1" {
				t.Errorf("Retry-After is %q", a.Header.Get("Retry-After"))
			}
			if !strings.Contains(f.log.String(), `"fault":`) || strings.Contains(f.log.String(), "secret-value") {
				t.Errorf("log is %s", f.log)
			}
		})
	}
}

func TestNilWebhooksAreAnEmptyArray(t *testing.T) {
	f := newFixture(t, func(c *server.Config) {
		c.Webhooks = lister(func(context.Context, store.PageQuery) (store.Page, error) { return store.Page{}, nil })
	})
	if a := f.list(""); !strings.HasPrefix(string(a.body), `{"data":[],`) {
		t.Errorf("body is %s", a.body)
	}
}

// A token may have half of the places that the others leave free, so that a newcomer always finds one, and the server
// recovers by itself.
func TestPlacesAreShared(t *testing.T) {
	release := make(chan struct{})
	entered := make(chan struct{}, 8)
	f := newFixture(t, func(c *server.Config) {
		c.MaxInFlight = 8
		c.Webhooks = lister(func(context.Context, store.PageQuery) (store.Page, error) {
			entered <- struct{}{}
			<-release
			return store.Page{}, nil
		})
	})
	released := sync.OnceFunc(func() { close(release) })
	t.Cleanup(released) // before the server is closed, which waits for its requests
	ask := func(token string) *answer {
		return f.do(http.MethodGet, "/v1/organizations/acme/webhooks", http.Header{"Authorization": {"Bearer " + token}}, nil)
	}
	var wg sync.WaitGroup
	admit := func(token string, n int) {
		t.Helper()
		for range n {
			wg.Go(func() { _ = ask(token) })
			select {
			case <-entered:
			case <-time.After(5 * time.Second):
				t.Fatal("a request was not admitted")
			}
		}
	}
	admit(f.token, 3)
	if a := ask(f.token); a.StatusCode != 429 || a.Header.Get("Retry-After") == "" {
		t.Errorf("a token's fourth request got %d", a.StatusCode)
	}
	second := f.newToken(tokenFor("acme"))
	admit(second, 2)
	if a := ask(second); a.StatusCode != 429 {
		t.Errorf("a second token's third request got %d", a.StatusCode)
	}
	for range 3 {
		admit(f.newToken(tokenFor("acme")), 1)
	}
	if a := ask(f.newToken(tokenFor("acme"))); a.StatusCode != 503 || a.Header.Get("Retry-After") == "" {
		t.Errorf("a request without a place got %d", a.StatusCode)
	}
	if resp, _ := f.fetch("/docs"); resp.StatusCode != 200 {
		t.Errorf("what needs no token got %d", resp.StatusCode)
	}
	released()
	wg.Wait()
	go func() { <-entered }()
	f.list("").page(t)
}

func TestConfigIsChecked(t *testing.T) {
	ok := server.Config{
		Webhooks: lister(nil), Tokens: struct{ store.Authenticator }{}, PublicURL: "https://h",
	}
	tests := []struct {
		name   string
		change func(*server.Config)
		want   string
	}{
		{"no store", func(c *server.Config) { c.Webhooks = nil }, "Webhooks and Tokens are required"},
		{"no tokens", func(c *server.Config) { c.Tokens = nil }, "Webhooks and Tokens are required"},
		{"no public URL", func(c *server.Config) { c.PublicURL = "" }, "public URL"},
		{"relative public URL", func(c *server.Config) { c.PublicURL = "/x" }, "public URL"},
		{"public URL with user", func(c *server.Config) { c.PublicURL = "https://u:p@h" }, "public URL"},
		{"public URL with query", func(c *server.Config) { c.PublicURL = "https://h?x" }, "public URL"},
		{"base path", func(c *server.Config) { c.BasePath = "/:x" }, "base path"},
		{"relative base path", func(c *server.Config) { c.BasePath = "v1" }, "base path"},
		{"in flight", func(c *server.Config) { c.MaxInFlight = -1 }, "must be positive"},
		{"burst", func(c *server.Config) { c.RateBurst = -1 }, "must be positive"},
		{"timeout", func(c *server.Config) { c.RequestTimeout = -1 }, "must be positive"},
		{"root", func(c *server.Config) { c.BasePath = "/" }, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := ok
			test.change(&c)
			_, err := server.New(c)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want %q", err, test.want)
			}
		})
	}
}
