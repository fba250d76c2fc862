package main

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/packhooks/packhooks/conformance"
)

type checkCmd struct {
	URL         string        `required:"" env:"-" help:"Server to check, with its base path. It may be any server of this API."`
	Org         string        `required:"" help:"Organization to read; best one with several webhooks."`
	ForeignOrg  string        `help:"Organization that the token does not cover. Default: a name that nobody has."`
	Output      string        `enum:"table,json,junit,github" default:"table" env:"-" help:"One of ${enum}."`
	Strict      bool          `env:"-" help:"Let what this project decided count like what the vendor published."`
	MaxPages    int           `default:"200" env:"-" help:"The most pages to read of the list."`
	MaxRequests int           `default:"1000" env:"-" help:"The most requests to send."`
	Rate        float64       `default:"10" env:"-" help:"The most requests a second, after a burst of 20."`
	Timeout     time.Duration `default:"5m" env:"-" help:"The most time to take."`
	credentials
}

// Help is shown by --help.
func (*checkCmd) Help() string {
	return "Sends GET, HEAD and OPTIONS only. Exits with 0 when the server conforms to what the vendor published and is safe, " +
		"with 1 when it does not, and with 2 when that could not be told. The last line says what differs."
}

func (c *checkCmd) Run(ctx context.Context, t *terminal) error {
	report, err := c.check(ctx)
	if err == nil {
		err = report.Write(t.Out, c.Output)
	}
	if err != nil { // nobody could tell, and 1 would say that somebody did
		return usage(err, "packhooks check --help shows what is needed")
	}
	switch code := report.ExitCode(); code {
	case 0:
		return nil
	case 1:
		return &failure{errors.New("the server does not conform"), "each check names its place in api/openapi.yaml (--output json, about)", code}
	default:
		return &failure{errors.New("could not tell whether the server conforms"), "see the checks that are inconclusive", code}
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
