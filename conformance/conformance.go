// Package conformance checks a server against the contract in api/openapi.yaml, over HTTP.
//
//	report, err := conformance.Run(ctx, conformance.Config{
//		URL:          "https://api.pack.cloud/v1",
//		Organization: "acme",
//		Token:        token,
//	})
//	if err != nil {
//		return err // the configuration is wrong, or ctx ended
//	}
//	for _, c := range report.Checks {
//		fmt.Println(c.Outcome, c.Class, c.ID, c.Detail)
//	}
//	os.Exit(report.ExitCode())
//
// Each check has a class. Violations of the published page, and unsafe behavior (a token is not needed, another
// organization is served, a token or secret is repeated, webhooks are lost), fail the run. A real service may differ from
// what this project decided without being broken.
//
// A run is read-only: it sends only GET, HEAD and OPTIONS. It limits rate, number of requests and duration, and backs off
// if the server is busy. Reports mask the token and signing secrets. It is neither a load test nor a vulnerability scan.
package conformance

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/packhooks/packhooks/api"
)

// Config says what to check and within which bounds. URL and Organization are required.
type Config struct {
	// URL is the base of the API, for example https://api.pack.cloud/v1.
	URL string

	// Organization is one that the token may read. With fewer than two webhooks some checks are inconclusive.
	Organization string

	// Token is sent as the contract says; none if empty.
	Token string

	// ForeignOrganization is one that the token may not read (default: a random name).
	ForeignOrganization string

	// HTTPClient sends the requests (default: a client that gives each 30 s). Its cookie jar is not used, and no
	// redirect is followed.
	HTTPClient *http.Client

	// Contract is the OpenAPI document to check against (default: this module's own). It is JSON or YAML.
	Contract []byte

	// Strict also fails on deviations from what was decided.
	Strict bool

	MaxPages    int           // per walk (default 200)
	MaxRequests int           // in total (default 1,000)
	Rate        float64       // requests per second, after a burst of 20 (default 10)
	Timeout     time.Duration // in total (default 5 min)
}

// Run checks the server and reports every check. An error means that no report could be made: cfg is wrong or ctx
// ended. For a server that cannot be reached, or that rejects the token, the report's exit code is 2.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	s, err := newSession(cfg)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	return s.run(limited), ctx.Err()
}

func (cfg Config) withDefaults() Config {
	if cfg.Contract == nil {
		cfg.Contract = api.Spec
	}
	cfg.ForeignOrganization = cmp.Or(cfg.ForeignOrganization, "foreign-"+strings.ToLower(rand.Text()))
	cfg.HTTPClient = cmp.Or(cfg.HTTPClient, &http.Client{Timeout: 30 * time.Second})
	cfg.MaxPages = cmp.Or(cfg.MaxPages, 200)
	cfg.MaxRequests = cmp.Or(cfg.MaxRequests, 1000)
	cfg.Rate = cmp.Or(cfg.Rate, 10)
	cfg.Timeout = cmp.Or(cfg.Timeout, 5*time.Minute)
	return cfg
}

// baseURL rejects URLs that would change the requests, or expose a password in a report.
func (cfg Config) baseURL() (*url.URL, error) {
	u, err := url.Parse(cfg.URL)
	switch {
	case err != nil:
		return nil, errors.New("parsing the base url: it is malformed") // the cause would repeat any password in it
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return nil, fmt.Errorf("base url %q: not an absolute http or https url", u.Redacted())
	case u.User != nil, u.RawQuery != "", u.ForceQuery, u.Fragment != "":
		return nil, fmt.Errorf("base url %q: user, query and fragment are not allowed", u.Redacted())
	}
	for _, o := range []string{cfg.Organization, cfg.ForeignOrganization} {
		if o == "" || o == "." || o == ".." {
			return nil, fmt.Errorf("organization %q: would change the path", o)
		}
	}
	return u.JoinPath("/"), nil
}

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
			switch report.element(c) {
			case "failure", "error":
				t.Errorf("%s, %s: %s\n%s\n%s", c.Outcome, c.Class, c.text(), c.Request, c.Response)
			case "skipped":
				t.Logf("%s, %s: %s", c.Outcome, c.Class, c.text())
			}
		})
	}
}
