package sqlite

import (
	"context"
	_ "embed"
	"fmt"
	"os"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitemigration"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/packhooks/packhooks/server/store"
)

var (
	//go:embed migrations/webhooks_1.sql
	webhooks1 string

	//go:embed migrations/tokens_1.sql
	tokens1 string
)

const appID = 0x7061636b // "pack", in the header of each file

// Migrate does to the tables of a database, and to the files if there are none, what the mode says. It needs no keyset.
func Migrate(ctx context.Context, path string, mode store.MigrateMode) error {
	switch mode {
	case store.MigrateOff:
		return nil
	case store.MigrateAuto, store.MigrateCheck, "":
	default:
		return fmt.Errorf("unknown migrate mode %q", mode)
	}
	for file, migrations := range map[string][]string{path: {webhooks1}, path + TokensSuffix: {tokens1}} {
		if err := migrate(ctx, file, migrations, mode); err != nil {
			return fmt.Errorf("migrating %s: %w", file, failure(ctx, err))
		}
	}
	return nil
}

func migrate(ctx context.Context, file string, migrations []string, mode store.MigrateMode) error {
	flags := os.O_RDWR
	if mode != store.MigrateCheck {
		flags |= os.O_CREATE
	}
	// SQLite would create it readable by all; what it puts beside it takes the mode of the file.
	f, err := os.OpenFile(file, flags, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	conn, err := newPool(file).connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	// Reading first: to migrate takes the lock of writers, which the merge of an import holds for long.
	version, application := 0, 0
	for pragma, to := range map[string]*int{"PRAGMA user_version": &version, "PRAGMA application_id": &application} {
		err := sqlitex.Execute(conn, pragma, &sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite.Stmt) error {
			*to = stmt.ColumnInt(0)
			return nil
		}})
		if err != nil {
			return err
		}
	}
	switch {
	case application == appID && version == len(migrations):
		return nil
	case application == appID && version > len(migrations):
		return fmt.Errorf("the tables are of a newer program (version %d, known is %d)", version, len(migrations))
	case mode == store.MigrateCheck:
		return store.ErrSchemaTooOld
	}
	conn.SetInterrupt(ctx.Done())
	conn.SetBlockOnBusy()
	return sqlitemigration.Migrate(ctx, conn, sqlitemigration.Schema{AppID: appID, Migrations: migrations})
}
