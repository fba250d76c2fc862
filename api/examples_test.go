package api_test

import (
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/packhooks/packhooks/api"
)

// An example that is wrong misleads everybody who copies it, and one that is missing helps nobody: whatever has a
// plain value in the contract, and every body, has to come with one that fits.
func TestEverythingHasAnExampleThatFits(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(api.Spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context(), openapi3.DisableExamplesValidation()); err != nil {
		t.Errorf("validating the document: %v", err)
	}
	for name, s := range doc.Components.Schemas {
		for property, ref := range s.Value.Properties {
			if ref.Ref == "" && !ref.Value.Type.Is("array") && !ref.Value.Nullable {
				fits(t, "schema "+name+"."+property, ref, ref.Value.Example)
			}
		}
	}
	for name, p := range doc.Components.Parameters {
		fits(t, "parameter "+name, p.Value.Schema, p.Value.Example)
	}
	for name, h := range doc.Components.Headers {
		fits(t, "header "+name, h.Value.Schema, h.Value.Example)
	}
	for name, r := range doc.Components.Responses {
		for mediaType, content := range r.Value.Content {
			at := "response " + name + " " + mediaType
			for title, e := range content.Examples {
				fits(t, at+" "+title, content.Schema, e.Value.Value)
			}
			if len(content.Examples) == 0 {
				fits(t, at, content.Schema, content.Example)
			}
		}
	}
}

func fits(t *testing.T, at string, schema *openapi3.SchemaRef, value any) {
	t.Helper()
	if value == nil {
		t.Errorf("%s has no example", at)
	} else if err := schema.Value.VisitJSON(value, openapi3.EnableFormatValidation(), openapi3.MultiErrors()); err != nil {
		t.Errorf("the example of %s does not fit: %v", at, err)
	}
}
