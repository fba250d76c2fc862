package main

import (
	"context"
	"fmt"

	"github.com/packhooks/packhooks/server/store"
)

type initCmd struct{ database }

// Run creates a database for an existing keyset. Other commands treat a missing database as an error.
func (c *initCmd) Run(ctx context.Context, t *terminal) error {
	c.create = true
	return c.use(ctx, func(store.Store) error {
		_, err := fmt.Fprintln(t.Out, "the database is ready")
		return err
	})
}
