package conformance

import (
	"fmt"
	"strings"
)

// Outcome is what became of a check.
type Outcome string

const (
	Pass         Outcome = "pass"
	Fail         Outcome = "fail"
	Advice       Outcome = "advice"       // worth knowing, and no failure
	Inconclusive Outcome = "inconclusive" // could not tell; the detail says why
)

// Class says whose promise a check holds the server to, and so what a failure means.
type Class string

const (
	Unsafe    Class = "unsafe"    // nobody may do that, whatever was published or decided: always fails
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

// counts reports whether an outcome of the check decides the exit code.
func (r *Report) counts(c Check) bool { return r.Strict || c.Class != Decided }

// ExitCode is 0 when the server conforms, 1 when it does not, and 2 when that could not be told. What is unsafe and what
// was published decides; with strict, what was decided counts as well.
func (r *Report) ExitCode() int {
	code := 0
	for _, c := range r.Checks {
		switch {
		case !r.counts(c):
		case c.Outcome == Fail:
			return 1
		case c.Outcome == Inconclusive:
			code = 2
		}
	}
	return code
}

// summarize says in one line what the checks came to.
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
	parts := []string{fmt.Sprintf("%d of %d checks pass by %d requests", len(named[string(Pass)]), len(r.Checks), r.Requests)}
	for _, kind := range []string{string(Unsafe), string(Published), string(Decided), string(Inconclusive), string(Advice)} {
		if ids := named[kind]; len(ids) > 0 {
			parts = append(parts, fmt.Sprintf("%s %d (%s)", kind, len(ids), strings.Join(ids, ", ")))
		}
	}
	if r.ExitCode() == 0 && len(named[string(Decided)]) > 0 {
		verdict = "conforms to what was published, and differs in what was decided"
	}
	return verdict + ": " + strings.Join(parts, "; ")
}
