// Package sqlite keeps webhooks and tokens in SQLite files: enough for one machine.
//
//	keys, err := keyset.Open("packhooks.db.keyset")
//	if err != nil {
//		return err
//	}
//	db, err := sqlite.Open(ctx, "packhooks.db", keys, sqlite.Options{})
//
// Several processes of one machine may have the same file open, such as a server and the command line. A network
// file system will not do.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/internal/engine"
)

// TokensSuffix makes the path of the tokens' file from that of the database.
//
// Tokens have a file of their own because SQLite has one writer a file, and the merge of a large import is one
// transaction of many seconds: a token must be revocable meanwhile. Nothing is ever written to both at once.
const TokensSuffix = ".tokens"

// Options are the settings of a store. The zero value is sound.
type Options struct {
	Contract *document.Contract // what documents must fit; the embedded one when nil
	Migrate  store.MigrateMode  // store.MigrateAuto when empty
}

// Store is a store.Store on SQLite.
type Store struct{ store.Store }

type database struct {
	engine.Store
	webhooks, tokens *pool
}

// Open opens the database at path, and its tokens beside it, after creating what is not there (mode 0600) and doing to
// its tables what opts.Migrate says. Cipher must hold the keys that the database was begun with: store.ErrWrongKey.
func Open(ctx context.Context, path string, cipher document.Cipher, opts Options) (*Store, error) {
	db := &database{webhooks: newPool(path), tokens: newPool(path + TokensSuffix)}
	db.Store = engine.Store{Webhooks: db.webhooks, Tokens: db.tokens, Cipher: cipher, Contract: opts.Contract, Migrate: opts.Migrate}
	err := Migrate(ctx, path, opts.Migrate)
	if err == nil {
		err = db.Start(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), db.Close())
	}
	return &Store{db}, nil
}

// Close closes the files.
func (db *database) Close() error { return errors.Join(db.webhooks.close(), db.tokens.close()) }

// ListWebhooks reads one page.
func (db *database) ListWebhooks(ctx context.Context, q store.PageQuery) (store.Page, error) {
	page, err := db.NewPage(q)
	if err != nil {
		return store.Page{}, err
	}
	otherSide := false
	err = db.webhooks.read(ctx, func(conn *sqlite.Conn) error {
		stmt, err := conn.Prepare(page.Statement)
		if err != nil {
			return err
		}
		defer stmt.Reset()
		stmt.BindText(1, q.OrganizationID)
		stmt.BindInt64(2, page.CreatedAt)
		stmt.BindText(3, page.ID)
		stmt.BindInt64(4, int64(page.Limit))
		var sealed []byte
		for {
			if row, err := stmt.Step(); err != nil || !row {
				return err
			}
			otherSide = stmt.ColumnInt64(0) != 0
			if stmt.ColumnIsNull(3) {
				continue
			}
			sealed = slices.Grow(sealed[:0], stmt.ColumnLen(3))[:stmt.ColumnLen(3)]
			stmt.ColumnBytes(3, sealed)
			if err := page.Add(ctx, stmt.ColumnInt64(1), stmt.ColumnText(2), sealed); err != nil {
				return err
			}
		}
	})
	if err != nil {
		return store.Page{}, fmt.Errorf("reading webhooks of organization %q: %w", q.OrganizationID, err)
	}
	return page.Result(otherSide), nil
}

// DeleteWebhooks removes webhooks, all or none.
func (db *database) DeleteWebhooks(ctx context.Context, organizationID string, ids []string) error {
	missing := &store.MissingError{Kind: "webhook"}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	err := db.webhooks.write(ctx, func(conn *sqlite.Conn) error {
		for _, id := range ids {
			err := sqlitex.Execute(conn, `DELETE FROM webhooks WHERE organization_id = $1 AND id = $2`,
				&sqlitex.ExecOptions{Args: []any{organizationID, id}})
			if err != nil {
				return err
			}
			if conn.Changes() == 0 {
				missing.IDs = append(missing.IDs, id)
			}
		}
		if len(missing.IDs) > 0 {
			return missing
		}
		return nil
	})
	if err != nil && len(missing.IDs) == 0 {
		return fmt.Errorf("deleting webhooks of organization %q: %w", organizationID, err)
	}
	return err
}
