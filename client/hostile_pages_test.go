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
		malformed("truncated JSON", "invalid JSON at byte", body("", item("wh_1", nil))[:100]),
		malformed("HTML", "invalid JSON at byte 1 ", "<html>sign in</html>"),
		malformed("empty body", "invalid JSON at byte 0 of 0", ""),
		malformed("null", "no keys", "null"),
		malformed("array", "not an object", "[]"),
		malformed("missing data", "its keys are links, message", `{"links": {}, "message": "hello"}`),
		malformed("null data", "data or links is missing", `{"data": null, "links": {}}`),
		malformed("missing links", "its keys are data, meta", `{"data": [], "meta": {}}`),
		malformed("null links", "data or links is missing", `{"data": [], "links": null}`),
		malformed("data an object", "data of the page cannot be a JSON object", `{"data": {}, "links": {}}`),
		malformed("links an array", "links of the page cannot be a JSON array", `{"data": [], "links": []}`),
		malformed("null item", "data[1] has no id", body("", item("wh_1", nil), nil)),
		malformed("item a string", "data[0] is not an object", body("", "wh_1")),
		malformedItem("wrong type of id", "id of data[1] cannot be a JSON number", map[string]any{"id": 12}),
		malformedItem("wrong type of secret", "secret of data[1] cannot be a JSON number", map[string]any{"secret": 12}),
		malformedItem("wrong type of enabled", "data[1] has no boolean enabled", map[string]any{"enabled": "yes"}),
		malformedItem("bad timestamp", "updated_at of data[1] is not an RFC 3339 time", map[string]any{"updated_at": "2024-08-02 09:30"}),
		malformedItem("number for a timestamp", "created_at of data[1]", map[string]any{"created_at": 1722591000}),
		malformedItem("masked secret", "secret of data[1]", map[string]any{"secret": "[redacted]"}),
		malformedItem("missing id", "data[1] has no id", map[string]any{"id": nil}),
		malformedItem("missing endpoint", "data[1] has no endpoint", map[string]any{"endpoint": nil}),
		malformedItem("missing secret", "data[1] has no secret", map[string]any{"secret": nil}),
		malformedItem("missing enabled", "data[1] has no boolean enabled", map[string]any{"enabled": nil}),
		malformedItem("missing created_at", "data[1] has no created_at", map[string]any{"created_at": nil}),
		malformedItem("missing updated_at", "data[1] has no updated_at", map[string]any{"updated_at": nil}),
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
