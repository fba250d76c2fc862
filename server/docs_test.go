package server_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/getkin/kin-openapi/openapi3"

	"github.com/packhooks/packhooks/api"
	"github.com/packhooks/packhooks/server"
)

func (f *fixture) fetch(path string) (*http.Response, []byte) {
	f.Helper()
	resp, err := http.Get(f.url + path)
	check(f, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	check(f, err)
	return resp, body
}

func TestTheContractIsServedAsItIs(t *testing.T) {
	f := newFixture(t)
	if resp, body := f.fetch("/openapi.yaml"); resp.StatusCode != 200 || !bytes.Equal(body, api.Spec) {
		t.Errorf("/openapi.yaml: %d, %d bytes, want the %d of api/openapi.yaml", resp.StatusCode, len(body), len(api.Spec))
	}
	want, err := openapi3.NewLoader().LoadFromData(api.Spec)
	check(t, err)
	_, body := f.fetch("/openapi.json")
	got, err := openapi3.NewLoader().LoadFromData(body)
	check(t, err)
	if !reflect.DeepEqual(asJSON(t, got), asJSON(t, want)) {
		t.Error("/openapi.json says something else than api/openapi.yaml")
	}
}

func asJSON(t *testing.T, doc *openapi3.T) any {
	t.Helper()
	data, err := doc.MarshalJSON()
	check(t, err)
	var v any
	check(t, json.Unmarshal(data, &v))
	return v
}

func TestDocsCanBeTurnedOff(t *testing.T) {
	f := newFixture(t, func(c *server.Config) { c.NoDocs = true })
	for _, path := range []string{"/", "/docs", "/openapi.yaml", "/openapi.json", "/docs/docs.js"} {
		if resp, _ := f.fetch(path); resp.StatusCode != 404 {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}

// A request for a compressed file costs its bytes and nothing else, whatever it accepts.
func TestDocsFilesAreSentCompressed(t *testing.T) {
	f := newFixture(t)
	get := func(header http.Header) (*http.Response, []byte) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+"/docs/swagger-ui-bundle.js", nil)
		check(t, err)
		req.Header = header
		resp, err := (&http.Transport{DisableCompression: true}).RoundTrip(req)
		check(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		check(t, err)
		return resp, body
	}
	for _, header := range []http.Header{{"Accept-Encoding": {"gzip, br"}}, {"Accept-Encoding": {"identity"}}, {}} {
		resp, data := get(header)
		if resp.Header.Get("Content-Encoding") != "gzip" || len(data) > 600_000 {
			t.Errorf("%d bytes, %v", len(data), resp.Header)
		}
		reader, err := gzip.NewReader(bytes.NewReader(data))
		check(t, err)
		if text, err := io.ReadAll(reader); err != nil || !bytes.Contains(text, []byte("SwaggerUIBundle")) {
			t.Errorf("%d bytes of text, %v", len(text), err)
		}
		etag := resp.Header.Get("ETag")
		if resp, _ := get(http.Header{"If-None-Match": {etag}}); resp.StatusCode != http.StatusNotModified {
			t.Errorf("status %d for %s", resp.StatusCode, etag)
		}
	}
	statuses := map[int]int{}
	for range 300 {
		resp, _ := get(http.Header{})
		statuses[resp.StatusCode]++
	}
	if statuses[200] < 190 || statuses[429] < 50 {
		t.Errorf("of 300 files at once: %v", statuses)
	}
}

func TestRedirectsToTheDocsPage(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/", "/docs/"} {
		if resp, _ := f.fetch(path); resp.StatusCode != 200 || resp.Request.URL.Path != "/docs" {
			t.Errorf("%s leads to %s: %d", path, resp.Request.URL.Path, resp.StatusCode)
		}
	}
}

// startBrowser starts a real browser and reports whether there is one.
func startBrowser(t *testing.T) (context.Context, bool) {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		if os.Getenv("PACKHOOKS_REQUIRE_BROWSER") != "" {
			t.Fatal("PACKHOOKS_REQUIRE_BROWSER is set and there is no chromium")
		}
		t.Log("no chromium here: the docs page was not tried in a browser")
		return nil, false
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true))...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	check(t, chromedp.Do(ctx))
	return ctx, true
}

// openTab opens a tab that keeps what its pages ask for and complain about.
func openTab(browser context.Context, t *testing.T) (ctx context.Context, requested, complaints func() []string) {
	t.Helper()
	var mu sync.Mutex
	var urls, texts []string
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithListener(func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			urls = append(urls, e.Request.URL)
		case *log.EventEntryAdded: // violations of the policy and failed requests among them
			texts = append(texts, e.Entry.Text)
		case *runtime.EventExceptionThrown:
			texts = append(texts, e.ExceptionDetails.Text)
		}
	}))
	t.Cleanup(cancel)
	get := func(list *[]string) func() []string {
		return func() []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(*list)
		}
	}
	return ctx, get(&urls), get(&texts)
}

// do sends one command of the DevTools protocol.
func do[P any](ctx context.Context, t *chromedp.Target, command cdp.Command[P, cdp.Empty], params P) error {
	_, err := cdp.Call(ctx, t, command, params)
	return err
}

// The page works for whoever opens it: under each name of the host, below a proxy's prefix and without a base path.
func TestDocsPageInABrowser(t *testing.T) {
	browser, ok := startBrowser(t)
	if !ok {
		return
	}
	byName := func(u string) string { return strings.Replace(u, "127.0.0.1", "localhost", 1) }
	behindProxy := func(u string) string {
		target, err := url.Parse(u)
		check(t, err)
		proxy := httptest.NewServer(http.StripPrefix("/hooks", httputil.NewSingleHostReverseProxy(target)))
		t.Cleanup(proxy.Close)
		return proxy.URL + "/hooks"
	}
	for _, tt := range []struct {
		name, basePath string
		open           func(string) string
	}{
		{"127.0.0.1", "/v1", strings.Clone},
		{"localhost", "/v1", byName},
		{"prefix", "/v1", behindProxy},
		{"no base path", "/", strings.Clone},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, func(c *server.Config) { c.BasePath, c.DocsOrganization = tt.basePath, "acme" })
			f.seed("acme", 3)
			origin := tt.open(f.url)
			ctx, requested, complaints := openTab(browser, t)
			check(t, chromedp.Do(ctx,
				chromedp.Func(func(ctx context.Context, t *chromedp.Target) error { return do(ctx, t, log.Enable, cdp.Empty{}) }),
				chromedp.Navigate(origin+"/"),
				chromedp.WaitVisible(".opblock-body .responses-table"),
			))
			page, err := chromedp.Run(ctx, chromedp.Text("#docs"))
			check(t, err)
			check(t, chromedp.Do(ctx,
				chromedp.Click(".btn.authorize"),
				chromedp.SendKeys(".auth-container input", f.token, chromedp.NodeVisible),
				chromedp.Click(".auth-btn-wrapper .authorize"),
				chromedp.Click(".btn-done", chromedp.NodeVisible),
				chromedp.Click(".try-out__btn"),
				chromedp.Click(".execute", chromedp.NodeVisible),
			))
			response, err := chromedp.Run(ctx, chromedp.Text(".live-responses-table", chromedp.NodeVisible))
			check(t, err)
			requestURL, err := chromedp.Run(ctx, chromedp.Text(".request-url pre"))
			check(t, err)
			for _, id := range []string{"wh_000000", "wh_000001", "wh_000002"} {
				if !strings.Contains(response, id) {
					t.Errorf("no %s in the response shown: %s", id, response)
				}
			}
			want := origin + strings.TrimRight(tt.basePath, "/") + "/organizations/acme/webhooks?per_page=25"
			if strings.TrimSpace(requestURL) != want {
				t.Errorf("asked for %s, want %s", requestURL, want)
			}
			for _, text := range []string{"Pack Cloud webhook subscriptions", "x-provenance: published", "maximum: 100", `"wh_000001"`} {
				if !strings.Contains(page, text) {
					t.Errorf("the page does not show %q", text)
				}
			}
			if got := complaints(); len(got) > 0 {
				t.Errorf("the browser complains: %q", got)
			}
			for _, target := range requested() {
				if !strings.HasPrefix(target, origin+"/") && !strings.HasPrefix(target, "data:") {
					t.Errorf("the page asked another origin for %s", target)
				}
			}
		})
	}
}

func TestDocsPageOnAPhoneAndInTheDark(t *testing.T) {
	ctx, ok := startBrowser(t)
	if !ok {
		return
	}
	f := newFixture(t)
	dark := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}}
	check(t, chromedp.Do(ctx,
		chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile),
		chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			return do(ctx, t, emulation.SetEmulatedMedia, dark)
		}),
		chromedp.Navigate(f.url+"/docs"),
		chromedp.WaitVisible(".opblock-body .responses-table"),
	))
	check(t, chromedp.Do(ctx, chromedp.Click(`.response [data-name="model"]`), chromedp.WaitVisible(".response .model-box .primitive")))
	schema, err := chromedp.Run(ctx, chromedp.Text(".response .model-box"))
	check(t, err)
	width, err := chromedp.Run(ctx, chromedp.Evaluate[int]("document.documentElement.scrollWidth"))
	check(t, err)
	background, err := chromedp.Run(ctx, chromedp.Evaluate[string]("getComputedStyle(document.documentElement).backgroundColor"))
	check(t, err)
	organization, err := chromedp.Run(ctx, chromedp.Value("tr[data-param-name=organizationId] input"))
	check(t, err)
	if !regexp.MustCompile(`(?s)\bid.*event_code.*endpoint.*secret.*enabled.*created_at.*updated_at`).MatchString(schema) ||
		!strings.Contains(schema, "maxLength: 128") {
		t.Errorf("not in the contract's order, or without bounds: %s", schema)
	}
	if width > 390 {
		t.Errorf("%d px wide", width)
	}
	if background != "rgb(28, 32, 34)" {
		t.Errorf("background %s", background)
	}
	if organization != "" {
		t.Errorf("organization %q is prefilled, and may be nobody's", organization)
	}
}
