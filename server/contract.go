package server

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/labstack/echo/v4"
	echomiddleware "github.com/oapi-codegen/echo-middleware"

	"github.com/packhooks/packhooks/api"
	"github.com/packhooks/packhooks/gen/serverapi"
)

// organizationParam is the path parameter that authorization goes by.
const organizationParam = "organizationId"

// contract is api/openapi.yaml at run time.
type contract struct {
	operations map[string]*openapi3.Operation // by method and echo path
	validate   echo.MiddlewareFunc
}

// loadContract reads the embedded contract for a server below basePath.
func loadContract(basePath string) (*contract, error) {
	doc, err := openapi3.NewLoader().LoadFromData(api.Spec)
	if err != nil {
		return nil, fmt.Errorf("loading contract: %w", err)
	}
	// The base path alone: a server with a host would make the validator compare it with the Host header.
	doc.Servers = openapi3.Servers{{URL: basePath + "/"}}
	c := &contract{
		operations: map[string]*openapi3.Operation{},
		validate: echomiddleware.OapiRequestValidatorWithOptions(doc, &echomiddleware.Options{
			SilenceServersWarning: true,
			MultiErrorHandler:     invalidRequest,
			Options: openapi3filter.Options{
				MultiError: true,
				// Its own authentication would run without the request's context; authenticate has run before.
				AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
			},
		}),
	}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			operation.Parameters = append(operation.Parameters, item.Parameters...)
			if operation.Parameters.GetByInAndName(openapi3.ParameterInPath, organizationParam) == nil {
				return nil, fmt.Errorf("loading contract: %s %s has no path parameter %q to authorize by", method, path, organizationParam)
			}
			c.operations[method+" "+basePath+echoPath(path)] = operation
		}
	}
	return c, nil
}

var pathParam = regexp.MustCompile(`\{([^}]+)\}`)

// echoPath is a path of the contract as echo writes it.
func echoPath(path string) string { return pathParam.ReplaceAllString(path, ":$1") }

func (ct *contract) operation(c echo.Context) *openapi3.Operation {
	return ct.operations[c.Request().Method+" "+c.Path()]
}

// only applies middlewares, the first outermost, to the contract's operations and to nothing else.
func (ct *contract) only(middlewares ...echo.MiddlewareFunc) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		chain := next
		for i := len(middlewares) - 1; i >= 0; i-- {
			chain = middlewares[i](chain)
		}
		return func(c echo.Context) error {
			if ct.operation(c) == nil {
				return next(c)
			}
			return chain(c)
		}
	}
}

// invalidRequest names each parameter that does not fit the contract.
func invalidRequest(violations openapi3.MultiError) *echo.HTTPError {
	var params []serverapi.ParameterError
	for _, violation := range violations {
		var invalid *openapi3filter.RequestError
		if errors.As(violation, &invalid) && invalid.Parameter != nil {
			params = append(params, serverapi.ParameterError{Parameter: invalid.Parameter.Name, Detail: reason(invalid)})
		}
	}
	refusal := echo.NewHTTPError(http.StatusBadRequest)
	if len(params) > 0 {
		return refusal.SetInternal(badParameters(params...))
	}
	return refusal.SetInternal(violations)
}

// reason says what is wrong with a parameter without repeating its value.
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
