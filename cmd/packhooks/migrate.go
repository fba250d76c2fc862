package main

import (
	"cmp"
	"context"

	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/postgres"
)

type migrateCmd struct{ database }

// Run needs no keyset on PostgreSQL, so that whoever changes tables need not be able to read secrets.
func (c *migrateCmd) Run(ctx context.Context) error {
	if c.postgres() {
		return postgres.Migrate(ctx, cmp.Or(c.MigrateDB, c.DB))
	}
	return c.useExisting(ctx, func(store.Store) error { return nil }) // opening an SQLite database migrates it
}
