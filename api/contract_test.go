package api_test

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the tables of docs/contract.md")

const (
	contractPage = "../docs/contract.md"
	tablesBegin  = "<!-- The tables of api/openapi.yaml, written by `make generate`. -->\n"
	tablesEnd    = "<!-- End of the tables. -->\n"
)

// The tables of docs/contract.md are the contract's own, so that nobody has to keep two in step.
func TestContractTables(t *testing.T) {
	text, err := os.ReadFile(contractPage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, opened := strings.Cut(string(text), tablesBegin)
	_, after, closed := strings.Cut(rest, tablesEnd)
	if !opened || !closed {
		t.Fatalf("%s has no place for the tables", contractPage)
	}
	want := before + tablesBegin + tables(t) + tablesEnd + after
	if string(text) == want {
		return
	}
	if !*update {
		t.Fatalf("the tables of %s are not those of api/openapi.yaml: run `make generate`", contractPage)
	}
	if err := os.WriteFile(contractPage, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}
