package packhooks_test

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/packhooks/packhooks"

// The rules of who may import whom. A rule covers the packages below its own, and what it forbids is forbidden at
// any depth; "..." stands for everything below. What an exception names may be imported all the same.
var importRules = []struct {
	pkg    string
	forbid []string
	except []string
	why    string
}{
	{
		pkg:    "server",
		forbid: []string{"client/...", "conformance", "cmd/..."},
		except: []string{"client/secret"},
		why:    "a server that needs its own client cannot be tested against it",
	},
	{
		pkg: "server",
		forbid: []string{
			"server/store/sqlite", "server/store/postgres", "modernc.org/...", "zombiezen.com/...", "github.com/jackc/...",
			"github.com/pressly/...", "database/sql",
		},
		why: "a program that embeds the server links only the engine that it chose",
	},
	{
		pkg:    "server/...",
		forbid: []string{"github.com/prometheus/...", "go.opentelemetry.io/..."},
		why:    "a program that embeds the server chooses how to measure it: server.Config has a hook",
	},
	{
		pkg:    "server/store",
		forbid: []string{"server", "server/store/sqlite", "server/store/postgres", "client"},
		why:    "the storage knows neither the handler nor the engines that implement it",
	},
	{
		pkg:    "server/document",
		forbid: []string{"server", "server/store/...", "client"},
		why:    "the document is the contract's, whoever keeps or serves it",
	},
	{
		pkg:    "server/store/sqlite",
		forbid: []string{"server", "server/store/postgres", "client", "github.com/jackc/..."},
		why:    "one engine does not bring the other, nor the handler",
	},
	{
		pkg:    "server/store/postgres",
		forbid: []string{"server", "server/store/sqlite", "client", "modernc.org/...", "zombiezen.com/..."},
		why:    "one engine does not bring the other, nor the handler",
	},
	{
		pkg:    "conformance",
		forbid: []string{"client/...", "server/...", "gen/...", "cmd/..."},
		why:    "a check that shares code with what it checks repeats its mistakes",
	},
}

func TestPackagesImportOnlyWhatTheyMay(t *testing.T) {
	for _, rule := range importRules {
		for pkg, deps := range dependencies(t, rule.pkg) {
			for _, dep := range deps {
				if dep != pkg && matches(dep, rule.forbid) && !matches(dep, rule.except) {
					t.Errorf("%s imports %s, itself or through another: %s", pkg, dep, rule.why)
				}
			}
		}
	}
}

// dependencies lists what each package that the pattern names needs, at any depth.
func dependencies(t *testing.T, pattern string) map[string][]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Deps " "}}`, "./"+pattern)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("listing %s: %v\n%s", pattern, err, &stderr)
	}
	deps := make(map[string][]string)
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(strings.ReplaceAll(line, module+"/", ""))
		deps[fields[0]] = fields[1:]
	}
	if len(deps) == 0 {
		t.Fatalf("no package matches %s", pattern)
	}
	return deps
}

func matches(pkg string, patterns []string) bool {
	for _, pattern := range patterns {
		root, below := strings.CutSuffix(pattern, "/...")
		if pkg == root || below && strings.HasPrefix(pkg, root+"/") {
			return true
		}
	}
	return false
}
