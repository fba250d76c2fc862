// Package packhooks is the root of a spec-first project: api/openapi.yaml describes Pack Cloud's webhook
// subscriptions API, and the two lines below turn it into Go.
package packhooks

//go:generate go tool -modfile=tools/go.mod oapi-codegen -config api/client.codegen.yaml api/openapi.yaml
//go:generate go tool -modfile=tools/go.mod oapi-codegen -config api/server.codegen.yaml api/openapi.yaml
