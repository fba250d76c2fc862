package conformance

import "testing"

// Test checks the server at url as part of a Go test, each check as a subtest that bears the check's id. What does not
// decide the exit code (see Report.ExitCode) is logged and passes. cfg.URL is not used.
func Test(t *testing.T, url string, cfg Config) {
	t.Helper()
	cfg.URL = url
	if cfg.Rate == 0 {
		cfg.Rate = 1e6 // a server under test has nobody else to serve
	}
	report, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(report.Summary)
	for _, c := range report.Checks {
		t.Run(c.ID, func(t *testing.T) {
			switch {
			case c.Outcome == Pass:
			case report.counts(c) && c.Outcome != Advice:
				t.Errorf("%s, %s: %s\n%s\n%s", c.Outcome, c.Class, c.text(), c.Request, c.Response)
			default:
				t.Logf("%s, %s: %s", c.Outcome, c.Class, c.text())
			}
		})
	}
}
