package main

import (
	"context"
	"fmt"

	"github.com/packhooks/packhooks/server/store"
)

type initCmd struct{ database }

// Run is for a keyset that exists: every other command takes it for that of a database that is not there.
func (c *initCmd) Run(ctx context.Context, t *terminal) error {
	c.create = true
	return c.use(ctx, func(store.Store) error {
		_, err := fmt.Fprintln(t.Out, "the database is ready")
		return err
	})
}
