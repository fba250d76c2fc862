package server

import (
	"errors"
	"fmt"
	"net/url"
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
	route   *routers.Route
	query   map[string]queryParameter
	names   []string // of the query parameters
	hasBody bool
}

// queryParameter is the schema of one value. A list repeats the parameter.
type queryParameter struct {
	value *openapi3.Schema
	list  bool
}

func newQueryParameter(p *openapi3.Parameter) queryParameter {
	schema := p.Schema.Value
	if schema.Type.Is(openapi3.TypeArray) && (p.Explode == nil || *p.Explode) {
		return queryParameter{schema.Items.Value, true}
	}
	return queryParameter{schema, false}
}

// loadOperations reads the operations of the contract, by id.
func loadOperations(doc *openapi3.T) (map[string]*operation, error) {
	operations := map[string]*operation{}
	for path, item := range doc.Paths.Map() {
		for method, o := range item.Operations() {
			params := slices.Concat(item.Parameters, o.Parameters)
			if params.GetByInAndName(openapi3.ParameterInPath, organizationParam) == nil {
				return nil, fmt.Errorf("loading contract: %s %s has no path parameter %q, which is needed for authorization", method, path, organizationParam)
			}
			if !bearerOnly(doc, o) {
				return nil, fmt.Errorf("loading contract: %s %s is not secured by a bearer token alone, the only authentication that this server supports", method, path)
			}
			op := &operation{
				route:   &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: o},
				query:   map[string]queryParameter{},
				hasBody: o.RequestBody != nil,
			}
			for _, p := range params {
				if p.Value.Schema == nil {
					return nil, fmt.Errorf("loading contract: %s %s: parameter %q has no schema", method, path, p.Value.Name)
				}
				if p.Value.In == openapi3.ParameterInQuery {
					op.query[p.Value.Name] = newQueryParameter(p.Value)
					op.names = append(op.names, fmt.Sprintf("%q", p.Value.Name))
				}
			}
			slices.Sort(op.names)
			operations[o.OperationID] = op
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
func (op *operation) validate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		query, violations := op.readQuery(r.URL.RawQuery)
		if len(violations) > 0 {
			return badParameters(violations...)
		}
		if !op.hasBody && r.ContentLength != 0 {
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
		s := stateOf(r.Context())
		s.query, s.requested = query, path[organizationParam]
		return next(c)
	}
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
	var violations openapi3.MultiError
	if !errors.As(err, &violations) {
		violations = openapi3.MultiError{err}
	}
	var params []serverapi.ParameterError
	for _, violation := range violations {
		var invalid *openapi3filter.RequestError
		if errors.As(violation, &invalid) && invalid.Parameter != nil {
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
	var schema *openapi3.SchemaError
	var parse *openapi3filter.ParseError
	switch {
	case errors.As(err.Err, &schema):
		return schema.Reason
	case errors.As(err.Err, &parse) && parse.Reason != "":
		return parse.Reason
	default:
		return "invalid value"
	}
}
