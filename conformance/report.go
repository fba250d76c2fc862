package conformance

// Outcome is what became of a check.
type Outcome string

const (
	Pass         Outcome = "pass"
	Fail         Outcome = "fail"
	Advice       Outcome = "advice"       // worth knowing, and no failure
	Inconclusive Outcome = "inconclusive" // could not tell; the detail says why
)

// Provenance says whose promise a check holds the server to.
type Provenance string

const (
	Published Provenance = "published" // the vendor's page states it
	Decided   Provenance = "decided"   // this project's contract adds it
)

// Report is the outcome of a run.
type Report struct {
	URL          string  `json:"url"`
	Organization string  `json:"organization"`
	Requests     int     `json:"requests"`
	Checks       []Check `json:"checks"`
}

// Check is one promise and whether the server keeps it.
type Check struct {
	Group      string     `json:"group"` // contract, pagination, errors, auth or headers
	Name       string     `json:"name"`  // unique in a report
	Promise    string     `json:"promise"`
	About      string     `json:"about"` // where in the contract, as a JSON pointer (RFC 6901)
	Provenance Provenance `json:"provenance"`
	Outcome    Outcome    `json:"outcome"`
	Detail     string     `json:"detail,omitempty"`   // empty on a pass
	Exchange   *Exchange  `json:"exchange,omitempty"` // the first that showed it, without secrets
}

// Exchange is a request and its answer as text: without credentials and cookies, the values of secret fields masked,
// a long body cut.
type Exchange struct {
	Request  string `json:"request"`
	Response string `json:"response"`
}

// ExitCode is 0 when the server conforms, 1 when it does not, and 2 when that could not be told. What was published
// decides; with strict, what was decided counts as well.
func (r *Report) ExitCode(strict bool) int {
	code := 0
	for _, c := range r.Checks {
		switch {
		case c.Provenance != Published && !strict:
		case c.Outcome == Fail:
			return 1
		case c.Outcome == Inconclusive:
			code = 2
		}
	}
	return code
}
