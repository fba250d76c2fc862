package conformance_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/packhooks/packhooks/api"
	"github.com/packhooks/packhooks/conformance"
)

func TestOurServerConforms(t *testing.T) {
	for _, n := range []int{2, 60, 250} {
		report := run(t, newServer(t, newList(n), nil))
		mustConform(t, report)
		t.Logf("%d webhooks: %d checks by %d requests", n, len(report.Checks), report.Requests)
	}
}

func mustConform(t *testing.T, report *conformance.Report) {
	t.Helper()
	for _, c := range report.Checks {
		if c.Outcome != conformance.Pass {
			t.Errorf("%s (%s) is %q: %s\n%s\n%s", c.ID, c.Class, c.Outcome, c.Detail, c.Request, c.Response)
		}
	}
	report.Strict = true
	if code := report.ExitCode(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

func TestAServerThatIsNotThere(t *testing.T) {
	srv := httptest.NewServer(nil)
	srv.Close()
	report := run(t, srv.URL)
	if len(report.Checks) != 1 || report.ExitCode() != 2 || !strings.Contains(report.Checks[0].Detail, "cannot be reached") {
		t.Errorf("got %+v", report.Checks)
	}
}

func TestARunKeepsToItsLimits(t *testing.T) {
	url := newServer(t, newList(250), nil)
	for name, change := range map[string]func(*conformance.Config){
		"limit of 10 requests": func(cfg *conformance.Config) { cfg.MaxRequests = 10 },
		"limit of 2 pages":     func(cfg *conformance.Config) { cfg.MaxPages = 2 },
		"time for the run":     func(cfg *conformance.Config) { cfg.Rate, cfg.Timeout = 0.1, 200*time.Millisecond },
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			report := run(t, url, change)
			told := slices.ContainsFunc(report.Checks, func(c conformance.Check) bool { return strings.Contains(c.Detail, name) })
			if !told || report.ExitCode() != 2 || time.Since(start) > 5*time.Second {
				t.Errorf("after %v and %d requests: %+v", time.Since(start), report.Requests, report.Checks)
			}
			if name == "limit of 10 requests" && report.Requests != 10 {
				t.Errorf("%d requests", report.Requests)
			}
		})
	}
}

func TestABusyServerIsAskedOnceMore(t *testing.T) {
	var n atomic.Int64
	busy := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1)%10 != 5 || r.URL.RawQuery == "" { // the parallel reads may not meet it twice
				next.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Retry-After", "0")
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("X-Request-Id", "r1")
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = w.Write([]byte(`{"type":"about:blank","title":"Too Many Requests","status":429,"detail":"wait","instance":"` + r.URL.Path + `","request_id":"r1"}`))
		})
	}
	mustConform(t, run(t, newServer(t, newList(60), busy)))
	if n.Load() < 20 {
		t.Error("the server was never busy")
	}
}

func TestConfigurationsThatCannotWork(t *testing.T) {
	for _, cfg := range []conformance.Config{
		{URL: "localhost:8080", Organization: "acme"},
		{URL: "ftp://localhost/v1", Organization: "acme"},
		{URL: "http://user:hunter22@localhost/v1", Organization: "acme"},
		{URL: "http://user:hunter22@local host/v1", Organization: "acme"},
		{URL: "http://localhost/v1?a=b", Organization: "acme"},
		{URL: "http://localhost/v1", Organization: ""},
		{URL: "http://localhost/v1", Organization: ".."},
		{URL: "http://localhost/v1", Organization: "acme", ForeignOrganization: "."},
	} {
		_, err := conformance.Run(t.Context(), cfg)
		if err == nil || strings.Contains(err.Error(), "hunter22") {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

func TestARunThatIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url := newServer(t, newList(60), before(func(*http.Request) { cancel() }))
	_, err := conformance.Run(ctx, conformance.Config{URL: url, Organization: "acme", Token: token})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestEveryDeclaredHeaderHasACheck(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(api.Spec)
	if err != nil {
		t.Fatal(err)
	}
	checks := map[string]bool{}
	for _, c := range run(t, newServer(t, newList(2), nil)).Checks {
		if checks[c.ID] {
			t.Errorf("two checks are named %q", c.ID)
		}
		checks[c.ID] = true
	}
	for _, response := range doc.Components.Responses {
		for name := range response.Value.Headers {
			if !checks[strings.ToLower(name)] {
				t.Errorf("header %q has no check", name)
			}
		}
	}
}

func TestOurServerByTheTestHelper(t *testing.T) {
	conformance.Test(t, newServer(t, newList(60), nil), conformance.Config{Organization: "acme", Token: token, Strict: true})
}

func TestReportsThatTravel(t *testing.T) {
	report := run(t, newServer(t, newList(60), func(next http.Handler) http.Handler {
		return dropHeader(200, "Link")(mask("********")(next))
	}))
	for format, want := range map[string][]string{
		"table":  {"\nfail          decided    headers     link ", "\n    | GET http"},
		"json":   {`"id": "link"`, `"class": "published"`, `"summary": "does not conform: `},
		"junit":  {`failures="1"`, `<testcase classname="published.contract" name="secret-in-clear">`, "<skipped message="},
		"github": {"::error title=secret-in-clear (published)::", "::warning title=link (decided)::", "\ndoes not conform: "},
	} {
		var b strings.Builder
		check(t, report.Write(&b, format))
		for _, text := range want {
			if !strings.Contains(b.String(), text) {
				t.Errorf("%s has no %q:\n%s", format, text, b.String())
			}
		}
	}
	if err := report.Write(io.Discard, "pdf"); err == nil {
		t.Error("a format that nobody knows is written")
	}
}
