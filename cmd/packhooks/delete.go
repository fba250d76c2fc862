package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/packhooks/packhooks/server/store"
)

type deleteCmd struct {
	Org string   `required:"" env:"-" help:"Organization that owns the webhooks."`
	IDs []string `arg:"" name:"id" help:"Webhooks to remove."`
	database
}

func (c *deleteCmd) Run(ctx context.Context, t *terminal) error {
	slices.Sort(c.IDs)
	c.IDs = slices.Compact(c.IDs)
	t.note("organization", c.Org, "ids", c.IDs)
	return c.useExisting(ctx, func(db store.Store) error {
		if err := db.DeleteWebhooks(ctx, c.Org, c.IDs); err != nil {
			return err
		}
		_, err := fmt.Fprintf(t.Out, "%s: %d removed\n", c.Org, len(c.IDs))
		return err
	})
}
