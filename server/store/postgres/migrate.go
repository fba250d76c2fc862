package postgres

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/packhooks/packhooks/server/store"
)

//go:embed migrations
var migrations embed.FS

// Migrate does to the tables of a database what the mode says. It needs no keyset; its role needs the right to change
// tables.
func Migrate(ctx context.Context, dsn string, mode store.MigrateMode) error {
	switch mode {
	case store.MigrateOff:
		return nil
	case store.MigrateAuto, store.MigrateCheck, "":
	default:
		return fmt.Errorf("unknown migrate mode %q", mode)
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return fmt.Errorf("reading DSN: %w", err)
	}
	config.ConnectTimeout = cmp.Or(config.ConnectTimeout, connectTimeout)
	db := stdlib.OpenDB(*config)
	defer db.Close()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(locker))
	if err != nil {
		return err
	}
	if mode == store.MigrateCheck {
		var pending bool
		if pending, err = provider.HasPending(ctx); err == nil && pending {
			return store.ErrSchemaTooOld
		}
	} else {
		_, err = provider.Up(ctx)
	}
	if err != nil && transient(err) {
		return fmt.Errorf("migrating: %w: %w", store.ErrUnavailable, err)
	}
	if err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	return nil
}
