package postgres

import (
	"cmp"
	"context"
	"embed"
	"errors"
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

// MigrateMode is what to do with a schema that is older than the program.
type MigrateMode string

const (
	MigrateAuto  MigrateMode = "auto"  // bring it up to date; any number of servers may start at once
	MigrateCheck MigrateMode = "check" // ErrSchemaTooOld
	MigrateOff   MigrateMode = "off"   // nothing, not even look
)

// ErrSchemaTooOld is a schema that must be migrated before this program can use it.
var ErrSchemaTooOld = errors.New("database schema is older than this program")

// Migrate brings the schema of a database up to date.
func Migrate(ctx context.Context, dsn string) error { return MigrateAuto.apply(ctx, dsn) }

func (m MigrateMode) apply(ctx context.Context, dsn string) error {
	switch m {
	case MigrateOff:
		return nil
	case MigrateAuto, MigrateCheck, "":
	default:
		return fmt.Errorf("unknown migrate mode %q", m)
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
	if m == MigrateCheck {
		var pending bool
		if pending, err = provider.HasPending(ctx); err == nil && pending {
			return ErrSchemaTooOld
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
