package server

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/labstack/echo/v4"

	"github.com/packhooks/packhooks/gen/serverapi"
)

// organizationParam is the path parameter that is authorized.
const organizationParam = "organizationId"

// operation is an operation of the contract at run time.
type operation struct {
	route *routers.Route
	query map[string]queryParameter
}

// queryParameter is the schema of one value. A list repeats the parameter.
type queryParameter struct {
	value *openapi3.Schema
	list  bool
}

// loadOperations reads the operations of the contract, by id.
func loadOperations(doc *openapi3.T) (map[string]*operation, error) {
	operations := map[string]*operation{}
	for path, item := range doc.Paths.Map() {
		for method, o := range item.Operations() {
			params := slices.Concat(item.Parameters, o.Parameters)
			if params.GetByInAndName(openapi3.ParameterInPath, organizationParam) == nil {
				return nil, fmt.Errorf("loading contract: %s %s has no path parameter %q, which is needed for authorization",
					method, path, organizationParam)
			}
			if !bearerOnly(doc, o) {
				return nil, fmt.Errorf("loading contract: %s %s is not secured by a bearer token alone, "+
					"the only authentication that this server supports", method, path)
			}
			query := map[string]queryParameter{}
			for _, p := range params {
				if p.Value.Schema == nil {
					return nil, fmt.Errorf("loading contract: %s %s: parameter %q has no schema", method, path, p.Value.Name)
				}
				if p.Value.In != openapi3.ParameterInQuery {
					continue
				}
				value := p.Value.Schema.Value
				list := value.Type.Is(openapi3.TypeArray) && (p.Value.Explode == nil || *p.Value.Explode)
				if list {
					value = value.Items.Value
				}
				query[p.Value.Name] = queryParameter{value, list}
			}
			route := &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: o}
			operations[o.OperationID] = &operation{route, query}
		}
	}
	return operations, nil
}

// bearerOnly reports whether an operation asks for a bearer token and accepts nothing else.
func bearerOnly(doc *openapi3.T, o *openapi3.Operation) bool {
	security := doc.Security
	if o.Security != nil {
		security = *o.Security
	}
	if len(security) != 1 || len(security[0]) != 1 {
		return false
	}
	for name := range security[0] {
		scheme := doc.Components.SecuritySchemes[name]
		return scheme != nil && scheme.Value.Type == "http" && strings.EqualFold(scheme.Value.Scheme, "bearer")
	}
	return false
}

// options make kin-openapi report all invalid parameters, and leave authentication to our middleware: kin-openapi's runs
// without the request's context.
var options = &openapi3filter.Options{MultiError: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}

// validate validates a request against the contract and fills in default query parameters. readQuery finds what
// kin-openapi accepts or drops silently.
func (op *operation) validate(c echo.Context, s *requestState, next echo.HandlerFunc) error {
	r := c.Request()
	query, violations := op.readQuery(r.URL.RawQuery)
	if len(violations) > 0 {
		return badParameters(violations...)
	}
	if op.route.Operation.RequestBody == nil && r.ContentLength != 0 {
		return badRequest("this operation takes no request body")
	}
	path, err := pathParams(c)
	if err != nil {
		return badRequest("malformed percent-encoding in the path")
	}
	err = openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{
		Request: r, PathParams: path, QueryParams: query, Route: op.route, Options: options,
	})
	if err != nil {
		return invalidRequest(err)
	}
	s.query, s.requested = query, path[organizationParam]
	return next(c)
}

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
		name, value, violation := op.readPair(pair, query)
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

// readPair parses one name=value pair after others; violation is empty if it is valid.
func (op *operation) readPair(pair string, before url.Values) (name, value, violation string) {
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
		return name, "", "no such query parameter; there is " + quoted(slices.Sorted(maps.Keys(op.query)))
	case valueErr != nil:
		return name, "", "malformed percent-encoding"
	case value == "":
		return name, "", "empty value; leave the parameter out instead"
	case param.value.Type.Is(openapi3.TypeInteger) && !decimal.MatchString(value):
		return name, "", "not a whole number in plain decimal digits"
	case before.Has(name) && !param.list:
		return name, "", "given more than once"
	}
	return name, value, ""
}

// pathParams decodes the path parameters: echo matches the encoded path if there is one.
func pathParams(c echo.Context) (map[string]string, error) {
	params := make(map[string]string, 1)
	for i, name := range c.ParamNames() {
		value := c.ParamValues()[i]
		if c.Request().URL.RawPath != "" {
			var err error
			if value, err = url.PathUnescape(value); err != nil {
				return nil, err
			}
		}
		params[name] = value
	}
	return params, nil
}

// invalidRequest names each invalid parameter.
func invalidRequest(err error) error {
	violations, _ := errors.AsType[openapi3.MultiError](err) // as options ask for
	var params []serverapi.ParameterError
	for _, violation := range violations {
		if invalid, ok := errors.AsType[*openapi3filter.RequestError](violation); ok && invalid.Parameter != nil {
			params = append(params, serverapi.ParameterError{Parameter: invalid.Parameter.Name, Detail: reason(invalid)})
		}
	}
	if len(params) == 0 {
		return badRequest("the request does not fit the contract")
	}
	return badParameters(params...)
}

// reason describes the error of a parameter without its value.
func reason(err *openapi3filter.RequestError) string {
	if schema, ok := errors.AsType[*openapi3.SchemaError](err.Err); ok {
		return schema.Reason
	}
	if parse, ok := errors.AsType[*openapi3filter.ParseError](err.Err); ok && parse.Reason != "" {
		return parse.Reason
	}
	return "invalid value"
}
