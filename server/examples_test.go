package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/packhooks/packhooks/gen/serverapi"
	"github.com/packhooks/packhooks/server"
	"github.com/packhooks/packhooks/server/store"
)

// The contract's examples, bodies and headers, are what the server sends: this is how each comes about.
func TestTheExamplesAreWhatTheServerSays(t *testing.T) {
	const path = "/v1/organizations/acme/webhooks"
	failing := func(err error) func(*server.Config) {
		return func(c *server.Config) {
			c.Webhooks = lister(func(context.Context, store.PageQuery) (store.Page, error) { return store.Page{}, err })
		}
	}
	requests := map[string]struct {
		method, path string
		change       func(*server.Config)
	}{
		"200": {path: path + "?per_page=1"}, "200 empty": {path: path},
		"400": {path: path + "?per_page=101"}, "401": {path: path}, "403": {path: path},
		"404": {path: "/v1/organisations/acme/webhooks"}, "405": {path: path, method: http.MethodPost},
		"429": {path: path, change: func(c *server.Config) { c.RatePerSecond, c.RateBurst = 1, 1 }},
		"500": {path: path, change: failing(errors.New("broken"))}, "503": {path: path, change: failing(store.ErrUnavailable)},
	}
	say := func(t *testing.T, name, code string, example any) {
		requestID := contract.Operation.Responses.Value(code).Value.Headers["X-Request-Id"].Value.Example.(string)
		request, known := requests[name]
		if !known {
			t.Fatalf("the contract declares it, and no request here provokes a %s", name)
		}
		f := newFixture(t, func(c *server.Config) { c.PublicURL = "https://api.pack.cloud" })
		if request.change != nil {
			f = newFixture(t, request.change)
		}
		header := http.Header{"Authorization": {"Bearer " + f.token}, "X-Request-Id": {requestID}}
		switch name {
		case "200":
			f.put("acme", exampleWebhooks(t, example)...)
		case "401":
			header.Del("Authorization")
		case "403":
			header.Set("Authorization", "Bearer "+f.newToken(tokenFor("other")))
		case "429":
			f.list("")
		}
		method := request.method
		if method == "" {
			method = http.MethodGet
		}
		a := f.do(method, request.path, header, nil)
		var got any
		check(t, json.Unmarshal(a.body, &got))
		if strconv.Itoa(a.StatusCode) != code || !reflect.DeepEqual(got, plain(t, example)) {
			want, _ := json.Marshal(example)
			t.Errorf("%d is\n%s, and the example\n%s", a.StatusCode, a.body, want)
		}
		for name, h := range contract.Operation.Responses.Value(code).Value.Headers {
			if got := a.Header.Get(name); got != h.Value.Example && name+code != "Link200" {
				t.Errorf("%s is %q, and the example %q", name, got, h.Value.Example)
			}
		}
		if name == "200" {
			if got, want := a.Header.Get("Link"), contract.Spec.Components.Headers["Link"].Value.Example; got != want {
				t.Errorf("Link is %q, and the example %q", got, want)
			}
			sameLinks(t, a.page(t).Links.Next, f.list(query(t, a.page(t).Links.Next)).page(t).Links.Prev)
		}
	}
	for code, response := range contract.Operation.Responses.Map() {
		for _, content := range response.Value.Content {
			if content.Example != nil {
				t.Run(code, func(t *testing.T) { say(t, code, code, content.Example) })
			}
			for title, example := range content.Examples {
				name := strings.TrimSuffix(code+" "+title, " first")
				t.Run(name, func(t *testing.T) { say(t, name, code, example.Value.Value) })
			}
		}
	}
}

// sameLinks holds the examples of links, and that of a cursor, to those of the first two pages.
func sameLinks(t *testing.T, next, prev *string) {
	t.Helper()
	links := contract.Spec.Components.Schemas["PageLinks"].Value.Properties
	if want := links["next"].Value.Example; next == nil || *next != want {
		t.Errorf("next is %q, and the example %q", *next, want)
	}
	if want := links["prev"].Value.Example; prev == nil || *prev != want {
		t.Errorf("prev is %q, and the example %q", *prev, want)
	}
	if cursor := contract.Spec.Components.Parameters["Cursor"].Value.Example; !strings.Contains(*next, "cursor="+cursor.(string)+"&") {
		t.Errorf("next is %q, and the example of a cursor %q", *next, cursor)
	}
}

// exampleWebhooks are those of the example of a page, and another one for its next link to lead to.
func exampleWebhooks(t *testing.T, example any) []serverapi.Webhook {
	t.Helper()
	var page serverapi.WebhookPage
	text, err := json.Marshal(example)
	check(t, err)
	check(t, json.Unmarshal(text, &page))
	next := page.Data[0]
	next.ID = "wh_000002"
	return append(page.Data, next)
}

// plain is a value of the document as JSON has it.
func plain(t *testing.T, value any) (decoded any) {
	t.Helper()
	text, err := json.Marshal(value)
	check(t, err)
	check(t, json.Unmarshal(text, &decoded))
	return decoded
}
