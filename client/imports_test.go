package client_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What a program that imports the client links, and what its go.mod then lists, stays small.
const mostModules = 4

var allowed = regexp.MustCompile(`^github\.com/(packhooks/packhooks/(client|gen/clientapi)|oapi-codegen/runtime|google/uuid|apapsch/go-jsonmerge/v2)(/|$)`)

func TestImports(t *testing.T) {
	packages := run(t, ".", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".", "./clienttest", "./secret")
	for _, path := range strings.Fields(packages) {
		if !allowed.MatchString(path) {
			t.Errorf("the client imports %s", path)
		}
	}
	if !strings.Contains(packages, "gen/clientapi") {
		t.Errorf("the list is not that of the client: %s", packages)
	}
}

func TestModulesOfAnImporter(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"main.go": "package main\n\nimport (\n\t_ \"github.com/packhooks/packhooks/client\"\n\t_ \"github.com/packhooks/packhooks/client/clienttest\"\n)\n\nfunc main() {}\n",
		"go.mod": "module example.com/importer\n\ngo 1.25.0\n\nrequire github.com/packhooks/packhooks v0.0.0\n\n" +
			"replace github.com/packhooks/packhooks => " + root + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, "mod", "tidy")
	var mod struct{ Require []struct{ Path string } }
	if err := json.Unmarshal([]byte(run(t, dir, "mod", "edit", "-json")), &mod); err != nil {
		t.Fatal(err)
	}
	if n := len(mod.Require); n == 0 || n > mostModules {
		t.Errorf("its go.mod requires %d modules, want at most %d: %v", n, mostModules, mod.Require)
	}
}

func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}
