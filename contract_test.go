package packhooks_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/packhooks/packhooks/api"
	client "github.com/packhooks/packhooks/client"
	"github.com/packhooks/packhooks/server"
)

func TestTheDefaultsAreTheServerOfTheContract(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(api.Spec)
	if err != nil {
		t.Fatal(err)
	}
	want, err := url.Parse(doc.Servers[0].URL)
	if err != nil {
		t.Fatal(err)
	}
	if client.DefaultBaseURL != want.String() {
		t.Errorf("client.DefaultBaseURL is %s, and the contract's server %s", client.DefaultBaseURL, want)
	}
	if server.DefaultBasePath != want.Path {
		t.Errorf("server.DefaultBasePath is %s, and the contract's server %s", server.DefaultBasePath, want)
	}
}

// A new parameter compiles everywhere and passes the validation: without this test, a server that never looks at it
// would pass for one that honors it.
func TestTheServerReadsEveryParameter(t *testing.T) {
	read := make(map[string]bool)
	inspect(t, "server", func(n ast.Node) {
		field, ok := n.(*ast.SelectorExpr)
		if !ok {
			return
		}
		if of, ok := field.X.(*ast.SelectorExpr); ok && of.Sel.Name == "Params" {
			read[field.Sel.Name] = true
		}
	})
	declared := 0
	inspect(t, "gen/serverapi", func(n ast.Node) {
		params, ok := n.(*ast.TypeSpec)
		if !ok || !strings.HasSuffix(params.Name.Name, "Params") {
			return
		}
		for _, field := range params.Type.(*ast.StructType).Fields.List {
			declared++
			if name := field.Names[0].Name; !read[name] {
				t.Errorf("package server never reads Params.%s, which the contract declares (%s)", name, params.Name)
			}
		}
	})
	if declared == 0 {
		t.Error("gen/serverapi has no parameters: this test looks in the wrong place")
	}
}

// A property that the contract gains and the server does not fill would be sent as Go's zero value, and fit. A webhook is
// decoded from its document, with every property that it has.
func TestTheServerFillsEveryProperty(t *testing.T) {
	fields := make(map[string][]string)
	inspect(t, "gen/serverapi", func(n ast.Node) {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return
		}
		object, ok := spec.Type.(*ast.StructType)
		if !ok {
			return
		}
		for _, field := range object.Fields.List {
			for _, name := range field.Names {
				fields[spec.Name.Name] = append(fields[spec.Name.Name], name.Name)
			}
		}
	})
	filled := 0
	inspect(t, "server", func(n ast.Node) {
		literal, ok := n.(*ast.CompositeLit)
		if !ok {
			return
		}
		of, ok := literal.Type.(*ast.SelectorExpr)
		if !ok || fmt.Sprint(of.X) != "serverapi" || of.Sel.Name == "Webhook" {
			return
		}
		set := make(map[string]bool)
		for _, e := range literal.Elts {
			if pair, ok := e.(*ast.KeyValueExpr); ok {
				set[fmt.Sprint(pair.Key)] = true
			}
		}
		for _, name := range fields[of.Sel.Name] {
			filled++
			if !set[name] {
				t.Errorf("package server makes a %s without %s, which the contract declares", of.Sel.Name, name)
			}
		}
	})
	if filled == 0 {
		t.Error("package server makes nothing of gen/serverapi: this test looks in the wrong place")
	}
}

// inspect visits everything in the Go files of a folder, its tests left out.
func inspect(t *testing.T, dir string, visit func(ast.Node)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool { visit(n); return true })
	}
}
