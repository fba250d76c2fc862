// Package api holds the contract, openapi.yaml, that everything else in this module is generated from, validated
// by or checked against.
package api

import _ "embed"

// Spec is the contract as it stands in openapi.yaml, byte for byte (OpenAPI 3.0.3, YAML).
//
//go:embed openapi.yaml
var Spec []byte
