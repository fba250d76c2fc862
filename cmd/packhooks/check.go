package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/packhooks/packhooks/conformance"
)

type checkCmd struct {
	URL         string        `required:"" env:"-" help:"Server to check, with its base path. It may be any server of this API."`
	Org         string        `required:"" help:"Organization to read; best one with several webhooks."`
	ForeignOrg  string        `help:"Organization that the token does not cover. Default: a name that nobody has."`
	Output      string        `enum:"table,json" default:"table" env:"-" help:"One of ${enum}."`
	Strict      bool          `env:"-" help:"Let what this project decided count like what the vendor published."`
	MaxPages    int           `default:"200" env:"-" help:"The most pages to read of the list."`
	MaxRequests int           `default:"1000" env:"-" help:"The most requests to send."`
	Rate        float64       `default:"10" env:"-" help:"The most requests a second, after a burst of 20."`
	Timeout     time.Duration `default:"5m" env:"-" help:"The most time to take."`
	credentials
}

// Help is shown by --help.
func (*checkCmd) Help() string {
	return "Sends GET, HEAD and OPTIONS only. Exits with 0 when the server conforms, with 1 when it does not, and with 2 " +
		"when that could not be told."
}

func (c *checkCmd) Run(ctx context.Context, t *terminal) error {
	report, err := c.check(ctx)
	if err == nil {
		err = c.write(t.Out, report)
	}
	if err != nil { // nobody could tell, and 1 would say that somebody did
		return usage(err, "packhooks check --help shows what is needed")
	}
	return c.verdict(report)
}

func (c *checkCmd) check(ctx context.Context) (*conformance.Report, error) {
	token, err := c.read()
	if err != nil {
		return nil, err
	}
	report, err := conformance.Run(ctx, conformance.Config{
		URL: c.URL, Organization: c.Org, Token: token, ForeignOrganization: c.ForeignOrg,
		MaxPages: c.MaxPages, MaxRequests: c.MaxRequests, Rate: c.Rate, Timeout: c.Timeout,
	})
	return report, cmp.Or(ctx.Err(), err)
}

func (c *checkCmd) write(out io.Writer, report *conformance.Report) error {
	if c.Output == "json" {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(report)
	}
	var b strings.Builder
	count := map[conformance.Outcome]int{}
	for _, check := range report.Checks {
		count[check.Outcome]++
		writeCheck(&b, check)
	}
	fmt.Fprintf(&b, "%d checks by %d requests: %d pass, %d fail, %d advice, %d inconclusive\n", len(report.Checks), report.Requests,
		count[conformance.Pass], count[conformance.Fail], count[conformance.Advice], count[conformance.Inconclusive])
	_, err := io.WriteString(out, b.String())
	return err
}

// writeCheck writes a line, and below a failure the exchange that showed it.
func writeCheck(b *strings.Builder, check conformance.Check) {
	text := check.Promise
	if check.Detail != "" {
		text += ": " + check.Detail
	}
	fmt.Fprintf(b, "%-12s  %-9s  %-10s  %-20s  %s\n", check.Outcome, check.Provenance, check.Group, check.Name, printable(text))
	if check.Exchange == nil || check.Outcome == conformance.Advice {
		return
	}
	for line := range strings.SplitSeq(check.Exchange.Request+"\n"+check.Exchange.Response, "\n") {
		fmt.Fprintf(b, "    | %s\n", printable(line))
	}
}

func (c *checkCmd) verdict(report *conformance.Report) error {
	switch code := report.ExitCode(c.Strict); code {
	case 0:
		return nil
	case 1:
		return &failure{errors.New("the server does not conform"), "each check names its place in api/openapi.yaml (--output json, about)", code}
	default:
		return &failure{errors.New("could not tell whether the server conforms"), "see the checks that are inconclusive", code}
	}
}
