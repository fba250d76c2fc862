package server_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/packhooks/packhooks/gen/serverapi"
	"github.com/packhooks/packhooks/server"
	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
)

// FuzzRequest sends whatever fits on the wire. No request makes the server panic or fail, and every answer keeps
// the contract.
func FuzzRequest(f *testing.F) {
	fuzzed := newFuzzed(f)
	f.Add("GET", "/v1/organizations/acme/webhooks", "per_page=2", "Authorization: Bearer "+fuzzed.token)
	f.Add("GET", "/v1/organizations/acme/webhooks", "cursor=AQH-&per_page=100", "authorization: bearer x")
	f.Add("OPTIONS", "/v1/organizations/%2e%2e/webhooks", "%zz&;=", "X-Request-Id: \xff\x00")
	f.Add("HEAD", "/v1//organizations/a%2Fb/webhooks/", "per_page=%00&per_page=1", "Content-Length: 2")
	f.Add("G\tT", "*", "?", "Transfer-Encoding: chunked")
	f.Fuzz(func(t *testing.T, method, path, query, header string) {
		target := path
		if query != "" {
			target += "?" + query
		}
		fuzzed.try(t, method, target, header)
	})
}

// FuzzAuthorized gets past the token, so that query, cursor and organization are what is tried.
func FuzzAuthorized(f *testing.F) {
	fuzzed := newFuzzed(f)
	f.Add("acme", "per_page=1")
	f.Add("acme", "cursor=AQFhy2sgJ-PZ8gAGHsNmrYAAd2hfMDAwMDAw&per_page=3")
	f.Add("a%63me", "per_page=2&cursor=AQN")
	f.Add("other", "per_page=%31")
	f.Fuzz(func(t *testing.T, organization, query string) {
		fuzzed.try(t, "GET", "/v1/organizations/"+organization+"/webhooks?"+query, "Authorization: Bearer "+fuzzed.token)
	})
}

type fuzzed struct {
	handler http.Handler
	token   string
}

func newFuzzed(f *testing.F) *fuzzed {
	f.Helper()
	fz := &fuzzed{token: store.NewToken()}
	hash, _ := store.HashToken(fz.token)
	handler, err := server.New(server.Config{
		Webhooks: lister(threeWebhooks), Tokens: oneToken(hash), PublicURL: publicURL, RatePerSecond: -1,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	check(f, err)
	fz.handler = handler
	return fz
}

type oneToken store.TokenHash

func (o oneToken) Authenticate(_ context.Context, token string) (store.Grant, error) {
	if hash, ok := store.HashToken(token); !ok || hash != store.TokenHash(o) {
		return store.Grant{}, store.ErrUnauthorized
	}
	return store.Grant{TokenID: "one", Organizations: []string{"acme"}}, nil
}

func threeWebhooks(_ context.Context, q store.PageQuery) (store.Page, error) {
	at := time.UnixMicro(1722591000000000)
	w := serverapi.Webhook{ID: "wh", Endpoint: "https://e", Secret: "s", CreatedAt: at, UpdatedAt: at}
	d, err := document.New(w)
	page := store.Page{HasPrev: q.Bound != (store.Bound{}), HasNext: q.Limit < 3}
	for range min(q.Limit, 3) {
		page.Webhooks = append(page.Webhooks, d)
	}
	return page, err
}

func (fz *fuzzed) try(t *testing.T, method, target, header string) {
	t.Helper()
	raw := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: h\r\n%s\r\n\r\nxx", method, target, header)
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		return // net/http refuses it before any handler runs
	}
	rec := httptest.NewRecorder()
	fz.handler.ServeHTTP(rec, req)
	if rec.Code >= 500 || strings.HasPrefix(req.URL.Path, "/docs") || strings.HasPrefix(req.URL.Path, "/openapi.") {
		if rec.Code >= 500 {
			t.Fatalf("%s %q: %d %s", method, target, rec.Code, rec.Body)
		}
		return
	}
	resp := rec.Result()
	if err := keepsContract(method, target, req.Header, resp, bytes.Clone(rec.Body.Bytes())); err != nil {
		t.Fatalf("%s %q: %d breaks the contract: %v\n%s", method, target, rec.Code, err, rec.Body)
	}
}
