package server

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/packhooks/packhooks/gen/serverapi"
)

// checkRequest refuses what the validator lets through or drops in silence: query parameters that the operation
// does not declare, that are repeated, empty or malformed, and a body where the operation has none.
func (ct *contract) checkRequest(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		operation := ct.operation(c)
		if faults := queryFaults(c.Request().URL.RawQuery, operation.Parameters); len(faults) > 0 {
			return badParameters(faults...)
		}
		if operation.RequestBody == nil && c.Request().ContentLength != 0 {
			return badRequest("this operation takes no request body")
		}
		return next(c)
	}
}

func queryFaults(rawQuery string, params openapi3.Parameters) []serverapi.ParameterError {
	if rawQuery == "" {
		return nil
	}
	var faults []serverapi.ParameterError
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(rawQuery, "&") {
		name, fault := pairFault(pair, params)
		if fault == "" && seen[name] {
			fault = "given more than once"
		}
		if fault != "" {
			faults = append(faults, serverapi.ParameterError{Parameter: name, Detail: fault})
		}
		seen[name] = true
	}
	return faults
}

// decimal is how a whole number is written: no plus sign, no leading zero.
var decimal = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)

// pairFault returns the name in one name=value pair and what is wrong with it, if anything.
func pairFault(pair string, params openapi3.Parameters) (name, fault string) {
	rawName, rawValue, _ := strings.Cut(pair, "=")
	name, nameErr := url.QueryUnescape(rawName)
	value, valueErr := url.QueryUnescape(rawValue)
	param := params.GetByInAndName(openapi3.ParameterInQuery, name)
	switch {
	case nameErr != nil:
		return rawName, "malformed percent-encoding"
	case strings.Contains(pair, ";"):
		return name, "a semicolon separates nothing; write it as %3B"
	case param == nil:
		return name, "no such query parameter; there is " + strings.Join(queryNames(params), ", ")
	case valueErr != nil:
		return name, "malformed percent-encoding"
	case value == "":
		return name, "empty value; leave the parameter out instead"
	case param.Schema.Value.Type.Is(openapi3.TypeInteger) && !decimal.MatchString(value):
		return name, "not a whole number in plain decimal digits"
	}
	return name, ""
}

func queryNames(params openapi3.Parameters) []string {
	var names []string
	for _, p := range params {
		if p.Value.In == openapi3.ParameterInQuery {
			names = append(names, fmt.Sprintf("%q", p.Value.Name))
		}
	}
	slices.Sort(names)
	return names
}
