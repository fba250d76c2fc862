//go:build prism

package conformance_test

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/packhooks/packhooks/conformance"
)

// prism serves the examples of api/openapi.yaml. It is the last version that runs on Node 20.
const prism = "@stoplight/prism-cli@5.14.2"

// shortOfContract is what a mock cannot keep of the contract, and why; docs/contract.md explains it as well.
var shortOfContract = map[string]string{
	"walk":                  "every page is the same example, so its webhook comes again",
	"complete":              "for want of a walk",
	"walk-back":             "for want of a walk",
	"exact-ends":            "for want of a walk",
	"any-page-size":         "for want of a walk",
	"order":                 "for want of a walk",
	"per-page-honoured":     "the example's meta.per_page is what it is, whatever was asked for",
	"per-page-default":      "likewise",
	"bad-cursor":            "an empty parameter counts as none",
	"bad-per-page":          "likewise",
	"undeclared-parameter":  "parameters that the contract does not know are let through",
	"malformed-query":       "likewise",
	"parameter-named":       "every 400 is the same example, which names per_page",
	"other-methods":         "405 is right, but comes without Allow",
	"problem":               "an example cannot name the path and the request id of its exchange; Prism's own errors have neither",
	"unknown-token":         "any bearer token is taken",
	"token-required":        "any bearer token is taken",
	"foreign-organization":  "any organization is taken",
	"organization-isolated": "likewise",
	"status":                "likewise",
	"precedence":            "it asks for the 400 that undeclared-parameter misses",
	"x-request-id":          "Prism's own 404 and 405 come without the contract's headers",
	"request-id-kept":       "the example's header is what it is",
	"cache-control":         "as x-request-id",
	"allow":                 "as x-request-id",
}

func TestPrismFallsShortWhereAMockMust(t *testing.T) {
	report := run(t, startPrism(t))
	for _, c := range report.Checks {
		reason, expected := shortOfContract[c.ID]
		if short := c.Outcome != conformance.Pass; short != expected {
			t.Errorf("%s is %q (%s), expected to fall short: %t\n%s\n%s", c.ID, c.Outcome, c.Detail, expected, c.Request, c.Response)
		}
		if expected {
			t.Logf("%-12s %-9s %-20s %s (%s)", c.Outcome, c.Class, c.ID, reason, c.Detail)
		}
	}
}

func startPrism(t *testing.T) (url string) {
	t.Helper()
	address := freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	check(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // npx may have to fetch it first
	t.Cleanup(cancel)
	var log strings.Builder
	cmd := exec.CommandContext(ctx, "npx", "--yes", prism, "mock", "--port", port, "../api/openapi.yaml")
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) } // npx's children too
	check(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			check(t, conn.Close())
			t.Cleanup(func() {
				cancel()
				t.Logf("Prism ended: %v", <-ended)
			})
			return fmt.Sprintf("http://%s", address)
		}
		select {
		case err := <-ended:
			t.Fatalf("prism: %v\n%s", err, log.String())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer func() { check(t, l.Close()) }()
	return l.Addr().String()
}
