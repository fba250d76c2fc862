// Command drill edits a copy of the contract, one way after the other, and checks that generation, compiler, tests
// and breaking-change check each say what the project promises of such an edit:
//
//	drill REPOSITORY
//
// It prints a table and fails when any step broke its promise.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: drill REPOSITORY")
		os.Exit(2)
	}
	if err := run(os.Stdout, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "drill:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, repository string) error {
	dir, err := os.MkdirTemp("", "packhooks-drill-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	t, err := copyTree(repository, dir)
	if err != nil {
		return err
	}
	var broken []error
	for _, e := range edits {
		results, err := e.try(t)
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		broken = append(broken, report(out, e.name, results))
	}
	return errors.Join(broken...)
}

func report(out io.Writer, name string, results []result) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer table.Flush()
	fmt.Fprintln(table, name)
	var broken []error
	for _, r := range results {
		fmt.Fprintf(table, "  %s\t%s\t%s\n", r.step, r.verdict, r.says)
		if r.broken {
			broken = append(broken, fmt.Errorf("%s: %s: promised %s, but it said:\n%s", name, r.step, r.promise, strings.TrimSpace(r.output)))
		}
	}
	return errors.Join(broken...)
}
