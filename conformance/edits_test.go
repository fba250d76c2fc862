package conformance_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/packhooks/packhooks/api"
	"github.com/packhooks/packhooks/conformance"
)

// translated is our server in another contract's words: every pair is what we say and what the other contract says.
func translated(pairs ...string) deviation {
	var back []string
	for i := 0; i < len(pairs); i += 2 {
		back = append(back, pairs[i+1], pairs[i])
	}
	ours, theirs := strings.NewReplacer(back...), strings.NewReplacer(pairs...)
	return func(next http.Handler) http.Handler {
		inner := before(func(r *http.Request) {
			r.URL.Path, r.URL.RawPath = ours.Replace(r.URL.Path), ""
			r.URL.RawQuery = ours.Replace(r.URL.RawQuery)
		})(next)
		return spoil(func(_ *http.Request, a *reply) {
			a.body = []byte(theirs.Replace(string(a.body)))
			for _, values := range a.header {
				for i := range values {
					values[i] = theirs.Replace(values[i])
				}
			}
		})(inner)
	}
}

// edits are changes of the contract. The checker follows each, without an edit of its own: it finds a server that
// follows as well conforming, and names what ours does not keep of it.
var edits = []struct {
	name    string
	edit    []string // what is replaced in the contract, and by what
	server  deviation
	refused string   // what loading says
	fails   []string // the checks that do not pass
}{
	{name: "the largest page", edit: []string{"\n        maximum: 100\n", "\n        maximum: 50\n"}, fails: []string{"bad-per-page"}},
	{name: "the smallest page", edit: []string{"        minimum: 1\n        maximum: 100\n", "        minimum: 2\n        maximum: 100\n"}, fails: []string{"bad-per-page"}},
	{name: "the default page", edit: []string{"default: 25\n", "default: 10\n"}, fails: []string{"per-page-default"}},
	{name: "the longest cursor", edit: []string{"maxLength: 256\n", "maxLength: 20\n"}, fails: nil},
	{name: "the longest organization", edit: []string{"        maxLength: 128\n        pattern: '^[A-Za-z0-9_~-]", "        maxLength: 64\n        pattern: '^[A-Za-z0-9_~-]"}, fails: []string{"bad-organization"}},
	{name: "the longest endpoint", edit: []string{"maxLength: 8192", "maxLength: 8"}, fails: []string{"bounds"}},
	{name: "a required property", edit: []string{"required: [id, endpoint,", "required: [id, name, endpoint,"}, fails: []string{"envelope"}},
	{name: "a required property of the envelope", edit: []string{"required: [data, links]", "required: [data, links, total]"}, fails: []string{"envelope"}},
	{name: "a required header", edit: []string{"        X-Request-Id:\n          $ref", "        X-Trace:\n          $ref"}, fails: []string{"request-id-kept", "x-trace"}},
	{name: "a header's value", edit: []string{"enum: [no-store]", "enum: [no-cache]"}, fails: []string{"cache-control"}},
	{name: "a header's pattern", edit: []string{"'^Bearer( .+)?$'", "'^Digest'"}, fails: []string{"www-authenticate"}},
	{name: "the media type of a page", edit: []string{"        application/json:\n", "        application/vnd.pack+json:\n"}, fails: []string{"page-media-type"}},
	{name: "the media type of errors", edit: []string{"application/problem+json:", "application/json:"}, fails: []string{"problem"}},
	{name: "422 for 400", edit: []string{"        '400':\n", "        '422':\n"}, fails: []string{"status", "bad-cursor", "bad-per-page", "bad-organization", "undeclared-parameter", "repeated-parameter", "malformed-query", "parameter-named", "problem", "precedence"}},
	{name: "no 403", edit: []string{"        '403':\n          $ref: '#/components/responses/Forbidden'\n", ""}, fails: []string{"foreign-organization", "status"}},
	{name: "an optional query parameter", edit: []string{"        - $ref: '#/components/parameters/PerPage'\n", "        - $ref: '#/components/parameters/PerPage'\n        - {name: enabled, in: query, schema: {type: boolean}}\n"}, fails: nil},
	{
		name: "no page size parameter", edit: []string{"        sizeParameter: per_page\n", "", "        - $ref: '#/components/parameters/PerPage'\n", ""},
		fails: []string{"any-page-size", "bad-per-page", "per-page-default", "per-page-honoured", "repeated-parameter"},
	},
	{
		name: "no cursor parameter", edit: []string{"        cursorParameter: cursor\n", "", "        - $ref: '#/components/parameters/Cursor'\n", ""},
		fails: []string{"bad-cursor"},
	},
	{name: "HEAD", edit: []string{"  /organizations/{organizationId}/webhooks:\n", "  /organizations/{organizationId}/webhooks:\n    head: {responses: {'200': {description: OK}}}\n"}, fails: []string{"other-methods"}},
	{name: "no security", edit: []string{"security:\n  - bearerAuth: []\n", "security: []\n"}, fails: []string{"first-page"}},
	{
		name: "an api key", edit: []string{"      type: http\n      scheme: bearer\n", "      type: apiKey\n      in: header\n      name: X-Api-Key\n", "'^Bearer( .+)?$'", "''"},
		server: before(func(r *http.Request) {
			key := r.Header.Get("X-Api-Key")
			if r.Header.Del("Authorization"); key != "" {
				r.Header.Set("Authorization", "Bearer "+key)
			}
		}),
	},
	{name: "another page size parameter", edit: []string{"name: per_page", "name: limit", "sizeParameter: per_page", "sizeParameter: limit"}, server: translated("per_page=", "limit=", `"per_page"`, `"limit"`, `\"per_page\"`, `\"limit\"`, `"meta":{"limit"`, `"meta":{"per_page"`)},
	{name: "another cursor parameter", edit: []string{"name: cursor", "name: after", "cursorParameter: cursor", "cursorParameter: after"}, server: translated("cursor=", "after=", `"cursor"`, `"after"`)},
	{name: "another path", edit: []string{"/organizations/{organizationId}/webhooks:", "/orgs/{organizationId}/hooks:"}, server: translated("/organizations/", "/orgs/", "/webhooks", "/hooks")},
	{name: "another path parameter", edit: []string{"{organizationId}", "{org}", "name: organizationId", "name: org"}},
	{name: "another name for the items", edit: []string{"items: data", "items: webhooks", "[data, links]", "[webhooks, links]", "        data:\n          type: array", "        webhooks:\n          type: array"}, server: translated(`"data":`, `"webhooks":`)},
	{name: "another name for next", edit: []string{"links.next", "links.following", "[prev, next]", "[prev, following]", "        next:\n          type: string", "        following:\n          type: string"}, server: translated(`"next":`, `"following":`)},
	{name: "another name for the id", edit: []string{"[created_at, id]", "[created_at, uid]", "required: [id,", "required: [uid,", "        id:\n          type", "        uid:\n          type"}, server: translated(`"id":`, `"uid":`)},
	{name: "another name for the secret", edit: []string{"endpoint, secret,", "endpoint, key,", "        secret:\n          type", "        key:\n          type"}, server: translated(`"secret":`, `"key":`)},

	{name: "a page size parameter that is gone", edit: []string{"name: per_page", "name: limit"}, refused: `names the parameter "per_page", which is not declared`},
	{name: "a cursor parameter that is gone", edit: []string{"name: cursor", "name: after"}, refused: `names the parameter "cursor", which is not declared`},
	{name: "a link that is gone", edit: []string{"        next:\n          type: string", "        following:\n          type: string"}, refused: `next is at "links.next", which a page does not have`},
	{name: "items that are gone", edit: []string{"        data:\n          type: array", "        webhooks:\n          type: array"}, refused: `items is at "data", which a page does not have`},
	{name: "an id that is gone", edit: []string{"        id:\n          type", "        uid:\n          type"}, refused: `orders by "id", which a webhook does not have`},
	{name: "no x-paging", edit: []string{"x-paging:", "x-other:"}, refused: "no GET operation has x-paging"},
	{name: "two parameters in the path", edit: []string{"/{organizationId}/webhooks", "/{organizationId}/webhooks/{id}"}, refused: "exactly one parameter"},
	{name: "no largest page", edit: []string{"        minimum: 1\n        maximum: 100\n", "        minimum: 1\n"}, refused: "not declared with a minimum and a maximum"},
	{name: "oauth in a cookie", edit: []string{"      type: http\n      scheme: bearer\n", "      type: apiKey\n      in: cookie\n      name: session\n"}, refused: "apiKey in a header"},
	{name: "no 200", edit: []string{"        '200':\n", "        '203':\n"}, refused: "declares no status 200"},
	{name: "not YAML", edit: []string{"openapi: 3.0.3", "openapi: ["}, refused: "loading the contract"},
}

func TestTheCheckerFollowsTheContract(t *testing.T) {
	for _, e := range edits {
		t.Run(e.name, func(t *testing.T) {
			spec := string(api.Spec)
			for i := 0; i < len(e.edit); i += 2 {
				if !strings.Contains(spec, e.edit[i]) {
					t.Fatalf("the contract has no %q", e.edit[i])
				}
				spec = strings.ReplaceAll(spec, e.edit[i], e.edit[i+1])
			}
			cfg := conformance.Config{URL: newServer(t, newList(30), e.server), Organization: "acme", Token: token, Rate: 1e6, Contract: []byte(spec)}
			report, err := conformance.Run(t.Context(), cfg)
			if e.refused != "" || err != nil {
				if err == nil || e.refused == "" || !strings.Contains(err.Error(), e.refused) {
					t.Fatalf("got %v, want %q", err, e.refused)
				}
				return
			}
			var fails []string
			details := ""
			for _, c := range report.Checks {
				if c.Outcome != conformance.Pass && c.Outcome != conformance.Advice {
					fails = append(fails, c.ID)
					details += fmt.Sprintf("%s: %s\n", c.ID, c.Detail)
				}
			}
			slices.Sort(fails)
			slices.Sort(e.fails)
			if !slices.Equal(fails, e.fails) {
				t.Errorf("these do not pass: %v, want %v\n%s", fails, e.fails, details)
			}
		})
	}
}
