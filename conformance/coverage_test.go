package conformance_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/packhooks/packhooks/api"
	"github.com/packhooks/packhooks/conformance"
)

// requestSide are the constraints of what a client sends, by the check that holds a server to each.
var requestSide = map[string]string{
	"organizationId type":      "bad-organization",
	"organizationId minLength": "unchecked: an empty one is another path",
	"organizationId maxLength": "bad-organization",
	"organizationId pattern":   "bad-organization",
	"cursor type":              "bad-cursor",
	"cursor minLength":         "bad-cursor",
	"cursor maxLength":         "bad-cursor",
	"cursor pattern":           "bad-cursor",
	"per_page type":            "bad-per-page",
	"per_page format":          "unchecked: what is over int32 is over the maximum",
	"per_page minimum":         "bad-per-page",
	"per_page maximum":         "bad-per-page",
	"per_page default":         "per-page-default",
}

// statuses are the checks that hold a server to each declared status.
var statuses = map[string]string{
	"200": "first-page", "400": "bad-per-page", "401": "no-token", "403": "foreign-organization",
	"404": "unknown-path", "405": "other-methods",
	"429": "unchecked: nobody floods a server to see it; what is met is held to it",
	"500": "unchecked: a fault cannot be asked for; what is met is held to it",
	"503": "unchecked: an overload cannot be asked for; what is met is held to it",
}

func TestEveryPromiseIsNamedByACheck(t *testing.T) {
	listing := operation(t)
	checks := map[string]bool{}
	for _, c := range run(t, newServer(t, newList(30), nil)).Checks {
		checks[c.ID] = true
		if c.Promise == "" || c.About == "" {
			t.Errorf("%s says neither what it holds a server to nor where that stands: %+v", c.ID, c)
		}
	}
	for name := range listing.Extensions["x-promise"].(map[string]any) {
		if !checks[name] {
			t.Errorf("no check is named after the promise %q", name)
		}
	}
	declared := map[string]string{}
	for _, p := range listing.Parameters {
		for _, keyword := range keywords(p.Value.Schema.Value) {
			declared[p.Value.Name+" "+keyword] = ""
		}
	}
	for status := range listing.Responses.Map() {
		declared[status] = ""
	}
	named := maps.Clone(requestSide)
	maps.Copy(named, statuses)
	for constraint := range declared {
		check, ok := named[constraint]
		if !ok {
			t.Errorf("no check holds a server to %q: name one, or why there is none", constraint)
		} else if !checks[check] && !strings.HasPrefix(check, "unchecked: ") {
			t.Errorf("%q is held by %q, and there is no such check", constraint, check)
		}
		delete(named, constraint)
	}
	for constraint := range named {
		t.Errorf("the contract has no %q any more", constraint)
	}
}

func operation(t *testing.T) *openapi3.Operation {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(api.Spec)
	check(t, err)
	for _, item := range doc.Paths.Map() {
		return item.Get
	}
	t.Fatal("the contract has no path")
	return nil
}

func keywords(s *openapi3.Schema) (all []string) {
	text, _ := s.MarshalJSON()
	for _, keyword := range []string{"type", "format", "minLength", "maxLength", "pattern", "minimum", "maximum", "enum", "default"} {
		if strings.Contains(string(text), strconv.Quote(keyword)+":") {
			all = append(all, keyword)
		}
	}
	return all
}

// violations are values that break one constraint of a schema each.
func violations(s *openapi3.Schema) map[string]any {
	bad := map[string]any{}
	switch {
	case s.Type.Is("string"):
		bad["type"] = 7
		if s.MinLength > 0 {
			bad["minLength"] = ""
		}
		if s.MaxLength != nil {
			bad["maxLength"] = strings.Repeat("x", int(*s.MaxLength)+1)
		}
		if s.Pattern != "" {
			bad["pattern"] = "a\x00b"
		}
		if s.Format == "date-time" {
			bad["format"] = "yesterday"
		}
		if len(s.Enum) > 0 {
			bad["enum"] = "conformance"
		}
	case s.Type.Is("integer"):
		bad["type"] = "seven"
		if s.Min != nil {
			bad["minimum"] = *s.Min - 1
		}
		if s.Max != nil {
			bad["maximum"] = *s.Max + 1
		}
		if s.Format == "int32" {
			bad["format"] = 1 << 40
		}
	default:
		bad["type"] = "of another type"
	}
	if !s.Nullable {
		bad["nullable"] = nil
	}
	return bad
}

// eachViolation visits every constraint below a schema with a change of a body that breaks it.
func eachViolation(s *openapi3.Schema, at string, change func(func(parent map[string]any)) func(body map[string]any), visit func(name string, change func(body map[string]any))) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		property := s.Properties[name].Value
		for keyword, value := range violations(property) {
			visit(at+"/"+name+" "+keyword, change(func(parent map[string]any) { parent[name] = value }))
		}
		if slices.Contains(s.Required, name) {
			visit(at+"/"+name+" required", change(func(parent map[string]any) { delete(parent, name) }))
		}
		inner := func(f func(map[string]any)) func(map[string]any) {
			return change(func(parent map[string]any) {
				switch v := parent[name].(type) {
				case map[string]any:
					f(v)
				case []any:
					for _, item := range v {
						f(item.(map[string]any))
					}
				}
			})
		}
		if property.Type.Is("object") {
			eachViolation(property, at+"/"+name, inner, visit)
		} else if property.Type.Is("array") {
			eachViolation(property.Items.Value, at+"/"+name, inner, visit)
		}
	}
}

// Every constraint of every response that can be provoked is broken once, by itself.
func TestEveryConstraintOfAResponseIsChecked(t *testing.T) {
	n := 0
	try := func(name string, d deviation) {
		n++
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := run(t, newServer(t, newList(30), d), func(cfg *conformance.Config) { cfg.Strict = true })
			if report.ExitCode() == 0 {
				t.Errorf("no check minds it: %s", report.Summary)
			}
		})
	}
	root := func(f func(map[string]any)) func(map[string]any) { return f }
	for code, response := range operation(t).Responses.Map() {
		if strings.HasPrefix(statuses[code], "unchecked: ") {
			continue
		}
		number, _ := strconv.Atoi(code)
		for name, header := range response.Value.Headers {
			if header.Value.Required {
				try(fmt.Sprintf("%s %s required", code, name), dropHeader(number, name))
			}
			for keyword, value := range violations(header.Value.Schema.Value) {
				if text, ok := value.(string); ok {
					try(fmt.Sprintf("%s %s %s", code, name, keyword), badHeader(number, name, text))
				}
			}
		}
		if code != "200" && code != "400" {
			continue // the same schema
		}
		for _, content := range response.Value.Content {
			try(code+" media type", badHeader(number, "Content-Type", "text/plain"))
			eachViolation(content.Schema.Value, code, root, func(name string, change func(map[string]any)) {
				try(name, status(number, func(_ *http.Request, a *reply) { a.edit(change) }))
			})
		}
	}
	t.Logf("%d constraints", n)
}

// badHeader sends a header as it is: net/http would drop what is no text.
func badHeader(code int, name, value string) deviation {
	return header(code, name, strings.ReplaceAll(value, "\x00", "\x01"))
}
