package document

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// fingerprint hashes a schema with its references resolved and annotations removed. Keys are sorted, and so are lists
// whose order has no meaning.
func fingerprint(doc *openapi3.T, name string) (string, error) {
	text, err := json.Marshal(doc.Components.Schemas)
	if err != nil {
		return "", fmt.Errorf("encoding schemas: %w", err)
	}
	var schemas map[string]any
	_ = json.Unmarshal(text, &schemas) // it was JSON a moment ago
	text, _ = json.Marshal(essence(schemas[name], schemas, nil))
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16]), nil
}

var annotations = []string{"title", "description", "example", "examples", "externalDocs", "deprecated", "xml"}

// essence returns the schema without annotations. A recursive reference stays a reference.
func essence(schema any, schemas map[string]any, within []string) any {
	fields, ok := schema.(map[string]any)
	if !ok {
		return schema // such as a boolean additionalProperties
	}
	if ref, ok := fields["$ref"].(string); ok {
		name := strings.TrimPrefix(ref, "#/components/schemas/")
		if slices.Contains(within, name) || schemas[name] == nil {
			return ref
		}
		return essence(schemas[name], schemas, append(slices.Clone(within), name))
	}
	fields = maps.Clone(fields)
	maps.DeleteFunc(fields, func(key string, _ any) bool { return strings.HasPrefix(key, "x-") || slices.Contains(annotations, key) })
	for key, value := range fields {
		switch value := value.(type) {
		case map[string]any:
			if key == "properties" {
				properties := map[string]any{}
				for name, property := range value {
					properties[name] = essence(property, schemas, within)
				}
				fields[key] = properties
			} else {
				fields[key] = essence(value, schemas, within)
			}
		case []any:
			fields[key] = sorted(value, schemas, within)
		}
	}
	return fields
}

// sorted orders the elements of required, enum, allOf, oneOf or anyOf by their JSON.
func sorted(list []any, schemas map[string]any, within []string) []string {
	texts := make([]string, len(list))
	for i, element := range list {
		text, _ := json.Marshal(essence(element, schemas, within)) // decoded from JSON a moment ago
		texts[i] = string(text)
	}
	slices.Sort(texts)
	return texts
}
