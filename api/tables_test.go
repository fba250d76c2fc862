package api_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/packhooks/packhooks/api"
)

// tables renders what the contract declares, in the contract's order, with where each part of it comes from.
func tables(t *testing.T) string {
	t.Helper()
	var root yaml.Node
	if err := yaml.Unmarshal(api.Spec, &root); err != nil {
		t.Fatal(err)
	}
	d := document{t, root.Content[0]}
	return d.security() + d.parameters() + d.bodies() + d.responses() + d.headers() + d.schemas() + d.promises()
}

type document struct {
	t    *testing.T
	root *yaml.Node
}

func (d document) parameters() string {
	b := table("Parameters", "name", "in", "type", "required", "provenance", "meaning")
	for p := range d.everyParameter() {
		row(b, code(text(p.node, "name")), text(p.node, "in"), kind(get(p.node, "schema")),
			yesNo(text(p.node, "required") == "true"), d.provenance("parameter "+p.key, p.node), meaning(p.node))
	}
	return b.String()
}

// everyParameter yields the parameters of paths and operations once each, inline ones too.
func (d document) everyParameter() func(yield func(entry) bool) {
	return func(yield func(entry) bool) {
		seen := map[*yaml.Node]bool{}
		for path := range entries(get(d.root, "paths")) {
			lists := []*yaml.Node{get(path.node, "parameters")}
			for method := range entries(path.node) {
				lists = append(lists, get(method.node, "parameters"))
			}
			for _, list := range lists {
				for _, n := range list.Content {
					_, p := d.resolve(n)
					if !seen[p] && !yield(entry{text(p, "name"), p}) {
						return
					}
					seen[p] = true
				}
			}
		}
	}
}

func (d document) security() string {
	b := table("Security", "scheme", "type", "provenance", "meaning")
	for s := range entries(get(d.root, "components", "securitySchemes")) {
		row(b, code(s.key), strings.TrimSpace(text(s.node, "type")+" "+text(s.node, "scheme")+" "+text(s.node, "name")), d.provenance("security "+s.key, s.node), meaning(s.node))
	}
	return b.String()
}

// bodies is empty as long as no operation has a request body.
func (d document) bodies() string {
	b, some := table("Request bodies", "operation", "body", "required", "provenance", "meaning"), false
	for path := range entries(get(d.root, "paths")) {
		for method := range entries(path.node) {
			_, body := d.resolve(get(method.node, "requestBody"))
			for content := range entries(get(body, "content")) {
				name, _ := d.resolve(get(content.node, "schema"))
				row(b, code(text(method.node, "operationId")), code(name), yesNo(text(body, "required") == "true"), d.provenance("request body", body), meaning(body))
				some = true
			}
		}
	}
	if !some {
		return ""
	}
	return b.String()
}

func (d document) promises() string {
	b := table("Promises", "operation", "promise and check", "meaning")
	for path := range entries(get(d.root, "paths")) {
		for method := range entries(path.node) {
			for p := range entries(get(method.node, "x-promise")) {
				row(b, code(text(method.node, "operationId")), code(p.key), strings.Join(strings.Fields(p.node.Value), " "))
			}
		}
	}
	return b.String()
}

func (d document) responses() string {
	b := table("Responses", "operation", "status", "body", "headers", "provenance", "meaning")
	for operation, response := range d.everyResponse() {
		var headers []string
		for h := range entries(get(response.node, "headers")) {
			headers = append(headers, code(h.key))
		}
		for content := range entries(get(response.node, "content")) {
			body, _ := d.resolve(get(content.node, "schema"))
			row(b, code(operation), response.key, code(body), strings.Join(headers, ", "),
				d.provenance(operation+" "+response.key, response.node), meaning(response.node))
		}
	}
	return b.String()
}

func (d document) headers() string {
	b := table("Response headers", "name", "type", "always sent", "provenance", "meaning")
	var seen []string
	for _, response := range d.everyResponse() {
		for h := range entries(get(response.node, "headers")) {
			if slices.Contains(seen, h.key) {
				continue
			}
			seen = append(seen, h.key)
			_, header := d.resolve(h.node)
			row(b, code(h.key), kind(get(header, "schema")), yesNo(text(header, "required") == "true"),
				d.provenance("header "+h.key, header), meaning(header))
		}
	}
	return b.String()
}

func (d document) schemas() string {
	var b strings.Builder
	for s := range entries(get(d.root, "components", "schemas")) {
		fields := table("`"+s.key+"`", "field", "type", "required", "provenance", "meaning")
		for p := range entries(get(s.node, "properties")) {
			component, property := d.resolve(p.node)
			required := slices.ContainsFunc(get(s.node, "required").Content, func(n *yaml.Node) bool { return n.Value == p.key })
			row(fields, code(p.key), cmp.Or(code(component), kind(property)), yesNo(required),
				d.provenance(s.key+"."+p.key, property), meaning(property))
		}
		d.provenance("schema "+s.key, s.node)
		b.WriteString(fields.String())
	}
	return b.String()
}

// everyResponse yields each operation's responses under the operation's name.
func (d document) everyResponse() func(yield func(string, entry) bool) {
	return func(yield func(string, entry) bool) {
		for path := range entries(get(d.root, "paths")) {
			for method := range entries(path.node) {
				for r := range entries(get(method.node, "responses")) {
					_, r.node = d.resolve(r.node)
					if !yield(text(method.node, "operationId"), r) {
						return
					}
				}
			}
		}
	}
}

func (d document) provenance(at string, n *yaml.Node) string {
	d.t.Helper()
	p := text(n, "x-provenance")
	published, decided := get(n, "x-provenance", "published"), get(n, "x-provenance", "decided")
	if len(published.Content) > 0 && len(decided.Content) > 0 {
		var facets, added []string
		for facet := range entries(published) {
			facets = append(facets, facet.key)
		}
		for _, facet := range decided.Content {
			added = append(added, facet.Value)
		}
		return "published: " + strings.Join(facets, ", ") + "; decided: " + strings.Join(added, ", ")
	}
	if p != "published" && p != "decided" {
		d.t.Errorf("%s: x-provenance is %q, want published or decided, or what of it is which", at, p)
	}
	return p
}

// resolve follows a reference and names the component that it points to.
func (d document) resolve(n *yaml.Node) (string, *yaml.Node) {
	ref := strings.Split(strings.TrimPrefix(text(n, "$ref"), "#/"), "/")
	if len(ref) == 1 {
		return "", n
	}
	return ref[len(ref)-1], get(d.root, ref...)
}

type entry struct {
	key  string
	node *yaml.Node
}

func entries(mapping *yaml.Node) func(yield func(entry) bool) {
	return func(yield func(entry) bool) {
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			if !yield(entry{mapping.Content[i].Value, mapping.Content[i+1]}) {
				return
			}
		}
	}
}

// get walks down by keys; what is not there is an empty node.
func get(n *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		next := &yaml.Node{}
		for e := range entries(n) {
			if e.key == key {
				next = e.node
			}
		}
		n = next
	}
	return n
}

func text(n *yaml.Node, key string) string { return get(n, key).Value }

// kind is a schema in a few words: its type, format and bounds.
func kind(schema *yaml.Node) string {
	words := []string{text(schema, "type")}
	if items := text(get(schema, "items"), "$ref"); items != "" {
		words = append(words, "of "+code(items[strings.LastIndexByte(items, '/')+1:]))
	}
	if text(schema, "nullable") == "true" {
		words = append(words, "or null")
	}
	if format := text(schema, "format"); format != "" {
		words = append(words, "("+format+")")
	}
	for _, bounds := range [][2]string{{"minimum", "maximum"}, {"minLength", "maxLength"}, {"minItems", "maxItems"}} {
		switch low, high := text(schema, bounds[0]), text(schema, bounds[1]); {
		case low != "" && high != "":
			words = append(words, low+"–"+high)
		case low != "":
			words = append(words, "from "+low)
		case high != "":
			words = append(words, "up to "+high)
		}
	}
	if value := text(schema, "default"); value != "" {
		words = append(words, "default "+value)
	}
	if pattern := text(schema, "pattern"); pattern != "" {
		words = append(words, code(pattern))
	}
	return strings.Join(words, " ")
}

func meaning(n *yaml.Node) string { return strings.Join(strings.Fields(text(n, "description")), " ") }

func table(title string, columns ...string) *strings.Builder {
	b := new(strings.Builder)
	fmt.Fprintf(b, "\n### %s\n\n", title)
	row(b, columns...)
	row(b, slices.Repeat([]string{"---"}, len(columns))...)
	return b
}

func row(b *strings.Builder, cells ...string) {
	for _, cell := range cells {
		b.WriteString("| " + strings.ReplaceAll(cell, "|", `\|`) + " ")
	}
	b.WriteString("|\n")
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
