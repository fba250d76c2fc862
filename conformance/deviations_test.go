package conformance_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/packhooks/packhooks/conformance"
)

// deviations are servers that break one thing each: the class of what they break, the check that must name it, and the
// exit code.
var deviations = []struct {
	name      string
	class     conformance.Class
	check     string
	exit      int
	deviation deviation
}{
	{"201 for a page", conformance.Published, "first-page", 1, status(200, func(_ *http.Request, a *reply) { a.status = 201 })},
	{"418 for a bad parameter", conformance.Decided, "status", 0, status(400, func(_ *http.Request, a *reply) { a.status = 418 })},
	{"500 for a bad parameter", conformance.Decided, "status", 0, status(400, func(_ *http.Request, a *reply) { a.status = 500 })},
	{"302 for HEAD", conformance.Decided, "status", 0, status(405, func(_ *http.Request, a *reply) { a.status = 302; a.header.Set("Location", "/elsewhere") })},
	{"text/plain", conformance.Decided, "page-media-type", 0, header(200, "Content-Type", "text/plain")},
	{"no Content-Type", conformance.Decided, "page-media-type", 0, header(200, "Content-Type", "")},
	{"JSON cut short", conformance.Published, "first-page", 1, status(200, func(_ *http.Request, a *reply) { a.body = a.body[:len(a.body)-2] })},
	{"text behind the JSON", conformance.Published, "first-page", 1, status(200, func(_ *http.Request, a *reply) { a.body = append(a.body, "{}"...) })},
	{"no links", conformance.Decided, "envelope", 0, page(func(b map[string]any) { without(b, "links") })},
	{"data under another name", conformance.Decided, "envelope", 0, page(func(b map[string]any) { b["items"] = b["data"]; without(b, "data") })},
	{"data is null", conformance.Published, "first-page", 2, page(func(b map[string]any) { b["data"] = nil })},
	{"prev left out at the start", conformance.Decided, "envelope", 0, links(func(l map[string]any) {
		if l["prev"] == nil {
			without(l, "prev")
		}
	})},
	{"no enabled", conformance.Published, "required-fields", 1, webhook(func(w map[string]any) { without(w, "enabled") })},
	{"no secret", conformance.Published, "required-fields", 1, webhook(func(w map[string]any) { without(w, "secret") })},
	{"enabled is a number", conformance.Published, "field-types", 1, webhook(func(w map[string]any) { w["enabled"] = 1 })},
	{"secret is an object", conformance.Published, "field-types", 1, webhook(func(w map[string]any) { w["secret"] = map[string]any{"value": w["secret"]} })},
	{"event_code is null", conformance.Published, "field-types", 1, webhook(func(w map[string]any) { w["event_code"] = nil })},
	{"per_page is a string", conformance.Published, "field-types", 1, page(func(b map[string]any) { b["meta"] = map[string]any{"per_page": "25"} })},
	{"next is false at the end", conformance.Published, "field-types", 1, links(func(l map[string]any) {
		if l["next"] == nil {
			l["next"] = false
		}
	})},
	{"no T in created_at", conformance.Decided, "time-format", 0, webhook(func(w map[string]any) { w["created_at"] = "2024-08-02 09:30:00Z" })},
	{"30 February", conformance.Decided, "time-format", 0, webhook(func(w map[string]any) { w["updated_at"] = "2024-02-30T09:30:00Z" })},
	{"another zone", conformance.Decided, "time-format", 0, webhook(func(w map[string]any) { w["updated_at"] = "2024-08-02T11:30:00+02:00" })},
	{"empty endpoint", conformance.Decided, "bounds", 0, webhook(func(w map[string]any) { w["endpoint"] = "" })},
	{"id of 129 characters", conformance.Decided, "bounds", 0, third(func(w map[string]any) { w["id"] = strings.Repeat("x", 129) })},
	{"two more fields", "", "extra-fields", 0, webhook(func(w map[string]any) { w["name"], w["signing_secret"] = "Orders", "another-one" })},

	{"next of every page is the same", conformance.Published, "walk", 1, links(func(l map[string]any) {
		if l["next"] != nil {
			l["next"] = "https://webhooks.example.com/v1/organizations/acme/webhooks"
		}
	})},
	{"a webhook comes on every page", conformance.Unsafe, "complete", 1, webhook(func(w map[string]any) { w["id"] = "wh_again" })},
	{"prev is always the first page", conformance.Published, "walk-back", 1, links(func(l map[string]any) {
		if l["prev"] != nil {
			l["prev"] = "https://webhooks.example.com/v1/organizations/acme/webhooks"
		}
	})},
	{"prev leads to the page itself", conformance.Published, "walk-back", 1, selfPrev},
	{"links of another organization", conformance.Decided, "links-path", 0, links(func(l map[string]any) {
		for rel, link := range l {
			if link, ok := link.(string); ok {
				l[rel] = strings.Replace(link, "/acme/", "/other/", 1)
			}
		}
	})},
	{"relative links", conformance.Decided, "links-absolute", 0, links(func(l map[string]any) {
		for rel, link := range l {
			if link, ok := link.(string); ok {
				l[rel] = strings.TrimPrefix(link, "https://webhooks.example.com")
			}
		}
	})},
	{"prev on the first page", conformance.Decided, "exact-ends", 0, links(func(l map[string]any) {
		if l["prev"] == nil {
			l["prev"] = "https://webhooks.example.com/v1/organizations/acme/webhooks?per_page=1"
		}
	})},
	{"next on the last page", conformance.Decided, "exact-ends", 0, emptyEnd},
	{"per_page ignored", conformance.Decided, "per-page-honoured", 0, ignore(func(q string) bool { return strings.HasPrefix(q, "per_page=2") })},
	{"per_page reported wrong", conformance.Decided, "per-page-honoured", 0, page(func(b map[string]any) { b["meta"] = map[string]any{"per_page": 100} })},
	{"50 a page", conformance.Decided, "per-page-default", 0, before(func(r *http.Request) {
		if r.URL.RawQuery == "" {
			r.URL.RawQuery = "per_page=50"
		}
	})},
	{"more on a page than it says", conformance.Published, "per-page-reported", 1, page(func(b map[string]any) { b["meta"] = map[string]any{"per_page": 1} })},
	{"large pages leave one out", conformance.Unsafe, "complete", 1, spoil(func(r *http.Request, a *reply) {
		if r.URL.RawQuery == "per_page=100" {
			a.edit(func(b map[string]any) { b["data"] = b["data"].([]any)[1:] })
		}
	})},
	{"newest first on each page", conformance.Decided, "order", 0, page(func(b map[string]any) { slices.Reverse(b["data"].([]any)) })},
	{"the first answer is in another order", conformance.Decided, "repeatable", 0, onlyFirst(new(atomic.Int64))},
	{"the sixth at once is refused", conformance.Decided, "parallel", 0, atMost(5, new(atomic.Int64))},

	{"bad cursors are the first page", conformance.Decided, "bad-cursor", 0, ignore(func(q string) bool { return strings.HasPrefix(q, "cursor=") && len(q) < 12 })},
	{"changed cursors are the first page", conformance.Decided, "bad-cursor", 0, ignore(reversedCursor)},
	{"101 is taken for 100", conformance.Decided, "bad-per-page", 0, before(func(r *http.Request) {
		r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "per_page=101", "per_page=100", 1)
	})},
	{"010 is taken for 10", conformance.Decided, "bad-per-page", 0, ignore(func(q string) bool { return q == "per_page=010" })},
	{"unknown parameters are ignored", conformance.Decided, "undeclared-parameter", 0, before(func(r *http.Request) {
		r.URL.RawQuery = strings.TrimPrefix(r.URL.RawQuery, "conformance=1")
	})},
	{"the first of two counts", conformance.Decided, "repeated-parameter", 0, ignore(func(q string) bool { return strings.Count(q, "per_page") > 1 })},
	{"%zz is ignored", conformance.Decided, "malformed-query", 0, ignore(func(q string) bool { return strings.Contains(q, "%zz") })},
	{"a 400 names nothing", conformance.Decided, "parameter-named", 0, status(400, func(_ *http.Request, a *reply) {
		a.edit(func(b map[string]any) { without(b, "errors") })
	})},
	{"HEAD is answered", conformance.Decided, "other-methods", 0, before(func(r *http.Request) {
		if r.Method == http.MethodHead {
			r.Method = http.MethodGet
		}
	})},
	{"Allow says POST too", conformance.Decided, "other-methods", 0, header(405, "Allow", "GET, POST")},
	{"an unknown path is 400", conformance.Decided, "unknown-path", 0, status(404, func(_ *http.Request, a *reply) { a.status = 400 })},
	{"errors are plain JSON", conformance.Decided, "problem", 0, header(400, "Content-Type", "application/json")},
	{"errors are a page for people", conformance.Decided, "problem", 0, status(401, func(_ *http.Request, a *reply) {
		a.header.Set("Content-Type", "text/html")
		a.body = []byte("<h1>Unauthorized</h1>")
	})},
	{"no title", conformance.Decided, "problem", 0, status(403, func(_ *http.Request, a *reply) { a.edit(func(b map[string]any) { without(b, "title") }) })},
	{"another status in the body", conformance.Decided, "problem", 0, status(403, func(_ *http.Request, a *reply) { a.edit(func(b map[string]any) { b["status"] = 404 }) })},
	{"another path in the body", conformance.Decided, "problem", 0, status(403, func(_ *http.Request, a *reply) { a.edit(func(b map[string]any) { b["instance"] = "/" }) })},
	{"another request id in the body", conformance.Decided, "problem", 0, status(403, func(_ *http.Request, a *reply) { a.edit(func(b map[string]any) { b["request_id"] = "r1" }) })},
	{"a 403 repeats the token", conformance.Unsafe, "token-echo", 1, status(403, func(r *http.Request, a *reply) {
		a.edit(func(b map[string]any) { b["detail"] = "not for " + r.Header.Get("Authorization") })
	})},
	{"a 401 repeats the unknown token", conformance.Unsafe, "token-echo", 1, status(401, func(r *http.Request, a *reply) {
		a.edit(func(b map[string]any) { b["detail"] = "unknown: " + r.Header.Get("Authorization") })
	})},
	{"a 400 holds a signing secret, escaped", conformance.Unsafe, "secret-leak", 1, status(400, func(_ *http.Request, a *reply) {
		escaped := strings.Replace(secret, "a", `\u0061`, 1)
		a.body = []byte(strings.Replace(string(a.body), `"detail":"`, `"detail":"`+escaped, 1))
	})},
	{"a page repeats the token in a header", conformance.Unsafe, "token-echo", 1, header(200, "X-Token", token)},

	{"no token is let in", conformance.Unsafe, "token-required", 1, admit(func(a string) bool { return a == "" })},
	{"Basic is let in", conformance.Unsafe, "token-required", 1, admit(func(a string) bool { return strings.HasPrefix(a, "Basic ") })},
	{"any token is let in", conformance.Unsafe, "token-required", 1, admit(func(a string) bool { return strings.HasPrefix(a, "Bearer ") })},
	{"404 for a foreign organization", conformance.Decided, "foreign-organization", 0, status(403, func(_ *http.Request, a *reply) { a.status = 404 })},
	{"every organization is ours", conformance.Unsafe, "organization-isolated", 1, before(func(r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/organizations/") {
			r.URL.Path = "/v1/organizations/acme/webhooks"
		}
	})},
	{"401 before 404", conformance.Decided, "precedence", 0, status(404, func(r *http.Request, a *reply) {
		if r.Header.Get("Authorization") == "" {
			a.status = 401
		}
	})},
	{"403 before 400", conformance.Decided, "precedence", 0, status(400, func(r *http.Request, a *reply) {
		if !strings.Contains(r.URL.Path, "/acme/") {
			a.status = 403
		}
	})},

	{"none on errors", conformance.Decided, "x-request-id", 0, dropHeader(404, "X-Request-Id")},
	{"a blank in it", conformance.Decided, "x-request-id", 0, header(200, "X-Request-Id", "a b")},
	{"the client's is thrown away", conformance.Decided, "request-id-kept", 0, before(func(r *http.Request) { r.Header.Del("X-Request-Id") })},
	{"a page may be stored", conformance.Decided, "cache-control", 0, header(200, "Cache-Control", "max-age=60")},
	{"none on a 403", conformance.Decided, "cache-control", 0, dropHeader(403, "Cache-Control")},
	{"no Link", conformance.Decided, "link", 0, dropHeader(200, "Link")},
	{"another target", conformance.Decided, "link", 0, header(200, "Link", `<https://webhooks.example.com/>; rel="next"`)},
	{"none", conformance.Decided, "www-authenticate", 0, dropHeader(401, "Www-Authenticate")},
	{"Basic", conformance.Decided, "www-authenticate", 0, header(401, "Www-Authenticate", `Basic realm="x"`)},
	{"none", conformance.Decided, "allow", 0, dropHeader(405, "Allow")},
	{"a 429 without it", conformance.Decided, "retry-after", 0, status(405, func(_ *http.Request, a *reply) { a.status = 429 })},

	{"next is null too early", conformance.Unsafe, "complete", 1, status(200, func(r *http.Request, a *reply) {
		if !strings.Contains(r.URL.RawQuery, "per_page") {
			a.edit(func(b map[string]any) { b["links"].(map[string]any)["next"] = nil })
		}
	})},
	{"later pages lose their first", conformance.Unsafe, "complete", 1, later(func(b map[string]any) { b["data"] = b["data"].([]any)[1:] })},
	{"later pages begin with the first again", conformance.Unsafe, "complete", 1, later(func(b map[string]any) {
		b["data"].([]any)[0].(map[string]any)["id"] = "wh_000000"
	})},
	{"pages of 100 have another webhook", conformance.Unsafe, "complete", 1, spoil(func(r *http.Request, a *reply) {
		if r.URL.RawQuery == "per_page=100" {
			a.edit(func(b map[string]any) { b["data"].([]any)[3].(map[string]any)["id"] = "wh_other" })
		}
	})},
	{"nobody needs a token", conformance.Unsafe, "token-required", 1, admit(func(string) bool { return true })},
	{"a malformed token is let in", conformance.Unsafe, "token-required", 1, admit(func(a string) bool { return a == "no-scheme" })},
	{"a page repeats the token", conformance.Unsafe, "token-echo", 1, page(func(b map[string]any) { b["you"] = token })},
	{"a 404 repeats the token", conformance.Unsafe, "token-echo", 1, status(404, func(r *http.Request, a *reply) {
		a.header.Set("X-Debug", r.Header.Get("Authorization"))
	})},
	{"a 403 holds a signing secret", conformance.Unsafe, "secret-leak", 1, status(403, func(_ *http.Request, a *reply) {
		a.edit(func(b map[string]any) { b["detail"] = secret })
	})},
	{"a 404 has a signing secret in a header", conformance.Unsafe, "secret-leak", 1, header(404, "X-Debug", secret)},

	{"secrets are stars", conformance.Published, "secret-in-clear", 1, mask("********")},
	{"secrets are cut", conformance.Published, "secret-in-clear", 1, mask("q9N…")},
	{"secrets are cut with stars", conformance.Published, "secret-in-clear", 1, mask("q9N*******")},
	{"secrets are bullets", conformance.Published, "secret-in-clear", 1, mask("••••••")},
	{"secrets are a row of x", conformance.Published, "secret-in-clear", 1, mask("xxxxxxxxxx")},
	{"secrets are a word", conformance.Published, "secret-in-clear", 1, mask("[REDACTED]")},
	{"secret is null", conformance.Published, "field-types", 1, webhook(func(w map[string]any) { w["secret"] = nil })},
	{"id is a number", conformance.Published, "field-types", 1, third(func(w map[string]any) { w["id"] = 7 })},
	{"endpoint is a list", conformance.Published, "field-types", 1, webhook(func(w map[string]any) { w["endpoint"] = []any{w["endpoint"]} })},
	{"event_code is a list", conformance.Published, "field-types", 1, webhook(func(w map[string]any) { w["event_code"] = []any{"orders.created"} })},
	{"created_at is a number", conformance.Published, "field-types", 1, webhook(func(w map[string]any) { w["created_at"] = 1722591000 })},
	{"updated_at is null", conformance.Published, "field-types", 1, webhook(func(w map[string]any) { w["updated_at"] = nil })},
	{"enabled is a string", conformance.Published, "field-types", 1, webhook(func(w map[string]any) { w["enabled"] = "true" })},
	{"a webhook is a string", conformance.Decided, "envelope", 0, page(func(b map[string]any) {
		for i, w := range b["data"].([]any) {
			if w.(map[string]any)["id"] == "wh_000002" {
				b["data"].([]any)[i] = "wh_000002"
			}
		}
	})},
	{"links are objects", conformance.Published, "field-types", 1, links(func(l map[string]any) { l["next"] = map[string]any{"href": l["next"]} })},
	{"per_page is a fraction", conformance.Published, "field-types", 1, page(func(b map[string]any) { b["meta"] = map[string]any{"per_page": 25.5} })},
	{"no id", conformance.Published, "required-fields", 1, third(func(w map[string]any) { without(w, "id") })},
	{"no endpoint", conformance.Published, "required-fields", 1, webhook(func(w map[string]any) { without(w, "endpoint") })},
	{"no created_at", conformance.Published, "required-fields", 1, webhook(func(w map[string]any) { without(w, "created_at") })},
	{"no updated_at", conformance.Published, "required-fields", 1, webhook(func(w map[string]any) { without(w, "updated_at") })},
	{"next leads to an error", conformance.Published, "walk", 1, status(200, func(_ *http.Request, a *reply) {
		a.body = []byte(strings.ReplaceAll(string(a.body), "cursor=", "cursor=x"))
	})},
	{"next leads to HTML", conformance.Published, "walk", 1, status(200, func(r *http.Request, a *reply) {
		if strings.Contains(r.URL.RawQuery, "cursor=") {
			a.header.Set("Content-Type", "text/html")
			a.body = []byte("<h1>Webhooks</h1>")
		}
	})},
	{"prev leads to an error", conformance.Published, "walk-back", 1, links(func(l map[string]any) {
		if prev, ok := l["prev"].(string); ok {
			l["prev"] = strings.Replace(prev, "cursor=", "cursor=x", 1)
		}
	})},

	{"times in nanoseconds", conformance.Decided, "time-format", 0, webhook(func(w map[string]any) { w["created_at"] = "2024-08-02T09:30:00.123456789Z" })},
	{"times without a zone", conformance.Decided, "time-format", 0, webhook(func(w map[string]any) { w["created_at"] = "2024-08-02T09:30:00" })},
	{"an id with a line break", conformance.Decided, "bounds", 0, third(func(w map[string]any) { w["id"] = "a\nb" })},
	{"an empty event code", conformance.Decided, "bounds", 0, webhook(func(w map[string]any) { w["event_code"] = "" })},
	{"an empty secret", conformance.Decided, "bounds", 0, webhook(func(w map[string]any) { w["secret"] = "" })},
	{"an endpoint of 9,000 characters", conformance.Decided, "bounds", 0, webhook(func(w map[string]any) { w["endpoint"] = strings.Repeat("x", 9000) })},
	{"a field twice in one object", conformance.Decided, "duplicate-keys", 0, status(200, func(_ *http.Request, a *reply) {
		a.body = []byte(strings.Replace(string(a.body), `"enabled":`, `"enabled":false,"enabled":`, 1))
	})},
	{"more at the top", "", "extra-fields", 0, page(func(b map[string]any) { b["total"] = 30 })},
	{"a Deprecation header", "", "deprecation", 0, header(200, "Deprecation", "@1735689600")},
	{"a Sunset header", "", "deprecation", 0, header(200, "Sunset", "Sat, 31 Dec 2026 23:59:59 GMT")},

	{"the list is an array", conformance.Decided, "envelope", 0, array},
	{"everything at the top", conformance.Decided, "envelope", 0, flat},
	{"lists one level down", conformance.Decided, "envelope", 0, page(func(b map[string]any) {
		b["result"] = map[string]any{"webhooks": b["data"]}
		without(b, "data")
	})},
	{"webhooks wrapped one by one", conformance.Decided, "envelope", 0, page(func(b map[string]any) {
		for i, w := range b["data"].([]any) {
			b["data"].([]any)[i] = map[string]any{"webhook": w}
		}
		b["webhooks"] = b["data"]
		without(b, "data")
	})},
	{"links under _links", conformance.Decided, "envelope", 0, page(func(b map[string]any) { b["_links"] = b["links"]; without(b, "links") })},
	{"a media type of its own", conformance.Decided, "page-media-type", 0, header(200, "Content-Type", "application/vnd.pack+json")},
	{"links with a trailing slash", conformance.Decided, "links-path", 0, links(func(l map[string]any) {
		for rel, link := range l {
			if link, ok := link.(string); ok {
				l[rel] = strings.Replace(link, "/webhooks?", "/webhooks/?", 1)
			}
		}
	})},
	{"links that drop per_page", conformance.Decided, "links-keep-size", 0, links(func(l map[string]any) {
		for rel, link := range l {
			if link, ok := link.(string); ok {
				u, _ := url.Parse(link)
				u.RawQuery = url.Values{"cursor": u.Query()["cursor"]}.Encode()
				l[rel] = u.String()
			}
		}
	})},
	{"no prev, ever", conformance.Decided, "exact-ends", 0, links(func(l map[string]any) { l["prev"] = nil })},
	{"no links at the ends", conformance.Decided, "envelope", 0, links(func(l map[string]any) {
		for rel, link := range l {
			if link == nil {
				without(l, rel)
			}
		}
	})},
	{"large pages come in another order", conformance.Decided, "any-page-size", 0, spoil(func(r *http.Request, a *reply) {
		if r.URL.RawQuery == "per_page=100" {
			a.edit(func(b map[string]any) { slices.Reverse(b["data"].([]any)) })
		}
	})},
	{"no per_page at all", conformance.Decided, "per-page-honoured", 0, before(func(r *http.Request) {
		q := r.URL.Query()
		q.Del("per_page")
		r.URL.RawQuery = q.Encode()
	})},
	{"per_page is refused", conformance.Decided, "per-page-honoured", 0, spoil(func(r *http.Request, a *reply) {
		if r.URL.Query().Has("per_page") && !r.URL.Query().Has("cursor") {
			a.status, a.body = 400, []byte(`{"message":"unknown parameter"}`)
		}
	})},

	{"422 for a bad parameter", conformance.Decided, "bad-per-page", 0, status(400, func(_ *http.Request, a *reply) { a.status = 422 })},
	{"a malformed organization is 404", conformance.Decided, "bad-organization", 0, before(func(r *http.Request) {
		if strings.Contains(r.URL.Path, ".conformance") {
			r.URL.Path = "/nowhere"
		}
	})},
	{"OPTIONS is answered", conformance.Decided, "other-methods", 0, status(405, func(r *http.Request, a *reply) {
		if r.Method == http.MethodOptions {
			a.status, a.body = 200, nil
		}
	})},
	{"OPTIONS is 204", conformance.Decided, "other-methods", 0, status(405, func(r *http.Request, a *reply) {
		if r.Method == http.MethodOptions {
			a.status, a.body = 204, nil
		}
	})},
	{"HTML for every other path", conformance.Decided, "unknown-path", 0, status(404, func(_ *http.Request, a *reply) {
		a.status, a.body = 200, []byte("<!doctype html><title>App</title>")
		a.header.Set("Content-Type", "text/html")
	})},
	{"the list for every other path", conformance.Unsafe, "token-required", 1, before(func(r *http.Request) {
		if strings.Contains(r.URL.Path, "no-such-path") {
			r.URL.Path = "/v1/organizations/acme/webhooks"
			r.Header.Set("Authorization", "Bearer "+token)
		}
	})},
	{"403 for Basic", conformance.Decided, "malformed-token", 0, status(401, func(r *http.Request, a *reply) {
		if strings.HasPrefix(r.Header.Get("Authorization"), "Basic") {
			a.status = 403
		}
	})},
	{"403 without a token", conformance.Decided, "no-token", 0, status(401, func(_ *http.Request, a *reply) { a.status = 403 })},
	{"a login page without a token", conformance.Decided, "no-token", 0, status(401, func(_ *http.Request, a *reply) {
		a.status, a.body = 200, []byte("<form>Log in</form>")
		a.header.Set("Content-Type", "text/html")
	})},
	{"a redirect to a login page", conformance.Decided, "unknown-token", 0, status(401, func(_ *http.Request, a *reply) {
		a.status, a.body = 302, nil
		a.header.Set("Location", "/login")
	})},
	{"an empty list for a foreign organization", conformance.Decided, "foreign-organization", 0, status(403, func(_ *http.Request, a *reply) {
		a.status, a.body = 200, []byte(`{"data":[],"links":{"prev":null,"next":null}}`)
	})},
	{"Cache-Control: public", conformance.Decided, "cache-control", 0, header(200, "Cache-Control", "public")},
	{"an empty Allow", conformance.Decided, "allow", 0, header(405, "Allow", "")},

	{"the organization is unknown", conformance.Published, "first-page", 2, before(func(r *http.Request) { r.URL.Path = "/v2" })},
	{"the token is refused", conformance.Published, "first-page", 2, before(func(r *http.Request) { r.Header.Del("Authorization") })},
	{"the list is gone", conformance.Published, "first-page", 2, status(200, func(_ *http.Request, a *reply) { a.status = 410 })},
	{"the list is HTML", conformance.Published, "first-page", 2, status(200, func(_ *http.Request, a *reply) {
		a.header.Set("Content-Type", "text/html; charset=utf-8")
		a.body = []byte("<h1>Welcome</h1>")
	})},
	{"the list is a redirect", conformance.Published, "first-page", 2, status(200, func(_ *http.Request, a *reply) {
		a.status = 302
		a.header.Set("Location", "/")
	})},
	{"the list is a message", conformance.Published, "first-page", 2, status(200, func(_ *http.Request, a *reply) { a.body = []byte(`{"message":"hello"}`) })},
	{"the list is 500", conformance.Published, "first-page", 2, status(200, func(_ *http.Request, a *reply) { a.status = 500 })},
}
