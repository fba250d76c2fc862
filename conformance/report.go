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

// Outcome is the outcome of a check.
type Outcome string

const (
	Pass         Outcome = "pass"
	Fail         Outcome = "fail"
	Advice       Outcome = "advice"       // informational, not a failure
	Inconclusive Outcome = "inconclusive" // undetermined; the detail says why
)

// Class says where a requirement comes from, so what a failure means.
type Class string

const (
	Unsafe    Class = "unsafe"    // unacceptable in any server; always fails the run
	Published Class = "published" // the vendor's page states it
	Decided   Class = "decided"   // this project's contract adds it; fails with strict only
)

// Report is the outcome of a run.
type Report struct {
	URL          string  `json:"url"`
	Organization string  `json:"organization"`
	Strict       bool    `json:"strict"`
	Requests     int     `json:"requests"`
	Summary      string  `json:"summary"` // one line
	Checks       []Check `json:"checks"`
}

// Check is one promise and whether the server keeps it. The request and the response are the first that showed it, as
// text: without credentials and cookies, the values of secret fields masked, a long body cut.
type Check struct {
	ID       string  `json:"id"`    // stable, and unique in a report
	Group    string  `json:"group"` // contract, pagination, errors, auth or headers
	Promise  string  `json:"promise"`
	About    string  `json:"about"` // where in the contract, as a JSON pointer (RFC 6901)
	Class    Class   `json:"class"`
	Outcome  Outcome `json:"outcome"`
	Detail   string  `json:"detail,omitempty"` // empty on a pass
	Request  string  `json:"request,omitempty"`
	Response string  `json:"response,omitempty"`
}

// element is what JUnit calls the outcome of a check: empty for a pass, and skipped for what the exit code ignores.
func (r *Report) element(c Check) string {
	switch {
	case c.Outcome == Pass:
		return ""
	case c.Outcome == Advice, c.Class == Decided && !r.Strict:
		return "skipped"
	case c.Outcome == Fail:
		return "failure"
	}
	return "error"
}

// ExitCode is 0 if the server conforms, 1 if not, and 2 if that could not be determined. Unsafe and Published checks
// count; with Strict, Decided ones too.
func (r *Report) ExitCode() int {
	code := 0
	for _, c := range r.Checks {
		switch r.element(c) {
		case "failure":
			return 1
		case "error":
			code = 2
		}
	}
	return code
}

// summarize returns a one-line summary of the checks.
func (r *Report) summarize() string {
	named := map[string][]string{}
	for _, c := range r.Checks {
		kind := string(c.Outcome)
		if c.Outcome == Fail {
			kind = string(c.Class)
		}
		named[kind] = append(named[kind], c.ID)
	}
	verdict := [...]string{"conforms", "does not conform", "could not tell"}[r.ExitCode()]
	if r.ExitCode() == 0 && named["decided"] != nil {
		verdict = "conforms to what was published, and differs in what was decided"
	}
	summary := fmt.Sprintf("%s: %d of %d checks pass by %d requests", verdict, len(named["pass"]), len(r.Checks), r.Requests)
	for _, kind := range []string{"unsafe", "published", "decided", "inconclusive", "advice"} {
		if ids := named[kind]; ids != nil {
			summary += fmt.Sprintf("; %s %d (%s)", kind, len(ids), strings.Join(ids, ", "))
		}
	}
	return summary
}

// Write writes the report in a format: "table" for people, "json", "junit" (JUnit XML), or "github" (workflow commands
// that annotate a run). The last two report a failure that does not affect the exit code as a skipped test or a warning.
func (r *Report) Write(out io.Writer, format string) error {
	var b strings.Builder
	switch format {
	case "table":
		for _, c := range r.Checks {
			c.writeLine(&b)
		}
	case "json":
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(r)
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

// printable escapes control characters and the like: text from a server could manipulate the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
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
	const suite = "%s<testsuite name=\"packhooks conformance\" tests=\"%d\" failures=\"%d\" errors=\"%d\" skipped=\"%d\">\n%s\n</testsuite>\n"
	_, failed := fmt.Fprintf(out, suite, xml.Header, len(cases), count["failure"], count["error"], count["skipped"], text)
	return cmp.Or(err, failed)
}
