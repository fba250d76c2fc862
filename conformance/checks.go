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

// check is one check. Without run it is passive: it looks at every response of the session (see validate), and is
// evaluated last.
type check struct {
	group, id string
	about     string // a part of the contract (see locate)
	class     Class  // empty: the contract's own x-provenance says
	promise   string // empty: the contract's x-promise of the check's id
	run       func(context.Context, *session) error
}

// checks has all checks except those of headers, which are generated from the contract. The most important come first:
// a run may reach a limit.
var checks = []check{
	{"contract", "first-page", "operation/responses/200", "", "the list has status 200", firstPage},
	{"contract", "required-fields", "webhook", Published, "a webhook has its required fields", nil},
	{"contract", "field-types", "webhook", Published, "published fields have their types; null only where declared", nil},
	{"contract", "secret-in-clear", "secret", "", "a secret is the one used for signing, and no mask", nil},

	{"pagination", "walk", "next", "", "following next ends", walkForwards},
	{"pagination", "complete", "next", Unsafe, "", complete},
	{"pagination", "walk-back", "prev", "", "prev leads to the page before", walkBack},
	{"pagination", "per-page-reported", "size", "", "a page holds no more webhooks than it reports", nil},

	{"auth", "no-token", "security", Decided, "no token is 401", rejects([]int{401}, "GET {list} {none}")},
	{"auth", "unknown-token", "security", Decided, "an unknown token is 401", rejects([]int{401}, "GET {list} {scheme} conformance-unknown-token")},
	{"auth", "malformed-token", "security", Decided, "a malformed token is 401", rejects([]int{401},
		"GET {list} SCHEME", "GET {list} Basic Y29uZm9ybWFuY2U6", "GET {list} no-scheme")},
	{"auth", "foreign-organization", "operation/responses/403", Decided, "an organization that the token does not cover is 403",
		rejects([]int{403}, "GET {foreign}")},
	{"auth", "token-required", "security", Unsafe, "", nil},
	{"auth", "organization-isolated", "organization", Unsafe, "", nil},
	{"auth", "token-echo", "security", Unsafe, "", nil},
	{"auth", "secret-leak", "secret", Unsafe, "", nil},

	{"contract", "status", "operation/responses", Decided, "every response has a declared status, and none is 500", nil},
	{"contract", "page-media-type", "operation/responses/200/content", Decided, "a page has the declared media type", nil},
	{"contract", "envelope", "page", Decided, "a page has the contract's envelope", nil},
	{"contract", "time-format", "webhook", Decided, "", nil},
	{"contract", "bounds", "webhook", Decided, "values keep to their bounds, formats and patterns", nil},
	{"contract", "duplicate-keys", "page", Decided, "", nil},
	{"contract", "extra-fields", "page", Decided, "a page holds no field beyond the contract's", nil},
	{"contract", "deprecation", "operation", Decided, "no response announces the end of the API", nil},

	{"pagination", "links-path", "next", Decided, "", nil},
	{"pagination", "links-absolute", "next", Decided, "", nil},
	{"pagination", "links-keep-size", "next", Decided, "", nil},
	{"pagination", "exact-ends", "prev", Decided, "", exactEnds},
	{"pagination", "per-page-honoured", "sizeParameter", Decided, "", smallPages},
	{"pagination", "per-page-default", "sizeParameter/schema/default", Decided, "the page size is the declared one when none is asked for", defaultPage},
	{"pagination", "any-page-size", "sizeParameter", Decided, "", sameOrder},
	{"pagination", "order", "operation", Decided, "", inOrder},
	{"pagination", "repeatable", "operation", Decided, "", repeatable},

	{"errors", "bad-cursor", "cursorParameter", Decided, "", rejects(badRequest,
		"GET {list}?{cursor}=", "GET {list}?{cursor}=%21", "GET {list}?{cursor}=AAAA", "GET {list}?{cursor}={long}", "GET {list}?{cursor}={turned}")},
	{"errors", "bad-per-page", "sizeParameter/schema", Decided, "", rejects(badRequest,
		"GET {list}?{size}={over}", "GET {list}?{size}={under}", "GET {list}?{size}=-1", "GET {list}?{size}=", "GET {list}?{size}=ten",
		"GET {list}?{size}=1.5", "GET {list}?{size}=%2B5", "GET {list}?{size}=010")},
	{"errors", "bad-organization", "organization/schema", Decided, "", badOrganization},
	{"errors", "undeclared-parameter", "operation", Decided, "", rejects(badRequest,
		"GET {list}?conformance=1", "GET {list}?conformance=1&conformance=2")},
	{"errors", "repeated-parameter", "operation", Decided, "", rejects(badRequest, "GET {list}?{size}=1&{size}=1", "GET {list}?{size}=1&{size}=2")},
	{"errors", "malformed-query", "operation", Decided, "", rejects(badRequest, "GET {list}?conformance=%zz", "GET {list}?%zz=1", "GET {list}?a=1;b=2")},
	{"errors", "parameter-named", "operation/responses/400", Decided, "", parameterNamed},
	{"errors", "other-methods", "operation/responses/405", Decided, "", otherMethods},
	{"errors", "unknown-path", "operation/responses/404", Decided, "a path that is not there is 404", rejects([]int{404}, "GET "+nowhere)},
	{"errors", "problem", "operation/responses/400", Decided, "every error is a problem document that fits its response", nil},
	{"errors", "precedence", "operation/responses", Decided, "", precedence},

	{"headers", "request-id-kept", "operation/responses/200/headers/X-Request-Id", Decided, "", requestIDKept},
	{"pagination", "parallel", "operation", Decided, "", parallel},
}

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
			id, about := strings.ToLower(name), "operation/responses/"+status+"/headers/"+name
			rows[id] = check{"headers", id, about, Decided, http.CanonicalHeaderKey(name) + " is as declared", nil}
		}
	}
	return slices.SortedFunc(maps.Values(rows), func(a, b check) int { return strings.Compare(a.id, b.id) })
}

// check is what the report says of a check that returned err.
func (s *session) check(row check, err error) Check {
	about := s.contract.locate(row.about)
	promise, _ := child(s.contract.listing.Extensions["x-promise"], row.id).(string)
	c := Check{
		ID: row.id, Group: row.group, Promise: cmp.Or(strings.Join(strings.Fields(promise), " "), row.promise),
		About: about.pointer, Class: cmp.Or(row.class, about.class, Decided), Outcome: Pass,
	}
	if row.run == nil {
		err = s.observed(row)
	}
	if about.node == nil {
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
