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
// other users can see flags.
const keysetVariable = "PACKHOOKS_KEYSET"

// database holds webhooks and tokens.
type database struct {
	location
	Migrate store.MigrateMode `enum:"auto,check,off" default:"auto" help:"If the version of tables or documents differs: update or check them (auto), fail (check), or ignore it (off)."`
	pool

	create bool           // a new database for a keyset that exists
	keys   *keyset.Keyset // set by open
}

// location names a database and its keyset.
type location struct {
	DB         string `name:"db" default:"packhooks.db" help:"SQLite file or postgres:// URL."`
	KeysetFile string `placeholder:"FILE" help:"Keyset that encrypts webhooks. Default: next to the SQLite database. PACKHOOKS_KEYSET may hold the keyset itself."`
	AuditLog   string `placeholder:"FILE" help:"Log of the commands that change something; - is standard error. Default: next to the SQLite database."`
}

// pool has the settings for PostgreSQL.
type pool struct {
	MigrateDB        string        `group:"PostgreSQL:" name:"migrate-db" placeholder:"URL" help:"Direct URL for migrations, if --db is a connection pooler."`
	MaxConns         int           `group:"PostgreSQL:" default:"10" must:"be at least 1" help:"Maximum number of open connections."`
	MinConns         int           `group:"PostgreSQL:" default:"0" help:"Minimum number of open connections."`
	MaxConnLifetime  time.Duration `group:"PostgreSQL:" default:"30m" must:"be above 0" help:"Maximum lifetime of a connection."`
	StatementTimeout time.Duration `group:"PostgreSQL:" default:"5s" must:"be above 0" help:"Maximum duration of a statement, imports excepted."`

	AllowUnverifiedTLS bool `group:"PostgreSQL:" name:"allow-unverified-tls" help:"Allow sslmode below verify-full for hosts other than loopback."`
}

func (l *location) postgres() bool {
	_, ok := postgresURL(l.DB)
	return ok
}

// AfterApply is called by kong after parsing, unless an embedding struct has an AfterApply of its own. It rejects a
// malformed DSN, which would become a file with a password in its name.
func (l *location) AfterApply() error {
	if url, ok := postgresURL(l.DB); ok {
		l.DB = url
	} else if noPath.MatchString(l.DB) {
		return errors.New("--db must be a file path or postgres://user@host/database")
	}
	return nil
}

// AfterApply also checks what is for PostgreSQL.
func (d *database) AfterApply() error {
	if url, ok := postgresURL(d.MigrateDB); ok {
		d.MigrateDB = url
	} else if d.MigrateDB != "" {
		return errors.New("--migrate-db must be postgres://user@host/database")
	}
	if d.MaxConns > math.MaxInt32 {
		return fmt.Errorf("--max-conns must be at most %d", math.MaxInt32)
	}
	if d.MinConns < 0 || d.MinConns > d.MaxConns {
		return errors.New("--min-conns must be between 0 and --max-conns")
	}
	return d.location.AfterApply()
}

// noPath matches text that looks like a DSN, so may contain a password: libpq keywords, URLs, URLs that lack a slash,
// and user:password@host. A file of such a name can be given as ./name.
var noPath = regexp.MustCompile(`(?i)^\s*(\w+\s*=|postgres(ql)?[:/]|\w\w+:/|[^./][^/]*:[^/]*@)|://`)

// postgresURL returns text with its scheme in lower case, as pgx requires.
func postgresURL(text string) (string, bool) {
	scheme, rest, ok := strings.Cut(text, "://")
	scheme = strings.ToLower(scheme)
	return scheme + "://" + rest, ok && (scheme == "postgres" || scheme == "postgresql")
}

// remedies are the next steps after errors of a store.
var remedies = []struct {
	err  error
	hint string
}{
	{store.ErrIncomplete, "restore database, tokens and keyset from the same backup; packhooks init creates a new database for an existing keyset"},
	{postgres.ErrUnverifiedTLS, "add sslmode=verify-full, and sslrootcert=FILE for a private CA; or pass --allow-unverified-tls"},
	{store.ErrWrongKey, "restore database and keyset from the same backup, or choose the right keyset with --keyset-file"},
	{store.ErrSchemaTooOld, "packhooks migrate brings it up to date"},
	{store.ErrDamaged, "restore the database from a backup"},
}

func withRemedy(err error) error {
	for _, remedy := range remedies {
		if errors.Is(err, remedy.err) {
			return hint(err, "%s", remedy.hint)
		}
	}
	return err
}

// open opens the database. If no part of an SQLite database exists, it creates one with its keyset.
func (d *database) open(ctx context.Context) (store.Store, error) {
	db, err := d.openOrMake(ctx)
	return db, withRemedy(err)
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
	unlock, err := keyset.LockDir(filepath.Dir(d.DB)) // another process may be creating it
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", d.DB, err)
	}
	defer unlock()
	files := []string{d.DB, d.DB + sqlite.TokensSuffix}
	if exists(d.keysetBeside()) || slices.ContainsFunc(files, exists) {
		return d.openSealed(ctx, d.create)
	}
	if _, err := keyset.Create(d.keysetBeside()); err != nil {
		return nil, err
	}
	db, err := d.openSealed(ctx, true)
	if err != nil {
		_ = os.Remove(d.keysetBeside())
		for _, file := range files {
			_, _, _ = os.Remove(file), os.Remove(file+"-wal"), os.Remove(file+"-shm")
		}
	}
	return db, err
}

// openSealed creates a database only if create is set: with an existing keyset, a missing database may just not be
// mounted.
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

// checkDocuments validates the stored webhooks against the contract.
func (d *database) checkDocuments(ctx context.Context, db store.Store, progress func(webhooks int)) error {
	err := db.CheckDocuments(ctx, progress)
	switch misfits := (*store.MisfitError)(nil); {
	case errors.As(err, &misfits):
		return hint(err, "packhooks migrate --documents fills in defaults and drops removed properties; or import them again with --migrate off")
	case errors.Is(err, store.ErrOtherContract):
		return hint(err, "--migrate auto validates them against this program's contract")
	}
	return err
}

// use opens the database, calls do and closes it.
func (d *database) use(ctx context.Context, do func(store.Store) error) error {
	db, err := d.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	return withRemedy(do(db))
}

// useExisting is use for commands that need an existing database: a misspelt path should not create one.
func (d *database) useExisting(ctx context.Context, do func(store.Store) error) error {
	if !d.postgres() && !exists(d.DB) {
		return d.notFound()
	}
	return d.use(ctx, do)
}

func (d *database) notFound() error {
	return hint(fmt.Errorf("no database at %s", d.DB), "set --db or PACKHOOKS_DB")
}

// loadContract returns the contract, and rejects invalid organization ids.
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

// keysetBeside is the default path of an SQLite database's keyset.
func (l *location) keysetBeside() string { return l.DB + ".keyset" }

func (d *database) keyset() (*keyset.Keyset, error) {
	value, path := os.Getenv(keysetVariable), cmp.Or(d.KeysetFile, d.keysetBeside())
	switch {
	case d.KeysetFile != "":
	case value != "":
		return keyset.Parse([]byte(value))
	case d.postgres():
		return nil, hint(errors.New("PostgreSQL needs --keyset-file or "+keysetVariable), "packhooks keys init --keyset-file packhooks.keyset creates one; every server needs the same one")
	}
	k, err := keyset.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hint(err, "restore the keyset of an existing database from its backup; packhooks keys init creates one for a new database")
	}
	return k, err
}

// flag names this database in a printed command. A DSN may hold a password, so it is left to PACKHOOKS_DB.
func (d *database) flag() string {
	if d.postgres() {
		return ""
	}
	return " --db " + shellWord(d.DB)
}
