package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

	create bool           // a new database for a keyset that exists
	keys   *keyset.Keyset // set by open
}

// location names a database and what seals the signing secrets there.
type location struct {
	DB         string `name:"db" default:"packhooks.db" help:"SQLite file or postgres:// URL."`
	KeysetFile string `placeholder:"FILE" help:"Keyset that seals signing secrets. Default: beside an SQLite database. PACKHOOKS_KEYSET may hold the keyset itself."`
	AuditLog   string `placeholder:"FILE" help:"Where commands that change something are recorded; - is standard error. Default: beside an SQLite database."`
}

// pool is how PostgreSQL is used.
type pool struct {
	MigrateDB        string        `group:"PostgreSQL:" name:"migrate-db" placeholder:"URL" help:"Where to migrate, when --db leads to a pooler."`
	MaxConns         int           `group:"PostgreSQL:" default:"10" help:"Connections to open at most."`
	MinConns         int           `group:"PostgreSQL:" default:"0" help:"Connections to keep open."`
	MaxConnLifetime  time.Duration `group:"PostgreSQL:" default:"30m" help:"How long to use a connection."`
	StatementTimeout time.Duration `group:"PostgreSQL:" default:"5s" help:"How long a statement may take; not for imports."`

	AllowUnverifiedTLS bool `group:"PostgreSQL:" name:"allow-unverified-tls" help:"Talk to hosts beyond loopback that are not verified: sslmode below verify-full."`
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
	} else if noPath.MatchString(l.DB) {
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

// noPath matches what is meant for a DSN, well formed or not, and so may hold a password: keywords of libpq, URLs,
// URLs with a slash too few, and user:password@host. A file of such a name can be given as ./name.
var noPath = regexp.MustCompile(`(?i)^\s*(\w+\s*=|postgres(ql)?[:/]|\w\w+:/|[^./][^/]*:[^/]*@)|://`)

// postgresURL returns text with its scheme in lower case, in which alone pgx knows it.
func postgresURL(text string) (string, bool) {
	scheme, rest, ok := strings.Cut(text, "://")
	scheme = strings.ToLower(scheme)
	return scheme + "://" + rest, ok && (scheme == "postgres" || scheme == "postgresql")
}

// open opens the database. An SQLite database of which nothing is there is made, with its keyset.
func (d *database) open(ctx context.Context) (store.Store, error) {
	db, err := d.openOrMake(ctx)
	switch {
	case errors.Is(err, store.ErrIncomplete):
		return nil, hint(err, "database, tokens and keyset are one: restore what is missing from the same backup; packhooks init begins a new database for a keyset that exists")
	case errors.Is(err, postgres.ErrUnverifiedTLS):
		return nil, hint(err, "add sslmode=verify-full, and sslrootcert=FILE for an authority of your own; --allow-unverified-tls does without")
	case errors.Is(err, store.ErrWrongKey):
		return nil, hint(err, "database and keyset are a pair: restore both from the same backup, or name the right one by --keyset-file")
	case errors.Is(err, store.ErrSchemaTooOld):
		return nil, hint(err, "packhooks migrate brings it up to date")
	}
	return db, explainDamage(err)
}

func (d *database) openOrMake(ctx context.Context) (store.Store, error) {
	if d.postgres() || d.KeysetFile != "" || os.Getenv(keysetVariable) != "" {
		return d.openSealed(ctx, d.create)
	}
	if exists(d.DB) && exists(d.keysetBeside()) {
		if db, err := d.openSealed(ctx, false); !errors.Is(err, store.ErrIncomplete) {
			return db, err
		}
	}
	unlock, err := keyset.LockDir(filepath.Dir(d.DB)) // another process may be making it
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", d.DB, err)
	}
	defer unlock()
	if parts := []string{d.DB, d.DB + sqlite.TokensSuffix, d.keysetBeside()}; slices.ContainsFunc(parts, exists) {
		return d.openSealed(ctx, d.create)
	}
	if _, err := keyset.Create(d.keysetBeside()); err != nil {
		return nil, err
	}
	db, err := d.openSealed(ctx, true)
	if err != nil {
		_ = os.Remove(d.keysetBeside())
		for _, file := range []string{d.DB, d.DB + sqlite.TokensSuffix} {
			_, _, _ = os.Remove(file), os.Remove(file+"-wal"), os.Remove(file+"-shm")
		}
	}
	return db, err
}

// openSealed begins an empty database only where create says so: beside a keyset that is in use it would stand for the
// one that is not mounted.
func (d *database) openSealed(ctx context.Context, create bool) (_ store.Store, err error) {
	if d.keys, err = d.keyset(); err != nil {
		return nil, err
	}
	if d.postgres() {
		opts := d.postgresOptions()
		opts.MustExist = !create
		return postgres.Open(ctx, d.DB, d.keys, opts)
	}
	return sqlite.Open(ctx, d.DB, d.keys, sqlite.Options{Migrate: d.Migrate, MustExist: !create})
}

func (d *database) postgresOptions() postgres.Options {
	return postgres.Options{
		MaxConns: d.MaxConns, MinConns: d.MinConns, MaxConnLifetime: d.MaxConnLifetime, StatementTimeout: d.StatementTimeout,
		Migrate: d.Migrate, MigrateDSN: d.MigrateDB, AllowUnverifiedTLS: d.AllowUnverifiedTLS,
	}
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
	return explainDamage(do(db))
}

func explainDamage(err error) error {
	if errors.Is(err, store.ErrDamaged) {
		return hint(err, "restore the database from a backup")
	}
	return err
}

// useExisting is use for commands that can do nothing with an empty database: a path that is misspelt should not
// make one.
func (d *database) useExisting(ctx context.Context, do func(store.Store) error) error {
	if !d.postgres() && !exists(d.DB) {
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

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// keysetBeside is the path of an SQLite database's own keyset.
func (l *location) keysetBeside() string { return l.DB + ".keyset" }

// keyset finds the keyset.
func (d *database) keyset() (*keyset.Keyset, error) {
	value, path := os.Getenv(keysetVariable), cmp.Or(d.KeysetFile, d.keysetBeside())
	switch {
	case d.KeysetFile != "":
	case value != "":
		return keyset.Parse([]byte(value))
	case d.postgres():
		return nil, hint(errors.New("PostgreSQL needs --keyset-file or "+keysetVariable), "packhooks keys init --keyset-file packhooks.keyset makes a keyset; every server needs the same one")
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
