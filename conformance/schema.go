package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

var (
	finer = regexp.MustCompile(`\.\d{7}`) // than a microsecond

	// masks matches placeholders that servers send instead of a secret.
	masks = regexp.MustCompile(`(?i)[*•●]{3}|^[x.…]{3,}$|…|^\W*(redacted|hidden|masked|filtered|secret)\W*$`)
)

// utc is stricter than the format's own validator: the contract's times are in UTC, to the microsecond.
var utc = openapi3.NewCallbackValidator(func(value string) error {
	at, err := time.Parse(time.RFC3339Nano, value)
	switch _, offset := at.Zone(); {
	case err != nil:
	case offset != 0:
		err = errors.New("the time is not in UTC")
	case finer.MatchString(value):
		err = errors.New("the time is finer than a microsecond")
	}
	return err
})

// checkOf names the check that a violation in a page belongs to. A printed list of fields states types and what is
// required. Whatever else a schema holds (formats, lengths, patterns) is a decision, also on a field that was published.
func checkOf(e *openapi3.SchemaError) string {
	check, facet, part := "field-types", "type", e.Schema
	switch {
	case e.SchemaField == "format" && e.Schema.Format == "date-time":
		return "time-format"
	case e.SchemaField == "required":
		check, facet = "required-fields", "required"
		path := e.JSONPointer()
		if property := e.Schema.Properties[path[len(path)-1]]; property != nil {
			part = property.Value
		}
	case e.SchemaField != "type" && e.SchemaField != "nullable":
		return "bounds"
	}
	if provenance(part.Extensions["x-provenance"], facet) == Decided {
		return "envelope"
	}
	return check
}

// provenance says whose a facet of a part is, or the part itself. The extension x-provenance is either one word for
// all of the part, or has what was published under that name, by facet.
func provenance(extension any, facet string) Class {
	published, _ := child(extension, string(Published)).(map[string]any)
	value, stated := published[facet]
	if extension == string(Published) || len(published) > 0 && (facet == "" || stated && value != false) {
		return Published
	}
	return Decided
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
		for _, item := range v {
			if schema.Items != nil {
				places = append(places, undeclared(schema.Items.Value, item, at+"/*")...)
			}
		}
	}
	return places
}

// mismatches are the ways in which a value of a response does not fit a schema.
func mismatches(schema *openapi3.Schema, value any) (all []*openapi3.SchemaError) {
	err := schema.VisitJSON(value, openapi3.MultiErrors(), openapi3.VisitAsResponse(), openapi3.WithStringFormatValidator("date-time", utc))
	many := openapi3.MultiError{err} // what err is when there is no more than one
	_ = errors.As(err, &many)
	for _, err := range many {
		var one *openapi3.SchemaError
		if errors.As(err, &one) {
			all = append(all, one)
		}
	}
	return all
}

// duplicateKeys returns where the next value of d has a name twice. The value is known to be valid JSON.
func duplicateKeys(d *json.Decoder, at string) (places []string) {
	start, _ := d.Token()
	if _, nested := start.(json.Delim); !nested {
		return nil
	}
	for seen := map[string]bool{}; d.More(); {
		member := at + "/*"
		if start == json.Delim('{') {
			name, _ := d.Token()
			if member = fmt.Sprintf("%s/%v", at, name); seen[member] {
				places = append(places, member)
			}
			seen[member] = true
		}
		places = append(places, duplicateKeys(d, member)...)
	}
	_, _ = d.Token() // the end
	return places
}
