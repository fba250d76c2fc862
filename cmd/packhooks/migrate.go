package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/postgres"
	"github.com/packhooks/packhooks/server/store/sqlite"
)

type migrateCmd struct {
	Documents bool `env:"-" help:"Migrate the stored webhooks instead: fill in defaults, drop removed properties. Can be interrupted and repeated."`
	DryRun    bool `env:"-" help:"With --documents: count the changes without making them."`
	database
}

// Run migrates the tables without the keyset: a role that migrates need not be able to read secrets.
func (c *migrateCmd) Run(ctx context.Context, t *terminal) error {
	switch {
	case c.Documents:
		return c.rewrite(ctx, t)
	case c.DryRun:
		return usage(errors.New("--dry-run requires --documents"), "packhooks migrate --documents --dry-run")
	case c.postgres():
		return postgres.Migrate(ctx, cmp.Or(c.MigrateDB, c.DB), c.postgresOptions())
	case !exists(c.DB):
		return c.notFound()
	}
	return sqlite.Migrate(ctx, c.DB, sqlite.Options{Migrate: c.Migrate})
}

func (c *migrateCmd) rewrite(ctx context.Context, t *terminal) error {
	return c.useExisting(ctx, func(db store.Store) error {
		bar := t.progress(-1, false)
		done, err := db.RewriteDocuments(ctx, c.DryRun, func(webhooks int) { _ = bar.Set(webhooks) })
		_ = bar.Finish()
		t.note("dry_run", c.DryRun, "webhooks", done.Webhooks, "changed", done.Changed, "filled", done.Filled, "dropped", done.Dropped)
		verb := "changed"
		if c.DryRun {
			verb = "to change"
		}
		_, failed := fmt.Fprintf(t.Out, "%d webhooks, %d %s: %d defaults filled in, %d properties dropped\n",
			done.Webhooks, done.Changed, verb, done.Filled, done.Dropped)
		if misfits := (*store.MisfitError)(nil); errors.As(err, &misfits) {
			return hint(err, "import these again with --migrate off, or delete them")
		}
		return errors.Join(err, failed)
	})
}

type initCmd struct{ database }

// Run creates a database for an existing keyset. Other commands treat a missing database as an error.
func (c *initCmd) Run(ctx context.Context, t *terminal) error {
	c.create = true
	return c.use(ctx, func(store.Store) error {
		_, err := fmt.Fprintln(t.Out, "the database is ready")
		return err
	})
}
