package server_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/packhooks/packhooks/api"
	"github.com/packhooks/packhooks/gen/serverapi"
	"github.com/packhooks/packhooks/server"
	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/keyset"
	"github.com/packhooks/packhooks/server/store/sqlite"
)

// publicURL differs from where the test server listens, as it does behind a proxy.
const publicURL = "https://webhooks.example.com"

// fixture is a server on a real socket and a real SQLite database, with a token for the organization "acme".
type fixture struct {
	testing.TB
	handler http.Handler
	url     string
	db      *sqlite.Store
	keys    *keyset.Keyset
	keyFile string
	token   string
	log     *bytes.Buffer
}

// newFixture starts a server; change may adjust its configuration.
func newFixture(t testing.TB, change ...func(*server.Config)) *fixture {
	t.Helper()
	dir := t.TempDir()
	keyFile := filepath.Join(dir, "test.db.keyset")
	keys, err := keyset.Create(keyFile)
	check(t, err)
	db, err := sqlite.Open(t.Context(), filepath.Join(dir, "test.db"), keys, sqlite.Options{})
	check(t, err)
	t.Cleanup(func() { check(t, db.Close()) })
	f := &fixture{TB: t, db: db, keys: keys, keyFile: keyFile, log: &bytes.Buffer{}}
	f.token = f.newToken(store.Token{Organizations: []string{"acme"}})
	config := server.Config{
		Webhooks: db, Tokens: db, PublicURL: publicURL,
		Logger: slog.New(slog.NewJSONHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&config)
	}
	handler, err := server.New(config)
	check(t, err)
	f.handler = handler
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	f.url = srv.URL
	return f
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) newToken(token store.Token) string {
	f.Helper()
	text := store.NewToken()
	hash, _ := store.HashToken(text)
	_, err := f.db.CreateToken(f.Context(), hash, token)
	check(f, err)
	return text
}

// seed imports n webhooks into an organization, created one second apart.
func (f *fixture) seed(organization string, n int) []serverapi.Webhook {
	f.Helper()
	webhooks := make([]serverapi.Webhook, n)
	for i := range webhooks {
		at := time.Date(2024, 8, 2, 9, 30, i, 0, time.UTC)
		webhooks[i] = serverapi.Webhook{
			ID: fmt.Sprintf("wh_%06d", i), EventCode: "orders.created", Secret: fmt.Sprintf("very-secret-%06d", i),
			Endpoint: "https://myapp.packcloud.local/order-created", Enabled: i%2 == 0, CreatedAt: at, UpdatedAt: at,
		}
	}
	f.put(organization, webhooks...)
	return webhooks
}

func (f *fixture) put(organization string, webhooks ...serverapi.Webhook) {
	f.Helper()
	_, err := f.db.ImportWebhooks(f.Context(), organization, func(yield func(document.Document, error) bool) {
		for _, w := range webhooks {
			if !yield(document.New(w)) {
				return
			}
		}
	}, store.ImportOptions{})
	check(f, err)
}

// answer is a response that was read and found to keep the contract.
type answer struct {
	*http.Response
	body []byte
}

func (a *answer) page(t testing.TB) serverapi.WebhookPage {
	t.Helper()
	var page serverapi.WebhookPage
	if a.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", a.StatusCode, a.body)
	}
	check(t, json.Unmarshal(a.body, &page))
	return page
}

func (a *answer) problem(t testing.TB) serverapi.Problem {
	t.Helper()
	var problem serverapi.Problem
	check(t, json.Unmarshal(a.body, &problem))
	return problem
}

// list asks for webhooks of acme with the fixture's token; query includes its question mark.
func (f *fixture) list(query string) *answer {
	f.Helper()
	return f.do(http.MethodGet, "/v1/organizations/acme/webhooks"+query, http.Header{"Authorization": {"Bearer " + f.token}}, nil)
}

// do sends a request as it is written and holds the response to the contract.
func (f *fixture) do(method, target string, header http.Header, body io.Reader) *answer {
	f.Helper()
	req, err := http.NewRequestWithContext(f.Context(), method, f.url, body)
	check(f, err)
	req.URL.Opaque = target // as it is: net/url would tidy up what is to be tested
	req.Header = header
	resp, err := http.DefaultTransport.RoundTrip(req)
	check(f, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	check(f, err)
	if err := keepsContract(method, target, header, resp, text); err != nil {
		f.Errorf("%s %s: %d breaks the contract: %v\n%s", method, target, resp.StatusCode, err, text)
	}
	return &answer{resp, text}
}

// contract is api/openapi.yaml with its one operation.
var contract = func() *routers.Route {
	doc, err := openapi3.NewLoader().LoadFromData(api.Spec)
	if err != nil {
		panic(err)
	}
	const path = "/organizations/{organizationId}/webhooks"
	item := doc.Paths.Value(path)
	return &routers.Route{Spec: doc, Path: path, PathItem: item, Method: http.MethodGet, Operation: item.Get}
}()

// keepsContract validates a response, its headers included, whatever the request was: 404 and 405 are declared at
// the operation too.
func keepsContract(method, target string, header http.Header, resp *http.Response, body []byte) error {
	req, err := http.NewRequest(http.MethodGet, publicURL, nil)
	if err != nil {
		return err
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, Route: contract},
		Status:                 resp.StatusCode,
		Header:                 resp.Header,
		Options:                &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	}
	if method == http.MethodHead { // which has no body
		input.Options.ExcludeResponseBody = true
	}
	input.SetBodyBytes(body)
	return errors.Join(
		openapi3filter.ValidateResponse(req.Context(), input),
		record(method, target, header, resp, body),
	)
}

// requests finds the operation of a request below /v1.
var requests = func() routers.Router {
	doc := *contract.Spec
	doc.Servers = openapi3.Servers{{URL: "/v1"}}
	router, err := gorillamux.NewRouter(&doc)
	if err != nil {
		panic(err)
	}
	return router
}()

// validRequest is what kin-openapi alone says of a request, without the strict query and the semantics of a cursor.
func validRequest(method, target string, header http.Header) error {
	req, err := http.NewRequest(method, publicURL+target, nil)
	if err != nil {
		return err
	}
	req.Header = header
	route, params, err := requests.FindRoute(req)
	if err != nil {
		return err
	}
	for name, value := range params {
		if plain, err := url.PathUnescape(value); err == nil {
			params[name] = plain
		}
	}
	return openapi3filter.ValidateRequest(req.Context(), &openapi3filter.RequestValidationInput{
		Request: req, Route: route, PathParams: params,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	})
}

var recorded atomic.Int64

// record writes the exchange to a file of the folder that PACKHOOKS_RECORD names, for validation by another
// validator (make cross-validate).
func record(method, target string, header http.Header, resp *http.Response, body []byte) error {
	dir := os.Getenv("PACKHOOKS_RECORD")
	if dir == "" {
		return nil
	}
	clone := header.Clone()
	if clone.Get("Authorization") != "" {
		clone.Set("Authorization", "Bearer redacted")
	}
	data, err := json.Marshal(map[string]any{
		"request":  map[string]any{"method": method, "url": publicURL + target, "header": clone},
		"response": map[string]any{"status": resp.StatusCode, "header": resp.Header, "body": string(body)},
		"valid":    validRequest(method, target, header) == nil,
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d.json", recorded.Add(1))), data, 0o600)
}
