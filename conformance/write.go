package conformance

import (
	"cmp"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Write writes the report in a format: "table" for people, "json", "junit" (JUnit XML), or "github" (workflow commands
// that annotate a run). The last two take a failure that does not decide the exit code for a skipped test or a warning.
func (r *Report) Write(out io.Writer, format string) error {
	var b strings.Builder
	switch format {
	case "table":
		for _, c := range r.Checks {
			c.writeLine(&b)
		}
	case "json":
		text, err := json.MarshalIndent(r, "", "  ")
		if err == nil {
			_, err = fmt.Fprintf(out, "%s\n", text)
		}
		return err
	case "junit":
		return r.writeJUnit(out)
	case "github":
		escape := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
		for _, c := range r.Checks {
			if level := map[string]string{"failure": "error", "error": "error", "skipped": "warning"}[r.element(c)]; level != "" {
				fmt.Fprintf(&b, "::%s title=%s (%s)::%s\n", level, c.ID, c.Class, escape.Replace(c.text()))
			}
		}
	default:
		return fmt.Errorf("report format %q: not table, json, junit or github", format)
	}
	_, err := fmt.Fprintf(out, "%s%s\n", &b, r.Summary)
	return err
}

// writeLine writes a line and, below a failure, the request and the response that showed it.
func (c Check) writeLine(b *strings.Builder) {
	fmt.Fprintf(b, "%-12s  %-9s  %-10s  %-22s  %s\n", c.Outcome, c.Class, c.Group, c.ID, printable(c.text()))
	if c.Request == "" || c.Outcome == Advice {
		return
	}
	for line := range strings.SplitSeq(c.Request+"\n"+c.Response, "\n") {
		fmt.Fprintf(b, "    | %s\n", printable(line))
	}
}

func (c Check) text() string { return strings.TrimSuffix(c.Promise+": "+c.Detail, ": ") }

// printable replaces what could move a terminal's cursor or end a line: text from a server is not to be trusted.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// element is what JUnit calls the outcome of a check; empty for a pass.
func (r *Report) element(c Check) string {
	switch {
	case c.Outcome == Pass:
		return ""
	case c.Outcome == Advice, !r.counts(c):
		return "skipped"
	case c.Outcome == Fail:
		return "failure"
	}
	return "error"
}

func (r *Report) writeJUnit(out io.Writer) error {
	type outcome struct {
		XMLName xml.Name
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
	type testCase struct {
		XMLName xml.Name `xml:"testcase"`
		Class   string   `xml:"classname,attr"`
		Name    string   `xml:"name,attr"`
		Outcome *outcome
	}
	count, cases := map[string]int{}, []testCase{}
	for _, c := range r.Checks {
		t, element := testCase{Class: string(c.Class) + "." + c.Group, Name: c.ID}, r.element(c)
		if count[element]++; element != "" {
			t.Outcome = &outcome{xml.Name{Local: element}, printable(c.text()), c.Request + "\n" + c.Response}
		}
		cases = append(cases, t)
	}
	text, err := xml.MarshalIndent(cases, "  ", "  ") // it replaces what XML cannot hold
	_, failed := fmt.Fprintf(out, "%s<testsuite name=\"packhooks conformance\" tests=\"%d\" failures=\"%d\" errors=\"%d\" skipped=\"%d\">\n%s\n</testsuite>\n",
		xml.Header, len(cases), count["failure"], count["error"], count["skipped"], text)
	return cmp.Or(err, failed)
}
