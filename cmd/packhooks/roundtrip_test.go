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

// TestEveryPropertyComesBack fails when the contract has a property that the store or its mapping does not keep.
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

	masked := maps.Clone(full)
	masked["secret"] = "[redacted]"
	compare(t, []any{masked}, p.must("", "list", "--org", "acme", "--output", "json", "--limit", "1"))
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
			if now[name] = another(t, name, now[name]); property.Value.Type.Is("string") {
				withNUL := maps.Clone(now)
				withNUL[name] = "\x00"
				p.fails(1, ndjson([]any{withNUL}), []string{"import", "--org", "acme", "-"}, name)
			}
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

// another is a value of the same schema.
func another(t *testing.T, name string, value any) any {
	t.Helper()
	switch v := value.(type) {
	case bool:
		return !v
	case float64:
		return v + 1
	case string:
		if changed := strings.Replace(v, "2024-", "2025-", 1); changed != v {
			return changed
		}
		return v + " changed"
	}
	t.Fatalf("teach this test to change the value of %s", name)
	return nil
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
	default:
		value = "example of " + name
	}
	if err := schema.VisitJSON(value); err != nil {
		t.Fatalf("teach this test to make a value of %s: %v", name, err)
	}
	return value
}
