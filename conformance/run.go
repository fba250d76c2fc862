package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// failure is the outcome of a check that an exchange shows.
type failure struct {
	outcome Outcome
	detail  string
	answer  *answer
}

func (f *failure) Error() string { return f.detail }

func failed(a *answer, format string, args ...any) error {
	return &failure{Fail, fmt.Sprintf(format, args...), a}
}

// run makes the report. Where the first page cannot be had there is nothing to say about the rest.
func (s *session) run(ctx context.Context) *Report {
	report := &Report{URL: s.base.String(), Organization: s.cfg.Organization}
	opening := s.outcome(ctx, table[0])
	report.Checks = []Check{opening}
	if opening.Outcome != Inconclusive {
		report.Checks = s.checkAll(ctx, opening)
	}
	report.Requests = int(s.requests.Load())
	return report
}

func (s *session) checkAll(ctx context.Context, opening Check) []Check {
	s.prepare(ctx)
	checks := make([]Check, len(table))
	checks[0] = opening
	for i, row := range table {
		if i > 0 && row.run != nil {
			checks[i] = s.outcome(ctx, row)
		}
	}
	for i, row := range table {
		if row.run == nil {
			checks[i] = s.judged(row)
		}
	}
	return checks
}

// prepare walks the list twice, once as the server serves it by itself and once in pages so small that there are
// several, for all the checks that look at what a walk returned.
func (s *session) prepare(ctx context.Context) {
	s.whole, s.wholeErr = s.walk(ctx, "")
	if s.wholeErr != nil {
		s.smallErr = errNoWalk
		return
	}
	size := min(max(1, len(s.whole.ids())/7), s.contract.pageMax)
	s.small, s.smallErr = s.walk(ctx, fmt.Sprintf("per_page=%d", size))
}

// blank is the row of a report before its outcome is known.
func (s *session) blank(row check) Check {
	provenance, _ := s.contract.provenance(row.about) // was tried when the contract was loaded
	return Check{
		Group: row.group, Name: row.name, Promise: row.promise, About: row.about,
		Provenance: provenance, Outcome: Pass,
	}
}

func (s *session) outcome(ctx context.Context, row check) Check {
	c := s.blank(row)
	err := row.run(ctx, s)
	var f *failure
	switch {
	case err == nil:
	case errors.As(err, &f):
		c.Outcome, c.Detail, c.Exchange = f.outcome, s.hide(f.detail), s.exchange(f.answer)
	default:
		c.Outcome, c.Detail = Inconclusive, s.hide(err.Error())
	}
	return c
}

// judged reads the outcome of a check from what every answer of the session showed.
func (s *session) judged(row check) Check {
	c := s.blank(row)
	b := s.breaches[row.name]
	switch {
	case b != nil:
		c.Outcome, c.Detail, c.Exchange = Fail, b.detail, b.shown
		if row.name == "extra-fields" {
			c.Outcome = Advice
		}
		if b.more > 0 {
			c.Detail += fmt.Sprintf(" (and %d more)", b.more)
		}
	case s.webhooks == 0 && strings.HasPrefix(row.about, schemas+"Webhook/"):
		c.Outcome, c.Detail = Inconclusive, "no webhook was seen: choose an organization that has some"
	}
	return c
}
