package main

import (
	"context"

	client "github.com/packhooks/packhooks/client"
)

type exportCmd struct {
	Output string `enum:"ndjson,json" default:"ndjson" env:"-" help:"One of ${enum}."`
	remote
}

func (c *exportCmd) Run(ctx context.Context, t *terminal) error {
	reader, err := c.client(c.URL)
	if err != nil {
		return err
	}
	webhooks := reader.Webhooks(ctx, c.Org, client.PerPage(c.PerPage))
	return explain(writeJSON(t.Out, webhooks, c.Output == "json", true), c.URL)
}
