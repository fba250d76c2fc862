package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// failure is the outcome of a check that an exchange shows. More counts the further exchanges that show it as well.
type failure struct {
	outcome Outcome
	detail  string
	answer  *answer
	more    int
}

func (f *failure) Error() string {
	if f.more > 0 {
		return fmt.Sprintf("%s (and %d more)", f.detail, f.more)
	}
	return f.detail
}

func failed(a *answer, format string, args ...any) error {
	return &failure{outcome: Fail, detail: fmt.Sprintf(format, args...), answer: a}
}

// run makes the report. Where the first page cannot be had there is nothing to say about the rest.
func (s *session) run(ctx context.Context) *Report {
	checks := []Check{s.check(ctx, table[0])}
	if checks[0].Outcome != Inconclusive {
		checks = append(checks, s.checkRest(ctx)...)
	}
	return &Report{URL: s.base.String(), Organization: s.cfg.Organization, Requests: int(s.requests.Load()), Checks: checks}
}

// checkRest comes last to the checks that judge what all the others were answered.
func (s *session) checkRest(ctx context.Context) []Check {
	s.walkTwice(ctx)
	checks := make([]Check, len(table)-1)
	for _, judging := range []bool{false, true} {
		for i, row := range table[1:] {
			if judging == (row.run == nil) {
				checks[i] = s.check(ctx, row)
			}
		}
	}
	return checks
}

func (s *session) check(ctx context.Context, row check) Check {
	provenance, _ := s.contract.provenance(row.about) // was tried when the contract was loaded
	c := Check{Group: row.group, Name: row.name, Promise: row.promise, About: row.about, Provenance: provenance, Outcome: Pass}
	run := row.run
	if run == nil {
		run = func(context.Context, *session) error { return s.judged(row) }
	}
	var f *failure
	switch err := run(ctx, s); {
	case errors.As(err, &f):
		c.Outcome, c.Detail, c.Exchange = f.outcome, s.hide(f.Error()), s.exchange(f.answer)
	case err != nil:
		c.Outcome, c.Detail = Inconclusive, s.hide(err.Error())
	}
	return c
}

// judged is what all answers together showed of a check.
func (s *session) judged(row check) error {
	f := s.breaches[row.name]
	switch {
	case f != nil && row.name == "extra-fields":
		f.outcome = Advice
		return f
	case f != nil:
		return f
	case s.webhooks == 0 && strings.HasPrefix(row.about, schemas+"Webhook/"):
		return errors.New("no webhook was seen: choose an organization that has some")
	}
	return nil
}
