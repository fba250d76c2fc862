package packhooks_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	packhooks "github.com/packhooks/packhooks/client"
)

func malformed(name, text, page string) hostile {
	return hostile{name: name, serve: fixed(always(200, page)), want: packhooks.ErrMalformedPage, text: text, page: page}
}

func malformedItem(name, text string, changes map[string]any) hostile {
	return malformed(name, text, body("", item("wh_1", nil), item("wh_2", changes)))
}

func hostilePages() []hostile {
	return []hostile{
		malformed("truncated JSON", "the JSON ends too early", body("", item("wh_1", nil))[:100]),
		malformed("HTML", "invalid JSON at byte 0 of 20 (got 200 text/html)", "<html>sign in</html>"),
		malformed("empty body", "the JSON ends too early", ""),
		malformed("null", "the body is null", "null"),
		malformed("array", "the body is an array", "[]"),
		malformed("missing data", "data is missing", `{"links": {}, "message": "hello"}`),
		malformed("null data", "data is null", `{"data": null, "links": {}}`),
		malformed("missing links", "links is missing", `{"data": [], "meta": {}}`),
		malformed("null links", "links is null", `{"data": [], "links": null}`),
		malformed("data an object", "data is an object", `{"data": {}, "links": {}}`),
		malformed("links an array", "links is an array", `{"data": [], "links": []}`),
		malformed("null item", "data[1] is null", body("", item("wh_1", nil), nil)),
		malformed("item a string", "data[0] is a string", body("", "wh_1")),
		malformedItem("wrong type of id", "data[1].id is a number", map[string]any{"id": 12}),
		malformedItem("wrong type of secret", "data[1].secret is a number", map[string]any{"secret": 12}),
		malformedItem("wrong type of enabled", "data[1].enabled is a string", map[string]any{"enabled": "yes"}),
		malformedItem("bad timestamp", "data[1].updated_at is not an RFC 3339 time", map[string]any{"updated_at": "2024-08-02 09:30"}),
		malformedItem("number for a timestamp", "data[1].created_at is a number", map[string]any{"created_at": 1722591000}),
		malformedItem("masked secret", "data[1].secret is masked", map[string]any{"secret": "[redacted]"}),
		malformedItem("missing id", "data[1].id is missing", map[string]any{"id": nil}),
		malformedItem("missing endpoint", "data[1].endpoint is missing", map[string]any{"endpoint": nil}),
		malformedItem("missing secret", "data[1].secret is missing", map[string]any{"secret": nil}),
		malformedItem("missing enabled", "data[1].enabled is missing", map[string]any{"enabled": nil}),
		malformedItem("missing created_at", "data[1].created_at is missing", map[string]any{"created_at": nil}),
		malformedItem("missing updated_at", "data[1].updated_at is missing", map[string]any{"updated_at": nil}),
		{
			name: "null event_code", webhooks: 1,
			serve: fixed(always(200, strings.Replace(body("", item("wh_1", nil)), `"id"`, `"event_code": null, "id"`, 1))),
		},
		{
			name: "more than the contract has", webhooks: 1,
			serve: fixed(always(200, `{"jsonapi": {}, "links": {"self": "x"}, "data": [`+
				strings.TrimSuffix(strings.TrimPrefix(body("", item("wh_1", map[string]any{"color": "red"})), `{"data":[`), `],"links":{"next":null,"prev":null},"meta":{"per_page":25}}`)+`]}`)),
		},
	}
}

// A field that the contract comes to require is to be asked for, too.
func TestEveryRequiredFieldIsAskedFor(t *testing.T) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[packhooks.Webhook]()) {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if options == "omitempty" {
			continue
		}
		url := serve(t, always(200, body("", item("wh_1", map[string]any{name: nil}))))
		_, err := newClientOf(t, testToken, url).ListWebhooks(t.Context(), "acme")
		if !errors.Is(err, packhooks.ErrMalformedPage) || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: got %v, want ErrMalformedPage that names it", name, err)
		}
	}
}
