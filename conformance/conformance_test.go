package conformance_test

import (
	"testing"

	"github.com/packhooks/packhooks/conformance"
)

func TestOurServerConforms(t *testing.T) {
	for _, n := range []int{2, 60, 250} {
		report := run(t, newServer(t, newList(n), nil))
		for _, c := range report.Checks {
			if c.Outcome != conformance.Pass {
				t.Errorf("%d webhooks: %s/%s (%s): %s: %s\n%v", n, c.Group, c.Name, c.Provenance, c.Outcome, c.Detail, c.Exchange)
			}
		}
		if code := report.ExitCode(true); code != 0 {
			t.Errorf("%d webhooks: exit code %d, want 0", n, code)
		}
		t.Logf("%d webhooks: %d checks by %d requests", n, len(report.Checks), report.Requests)
	}
}
