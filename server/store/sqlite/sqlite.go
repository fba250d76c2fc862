// Package sqlite keeps webhooks and tokens in SQLite files: enough for one machine.
//
//	keys, err := keyset.Open("packhooks.db.keyset")
//	if err != nil {
//		return err
//	}
//	db, err := sqlite.Open(ctx, "packhooks.db", keys)
//
// Several processes of one machine may have the same file open, such as a server and the command line. A network
// file system will not do.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/internal/sqlstore"
)

// TokensSuffix makes the path of the tokens' file from that of the database.
//
// Tokens have a file of their own because SQLite has one writer a file, and the merge of a large import is one
// transaction of many seconds: a token must be revocable meanwhile. Nothing is ever written to both at once.
const TokensSuffix = ".tokens"

//go:embed migrations
var migrations embed.FS

//go:embed queries.sql
var queries string

var statements = sqlstore.Parse(queries)

// Store is a store.Store on SQLite.
type Store struct{ store.Store }

// Open opens the database at path, and its tokens beside it, after creating what is not there (mode 0600) and
// bringing the schema up to date. Cipher must hold the keys that the database was begun with: store.ErrWrongKey.
func Open(ctx context.Context, path string, cipher store.Cipher) (*Store, error) {
	webhooks, err := open(ctx, path, "migrations/webhooks")
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	tokens, err := open(ctx, path+TokensSuffix, "migrations/tokens")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path+TokensSuffix, err), webhooks.Close())
	}
	s := &sqlstore.Store{
		DB:        webhooks,
		Tokens:    tokens,
		Cipher:    cipher,
		SQL:       statements,
		Transient: transient,
		Busy:      func(err error) bool { return code(err) == sqlite3.SQLITE_BUSY },
		Shut:      func() error { return errors.Join(webhooks.Close(), tokens.Close()) },
	}
	if err := s.Start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), s.Close())
	}
	return &Store{s}, nil
}

func open(ctx context.Context, path, dir string) (*sql.DB, error) {
	// SQLite would create it readable by all; what it puts beside it takes the mode of the file.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(max(4, 2*runtime.NumCPU()))
	db.SetMaxIdleConns(max(4, 2*runtime.NumCPU()))
	if err := migrate(ctx, db, dir); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func dsn(path string) string {
	settings := url.Values{
		"_txlock": {"immediate"},
		"_pragma": {
			"busy_timeout(250)", // a wait that nothing interrupts
			"journal_mode(WAL)",
			"foreign_keys(1)",
			"journal_size_limit(67108864)", // what an import leaves behind
		},
	}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: settings.Encode()}).String()
}

// migrate brings the schema up to date. When several processes find the same migration to be done, all but one fail
// and then find it done: goose has no lock for SQLite.
func migrate(ctx context.Context, db *sql.DB, dir string) error {
	files, err := fs.Sub(migrations, dir)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return err
	}
	for range 20 {
		if _, err = provider.Up(ctx); err == nil || ctx.Err() != nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	return nil
}

// transient tells what another process or a full disk causes from what is wrong with the file or with us.
func transient(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN,
		sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL:
		return true
	}
	return false
}

// code is the result code of an error of SQLite, without its details.
func code(err error) int {
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return sqlite3.SQLITE_OK
}
