package sqlite

import (
	"context"
	"fmt"
	"iter"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/internal/engine"
)

// importer is the connection of one import.
type importer struct{ *sqlite.Conn }

// The caches hold an index on a million ids, as these come in no order.
const createStaged = `
PRAGMA main.cache_size = -65536;
PRAGMA temp.cache_size = -65536;
CREATE TEMP TABLE staged (
  created_at INTEGER NOT NULL,
  id TEXT NOT NULL UNIQUE,
  document BLOB NOT NULL,
  PRIMARY KEY (created_at, id)
) STRICT, WITHOUT ROWID`

// ImportWebhooks stages webhooks on a connection of its own and merges them in one transaction. There is none before the
// merge: it would keep the write-ahead log from being reused for as long as the webhooks take to come.
func (db *database) ImportWebhooks(ctx context.Context, organizationID string, webhooks iter.Seq2[document.Document, error], replace bool) (store.ImportResult, error) {
	if err := engine.CheckText("organization", organizationID); err != nil {
		return store.ImportResult{}, err
	}
	conn, err := db.webhooks.connect()
	if err != nil {
		return store.ImportResult{}, fmt.Errorf("importing webhooks: %w", failure(ctx, err))
	}
	defer conn.Close()
	// The log is left as long as the merge has made it, and readers would search it.
	defer sqlitex.ExecuteTransient(conn, "PRAGMA wal_checkpoint(TRUNCATE)", nil)
	if err := sqlitex.ExecuteScript(conn, createStaged, nil); err != nil {
		return store.ImportResult{}, fmt.Errorf("importing webhooks: %w", failure(ctx, err))
	}
	return db.Import(ctx, importer{conn}, organizationID, webhooks, replace)
}

// Exec runs one statement.
func (im importer) Exec(ctx context.Context, statement string, args ...any) (int64, error) {
	n, err := execute(im.Conn, statement, args)
	return n, failure(ctx, err)
}

// Query reads rows.
func (im importer) Query(ctx context.Context, statement string, args []any, row func(func(...any) error) error) error {
	return failure(ctx, query(im.Conn, statement, args, row))
}

// Stored looks the rows up.
func (im importer) Stored(ctx context.Context, rows []engine.Row) error {
	stmt, err := im.Prepare(`SELECT document FROM webhooks WHERE organization_id = ?1 AND created_at = ?2 AND id = ?3`)
	if err != nil {
		return failure(ctx, err)
	}
	for i := range rows {
		stmt.BindText(1, rows[i].OrganizationID)
		stmt.BindInt64(2, rows[i].CreatedAt)
		stmt.BindText(3, rows[i].ID)
		found, err := stmt.Step()
		if found {
			rows[i].Sealed = column(stmt, 0)
		}
		if err == nil {
			err = stmt.Reset()
		}
		if err != nil {
			return failure(ctx, err)
		}
	}
	return nil
}

// Stage inserts the rows.
func (im importer) Stage(ctx context.Context, rows []engine.Row) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	defer sqlitex.Save(im.Conn)(&err)
	stmt, err := im.Prepare(`INSERT INTO staged (created_at, id, document) VALUES (?1, ?2, ?3)`)
	if err != nil {
		return failure(ctx, err)
	}
	for _, r := range rows {
		stmt.BindInt64(1, r.CreatedAt)
		stmt.BindText(2, r.ID)
		stmt.BindBytes(3, r.Sealed)
		_, err := stmt.Step()
		if sqlite.ErrCode(err).ToPrimary() == sqlite.ResultConstraint {
			return fmt.Errorf("%w %q", store.ErrDuplicateID, r.ID)
		}
		if err == nil {
			err = stmt.Reset()
		}
		if err != nil {
			return failure(ctx, err)
		}
	}
	return nil
}

// Merge does all in one transaction.
func (im importer) Merge(ctx context.Context, _ string, all func() error) error {
	return transact(ctx, im.Conn, all)
}

// HoldState needs no lock: the transaction is the only one that writes.
func (im importer) HoldState() string { return engine.SelectState }
