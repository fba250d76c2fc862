package main

import (
	"context"

	"github.com/packhooks/packhooks/server/store"
)

type migrateCmd struct{ database }

// Run needs no keyset on PostgreSQL, so that whoever changes tables need not be able to read secrets.
func (c *migrateCmd) Run(ctx context.Context) error {
	if c.postgres() {
		return errNoPostgres
	}
	return c.useExisting(ctx, func(store.Store) error { return nil }) // opening an SQLite database migrates it
}
