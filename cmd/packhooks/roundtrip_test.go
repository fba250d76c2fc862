package main_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/packhooks/packhooks/api"
)

// TestEveryPropertyComesBack fails when the contract has a property that is lost or changed on its way through import,
// store, API, client and export. It makes its values from the contract.
func TestEveryPropertyComesBack(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(api.Spec)
	if err != nil {
		t.Fatal(err)
	}
	schema := doc.Components.Schemas["Webhook"].Value
	full := example(t, "webhook", schema).(map[string]any)
	least := map[string]any{}
	for _, name := range schema.Required {
		least[name] = full[name]
	}
	least["id"] = "least"

	p := newPlace(t)
	p.must(ndjson([]any{full, least}), "import", "--org", "acme", "-")
	p = p.with("PACKHOOKS_TOKEN="+strings.TrimSpace(p.must("", "token", "create", "--org", "acme")), "PACKHOOKS_URL="+p.serve().url)
	compare(t, []any{full, least}, p.must("", "export", "--org", "acme", "--output", "json"))

	compare(t, []any{masked(schema, full)}, p.must("", "list", "--org", "acme", "--output", "json", "--limit", "1"))
	compare(t, []any{full}, p.must("", "list", "--org", "acme", "--output", "json", "--limit", "1", "--show-secrets"))

	t.Run("each change by itself", func(t *testing.T) {
		now := maps.Clone(full)
		reimport := func() {
			t.Helper()
			p.must(ndjson([]any{now, least}), "import", "--org", "acme", "-")
			compare(t, []any{now, least}, p.must("", "export", "--org", "acme", "--output", "json"))
		}
		for name, property := range schema.Properties {
			if name == "id" {
				continue
			}
			if property.Value.Type.Is("string") && property.Value.VisitJSON("\x00") != nil {
				withNUL := maps.Clone(now)
				withNUL[name] = "\x00"
				p.fails(1, ndjson([]any{withNUL}), []string{"import", "--org", "acme", "-"}, name)
			}
			now[name] = another(t, name, property.Value, now[name])
			reimport()
			if !slices.Contains(schema.Required, name) {
				delete(now, name)
				reimport()
			}
		}
		p.must(ndjson([]any{full}), "import", "--org", "acme", "-")
	})

	t.Run("from server to server", func(t *testing.T) {
		p.must("", "import", "--org", "copy", "--from-org", "acme", "--from", p.url())
		token := strings.TrimSpace(p.must("", "token", "create", "--org", "copy"))
		compare(t, []any{full, least}, p.with("PACKHOOKS_TOKEN="+token).must("", "export", "--org", "copy", "--output", "json"))
	})
}

func compare(t *testing.T, want []any, output string) {
	t.Helper()
	var got []any
	if err := json.Unmarshal([]byte(output), &got); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b any) int { return strings.Compare(id(b), id(a)) })
	slices.SortFunc(want, func(a, b any) int { return strings.Compare(id(b), id(a)) })
	for i := 0; i < len(want) && len(got) == len(want); i++ {
		got, want := got[i].(map[string]any), want[i].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if !reflect.DeepEqual(got[name], want[name]) {
				t.Errorf("%s: sent %v, came back %v", name, want[name], got[name])
			}
		}
	}
	if !t.Failed() && !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// masked is a value as list prints it.
func masked(schema *openapi3.Schema, value any) any {
	switch v := value.(type) {
	case string:
		if schema.Format == "password" {
			return "[redacted]"
		}
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = masked(schema.Items.Value, v[i])
		}
		return list
	case map[string]any:
		object := map[string]any{}
		for name := range v {
			object[name] = masked(schema.Properties[name].Value, v[name])
		}
		return object
	}
	return value
}

// another is a different value of the same schema.
func another(t *testing.T, name string, schema *openapi3.Schema, value any) any {
	t.Helper()
	candidates := slices.Concat(schema.Enum, formatted[schema.Format])
	switch v := value.(type) {
	case bool:
		candidates = []any{!v}
	case float64:
		candidates = append(candidates, v+1, v-1)
	case string:
		candidates = append(candidates, strings.Replace(v, "2024-", "2025-", 1), v+" changed", schema.Example)
	case []any:
		first := another(t, name, schema.Items.Value, v[0])
		candidates = []any{[]any{v[0], first}, []any{first}}
	case map[string]any:
		object := maps.Clone(v)
		for name := range object {
			object[name] = another(t, name, schema.Properties[name].Value, object[name])
		}
		candidates = []any{object}
	}
	for _, candidate := range candidates {
		if candidate != nil && schema.VisitJSON(candidate) == nil && !reflect.DeepEqual(candidate, value) {
			return candidate
		}
	}
	t.Fatalf("teach this test to change the value of %s", name)
	return nil
}

// formatted are values of formats that the generated types parse.
var formatted = map[string][]any{
	"date":  {"2024-08-02", "2024-08-03"},
	"email": {"a@example.com", "b@example.com"},
	"uri":   {"https://example.com/a", "https://example.com/b"},
	"uuid":  {"01980f6a-5d3c-7c1e-9f6b-2a4f0c1d8e7b", "01980f6a-5d3c-7c1e-9f6b-2a4f0c1d8e7c"},
}

func id(webhook any) string { return fmt.Sprint(webhook.(map[string]any)["id"]) }

// example makes a value of a schema that nobody would have by accident.
func example(t *testing.T, name string, schema *openapi3.Schema) any {
	t.Helper()
	var value any
	switch {
	case len(schema.Enum) > 0:
		value = schema.Enum[len(schema.Enum)-1]
	case schema.Type.Is("object"):
		object := map[string]any{}
		for name, property := range schema.Properties {
			object[name] = example(t, name, property.Value)
		}
		value = object
	case schema.Type.Is("array"):
		value = []any{example(t, name, schema.Items.Value)}
	case schema.Type.Is("boolean"):
		value = true
	case schema.Type.Is("integer"), schema.Type.Is("number"):
		value = float64(len(name) + 1)
		if schema.Min != nil {
			value = *schema.Min + 1
		}
	case schema.Format == "date-time":
		value = fmt.Sprintf("2024-08-02T09:30:00.%05d1Z", 100*len(name)+int(name[0]))
	case formatted[schema.Format] != nil:
		value = formatted[schema.Format][0]
	default:
		value = "example of " + name
	}
	if schema.VisitJSON(value) != nil {
		value = schema.Example
	}
	if err := schema.VisitJSON(value); err != nil {
		t.Fatalf("teach this test to make a value of %s: %v", name, err)
	}
	return value
}
