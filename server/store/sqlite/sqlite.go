// Package sqlite stores webhooks and tokens in SQLite files, for use on one machine.
//
//	keys, err := keyset.Open("packhooks.db.keyset")
//	if err != nil {
//		return err
//	}
//	db, err := sqlite.Open(ctx, "packhooks.db", keys, sqlite.Options{})
//
// Several processes of one machine may have the same file open, such as a server and the command line. Network
// file systems are not supported.
package sqlite

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitemigration"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/internal/engine"
)

// TokensSuffix is appended to the path of the database for the path of its tokens.
//
// Tokens have a file of their own because SQLite has one writer a file, and the merge of a large import is one
// transaction of many seconds: a token must be revocable meanwhile. Nothing is ever written to both at once.
const TokensSuffix = ".tokens"

// Options are the settings of a store. The zero value has usable defaults.
type Options struct {
	Contract  *document.Contract // what documents must fit; the embedded one when nil
	Migrate   store.MigrateMode  // store.MigrateAuto when empty
	MustExist bool               // a missing database is an error; for callers with the keyset of an existing one
}

// Store is a store.Store on SQLite.
type Store struct {
	store.Store
	store.GrantLister
}

type database struct{ webhooks, tokens *pool }

func newDatabase(path string) database { return database{newPool(path), newPool(path + TokensSuffix)} }

// Open opens the database at path, and its tokens beside it, after doing to its tables what opts.Migrate says. It makes
// both files (mode 0600) or none: one that is missing, empty or of another database is store.ErrIncomplete. Cipher must
// hold the keys that the database was begun with: store.ErrWrongKey.
func Open(ctx context.Context, path string, cipher document.Cipher, opts Options) (*Store, error) {
	db := newDatabase(path)
	s := &engine.Store{
		Engine: db, Webhooks: db.webhooks, Tokens: db.tokens, Cipher: cipher, Contract: opts.Contract, Migrate: opts.Migrate,
		MustExist: opts.MustExist, Parts: [2]string{db.webhooks.name(), db.tokens.name()},
	}
	err := db.migrate(ctx, opts)
	if err == nil {
		err = s.Start(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), s.Close())
	}
	return &Store{s, s}, nil
}

func (db database) Status() store.Status {
	return store.Status{Engine: "sqlite", Schema: len(webhooksMigrations), Pools: []store.Pool{
		db.webhooks.status("webhooks"), db.tokens.status("tokens"),
	}}
}

func (db database) Close() error { return errors.Join(db.webhooks.close(), db.tokens.close()) }

// stageTable has no index, as ids come in no order, and no journal, as it goes with its connection. It is made outside of
// any transaction, which would keep the write-ahead log from being reused for as long as the webhooks take to come.
var stageTable = []string{
	"PRAGMA temp.journal_mode = OFF",
	"PRAGMA main.cache_size = -16384",
	"CREATE TEMP TABLE staged (created_at INTEGER NOT NULL, id TEXT NOT NULL, document BLOB NOT NULL) STRICT",
}

func (db database) Connect(ctx context.Context) (engine.Importer, error) {
	own, err := connect(db.webhooks.path)
	if err != nil {
		return nil, failure(ctx, err)
	}
	for _, statement := range stageTable {
		err = errors.Join(err, sqlitex.ExecuteTransient(own.Conn, statement, nil))
	}
	if err != nil {
		return nil, errors.Join(failure(ctx, err), own.Close())
	}
	return importer{own}, nil
}

type importer struct{ conn }

// Close goes over the write-ahead log, as readers would search it.
func (im importer) Close() {
	_ = sqlitex.ExecuteTransient(im.Conn, "PRAGMA wal_checkpoint(TRUNCATE)", nil)
	_ = im.conn.Close()
}

// Stored looks rows up.
func (im importer) Stored(ctx context.Context, rows []engine.Row) error {
	for i := range rows {
		err := im.Query(ctx, `SELECT document FROM webhooks WHERE organization_id = $1 AND created_at = $2 AND id = $3`,
			[]any{rows[i].OrganizationID, rows[i].CreatedAt, rows[i].ID}, func(scan engine.Scan) error { return scan(&rows[i].Sealed) })
		if err != nil {
			return err
		}
	}
	return nil
}

// Stage inserts rows, in one transaction for the sake of speed.
func (im importer) Stage(ctx context.Context, rows []engine.Row) error {
	_, err := im.Exec(ctx, "BEGIN")
	for i := 0; i < len(rows) && err == nil; i++ {
		_, err = im.Exec(ctx, `INSERT INTO staged (created_at, id, document) VALUES ($1, $2, $3)`,
			rows[i].CreatedAt, rows[i].ID, rows[i].Sealed)
	}
	if err == nil {
		_, err = im.Exec(ctx, "COMMIT")
	}
	return cmp.Or(err, ctx.Err())
}

// Staged makes the index that merging takes, before others are kept out.
func (im importer) Staged(ctx context.Context) error {
	_, err := im.Exec(ctx, "CREATE UNIQUE INDEX temp.staged_id ON staged (id)")
	if sqlite.ErrCode(err).ToPrimary() == sqlite.ResultConstraint {
		return engine.DuplicateID(ctx, im)
	}
	return err
}

var (
	//go:embed migrations/webhooks_1.sql
	webhooks1 string

	//go:embed migrations/tokens_1.sql
	tokens1 string
)

var webhooksMigrations = []string{webhooks1}

const appID = 0x7061636b // "pack", in the header of each file

// Migrate does to the tables of a database, and to the files if there are none, what opts.Migrate says. It needs no
// keyset.
func Migrate(ctx context.Context, path string, opts Options) error {
	db := newDatabase(path)
	return errors.Join(db.migrate(ctx, opts), db.Close())
}

func (db database) migrate(ctx context.Context, opts Options) error {
	mode := opts.Migrate
	if err := mode.Validate(); err != nil || mode == store.MigrateOff {
		return err
	}
	// Tokens first: whoever makes a database at this moment makes them last.
	if lonely := db.tokens.exists(); (lonely || opts.MustExist) && !db.webhooks.exists() {
		return fmt.Errorf("%w: %s is missing", store.ErrIncomplete, db.webhooks.name())
	}
	err := db.webhooks.migrate(ctx, webhooksMigrations, mode)
	if err == nil && !db.tokens.exists() {
		var claimed bool
		if claimed, err = engine.Claimed(ctx, db.webhooks); claimed {
			err = fmt.Errorf("%w: %s is missing", store.ErrIncomplete, db.tokens.name())
		}
	}
	if err == nil {
		err = db.tokens.migrate(ctx, []string{tokens1}, mode)
	}
	if err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	return nil
}

func (p *pool) name() string { return filepath.Base(p.path) }

func (p *pool) exists() bool {
	_, err := os.Stat(p.path)
	return !errors.Is(err, fs.ErrNotExist)
}

func (p *pool) migrate(ctx context.Context, migrations []string, mode store.MigrateMode) error {
	// SQLite would create it readable by all; what it puts beside it takes the mode of the file.
	f, err := os.OpenFile(p.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_ = f.Close()
	return p.use(ctx, func(c conn) error {
		// Check first: migrating takes the write lock, which the merge of an import may hold for long.
		var version, application int64
		err := errors.Join(
			c.Query(ctx, "PRAGMA user_version", nil, func(scan engine.Scan) error { return scan(&version) }),
			c.Query(ctx, "PRAGMA application_id", nil, func(scan engine.Scan) error { return scan(&application) }),
		)
		switch known := int64(len(migrations)); {
		case err != nil:
			return err
		case application == appID && version == known:
			return nil
		case application == appID && version > known:
			return fmt.Errorf("the tables are of a newer program (version %d, known is %d)", version, known)
		case mode == store.MigrateCheck:
			return store.ErrSchemaTooOld
		}
		defer c.wait(ctx)()
		return failure(ctx, sqlitemigration.Migrate(ctx, c.Conn, sqlitemigration.Schema{AppID: appID, Migrations: migrations}))
	})
}
