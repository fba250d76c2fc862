package packhooks_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// What a program links that imports the client. .ci/importer has what its go.mod lists.
var allowed = regexp.MustCompile(`^github\.com/(packhooks/packhooks/client|oapi-codegen/runtime|google/uuid|apapsch/go-jsonmerge/v2)(/|$)`)

func TestImports(t *testing.T) {
	packages := run(t, ".", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./...")
	for _, path := range strings.Fields(packages) {
		if !allowed.MatchString(path) {
			t.Errorf("the client imports %s", path)
		}
	}
	if !strings.Contains(packages, "internal/clientapi") {
		t.Errorf("the list is not that of the client: %s", packages)
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
