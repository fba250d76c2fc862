package server

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/packhooks/packhooks/gen/serverapi"
)

// maxViolations bounds the violations reported for a query.
const maxViolations = 10

// readQuery parses a query and rejects undeclared, repeated, empty and malformed parameters.
func (op *operation) readQuery(raw string) (url.Values, []serverapi.ParameterError) {
	query := make(url.Values, len(op.query))
	if raw == "" {
		return query, nil
	}
	var violations []serverapi.ParameterError
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, violation := op.readPair(pair)
		if violation == "" && query.Has(name) && !op.query[name].list {
			violation = "given more than once"
		}
		if violation != "" {
			violations = append(violations, serverapi.ParameterError{Parameter: name, Detail: violation})
		}
		if len(violations) == maxViolations {
			break
		}
		query[name] = append(query[name], value)
	}
	return query, violations
}

// decimal matches an integer without plus sign and leading zeros.
var decimal = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)

// readPair parses one name=value pair; violation is empty if it is valid.
func (op *operation) readPair(pair string) (name, value, violation string) {
	rawName, rawValue, _ := strings.Cut(pair, "=")
	name, nameErr := url.QueryUnescape(rawName)
	value, valueErr := url.QueryUnescape(rawValue)
	param, declared := op.query[name]
	switch {
	case nameErr != nil:
		return rawName, "", "malformed percent-encoding"
	case strings.Contains(pair, ";"):
		return name, "", "escape semicolons as %3B"
	case !declared:
		return name, "", "no such query parameter; there is " + strings.Join(op.names, ", ")
	case valueErr != nil:
		return name, "", "malformed percent-encoding"
	case value == "":
		return name, "", "empty value; leave the parameter out instead"
	case param.value.Type.Is(openapi3.TypeInteger) && !decimal.MatchString(value):
		return name, "", "not a whole number in plain decimal digits"
	}
	return name, value, ""
}
