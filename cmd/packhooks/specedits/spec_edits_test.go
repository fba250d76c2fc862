//go:build specedits && unix

// Package specedits_test makes spec edits: it edits a copy of the contract, one way after the other, and checks that
// generation, compiler, tests and the check of breaking changes each say what the project promises of such an edit. What
// becomes of stored webhooks it tries on both engines, with the programs of the contract before and after the edit.
//
//	go test -tags specedits -count=1 -v ./cmd/packhooks/specedits
package specedits_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/packhooks/packhooks/server/store/postgres/postgrestest"
)

func TestSpecEdits(t *testing.T) {
	c := copyRepository(t, "../../..")
	c.build(t, "")
	var cluster *postgrestest.Cluster
	if postgrestest.Available() {
		cluster = postgrestest.Start(t)
	} else if fmt.Println("PostgreSQL is not installed: its part did not run"); os.Getenv(postgrestest.RequireVariable) != "" {
		t.Error("no PostgreSQL")
	}
	for _, e := range slices.Concat(edits, contractEdits) {
		t.Run(e.name, func(t *testing.T) {
			defer c.reset(t)
			e.try(t, c, cluster)
		})
	}
}

// promise is what a step is to say: patterns that the output of one that stops matches, all of them, and nothing for
// one that passes.
type promise []string

// try takes the copy through the steps that a maintainer goes through. It ends at the compiler when that stops, but
// for the check of breaking changes, which reads the contract alone.
func (e edit) try(t *testing.T, c *repository, cluster *postgrestest.Cluster) {
	fmt.Println(e.name)
	c.apply(t, e.patches)
	generated := c.step(t, "generate", e.refusal, "make", "generate")
	if !generated && e.remedy == nil {
		return
	}
	if !generated {
		c.apply(t, e.remedy)
		generated = c.step(t, "generate again", nil, "make", "generate")
	}
	if generated {
		c.reached(t, e.carries)
		// The tests that an edit is to fail compile it.
		compiled := e.tests != nil || c.step(t, "compile", e.compiles, "go", "vet", "./...")
		if compiled && e.suite != nil {
			c.step(t, "test", e.tests, append([]string{"go", "test", "-timeout", "4m"}, e.suite...)...)
		}
		if compiled && e.data != nil {
			e.tryData(t, c, cluster)
		}
	}
	c.step(t, "breaking", e.breaking, "make", "breaking")
}

// tryData tells the edit's story on both engines.
func (e edit) tryData(t *testing.T, c *repository, cluster *postgrestest.Cluster) {
	before, after := c.program(e.after), c.build(t, e.name)
	t.Run("sqlite", func(t *testing.T) { e.data(newPlace(t, before, after)) })
	if cluster != nil {
		t.Run("postgres", func(t *testing.T) { e.data(newPostgresPlace(t, cluster, before, after)) })
	}
}

// step runs a command, prints a line of the table, and reports whether the command passed.
func (c *repository) step(t *testing.T, name string, p promise, command ...string) bool {
	t.Helper()
	output, passed := c.run(t, command...)
	verdict, says := "passes", ""
	if !passed {
		verdict = "stops"
	}
	if passed != (len(p) == 0) {
		t.Errorf("%s %s, promised was %q:\n%s", name, verdict, p, output)
	}
	for i, pattern := range p {
		at := regexp.MustCompile(pattern).FindStringIndex(output)
		if at == nil {
			t.Errorf("%s does not say %q:\n%s", name, pattern, output)
		} else if i == 0 {
			says = lineAround(output, at[0])
		}
	}
	fmt.Printf("  %-15s %-7s %s\n", name, verdict, says)
	return passed
}

// reached holds the generated code of each side to a pattern.
func (c *repository) reached(t *testing.T, pattern string) {
	t.Helper()
	for side, names := range generatedGo {
		var code []byte
		for _, name := range names {
			text, err := os.ReadFile(filepath.Join(c.dir, name))
			if err != nil {
				t.Error(err)
			}
			code = append(code, text...)
		}
		if !regexp.MustCompile(pattern).Match(code) {
			t.Errorf("the generated code of the %s has no %s", side, pattern)
		}
	}
}

func lineAround(text string, at int) string {
	start := strings.LastIndexByte(text[:at], '\n') + 1
	line, _, _ := strings.Cut(text[start:], "\n")
	if len(line) > 120 { // what matched counts more than what comes before it
		line = line[at-start:]
	}
	return strings.TrimSpace(line[:min(len(line), 120)])
}
