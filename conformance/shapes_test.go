package conformance_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/packhooks/packhooks/conformance"
)

var update = flag.Bool("update", false, "rewrite the expected reports in testdata")

// shape is a server that keeps to the vendor's page and was never told of our contract.
type shape struct {
	n                 int
	token             string
	page              func(r *http.Request, webhooks []map[string]any) (body any)
	authorize, absent func(w http.ResponseWriter) // how it refuses
}

func (s shape) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch {
	case strings.Trim(r.URL.Path, "/") != "v1/organizations/acme/webhooks":
		s.absent(w)
	case r.Header.Get("Authorization") != "Bearer "+s.token:
		s.authorize(w)
	default:
		var all []map[string]any
		for i := range s.n {
			at := time.Date(2024, 8, 2, 9, 30, 0, 0, time.UTC).Add(-time.Duration(i) * time.Hour).Format("2006-01-02 15:04:05")
			all = append(all, map[string]any{
				"id": fmt.Sprintf("%08x", i*7919), "event_code": "orders.created", "endpoint": "", "secret": secret,
				"enabled": true, "created_at": at, "updated_at": at, "organization": map[string]any{"id": "acme"},
			})
		}
		_ = json.NewEncoder(w).Encode(s.page(r, all))
	}
}

// message refuses as Laravel does.
func message(status int) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"message": %q}`, http.StatusText(status))
	}
}

// numbered cuts pages by number. A page number that makes no sense is the first, as with Laravel's paginator.
func numbered(r *http.Request, all []map[string]any, size int) (data []map[string]any, number, last int) {
	number, err := strconv.Atoi(r.URL.Query().Get("page"))
	last = (len(all) + size - 1) / size
	if err != nil || number < 1 {
		number = 1
	}
	from := min((number-1)*size, len(all))
	return all[from:min(from+size, len(all))], number, last
}

func link(number int, there bool, format string) any {
	if !there {
		return nil
	}
	return fmt.Sprintf(format, number)
}

// laravel is a stock length-aware paginator behind a resource collection: its links drop per_page.
func laravel(r *http.Request, all []map[string]any) any {
	size, err := strconv.Atoi(r.URL.Query().Get("per_page"))
	if err != nil || size < 1 {
		size = 15
	}
	data, number, last := numbered(r, all, size)
	const format = "http://api.pack.cloud/v1/organizations/acme/webhooks?page=%d"
	return map[string]any{
		"data":  data,
		"links": map[string]any{"first": link(1, true, format), "last": link(last, true, format), "prev": link(number-1, number > 1, format), "next": link(number+1, number < last, format)},
		"meta":  map[string]any{"current_page": number, "last_page": last, "per_page": size, "total": len(all)},
	}
}

// flatPrint takes the page's print literally.
func flatPrint(r *http.Request, all []map[string]any) any {
	data, number, last := numbered(r, all, 25)
	return map[string]any{"data": data, "per_page": 25, "prev": link(number-1, number > 1, "?page=%d"), "next": link(number+1, number < last, "?page=%d")}
}

// pageNumbers leaves out whatever the page does not require.
func pageNumbers(r *http.Request, all []map[string]any) any {
	data, number, last := numbered(r, all, 10)
	body := map[string]any{"webhooks": data}
	if number < last {
		body["next"] = fmt.Sprintf("/organizations/acme/webhooks/?page=%d", number+1)
	}
	return body
}

func html(status int) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write([]byte("<!doctype html><title>Pack Cloud</title>"))
	}
}

var shapes = []struct {
	name   string
	exit   int
	server http.Handler
}{
	{"laravel", 0, shape{60, token, laravel, message(401), message(404)}},
	{"flat", 0, shape{60, token, flatPrint, html(200), html(200)}},
	{"page-numbers", 0, shape{60, token, pageNumbers, message(403), html(404)}},
	{"retired", 2, shape{60, "gone", nil, html(410), html(404)}},
	{"retired-with-a-page-for-people", 2, shape{60, "gone", nil, html(200), html(200)}},
}

// A server that keeps to the page and differs in every decision conforms; one that has been retired cannot be told.
func TestServersThatNeverHeardOfOurDecisions(t *testing.T) {
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			report := run(t, serve(t, s.server), func(cfg *conformance.Config) { cfg.ForeignOrganization = "foreign" })
			if code := report.ExitCode(); code != s.exit {
				t.Errorf("exit code %d, want %d", code, s.exit)
			}
			golden(t, filepath.Join("testdata", s.name+".golden"), brief(report))
		})
	}
}

var port = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// brief is every check that did not pass, and the summary.
func brief(report *conformance.Report) string {
	var b strings.Builder
	for _, c := range report.Checks {
		if c.Outcome != conformance.Pass {
			fmt.Fprintf(&b, "%s %s %s: %s\n", c.Outcome, c.Class, c.ID, c.Detail)
		}
	}
	return port.ReplaceAllString(b.String()+report.Summary+"\n", "HOST")
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		check(t, os.MkdirAll(filepath.Dir(path), 0o755))
		check(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	check(t, err)
	if got != string(want) {
		t.Errorf("the report is not that of %s:\n%s", path, got)
	}
}

func TestLargeAndSlowServers(t *testing.T) {
	large := run(t, newServer(t, newList(5100), nil))
	t.Logf("5,100 webhooks: %s", large.Summary)
	if large.Requests > 250 || large.ExitCode() != 0 {
		t.Errorf("%d requests: %s", large.Requests, large.Summary)
	}
	mustConform(t, large)

	// What a limit cuts off are decisions: those that decide come first.
	slow := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(20 * time.Millisecond)
			next.ServeHTTP(w, r)
		})
	}
	report := run(t, newServer(t, newList(60), slow), func(cfg *conformance.Config) { cfg.Timeout = time.Second })
	cut, _ := outcomes(report, "parallel")
	if report.ExitCode() != 0 || cut.Outcome != conformance.Inconclusive {
		t.Errorf("%s; parallel is %q", report.Summary, cut.Outcome)
	}
}

func TestAListThatChangesIsNotCalledUnsafe(t *testing.T) {
	var added atomic.Int64
	growing := func(next http.Handler) http.Handler {
		return status(200, func(_ *http.Request, a *reply) {
			n := added.Add(1)
			a.edit(func(b map[string]any) {
				data := b["data"].([]any)
				data[0].(map[string]any)["id"] = fmt.Sprint("wh_new_", n)
			})
		})(next)
	}
	complete, _ := outcomes(run(t, newServer(t, newList(60), growing)), "complete")
	if complete.Outcome != conformance.Inconclusive {
		t.Errorf("%q: %s", complete.Outcome, complete.Detail)
	}
}
