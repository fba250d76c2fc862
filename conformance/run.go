package conformance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// violation is a failed check with the first response that showed it. More counts further such responses.
type violation struct {
	outcome  Outcome
	detail   string
	response *response
	more     int
}

func (v *violation) Error() string {
	if v.more > 0 {
		return fmt.Sprintf("%s (and %d more)", v.detail, v.more)
	}
	return v.detail
}

// failed is a failure unless the server was only busy.
func failed(a *response, format string, args ...any) error {
	v := &violation{outcome: Fail, detail: fmt.Sprintf(format, args...), response: a}
	if busy(a.status) {
		v.outcome = Inconclusive
	}
	return v
}

// run makes the report. If the first page fails, it is the only check.
func (s *session) run(ctx context.Context) *Report {
	r := &Report{URL: s.base.String(), Organization: s.cfg.Organization, Strict: s.cfg.Strict}
	r.Checks = []Check{s.check(checks[0], firstPage(ctx, s))}
	if r.Checks[0].Outcome != Inconclusive {
		s.walkAll(ctx)
		rows := slices.Concat(checks[1:], s.contract.headerChecks())
		errs := make([]error, len(rows))
		for i, row := range rows {
			if row.run != nil {
				errs[i] = row.run(ctx, s)
			}
		}
		for i, row := range rows { // the passive ones have seen every response now
			r.Checks = append(r.Checks, s.check(row, errs[i]))
		}
	}
	r.Requests = int(s.requests.Load())
	r.Summary = r.summarize()
	return r
}

// headerChecks has a check for each header that a response declares.
func (k *contract) headerChecks() []check {
	rows := map[string]check{}
	for status, response := range k.listing.Responses.Map() {
		for name := range response.Value.Headers {
			id := strings.ToLower(name)
			about := "operation/responses/" + status + "/headers/" + name
			rows[id] = check{"headers", id, about, Decided, http.CanonicalHeaderKey(name) + " is as declared", nil}
		}
	}
	return slices.SortedFunc(maps.Values(rows), func(a, b check) int { return strings.Compare(a.id, b.id) })
}

// check is what the report says of a check that returned err.
func (s *session) check(row check, err error) Check {
	pointer, class, ok := s.contract.locate(row.about)
	promise, _ := child(s.contract.listing.Extensions["x-promise"], row.id).(string)
	c := Check{
		ID: row.id, Group: row.group, Promise: cmp.Or(strings.Join(strings.Fields(promise), " "), row.promise),
		About: pointer, Class: cmp.Or(row.class, class), Outcome: Pass,
	}
	if row.run == nil {
		err = s.observed(row)
	}
	if !ok {
		err = errors.New("the contract does not have it")
	}
	var v *violation
	switch {
	case errors.As(err, &v):
		c.Outcome, c.Detail = v.outcome, s.hide(v.Error())
		c.Request, c.Response = s.show(v.response)
	case err != nil:
		c.Outcome, c.Detail = Inconclusive, s.hide(err.Error())
	}
	return c
}

// observed returns the result of a passive check.
func (s *session) observed(row check) error {
	switch v, looked := s.noted[row.id]; {
	case v != nil:
		if row.id == "extra-fields" || row.id == "deprecation" {
			v.outcome = Advice
		}
		return v
	case s.webhooks.Load() == 0 && (row.about == "webhook" || row.about == "secret"):
		return errors.New("no webhook was seen: choose an organization that has some")
	case row.class == Unsafe && !looked:
		return errors.New("no request of the run could show it")
	}
	return nil
}
