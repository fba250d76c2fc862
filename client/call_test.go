package packhooks_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	packhooks "github.com/packhooks/packhooks/client"
	"github.com/packhooks/packhooks/client/clienttest"
)

func TestInvalidArgumentsAreErrors(t *testing.T) {
	c := newClientOf(t, testToken, "http://127.0.0.1:1")
	var none *packhooks.Client
	var noPage *packhooks.WebhookPage
	var noContext context.Context
	list := func(c *packhooks.Client, ctx context.Context, id string, opts ...packhooks.ListOption) error {
		_, err := c.ListWebhooks(ctx, id, opts...)
		return err
	}
	turn := func(p *packhooks.WebhookPage) error {
		_, err := p.NextPage(t.Context())
		return err
	}
	made := func(token string, opts ...packhooks.Option) error {
		_, err := packhooks.New(token, opts...)
		return err
	}
	source := func(context.Context) (string, error) { return "", nil }
	for name, err := range map[string]error{
		"nil option":            made(testToken, nil),
		"token and source":      made(testToken, packhooks.WithTokenSource(source)),
		"nil source":            made("", packhooks.WithTokenSource(nil)),
		"nil hook":              made(testToken, packhooks.WithAttemptHook(nil)),
		"no token":              made(""),
		"impossible port":       made(testToken, packhooks.WithBaseURL("http://example.com:99999")),
		"negative Retry-After":  made(testToken, packhooks.WithMaxRetryAfter(-1)),
		"nil client":            list(none, t.Context(), "acme"),
		"zero client":           list(&packhooks.Client{}, t.Context(), "acme"),
		"nil context":           list(c, noContext, "acme"),
		"nil list option":       list(c, t.Context(), "acme", nil),
		"empty organization":    list(c, t.Context(), ""),
		"header of ours":        list(c, t.Context(), "acme", packhooks.WithHeader("authorization", "x")),
		"header with line ends": list(c, t.Context(), "acme", packhooks.WithHeader("X", "a\r\nb")),
		"empty request id":      list(c, t.Context(), "acme", packhooks.WithRequestID("")),
		"nil page":              turn(noPage),
		"zero page":             turn(&packhooks.WebhookPage{}),
		"page made by hand":     turn(&packhooks.WebhookPage{Next: "?a"}),
	} {
		if !errors.Is(err, packhooks.ErrInvalidArgument) || errors.Is(err, packhooks.ErrNoPage) {
			t.Errorf("%s: got %v, want ErrInvalidArgument", name, err)
		}
	}
}

func TestResponseMetadata(t *testing.T) {
	url := serve(t, always(200, body(""), "X-Request-Id", "r1", "Deprecation", "@1688169599", "Sunset", "Sat, 31 Dec 2033 23:59:59 GMT", "X-Echo", "Bearer "+testToken))
	page, err := newClientOf(t, testToken, url).ListWebhooks(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	r := page.Response
	if r.StatusCode != 200 || r.RequestID != "r1" || r.Attempts != 1 || r.Deprecation.Unix() != 1688169599 || r.Sunset.Year() != 2033 || r.Header.Get("X-Echo") != "Bearer [redacted]" {
		t.Errorf("got %+v: %v", r, []any{r.StatusCode, r.RequestID, r.Attempts, r.Deprecation, r.Sunset, r.Header})
	}
}

func TestTokenSourceHeadersAndHook(t *testing.T) {
	srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme", clienttest.Webhooks(3)...))
	srv.Inject(clienttest.Unavailable(0))
	var attempts []packhooks.Attempt
	failure := error(nil)
	c := newClientOf(t, "", srv.URL,
		packhooks.WithTokenSource(func(context.Context) (string, error) { return srv.Token, failure }),
		packhooks.WithAttemptHook(func(_ context.Context, a packhooks.Attempt) { attempts = append(attempts, a) }))
	got, err := packhooks.Collect(c.Webhooks(t.Context(), "acme", packhooks.PerPage(2), packhooks.WithRequestID("mine"), packhooks.WithHeader("X-Trace", "7")), 3)
	if err != nil || len(got) != 3 {
		t.Fatalf("%v, %d webhooks", err, len(got))
	}
	for _, r := range srv.Requests() {
		if r.Token != srv.Token || r.Header.Get("X-Request-Id") != "mine" || r.Header.Get("X-Trace") != "7" {
			t.Errorf("a request has the headers %v", r.Header)
		}
	}
	if len(attempts) != 3 || attempts[0].StatusCode != 503 || attempts[0].Err == nil || attempts[1].Number != 2 || attempts[1].Err != nil {
		t.Errorf("the hook saw %+v", attempts)
	}
	if _, err := packhooks.Collect(c.Webhooks(t.Context(), "acme"), 2); !errors.Is(err, packhooks.ErrTooMany) {
		t.Errorf("more than two: %v", err)
	}
	failure = errors.New("vault is sealed")
	before := len(srv.Requests())
	if _, err := c.ListWebhooks(t.Context(), "acme"); !errors.Is(err, failure) || len(srv.Requests()) != before {
		t.Errorf("a token source that fails: %v", err)
	}
}

func TestRevealJSONIsReadBack(t *testing.T) {
	for _, w := range clienttest.Webhooks(4) {
		text, err := w.RevealJSON()
		var back packhooks.Webhook
		if err = errors.Join(err, json.Unmarshal(text, &back)); err != nil || !reflect.DeepEqual(back, w) {
			t.Errorf("%v; %s", err, text)
		}
	}
}

// A link that drops the page size gets it back, and is otherwise repeated as it is.
func TestLinksKeepWhatTheCallerAskedFor(t *testing.T) {
	var queries []string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		queries = append(queries, r.URL.RawQuery)
		next := map[string]string{"": "?page=2;a=%2f", "per_page=7": "?page=2&per%5Fpage=5", "page=2&per%5Fpage=5": "?page=3", "page=2": ""}[r.URL.RawQuery]
		_, _ = w.Write([]byte(body(next)))
	})
	c := newClientOf(t, testToken, url)
	for _, opts := range [][]packhooks.ListOption{nil, {packhooks.PerPage(7)}, {packhooks.PerPage(7), packhooks.FromPage("?page=2")}} {
		for _, err := range c.WebhookPages(t.Context(), "acme", opts...) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if want := []string{"", "page=2;a=%2f", "per_page=7", "page=2&per%5Fpage=5", "page=3&per_page=7", "page=2&per_page=7"}; !slices.Equal(queries, want) {
		t.Errorf("asked for %q, want %q", queries, want)
	}
}

// The second page vanishes between two walks by hand from one first page: that is no loop.
func TestASecondWalkIsNoLoop(t *testing.T) {
	next := map[string]string{"": "?c=1", "c=1": "?c=2", "c=2": "?c=3"}
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(body(next[r.URL.RawQuery]))) })
	first, err := newClientOf(t, testToken, url).ListWebhooks(t.Context(), "acme")
	for range 2 {
		page := first
		for err == nil && page.Next != "" {
			page, err = page.NextPage(t.Context())
		}
		next["c=1"] = "?c=3" // a page earlier than before
	}
	if err != nil {
		t.Error(err)
	}
}

func TestPermanentFailuresAreNotRetried(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"bad Location":    always(302, "", "Location", "http://[::1"),
		"redirect loop":   func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) },
		"scheme mismatch": nil,
		"no such host":    nil,
	} {
		url := "http://nobody.invalid"
		switch {
		case answer != nil:
			url = serve(t, answer)
		case name == "scheme mismatch":
			url = strings.Replace(serve(t, always(200, "")), "http:", "https:", 1)
		}
		start := time.Now()
		_, err := newClientOf(t, testToken, url, packhooks.WithBackoff(time.Minute, time.Minute)).ListWebhooks(t.Context(), "acme")
		if !errors.Is(err, packhooks.ErrUnavailable) || time.Since(start) > 10*time.Second {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a server writes is masked after JSON has been unescaped, and net/http's quotations are left out.
func TestEchoesAreMasked(t *testing.T) {
	escaped := ""
	for _, c := range leakToken {
		escaped += fmt.Sprintf(`\u%04x`, c)
	}
	for name, answer := range map[string]http.HandlerFunc{
		"escaped detail":  always(403, `{"detail": "`+escaped+`", "request_id": "`+escaped+`", "errors": [{"parameter": "`+escaped+`", "detail": "x"}]}`),
		"escaped message": always(403, `{"message": "`+escaped+`", "errors": {"`+escaped+`": ["`+escaped+`"]}}`),
		"plain text":      always(403, leakToken, "Content-Type", "text/plain"),
		"link path":       always(200, body("/"+leakToken+"?a")),
		"key":             always(200, `{"`+leakToken+`": 1}`),
		"redirect host":   always(302, "", "Location", "http://"+leakToken+"/"),
		"Location":        always(302, "", "Location", "http://[::1"+leakToken),
		"status line": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := http.NewResponseController(w).Hijack()
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 %s\r\n\r\n", leakToken)
			_ = conn.Close()
		},
		"header line": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := http.NewResponseController(w).Hijack()
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\n%s\r\n\r\n", leakToken)
			_ = conn.Close()
		},
		"transfer encoding": always(200, "", "Transfer-Encoding", leakToken),
	} {
		var err error
		for _, e := range newClientOf(t, leakToken, serve(t, answer), packhooks.WithMaxAttempts(2)).WebhookPages(t.Context(), "acme") {
			err = e
		}
		if err == nil || leaks(err.Error()) || leaks(strings.ToLower(dump(err))) {
			t.Errorf("%s: it leaks, or is no error", name)
		}
		if name == "redirect host" && !errors.Is(err, packhooks.ErrCrossOrigin) {
			t.Errorf("%s: got %v, want ErrCrossOrigin", name, err)
		}
	}
}

// Printers that walk values by reflection, as spew and testify's do, find neither token nor secret.
func TestReflectionFindsNoSecret(t *testing.T) {
	srv := httptest.NewServer(always(200, body("?a", item("a", map[string]any{"secret": leakSecret}))))
	t.Cleanup(srv.Close)
	c := newClientOf(t, leakToken, srv.URL)
	page, err := c.ListWebhooks(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{c, page, page.Webhooks, page.Webhooks[0].Secret} {
		if text := dump(v); leaks(text) || strings.Contains(text, leakSecret) {
			t.Errorf("a dump of a %T leaks", v)
		}
	}
	if text := dump(struct{ v *string }{new(string)}); !strings.Contains(text, "string") || !leaks(dump(struct{ v *string }{&[]string{leakSecret}[0]})) {
		t.Errorf("the dump finds nothing: %s", text)
	}
}

// dump writes every string and byte slice that reflection reaches, unexported fields included.
func dump(v any) string {
	var out strings.Builder
	seen := map[uintptr]bool{}
	var walk func(reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			if v.Kind() == reflect.Pointer && (v.IsNil() || seen[v.Pointer()]) {
				return
			} else if v.Kind() == reflect.Pointer {
				seen[v.Pointer()] = true
			}
			if e := v.Elem(); e.IsValid() {
				walk(e)
			}
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		case reflect.Map:
			for it := v.MapRange(); it.Next(); {
				walk(it.Key())
				walk(it.Value())
			}
		case reflect.Slice, reflect.Array:
			if v.Type().Elem().Kind() == reflect.Uint8 && v.Kind() == reflect.Slice {
				fmt.Fprintf(&out, "%q\n", v.Bytes())
				return
			}
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.String:
			fmt.Fprintf(&out, "string %s\n", v.String())
		}
	}
	walk(reflect.ValueOf(v))
	return out.String()
}
