// Package packhooks is the root of a spec-first project: one document, api/openapi.yaml, describes Pack Cloud's
// webhook subscriptions API, and everything else is generated from it, implements it or checks it.
//
//	api          the contract, and what turns it into Go
//	client       the library that programs import, a module of its own: its importers get none of the server's
//	             dependencies. The contract's objects are generated into the package itself, so that its documentation
//	             shows them; the HTTP client that builds the requests into client/internal, as it has no guards
//	gen          the server's side of the contract: serverapi (models and the echo interface)
//	server       the handler that answers the contract from any store
//	server/store where webhooks and tokens live: sqlite, postgres
//	conformance  checks any server against the contract
//	cmd          the packhooks command
//	tools        the generator, linters and spec tools, in a module of their own
//
// After an edit of the contract run go generate ./... or make generate, which is the same. A mistake in the contract
// stops it, with file, line and rule; what no longer fits then fails to compile.
package packhooks

//go:generate go test ./api -count=1 -run ^TestTheContractKeepsItsRules$
//go:generate go tool -modfile=tools/go.mod oapi-codegen -config api/models.codegen.yaml api/openapi.yaml
//go:generate go tool -modfile=tools/go.mod oapi-codegen -config api/client.codegen.yaml api/openapi.yaml
//go:generate go tool -modfile=tools/go.mod oapi-codegen -config api/server.codegen.yaml api/openapi.yaml
//go:generate go test ./api -count=1 -run ^TestContractTables$ -args -update
