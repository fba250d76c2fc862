package conformance_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/packhooks/packhooks/conformance"
)

func TestEveryDeviationHasItsClassCheckAndExitCode(t *testing.T) {
	if len(deviations) < 100 {
		t.Errorf("%d deviating servers", len(deviations))
	}
	uncovered := map[string]bool{}
	for _, c := range run(t, newServer(t, newList(30), nil)).Checks {
		uncovered[c.ID] = true
	}
	for _, d := range deviations {
		t.Run(d.check+"/"+d.name, func(t *testing.T) {
			t.Parallel()
			report := run(t, newServer(t, newList(30), d.deviation))
			named, others := outcomes(report, d.check)
			want, class := conformance.Fail, d.class
			switch {
			case class == "":
				want, class = conformance.Advice, conformance.Decided
			case d.exit == 2:
				want = conformance.Inconclusive
			}
			if named.Outcome != want || named.Class != class {
				t.Errorf("%s is %s %q (%s), want %s %q; others: %v", d.check, named.Class, named.Outcome, named.Detail, class, want, others)
			}
			if code := report.ExitCode(); code != d.exit {
				t.Errorf("exit code %d, want %d: %s", code, d.exit, report.Summary)
			}
			for _, c := range report.Checks {
				mustHide(t, c)
			}
		})
		delete(uncovered, d.check)
	}
	for id := range uncovered {
		t.Errorf("no deviation shows that %q can fail", id)
	}
}

func outcomes(report *conformance.Report, id string) (named conformance.Check, others []string) {
	for _, c := range report.Checks {
		switch {
		case c.ID == id:
			named = c
		case c.Outcome != conformance.Pass:
			others = append(others, c.ID)
		}
	}
	return named, others
}

func mustHide(t *testing.T, c conformance.Check) {
	t.Helper()
	text, err := json.Marshal(c)
	check(t, err)
	shown := string(text) + c.Request + c.Response
	for _, hidden := range []string{token, secret, strconv.Quote(secret), "another-one"} {
		if strings.Contains(shown, hidden) {
			t.Errorf("%s shows a secret", c.ID)
		}
	}
}
