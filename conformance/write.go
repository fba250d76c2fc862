package conformance

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Formats are what Write knows.
var Formats = []string{"table", "json", "junit", "github"}

// Write writes the report as a table for people, as JSON, as JUnit XML, or as GitHub's workflow commands, which show
// every failure and end with the summary. Where a check does not decide the exit code, the last two take its failure
// for a skipped test and for a warning.
func (r *Report) Write(out io.Writer, format string) error {
	switch format {
	case "table":
		return r.writeTable(out)
	case "json":
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(r)
	case "junit":
		return r.writeJUnit(out)
	case "github":
		return r.writeGitHub(out)
	}
	return fmt.Errorf("report format %q: not one of %v", format, Formats)
}

// writeTable writes a line for each check and, below a failure, the request and the response that showed it.
func (r *Report) writeTable(out io.Writer) error {
	var b strings.Builder
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "%-12s  %-9s  %-10s  %-22s  %s\n", c.Outcome, c.Class, c.Group, c.ID, printable(c.text()))
		if c.Request == "" || c.Outcome == Advice {
			continue
		}
		for line := range strings.SplitSeq(c.Request+"\n"+c.Response, "\n") {
			fmt.Fprintf(&b, "    | %s\n", printable(line))
		}
	}
	_, err := fmt.Fprintf(out, "%s%s\n", b.String(), r.Summary)
	return err
}

func (c Check) text() string {
	if c.Detail == "" {
		return c.Promise
	}
	return c.Promise + ": " + c.Detail
}

// printable replaces what could move a terminal's cursor or end a line: text from a server is not to be trusted.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

func (r *Report) writeJUnit(out io.Writer) error {
	type message struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
	type testCase struct {
		Class   string   `xml:"classname,attr"`
		Name    string   `xml:"name,attr"`
		Failure *message `xml:"failure,omitempty"`
		Error   *message `xml:"error,omitempty"`
		Skipped *message `xml:"skipped,omitempty"`
	}
	suite := struct {
		XMLName  xml.Name   `xml:"testsuite"`
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Errors   int        `xml:"errors,attr"`
		Skipped  int        `xml:"skipped,attr"`
		Cases    []testCase `xml:"testcase"`
		Output   string     `xml:"system-out"`
	}{Name: "packhooks conformance", Tests: len(r.Checks), Output: r.Summary}
	for _, c := range r.Checks {
		t := testCase{Class: string(c.Class) + "." + c.Group, Name: c.ID}
		text := &message{printable(c.text()), c.Request + "\n" + c.Response}
		switch {
		case c.Outcome == Pass:
		case !r.counts(c), c.Outcome == Advice:
			t.Skipped = text
			suite.Skipped++
		case c.Outcome == Fail:
			t.Failure = text
			suite.Failures++
		default:
			t.Error = text
			suite.Errors++
		}
		suite.Cases = append(suite.Cases, t)
	}
	text, err := xml.MarshalIndent(suite, "", "  ") // it replaces what XML cannot hold
	if err == nil {
		_, err = fmt.Fprintf(out, "%s%s\n", xml.Header, text)
	}
	return err
}

func (r *Report) writeGitHub(out io.Writer) error {
	escape := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	var b strings.Builder
	for _, c := range r.Checks {
		level := "error"
		switch {
		case c.Outcome == Pass:
			continue
		case c.Outcome == Advice:
			level = "notice"
		case !r.counts(c):
			level = "warning"
		}
		fmt.Fprintf(&b, "::%s title=%s (%s)::%s\n", level, c.ID, c.Class, escape.Replace(c.text()))
	}
	_, err := fmt.Fprintf(out, "%s%s\n", b.String(), r.Summary)
	return err
}
