package api_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"go.yaml.in/yaml/v4"

	"github.com/packhooks/packhooks/api"
)

// grammar is what each kind of part may hold, and the kind of what is there: one, a list or a map of it. It is OpenAPI
// 3.0.3 as far as the rules go; whatever else a document holds is for kin-openapi to say.
var grammar = map[string]map[string]string{
	"document":        words("openapi info externalDocs tags security", "servers", "[server]", "paths", "{path}", "components", "components"),
	"server":          words("url description variables"),
	"components":      words("examples links callbacks", "schemas", "{schema}", "parameters", "{parameter}", "headers", "{header}", "responses", "{response}", "requestBodies", "{request body}", "securitySchemes", "{security scheme}"),
	"path":            words("summary description servers", "parameters", "[parameter]", "get", "operation", "put", "operation", "post", "operation", "delete", "operation", "options", "operation", "head", "operation", "patch", "operation"),
	"operation":       words("tags summary description externalDocs operationId callbacks deprecated security servers", "parameters", "[parameter]", "requestBody", "request body", "responses", "{response}"),
	"parameter":       words("name in description required deprecated allowEmptyValue style explode allowReserved example examples", "schema", "schema", "content", "{content}"),
	"header":          words("description required deprecated style explode example examples", "schema", "schema", "content", "{content}"),
	"response":        words("description links", "headers", "{header}", "content", "{content}"),
	"request body":    words("description required", "content", "{content}"),
	"content":         words("example examples encoding", "schema", "schema"),
	"security scheme": words("type description name in scheme bearerFormat flows openIdConnectUrl"),
	"schema": words("title multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems minItems uniqueItems maxProperties minProperties required enum type description format default nullable discriminator readOnly writeOnly xml externalDocs example deprecated",
		"properties", "{property}", "items", "schema", "allOf", "[schema]", "oneOf", "[schema]", "anyOf", "[schema]", "not", "schema", "additionalProperties", "schema"),
}

func words(leaves string, parts ...string) map[string]string {
	m := map[string]string{}
	for leaf := range strings.FieldsSeq(leaves) {
		m[leaf] = ""
	}
	for i := 0; i < len(parts); i += 2 {
		m[parts[i]] = parts[i+1]
	}
	return m
}

// rules finds what breaks the rules of CONTRIBUTING.md, each as file, line, rule and what is wrong.
type rules struct {
	root  *yaml.Node
	found []string
}

func (r *rules) report(n *yaml.Node, rule, format string, args ...any) {
	r.found = append(r.found, fmt.Sprintf("api/openapi.yaml:%d: %s: %s", n.Line, rule, fmt.Sprintf(format, args...)))
}

func lint(spec []byte) []string {
	var document yaml.Node
	if err := yaml.Unmarshal(spec, &document); err != nil {
		return []string{fmt.Sprintf("api/openapi.yaml: yaml: %v", err)}
	}
	r := &rules{root: document.Content[0]}
	r.part("document", "the document", r.root)
	if len(r.found) > 0 {
		return r.found
	}
	doc, err := openapi3.NewLoader().LoadFromData(spec)
	if err == nil {
		err = doc.Validate(context.Background(), openapi3.EnableExamplesValidation())
	}
	if err != nil {
		r.report(r.lineOf(err.Error()), "openapi", "%v", err)
	}
	return r.found
}

// lineOf finds the part that kin-openapi names: it gives no line.
func (r *rules) lineOf(message string) *yaml.Node {
	at := r.root
	for _, quoted := range regexp.MustCompile(`["'/]([A-Za-z0-9_./{}-]+)["']`).FindAllStringSubmatch(message, -1) {
		if n := keyNamed(at, quoted[1]); n != nil {
			at = n
		}
	}
	return at
}

func keyNamed(n *yaml.Node, name string) *yaml.Node {
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && c.Value == name {
			return n.Content[i+1]
		}
		if found := keyNamed(c, name); found != nil {
			return found
		}
	}
	return nil
}

func (r *rules) part(kind, name string, n *yaml.Node) {
	if ref := get(n, "$ref"); ref.Value != "" {
		path := strings.Split(strings.TrimPrefix(ref.Value, "#/"), "/")
		if len(get(r.root, path...).Content) == 0 {
			r.report(ref, "reference", "%s refers to %s, which is not there", name, ref.Value)
		}
		return
	}
	schemaKind := kind == "schema" || kind == "property"
	allowed := grammar[kind]
	if kind == "property" {
		allowed = grammar["schema"]
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		below, known := allowed[key.Value]
		switch {
		case strings.HasPrefix(key.Value, "x-"), kind == "path" && strings.HasPrefix(key.Value, "/"):
		case !known:
			r.report(key, "keyword", "%s has %q, which OpenAPI 3.0 does not know", name, key.Value)
		case strings.HasPrefix(below, "{"):
			for e := range entries(value) {
				r.part(strings.Trim(below, "{}"), strings.TrimPrefix(name+" "+e.key, "the document "), e.node)
			}
		case strings.HasPrefix(below, "["):
			for i, item := range value.Content {
				r.part(strings.Trim(below, "[]"), fmt.Sprintf("%s %s %d", name, key.Value, i), item)
			}
		case below != "" && value.Kind == yaml.MappingNode:
			r.part(below, name+" "+key.Value, value)
		}
	}
	if pattern := get(n, "pattern"); schemaKind && pattern.Value != "" {
		if _, err := regexp.Compile(pattern.Value); err != nil {
			r.report(pattern, "pattern", "%s: %v", name, err)
		}
	}
	r.documented(kind, name, n)
}

// documented asks of whatever a user meets for a description, an example and a provenance, also where it is inline.
func (r *rules) documented(kind, name string, n *yaml.Node) {
	if !slices.Contains([]string{"property", "parameter", "header", "response", "request body", "security scheme", "operation", "server"}, kind) {
		return
	}
	if text(n, "description") == "" {
		r.report(n, "description", "%s has no description", name)
	}
	if kind == "property" && len(get(n, "properties").Content) > 0 {
		r.report(n, "component", "%s is an object without a name: it would become an anonymous Go struct", name)
	}
	schema := n
	if kind != "property" {
		schema = get(n, "schema")
	}
	plain := kind == "property" && text(n, "type") != "array" && text(n, "type") != "object" || kind == "parameter" || kind == "header"
	if plain && get(n, "example").Line == 0 && get(n, "examples").Line == 0 {
		r.report(n, "example", "%s has no example", name)
	}
	provenance := get(n, "x-provenance")
	published, decided := get(provenance, "published"), get(provenance, "decided")
	switch {
	case provenance.Value == "decided":
	case len(published.Content) == 0 || decided.Kind != yaml.SequenceNode:
		r.report(n, "provenance", "%s does not say what was published and what was decided: add x-provenance: decided", name)
	default:
		r.facets(name, n, schema, published, decided)
	}
}

// facets holds a published part to naming each of its facets once, and what it calls published to what it says.
func (r *rules) facets(name string, n, schema, published, decided *yaml.Node) {
	for _, keyword := range []string{"format", "minimum", "maximum", "minLength", "maxLength", "pattern", "enum", "default"} {
		if get(schema, keyword).Line > 0 && !slices.ContainsFunc(decided.Content, func(d *yaml.Node) bool { return d.Value == keyword }) {
			r.report(get(schema, keyword), "provenance", "%s does not say that %s was decided", name, keyword)
		}
	}
	for facet := range entries(published) {
		says := text(n, facet.key)
		switch facet.key {
		case "shown": // no linter takes it for the example of a schema
			says = text(n, "example")
		case "type":
			if says = text(schema, "type"); text(schema, "nullable") == "true" {
				says += " or null"
			}
		case "required", "method", "path":
			continue // TestTheContractSaysWhatThePageSays compares it
		}
		if says != facet.node.Value && (facet.key != "description" || !strings.HasPrefix(says, facet.node.Value)) {
			r.report(facet.node, "provenance", "%s was published with %s %q, and says %q", name, facet.key, facet.node.Value, says)
		}
	}
}

// TestTheContractKeepsItsRules is the first step of `make generate`.
func TestTheContractKeepsItsRules(t *testing.T) {
	for _, found := range lint(api.Spec) {
		t.Error(found)
	}
}

func TestTheRulesNameFileLineAndRule(t *testing.T) {
	for _, tc := range []struct{ name, old, new, rule string }{
		{"a typo in a keyword", "          maxLength: 8192\n", "          maxLenght: 8192\n", `keyword: .*maxLenght`},
		{"a bad pattern", `'^[ -~]+$'`, `'^[ -~+$'`, `pattern: .*id: error parsing regexp`},
		{"a property without a description", "          description: Whether events are sent.\n", "", `description: .*enabled has no description`},
		{"a property without an example", "          example: wh_000001\n", "", `example: .*id has no example`},
		{"a property without provenance", "            published: {type: boolean, required: true}\n", "", `provenance: .*enabled does not say`},
		{"a facet that nobody names", "            decided: [description, format, example]\n", "            decided: [description, example]\n", `provenance: .*created_at does not say that format`},
		{"a published type that is another", "          type: boolean\n", "          type: string\n", `provenance: .*enabled was published with type "boolean", and says "string"`},
		{"an inline parameter with nothing", "        - $ref: '#/components/parameters/PerPage'\n", "        - $ref: '#/components/parameters/PerPage'\n        - {name: enabled, in: query, schema: {type: boolean}}\n", `description: .*get parameters 3 has no description`},
		{"an inline header with nothing", "        Link:\n          $ref: '#/components/headers/Link'\n", "        Link:\n          schema: {type: string}\n", `description: .*WebhookList Link has no description`},
		{"an object within an object", "        meta:\n          $ref: '#/components/schemas/PageMeta'\n", "        meta:\n          type: object\n          description: About the page.\n          x-provenance: decided\n          properties:\n            total: {type: integer, description: All., x-provenance: decided, example: 1}\n", `component: .*meta is an object without a name`},
		{"a reference to nothing", "schemas/PageMeta'", "schemas/Meta'", `reference: .*Meta, which is not there`},
		{"a parameter without a schema's type", "      in: path\n      required: true\n", "      in: path\n", `openapi: `},
		{"a security scheme that is not there", "  - bearerAuth: []\n", "  - tokenAuth: []\n", `openapi: .*tokenAuth`},
		{"no YAML", "openapi: 3.0.3", "openapi: [", `yaml: `},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before, after, ok := strings.Cut(string(api.Spec), tc.old)
			if !ok {
				t.Fatalf("the contract has no %q", tc.old)
			}
			found := lint([]byte(before + tc.new + after))
			if len(found) == 0 || !regexp.MustCompile(`^api/openapi\.yaml(:\d+)?: `+tc.rule).MatchString(found[0]) {
				t.Errorf("got %q, want %q", found, tc.rule)
			}
		})
	}
}
