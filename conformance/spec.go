package conformance

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/packhooks/packhooks/api"
)

// contract is what the checks read from the spec.
type contract struct {
	tree        any // the document as plain JSON, for pointers
	listing     *openapi3.Operation
	pageDefault int
	pageMax     int
	passwords   []string // the names of the properties whose values are secret
}

var loadContract = sync.OnceValues(func() (*contract, error) {
	doc, err := openapi3.NewLoader().LoadFromData(api.Spec)
	if err != nil {
		return nil, fmt.Errorf("loading the contract: %w", err)
	}
	k := &contract{}
	text, err := doc.MarshalJSON()
	if err == nil {
		err = json.Unmarshal(text, &k.tree)
	}
	if err != nil {
		return nil, fmt.Errorf("loading the contract: %w", err)
	}
	for _, row := range table {
		if _, ok := k.provenance(row.about); !ok {
			return nil, fmt.Errorf("loading the contract: check %q is about %s, which is not there", row.name, row.about)
		}
	}
	k.listing = doc.Paths.Value(operationPath).Get
	perPage := k.listing.Parameters.GetByInAndName(openapi3.ParameterInQuery, "per_page").Schema.Value
	k.pageMax = int(*perPage.Max)
	k.pageDefault = int(perPage.Default.(float64))
	for _, schema := range doc.Components.Schemas {
		for name, property := range schema.Value.Properties {
			if property.Value.Format == "password" {
				k.passwords = append(k.passwords, name)
			}
		}
	}
	return k, nil
})

// stated are the words of a schema that a printed list of fields states. Whatever else a schema holds (formats,
// lengths, patterns) is a decision, also on a field that was published.
var stated = map[string]bool{"type": true, "nullable": true, "required": true}

// provenance is that of the nearest part at or above the pointer that says; what nobody marked is decided. It reports
// false for a pointer that leads nowhere. References are not followed: a pointer begins where the part stands.
func (k *contract) provenance(pointer string) (found Provenance, ok bool) {
	found = Decided
	node, token := k.tree, ""
	for _, token = range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		m, _ := node.(map[string]any)
		if node, ok = m[strings.ReplaceAll(token, "~1", "/")]; !ok {
			return Decided, false
		}
		if m, _ := node.(map[string]any); m["x-provenance"] != nil {
			found = Provenance(fmt.Sprint(m["x-provenance"]))
		}
	}
	if _, isPart := node.(map[string]any); !isPart && !stated[token] {
		return Decided, true
	}
	return found, true
}

// breachProvenance is that of a breach of a schema: the field's own for its type, the object's and the field's for
// its presence, as an object of ours may require a field that was published as optional.
func breachProvenance(e *openapi3.SchemaError) Provenance {
	if !stated[e.SchemaField] || e.Schema.Extensions["x-provenance"] != string(Published) {
		return Decided
	}
	if e.SchemaField == "required" {
		path := e.JSONPointer()
		property := e.Schema.Properties[path[len(path)-1]]
		if property == nil || property.Value.Extensions["x-provenance"] != string(Published) {
			return Decided
		}
	}
	return Published
}

// undeclared returns the places in value that the schema does not declare.
func undeclared(schema *openapi3.Schema, value any, at string) (places []string) {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if property := schema.Properties[name]; property != nil {
				places = append(places, undeclared(property.Value, member, at+"/"+name)...)
			} else {
				places = append(places, at+"/"+name)
			}
		}
	case []any:
		for i, item := range v {
			if schema.Items != nil {
				places = append(places, undeclared(schema.Items.Value, item, at+"/"+strconv.Itoa(i))...)
			}
		}
	}
	return places
}
