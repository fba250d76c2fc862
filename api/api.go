// Package api holds the contract, openapi.yaml, that everything else in this module is generated from, validated
// by or checked against.
package api

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
)

// Spec is the contract as it stands in openapi.yaml, byte for byte (OpenAPI 3.0.3, YAML).
//
//go:embed openapi.yaml
var Spec []byte

// Load parses the contract once and returns it. Callers share it and must not change it.
var Load = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(Spec)
	if err != nil {
		return nil, fmt.Errorf("loading contract: %w", err)
	}
	return doc, nil
})

// Reason names the property and the rule of a schema error, without the value, which may be a secret.
func Reason(err error) error {
	var invalid *openapi3.SchemaError
	if !errors.As(err, &invalid) {
		return err
	}
	if path := invalid.JSONPointer(); len(path) > 0 {
		return fmt.Errorf("%s: %s", strings.Join(path, "."), invalid.Reason)
	}
	return errors.New(invalid.Reason)
}
