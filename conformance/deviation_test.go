package conformance_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/packhooks/packhooks/conformance"
)

// reply is an answer that a deviation may spoil.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// edit changes the members of the body, where it is a JSON object.
func (a *reply) edit(change func(body map[string]any)) {
	var body map[string]any
	if json.Unmarshal(a.body, &body) == nil {
		change(body)
		a.body, _ = json.Marshal(body)
	}
}

type deviation = func(http.Handler) http.Handler

// spoil lets spoil see every answer before it is sent.
func spoil(spoil func(r *http.Request, a *reply)) deviation {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			a := &reply{rec.Code, rec.Header(), rec.Body.Bytes()}
			spoil(r, a)
			a.header.Del("Content-Length")
			maps.Copy(w.Header(), a.header)
			w.WriteHeader(a.status)
			_, _ = w.Write(a.body)
		})
	}
}

// page spoils every page, and webhook the third webhook of every page, so that it takes a look at all of them.
func page(change func(body map[string]any)) deviation {
	return spoil(func(_ *http.Request, a *reply) {
		if a.status == http.StatusOK {
			a.edit(change)
		}
	})
}

func webhook(change func(w map[string]any)) deviation {
	return page(func(body map[string]any) {
		if data := body["data"].([]any); len(data) > 2 {
			change(data[2].(map[string]any))
		}
	})
}

func links(change func(l map[string]any)) deviation {
	return page(func(body map[string]any) { change(body["links"].(map[string]any)) })
}

// status spoils the answers of one status.
func status(code int, change func(r *http.Request, a *reply)) deviation {
	return spoil(func(r *http.Request, a *reply) {
		if a.status == code {
			change(r, a)
		}
	})
}

func header(code int, name, value string) deviation {
	return status(code, func(_ *http.Request, a *reply) { a.header.Set(name, value) })
}

func dropHeader(code int, name string) deviation {
	return status(code, func(_ *http.Request, a *reply) { a.header.Del(name) })
}

// before changes requests on their way in.
func before(change func(r *http.Request)) deviation {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			change(r)
			next.ServeHTTP(w, r)
		})
	}
}

// ignore drops the query where it says so, as a server does that looks at nothing it does not know.
func ignore(when func(query string) bool) deviation {
	return before(func(r *http.Request) {
		if when(r.URL.RawQuery) {
			r.URL.RawQuery = ""
		}
	})
}

// admit lets every request with such an Authorization in.
func admit(when func(authorization string) bool) deviation {
	return before(func(r *http.Request) {
		if when(r.Header.Get("Authorization")) {
			r.Header.Set("Authorization", "Bearer "+token)
		}
	})
}

func without(m map[string]any, name string) { delete(m, name) }

// deviations are servers that break one thing each, by the check that must name it.
var deviations = []struct {
	check, breaks string
	deviation     deviation
}{
	{"first-page", "201 for a page", status(200, func(_ *http.Request, a *reply) { a.status = 201 })},
	{"status", "418 for a bad parameter", status(400, func(_ *http.Request, a *reply) { a.status = 418 })},
	{"status", "500 for a bad parameter", status(400, func(_ *http.Request, a *reply) { a.status = 500 })},
	{"status", "302 for HEAD", status(405, func(_ *http.Request, a *reply) { a.status = 302; a.header.Set("Location", "/elsewhere") })},
	{"page-media-type", "text/plain", header(200, "Content-Type", "text/plain")},
	{"page-media-type", "no Content-Type", header(200, "Content-Type", "")},
	{"page-media-type", "JSON cut short", status(200, func(_ *http.Request, a *reply) { a.body = a.body[:len(a.body)-2] })},
	{"page-media-type", "text behind the JSON", status(200, func(_ *http.Request, a *reply) { a.body = append(a.body, "{}"...) })},
	{"envelope", "no links", page(func(b map[string]any) { without(b, "links") })},
	{"envelope", "data under another name", page(func(b map[string]any) { b["items"] = b["data"]; without(b, "data") })},
	{"envelope", "data is null when empty", page(func(b map[string]any) { b["data"] = nil })},
	{"envelope", "prev left out at the start", links(func(l map[string]any) {
		if l["prev"] == nil {
			without(l, "prev")
		}
	})},
	{"required-fields", "no enabled", webhook(func(w map[string]any) { without(w, "enabled") })},
	{"required-fields", "no secret", webhook(func(w map[string]any) { without(w, "secret") })},
	{"field-types", "enabled is a number", webhook(func(w map[string]any) { w["enabled"] = 1 })},
	{"field-types", "secret is an object", webhook(func(w map[string]any) { w["secret"] = map[string]any{"value": w["secret"]} })},
	{"field-types", "event_code is null", webhook(func(w map[string]any) { w["event_code"] = nil })},
	{"field-types", "per_page is a string", page(func(b map[string]any) { b["meta"] = map[string]any{"per_page": "25"} })},
	{"field-types", "next is false at the end", links(func(l map[string]any) {
		if l["next"] == nil {
			l["next"] = false
		}
	})},
	{"time-format", "no T in created_at", webhook(func(w map[string]any) { w["created_at"] = "2024-08-02 09:30:00Z" })},
	{"time-format", "30 February", webhook(func(w map[string]any) { w["updated_at"] = "2024-02-30T09:30:00Z" })},
	{"time-format", "another zone", webhook(func(w map[string]any) { w["updated_at"] = "2024-08-02T11:30:00+02:00" })},
	{"bounds", "empty endpoint", webhook(func(w map[string]any) { w["endpoint"] = "" })},
	{"bounds", "id of 129 characters", webhook(func(w map[string]any) { w["id"] = strings.Repeat("x", 129) })},
	{"extra-fields", "two more fields", webhook(func(w map[string]any) { w["name"], w["signing_secret"] = "Orders", "another-one" })},

	{"walk", "next of every page is the same", links(func(l map[string]any) {
		if l["next"] != nil {
			l["next"] = "https://webhooks.example.com/v1/organizations/acme/webhooks"
		}
	})},
	{"walk", "a webhook comes on every page", webhook(func(w map[string]any) { w["id"] = "wh_again" })},
	{"walk-back", "prev is always the first page", links(func(l map[string]any) {
		if l["prev"] != nil {
			l["prev"] = "https://webhooks.example.com/v1/organizations/acme/webhooks"
		}
	})},
	{"walk-back", "prev leads to the page itself", selfPrev},
	{"prev-of-page-2", "prev leads to the page itself", selfPrev},
	{"links-followable", "links of another organization", links(func(l map[string]any) {
		for rel, link := range l {
			if link, ok := link.(string); ok {
				l[rel] = strings.Replace(link, "/acme/", "/other/", 1)
			}
		}
	})},
	{"links-absolute", "relative links", links(func(l map[string]any) {
		for rel, link := range l {
			if link, ok := link.(string); ok {
				l[rel] = strings.TrimPrefix(link, "https://webhooks.example.com")
			}
		}
	})},
	{"exact-ends", "prev on the first page", links(func(l map[string]any) {
		if l["prev"] == nil {
			l["prev"] = "https://webhooks.example.com/v1/organizations/acme/webhooks?per_page=1"
		}
	})},
	{"exact-ends", "next on the last page", emptyEnd},
	{"per-page-honoured", "per_page ignored", ignore(func(q string) bool { return strings.HasPrefix(q, "per_page=2") })},
	{"per-page-honoured", "per_page reported wrong", page(func(b map[string]any) { b["meta"] = map[string]any{"per_page": 25} })},
	{"per-page-default", "50 a page", before(func(r *http.Request) {
		if r.URL.RawQuery == "" {
			r.URL.RawQuery = "per_page=50"
		}
	})},
	{"per-page-reported", "more on a page than it says", page(func(b map[string]any) { b["meta"] = map[string]any{"per_page": 1} })},
	{"any-page-size", "large pages leave one out", spoil(func(r *http.Request, a *reply) {
		if r.URL.RawQuery == "per_page=100" {
			a.edit(func(b map[string]any) { b["data"] = b["data"].([]any)[1:] })
		}
	})},
	{"order", "newest first on each page", page(func(b map[string]any) { slices.Reverse(b["data"].([]any)) })},
	{"repeatable", "the first answer is in another order", onlyFirst(new(atomic.Int64))},
	{"parallel", "the sixth at once is refused", atMost(5, new(atomic.Int64))},

	{"bad-cursor", "bad cursors are the first page", ignore(func(q string) bool { return strings.HasPrefix(q, "cursor=") && len(q) < 12 })},
	{"bad-cursor", "changed cursors are the first page", ignore(reversedCursor)},
	{"bad-per-page", "101 is taken for 100", before(func(r *http.Request) {
		r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "per_page=101", "per_page=100", 1)
	})},
	{"bad-per-page", "010 is taken for 10", ignore(func(q string) bool { return q == "per_page=010" })},
	{"undeclared-parameter", "unknown parameters are ignored", before(func(r *http.Request) {
		r.URL.RawQuery = strings.TrimPrefix(r.URL.RawQuery, "conformance=1")
	})},
	{"repeated-parameter", "the first of two counts", ignore(func(q string) bool { return strings.Count(q, "per_page") > 1 })},
	{"malformed-query", "%zz is ignored", ignore(func(q string) bool { return strings.Contains(q, "%zz") })},
	{"parameter-named", "a 400 names nothing", status(400, func(_ *http.Request, a *reply) {
		a.edit(func(b map[string]any) { without(b, "errors") })
	})},
	{"other-methods", "HEAD is answered", before(func(r *http.Request) {
		if r.Method == http.MethodHead {
			r.Method = http.MethodGet
		}
	})},
	{"other-methods", "Allow says POST too", header(405, "Allow", "GET, POST")},
	{"unknown-path", "an unknown path is 400", status(404, func(_ *http.Request, a *reply) { a.status = 400 })},
	{"problem", "errors are plain JSON", header(400, "Content-Type", "application/json")},
	{"problem", "errors are a page for people", status(401, func(_ *http.Request, a *reply) {
		a.header.Set("Content-Type", "text/html")
		a.body = []byte("<h1>Unauthorized</h1>")
	})},
	{"problem", "no title", status(403, func(_ *http.Request, a *reply) { a.edit(func(b map[string]any) { without(b, "title") }) })},
	{"problem", "another status in the body", status(403, func(_ *http.Request, a *reply) { a.edit(func(b map[string]any) { b["status"] = 404 }) })},
	{"problem", "another path in the body", status(403, func(_ *http.Request, a *reply) { a.edit(func(b map[string]any) { b["instance"] = "/" }) })},
	{"problem", "another request id in the body", status(403, func(_ *http.Request, a *reply) { a.edit(func(b map[string]any) { b["request_id"] = "r1" }) })},
	{"no-secrets", "a 403 repeats the token", status(403, func(r *http.Request, a *reply) {
		a.edit(func(b map[string]any) { b["detail"] = "not for " + r.Header.Get("Authorization") })
	})},
	{"no-secrets", "a 401 repeats the unknown token", status(401, func(r *http.Request, a *reply) {
		a.edit(func(b map[string]any) { b["detail"] = "unknown: " + r.Header.Get("Authorization") })
	})},
	{"no-secrets", "a 400 holds a signing secret, escaped", status(400, func(_ *http.Request, a *reply) {
		escaped := strings.Replace(secret, "a", `\u0061`, 1)
		a.body = []byte(strings.Replace(string(a.body), `"detail":"`, `"detail":"`+escaped, 1))
	})},
	{"no-secrets", "a page repeats the token in a header", header(200, "X-Token", token)},

	{"no-token", "no token is let in", admit(func(a string) bool { return a == "" })},
	{"malformed-token", "Basic is let in", admit(func(a string) bool { return strings.HasPrefix(a, "Basic ") })},
	{"unknown-token", "any token is let in", admit(func(a string) bool { return strings.HasPrefix(a, "Bearer ") })},
	{"foreign-organization", "404 for a foreign organization", status(403, func(_ *http.Request, a *reply) { a.status = 404 })},
	{"foreign-organization", "every organization is ours", before(func(r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/organizations/") {
			r.URL.Path = "/v1/organizations/acme/webhooks"
		}
	})},
	{"precedence", "401 before 404", status(404, func(r *http.Request, a *reply) {
		if r.Header.Get("Authorization") == "" {
			a.status = 401
		}
	})},
	{"precedence", "403 before 400", status(400, func(r *http.Request, a *reply) {
		if !strings.Contains(r.URL.Path, "/acme/") {
			a.status = 403
		}
	})},

	{"x-request-id", "none on errors", dropHeader(404, "X-Request-Id")},
	{"x-request-id", "a blank in it", header(200, "X-Request-Id", "a b")},
	{"request-id-kept", "the client's is thrown away", before(func(r *http.Request) { r.Header.Del("X-Request-Id") })},
	{"cache-control", "a page may be stored", header(200, "Cache-Control", "max-age=60")},
	{"cache-control", "none on a 403", dropHeader(403, "Cache-Control")},
	{"link", "no Link", dropHeader(200, "Link")},
	{"link", "another target", header(200, "Link", `<https://webhooks.example.com/>; rel="next"`)},
	{"www-authenticate", "none", dropHeader(401, "Www-Authenticate")},
	{"www-authenticate", "Basic", header(401, "Www-Authenticate", `Basic realm="x"`)},
	{"allow", "none", dropHeader(405, "Allow")},
	{"retry-after", "a 429 without it", status(405, func(_ *http.Request, a *reply) { a.status = 429 })},
}

func selfPrev(next http.Handler) http.Handler {
	return spoil(func(r *http.Request, a *reply) {
		a.edit(func(b map[string]any) {
			if l, ok := b["links"].(map[string]any); ok && l["prev"] != nil {
				l["prev"] = "https://webhooks.example.com" + r.URL.RequestURI()
			}
		})
	})(next)
}

// emptyEnd has one more page than there are webhooks.
func emptyEnd(next http.Handler) http.Handler {
	return spoil(func(r *http.Request, a *reply) {
		over := r.URL.Query().Get("cursor") == "over"
		if over {
			rec := httptest.NewRecorder()
			r.URL.RawQuery = "per_page=1"
			next.ServeHTTP(rec, r)
			a.status, a.header, a.body = rec.Code, rec.Header(), rec.Body.Bytes()
		}
		a.edit(func(b map[string]any) {
			l, _ := b["links"].(map[string]any)
			if over {
				b["data"], l["next"] = []any{}, nil
			} else if l != nil && l["next"] == nil {
				l["next"] = "https://webhooks.example.com/v1/organizations/acme/webhooks?cursor=over"
			}
		})
	})(next)
}

func onlyFirst(n *atomic.Int64) deviation {
	return page(func(b map[string]any) {
		if n.Add(1) == 1 {
			slices.Reverse(b["data"].([]any))
		}
	})
}

// atMost holds every plain request a little, so that they overlap.
func atMost(limit int64, now *atomic.Int64) deviation {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer now.Add(-1)
			if now.Add(1) > limit {
				r.Header.Del("Authorization")
			}
			if r.URL.RawQuery == "" {
				time.Sleep(10 * time.Millisecond)
			}
			next.ServeHTTP(w, r)
		})
	}
}

// reversedCursor reports a cursor of ours turned round: they all begin with the same version byte.
func reversedCursor(query string) bool {
	values, _ := url.ParseQuery(query)
	cursor := values.Get("cursor")
	return len(cursor) > 20 && !strings.HasPrefix(cursor, "AQ")
}

func TestEveryDeviationIsCaught(t *testing.T) {
	uncovered := map[string]bool{}
	for _, c := range run(t, newServer(t, newList(30), nil)).Checks {
		uncovered[c.Name] = true
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	for _, d := range deviations {
		t.Run(d.check+"/"+d.breaks, func(t *testing.T) {
			report := run(t, newServer(t, newList(30), d.deviation))
			caught, others := outcomes(report, d.check)
			want := conformance.Fail
			if d.check == "extra-fields" {
				want = conformance.Advice
			}
			if caught.Outcome != want {
				t.Errorf("%s is %q (%s), want %q; others: %v", d.check, caught.Outcome, caught.Detail, want, others)
			}
			for _, c := range report.Checks {
				mustHide(t, c)
			}
			delete(uncovered, d.check)
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", d.check, d.breaks, caught.Provenance, strings.Join(others, " "))
		})
	}
	_ = w.Flush()
	t.Logf("check, what the server breaks, whose promise, what else shows it:\n%s", table.String())
	for name := range uncovered {
		t.Errorf("no deviation shows that %q can fail", name)
	}
}

func outcomes(report *conformance.Report, name string) (named conformance.Check, others []string) {
	for _, c := range report.Checks {
		switch {
		case c.Name == name:
			named = c
		case c.Outcome != conformance.Pass:
			others = append(others, c.Name)
		}
	}
	return named, others
}

func mustHide(t *testing.T, c conformance.Check) {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	shown := string(text)
	if c.Exchange != nil {
		shown += c.Exchange.Request + c.Exchange.Response
	}
	for _, hidden := range []string{token, secret, strconv.Quote(secret), "another-one"} {
		if strings.Contains(shown, hidden) {
			t.Errorf("%s shows a secret", c.Name)
		}
	}
}
