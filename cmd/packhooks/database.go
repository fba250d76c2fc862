package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/keyset"
	"github.com/packhooks/packhooks/server/store/postgres"
	"github.com/packhooks/packhooks/server/store/sqlite"
)

// keysetVariable holds a keyset itself, for places that hand out secrets as variables. There is no flag for it, as
// flags can be seen by others.
const keysetVariable = "PACKHOOKS_KEYSET"

// database is where webhooks and tokens are kept.
type database struct {
	location
	Migrate store.MigrateMode `enum:"auto,check,off" default:"auto" help:"When tables or documents are of another version: bring them up to date or check them (auto), fail (check), or do not look (off)."`
	pool
}

// location names a database and what seals the signing secrets there.
type location struct {
	DB         string `name:"db" default:"packhooks.db" help:"SQLite file or postgres:// URL."`
	KeysetFile string `placeholder:"FILE" help:"Keyset that seals signing secrets. Default: beside an SQLite database. PACKHOOKS_KEYSET may hold the keyset itself."`
}

// pool is how PostgreSQL is used.
type pool struct {
	MigrateDB        string        `group:"PostgreSQL:" name:"migrate-db" placeholder:"URL" help:"Where to migrate, when --db leads to a pooler."`
	MaxConns         int           `group:"PostgreSQL:" default:"10" help:"Connections to open at most."`
	MinConns         int           `group:"PostgreSQL:" default:"0" help:"Connections to keep open."`
	MaxConnLifetime  time.Duration `group:"PostgreSQL:" default:"30m" help:"How long to use a connection."`
	StatementTimeout time.Duration `group:"PostgreSQL:" default:"5s" help:"How long a statement may take; not for imports."`
}

func (l *location) postgres() bool {
	_, ok := postgresURL(l.DB)
	return ok
}

// AfterApply is called by kong once the flags are there, but only while no struct that this one is embedded in has an
// AfterApply of its own. It refuses what would be the path of a file that is named by a password.
func (l *location) AfterApply() error {
	url, ok := postgresURL(l.DB)
	if ok {
		l.DB = url
	} else if strings.Contains(l.DB, "://") || keywords.MatchString(l.DB) {
		return errors.New("--db is neither the path of a file nor of the form postgres://user@host/database")
	}
	return nil
}

// AfterApply is that of location, for both databases, and checks the limits.
func (d *database) AfterApply() error {
	url, ok := postgresURL(d.MigrateDB)
	if d.MigrateDB != "" && !ok {
		return errors.New("--migrate-db is not of the form postgres://user@host/database")
	}
	if ok {
		d.MigrateDB = url
	}
	err := checkLimits(
		limit{"max-conns", "be at least 1", 1 <= d.MaxConns && d.MaxConns <= math.MaxInt32},
		limit{"min-conns", "be between 0 and --max-conns", 0 <= d.MinConns && d.MinConns <= d.MaxConns},
		limit{"max-conn-lifetime", "be above 0", d.MaxConnLifetime > 0},
		limit{"statement-timeout", "be above 0", d.StatementTimeout > 0},
	)
	if err != nil {
		return err
	}
	return d.location.AfterApply()
}

// keywords matches how libpq's other form of a DSN begins; a file of such a name can be given as ./name.
var keywords = regexp.MustCompile(`^\s*\w+\s*=`)

// postgresURL returns text with its scheme in lower case, in which alone pgx knows it.
func postgresURL(text string) (string, bool) {
	scheme, rest, ok := strings.Cut(text, "://")
	scheme = strings.ToLower(scheme)
	return scheme + "://" + rest, ok && (scheme == "postgres" || scheme == "postgresql")
}

// open opens the database; an SQLite file that is not there is made, with its keyset.
func (d *database) open(ctx context.Context) (store.Store, error) {
	cipher, err := d.keyset()
	if err != nil {
		return nil, err
	}
	db, err := d.openSealed(ctx, cipher)
	switch {
	case errors.Is(err, store.ErrWrongKey):
		return nil, hint(err, "database and keyset are a pair: restore both from the same backup, or name the right one by --keyset-file")
	case errors.Is(err, store.ErrSchemaTooOld):
		return nil, hint(err, "packhooks migrate brings it up to date")
	}
	return db, err
}

func (d *database) openSealed(ctx context.Context, cipher document.Cipher) (store.Store, error) {
	if d.postgres() {
		return postgres.Open(ctx, d.DB, cipher, postgres.Options{
			MaxConns: d.MaxConns, MinConns: d.MinConns, MaxConnLifetime: d.MaxConnLifetime, StatementTimeout: d.StatementTimeout,
			Migrate: d.Migrate, MigrateDSN: d.MigrateDB,
		})
	}
	return sqlite.Open(ctx, d.DB, cipher, sqlite.Options{Migrate: d.Migrate})
}

// checkDocuments makes sure that the stored webhooks fit the contract.
func (d *database) checkDocuments(ctx context.Context, db store.Store, progress func(webhooks int)) error {
	err := db.CheckDocuments(ctx, progress)
	switch misfits := (*store.MisfitError)(nil); {
	case errors.As(err, &misfits):
		return hint(err, "packhooks migrate --documents fills in defaults and drops what the contract no longer has; or import them again with --migrate off")
	case errors.Is(err, store.ErrOtherContract):
		return hint(err, "--migrate auto checks them against this program's contract")
	}
	return err
}

// use opens the database for as long as do takes.
func (d *database) use(ctx context.Context, do func(store.Store) error) error {
	db, err := d.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	return do(db)
}

// useExisting is use for commands that can do nothing with an empty database: a path that is misspelt should not
// make one.
func (d *database) useExisting(ctx context.Context, do func(store.Store) error) error {
	if !d.exists() {
		return d.notFound()
	}
	return d.use(ctx, do)
}

func (d *database) notFound() error {
	return hint(fmt.Errorf("no database at %s", d.DB), "name it by --db or PACKHOOKS_DB")
}

// loadContract returns the contract, and rejects organizations that no request could name.
func loadContract(organizations ...string) (*document.Contract, error) {
	contract, err := document.Embedded()
	for _, id := range organizations {
		if err == nil {
			err = contract.CheckOrganization(id)
		}
	}
	return contract, err
}

func (d *database) exists() bool {
	if d.postgres() {
		return true
	}
	_, err := os.Stat(d.DB)
	return !errors.Is(err, fs.ErrNotExist)
}

// keysetBeside is the path of an SQLite database's own keyset.
func (l *location) keysetBeside() string { return l.DB + ".keyset" }

// keyset finds the keyset. It makes one only beside an SQLite database that it is the first to open: for a database
// that has secrets already a new keyset would be the wrong one, and several servers must share theirs.
func (d *database) keyset() (*keyset.Keyset, error) {
	value, path := os.Getenv(keysetVariable), cmp.Or(d.KeysetFile, d.keysetBeside())
	switch {
	case d.KeysetFile != "":
	case value != "":
		return keyset.Parse([]byte(value))
	case d.postgres():
		return nil, hint(errors.New("PostgreSQL needs --keyset-file or "+keysetVariable), "packhooks keys init --keyset-file packhooks.keyset makes a keyset; every server needs the same one")
	case !d.exists():
		if k, err := keyset.Create(path); !errors.Is(err, fs.ErrExist) {
			return k, err
		}
	}
	k, err := keyset.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hint(err, "that of an existing database is in its backup; for a new one packhooks keys init makes one")
	}
	return k, err
}

// flag is how a line that is printed to be pasted names this database. A DSN may hold a password, so it is left to
// PACKHOOKS_DB.
func (d *database) flag() string {
	if d.postgres() {
		return ""
	}
	return " --db " + shellWord(d.DB)
}
