package conformance

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
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
			fmt.Fprintf(&b, "%-12s  %-9s  %-10s  %-22s  %s\n", c.Outcome, c.Class, c.Group, c.ID, printable(c.text()))
			if c.Request != "" && c.Outcome != Advice {
				for line := range strings.SplitSeq(c.Request+"\n"+c.Response, "\n") {
					fmt.Fprintf(&b, "    | %s\n", printable(line))
				}
			}
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

const (
	masked = "[redacted]"

	// minSecret is the minimum length of secrets to search for in other text: shorter ones match by chance.
	minSecret = 6

	maxShown = 2000
)

// show renders a response and its request for a report.
func (s *session) show(a *response) (request, response string) {
	return s.hide(fmt.Sprintf("%s %s\n%s", a.request.Method, a.request.URL, s.headerText(a.request.Header))),
		s.hide(fmt.Sprintf("%d %s\n%s", a.status, http.StatusText(a.status), s.headerText(a.header))) + "\n" + s.hideBody(a)
}

func (s *session) headerText(header http.Header) string {
	var b strings.Builder
	hidden := map[string]bool{"Authorization": true, "Set-Cookie": true, http.CanonicalHeaderKey(s.contract.header): true}
	_ = header.WriteSubset(&b, hidden) // a strings.Builder never fails
	return strings.ReplaceAll(b.String(), "\r\n", "\n")
}

// keepSecret remembers what no report may show.
func (s *session) keepSecret(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(secret) >= minSecret {
		s.secrets[secret] = true
	}
}

// known returns what keepSecret was told, the longest first: one may be the beginning of another.
func (s *session) known() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Keys(s.secrets), func(a, b string) int { return len(b) - len(a) })
}

// hide masks the token and every signing secret met so far.
func (s *session) hide(text string) string {
	for _, secret := range s.known() {
		text = strings.ReplaceAll(text, secret, masked)
	}
	return text
}

// hideBody masks secrets in JSON. Other bodies are shown only for errors: in a truncated page the secrets could not be
// found.
func (s *session) hideBody(a *response) string {
	text := s.hide(string(a.body))
	if a.isJSON {
		text = encode(s.maskValue(a.value))
	} else if a.status < 400 && text != "" {
		text = fmt.Sprintf("[%d bytes that are not JSON]", len(a.body))
	}
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + fmt.Sprintf("… [%d bytes]", len(text))
	}
	return text
}

// maskValue masks each member whose name holds that of a secret, also one that a server adds, such as signing_secret.
func (s *session) maskValue(value any) any {
	switch v := value.(type) {
	case map[string]any:
		shown := make(map[string]any, len(v))
		for name, member := range v {
			within := func(password string) bool { return strings.Contains(strings.ToLower(name), password) }
			if slices.ContainsFunc(s.contract.passwords, within) {
				member = masked
			}
			shown[s.hide(name)] = s.maskValue(member)
		}
		return shown
	case []any:
		shown := make([]any, len(v))
		for i := range v {
			shown[i] = s.maskValue(v[i])
		}
		return shown
	case string:
		return s.hide(v)
	}
	return value
}

// encode writes JSON without escaping more than it must.
func encode(value any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(value) // decoded values can be encoded
	return strings.TrimSpace(b.String())
}
