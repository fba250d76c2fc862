package server

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/packhooks/packhooks/gen/serverapi"
)

// maxViolations is how many violations of one query are named.
const maxViolations = 10

// readQuery reads a query. It finds parameters that the operation does not declare, that are repeated, empty or malformed.
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

// decimal is how a whole number is written: no plus sign, no leading zero.
var decimal = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)

// readPair reads one name=value pair and says what is wrong with it, if anything.
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
