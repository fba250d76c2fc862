package main

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/packhooks/packhooks/conformance"
)

type checkCmd struct {
	URL         string        `required:"" env:"-" help:"URL of the server to check, including its base path."`
	Org         string        `required:"" help:"Organization to read, preferably one with several webhooks."`
	ForeignOrg  string        `help:"Organization that the token does not cover. Default: a random name."`
	Output      string        `enum:"table,json,junit,github" default:"table" env:"-" help:"One of ${enum}."`
	Strict      bool          `env:"-" help:"Also fail on deviations from what this project decided beyond the published page."`
	MaxPages    int           `default:"200" env:"-" help:"Maximum number of pages to read."`
	MaxRequests int           `default:"1000" env:"-" help:"Maximum number of requests."`
	Rate        float64       `default:"10" env:"-" help:"Maximum requests per second, after a burst of 20."`
	Timeout     time.Duration `default:"5m" env:"-" help:"Maximum duration of the run."`
	credentials
}

// Help is shown by --help.
func (*checkCmd) Help() string {
	return "Sends only GET, HEAD and OPTIONS. The exit code is 0 if the server conforms to the published page and is safe, " +
		"1 if not, and 2 if that could not be determined. The last line summarizes the differences."
}

func (c *checkCmd) Run(ctx context.Context, t *terminal) error {
	report, err := c.check(ctx)
	if err == nil {
		err = report.Write(t.Out, c.Output)
	}
	if err != nil { // exit with 2: 1 means that the server does not conform
		return usage(err, "see packhooks check --help")
	}
	switch code := report.ExitCode(); code {
	case 0:
		return nil
	case 1:
		return &failure{errors.New("the server does not conform"), "--output json shows where in api/openapi.yaml each check comes from", code}
	default:
		return &failure{errors.New("could not determine whether the server conforms"), "see the checks that are inconclusive", code}
	}
}

func (c *checkCmd) check(ctx context.Context) (*conformance.Report, error) {
	token, err := c.read()
	if err != nil {
		return nil, err
	}
	report, err := conformance.Run(ctx, conformance.Config{
		URL: c.URL, Organization: c.Org, Token: token, ForeignOrganization: c.ForeignOrg,
		Strict: c.Strict, MaxPages: c.MaxPages, MaxRequests: c.MaxRequests, Rate: c.Rate, Timeout: c.Timeout,
	})
	return report, cmp.Or(ctx.Err(), err)
}
