package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// promise is what a step is to say: patterns that the output of one that stops matches, all of them, and nothing for
// one that passes.
type promise []string

func (p promise) String() string {
	if len(p) == 0 {
		return "to pass"
	}
	return fmt.Sprintf("to stop and to match %q", []string(p))
}

// result is how a step went.
type result struct {
	step, verdict, says string
	promise             promise
	output              string
	broken              bool
}

func judge(step string, p promise, output string, ok bool) result {
	r := result{step: step, verdict: "passes", promise: p, output: output, broken: ok != (len(p) == 0)}
	if !ok {
		r.verdict = "stops"
	}
	for i, pattern := range p {
		at := regexp.MustCompile(pattern).FindStringIndex(output)
		if at == nil {
			r.broken = true
		} else if i == 0 {
			r.says = lineAround(output, at[0])
		}
	}
	return r
}

func lineAround(text string, at int) string {
	line := text[strings.LastIndexByte(text[:at], '\n')+1:]
	line, _, _ = strings.Cut(line, "\n")
	if line = strings.TrimSpace(line); len(line) > 120 {
		line = line[:120] + "…"
	}
	return line
}

// try takes the copy through the steps that a maintainer goes through. It stops at the compiler, as there is nothing
// to test then, but for the check of breaking changes, which reads the contract alone.
func (e edit) try(t *tree) ([]result, error) {
	if err := t.reset(); err != nil {
		return nil, err
	}
	if err := t.apply(e.patches); err != nil {
		return nil, err
	}
	var results []result
	step := func(name string, p promise, args ...string) bool {
		output, ok := t.run(args...)
		results = append(results, judge(name, p, output, ok))
		return ok
	}
	generated := step("generate", e.refusal, "make", "generate")
	if !generated && e.remedy != nil {
		if err := t.apply(e.remedy); err != nil {
			return nil, err
		}
		generated = step("generate again", nil, "make", "generate")
	}
	if generated {
		results = append(results, e.reaches(t))
		if step("compile", e.compiles, "sh", "-c", "go build ./... && go vet ./...") {
			step("test", e.tests, append([]string{"go", "test"}, e.suite()...)...)
		}
	}
	step("breaking", e.breaking, "make", "breaking")
	return results, nil
}

// reaches says whether the edit is in the types of both sides.
func (e edit) reaches(t *tree) result {
	r := result{step: "client, server", verdict: "reached", promise: promise{e.carries}}
	for _, name := range generatedGo {
		text, err := os.ReadFile(filepath.Join(t.dir, name))
		if err != nil || !regexp.MustCompile(e.carries).Match(text) {
			r.verdict, r.output, r.broken = "missed", r.output+name+" does not match\n", true
		}
	}
	return r
}
