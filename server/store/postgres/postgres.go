// Package postgres stores webhooks and tokens in PostgreSQL, for any number of servers.
//
//	keys, err := keyset.Open("/etc/packhooks/keyset.json")
//	if err != nil {
//		return err
//	}
//	db, err := postgres.Open(ctx, "postgres://packhooks@db1,db2/packhooks?target_session_attrs=read-write", keys,
//		postgres.Options{})
//
// The DSN is that of libpq. The role needs the right to make temporary tables, and to make tables where it migrates.
//
// Behind PgBouncer in transaction mode, add default_query_exec_mode=exec to the DSN, give Options.MigrateDSN, as
// migrations take a lock that belongs to a session, and ALTER ROLE … SET enable_bitmapscan = off, which Open sets for
// its own sessions only.
package postgres

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/internal/engine"
)

// Options are the settings of a store. The zero value has usable defaults.
type Options struct {
	MaxConns         int           // of the pool; 10 when zero
	MinConns         int           // kept open when idle; 0 when zero
	MaxConnLifetime  time.Duration // after which a connection is replaced; 30 minutes when zero
	StatementTimeout time.Duration // for all but imports, waiting for a connection included; 5 s when zero

	Contract   *document.Contract // what documents must fit; the embedded one when nil
	Migrate    store.MigrateMode  // store.MigrateAuto when empty
	MigrateDSN string             // where to migrate, if not at the DSN itself
	MustExist  bool               // an empty database is an error; for callers with the keyset of an existing one

	AllowUnverifiedTLS bool // sslmode below verify-full, for hosts beyond loopback
}

// Store is a store.Store on PostgreSQL.
type Store struct {
	store.Store
	store.GrantLister
}

type database struct{ pool *pgxpool.Pool }

// Open connects to a database and does to its tables what opts.Migrate says. Cipher must hold the keys that the
// database was begun with: store.ErrWrongKey. State and tokens are begun together; one without the other is
// store.ErrIncomplete.
func Open(ctx context.Context, dsn string, cipher document.Cipher, opts Options) (*Store, error) {
	config, err := poolConfig(dsn, opts)
	if err != nil {
		return nil, err
	}
	if err := Migrate(ctx, cmp.Or(opts.MigrateDSN, dsn), opts); err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connecting to database: %w", err)
	}
	c := conn{runner: pool, pool: pool, timeout: cmp.Or(opts.StatementTimeout, 5*time.Second)}
	s := &engine.Store{
		Engine: database{pool}, Webhooks: c, Tokens: c, Cipher: cipher, Contract: opts.Contract, Migrate: opts.Migrate,
		MustExist: opts.MustExist, Parts: [2]string{"table store_state", "table token_state"}, ForShare: " FOR SHARE",
	}
	if err := s.Start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening database: %w", err), s.Close())
	}
	return &Store{s, s}, nil
}

func (db database) Status() store.Status {
	files, _ := migrations.ReadDir("migrations") // embedded
	s := db.pool.Stat()
	return store.Status{Engine: "postgresql", Schema: len(files), Pools: []store.Pool{{
		Name: "database", Max: int(s.MaxConns()), Open: int(s.TotalConns()), InUse: int(s.AcquiredConns()),
		Waits: s.EmptyAcquireCount(), WaitTime: s.EmptyAcquireWaitTime(),
	}}}
}

func (db database) Close() error {
	db.pool.Close()
	return nil
}

// stageTable creates the staging table, without a timeout while webhooks are read.
const stageTable = `
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
CREATE TEMP TABLE staged (created_at bigint NOT NULL, id text COLLATE "C" NOT NULL, document bytea NOT NULL) ON COMMIT DROP`

// endStaging tells the planner how many rows there are, as nothing else would. What followIndexes forbids is best for all
// of them.
const endStaging = `
ANALYZE staged;
SET LOCAL enable_seqscan = on;
SET LOCAL enable_sort = on`

// Connect begins the one transaction of an import, so that a pooler in transaction mode keeps the connection. It locks
// nothing that others use before the merge.
func (db database) Connect(ctx context.Context) (engine.Importer, error) {
	tx, err := db.pool.Begin(ctx)
	im := importer{conn{runner: tx, pool: db.pool, tx: tx}}
	if err == nil {
		if _, err = tx.Exec(ctx, stageTable, pgx.QueryExecModeSimpleProtocol); err != nil {
			im.Close()
		}
	}
	return im, im.failure(ctx, err)
}

type importer struct{ conn }

func (im importer) Close() { _ = im.tx.Rollback(context.Background()) }

// Stored looks rows up. A join would let the planner read the whole organization.
func (im importer) Stored(ctx context.Context, rows []engine.Row) error {
	created, ids := make([]int64, len(rows)), make([]string, len(rows))
	for i, r := range rows {
		created[i], ids[i] = r.CreatedAt, r.ID
	}
	i := -1
	return im.Query(ctx, `SELECT (SELECT document FROM webhooks WHERE organization_id = $1 AND created_at = b.created_at AND id = b.id)
		FROM unnest($2::bigint[], $3::text[]) WITH ORDINALITY AS b (created_at, id, i) ORDER BY i`,
		[]any{rows[0].OrganizationID, created, ids},
		func(scan engine.Scan) error {
			i++
			return scan(&rows[i].Sealed)
		})
}

// Stage copies rows.
func (im importer) Stage(ctx context.Context, rows []engine.Row) error {
	_, err := im.tx.CopyFrom(ctx, pgx.Identifier{"staged"}, []string{"created_at", "id", "document"},
		pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
			return []any{rows[i].CreatedAt, rows[i].ID, rows[i].Sealed}, nil
		}))
	return im.failure(ctx, err)
}

func (im importer) Staged(ctx context.Context) error {
	if _, err := im.tx.Exec(ctx, endStaging, pgx.QueryExecModeSimpleProtocol); err != nil {
		return im.failure(ctx, err)
	}
	return engine.DuplicateID(ctx, im)
}

//go:embed migrations
var migrations embed.FS

// Migrate does to the tables of a database what opts.Migrate says. It needs no keyset; its role needs the right to
// change tables.
func Migrate(ctx context.Context, dsn string, opts Options) error {
	mode := opts.Migrate
	if err := mode.Validate(); err != nil || mode == store.MigrateOff {
		return err
	}
	config, err := poolConfig(dsn, opts)
	if err != nil {
		return err
	}
	db := stdlib.OpenDB(*config.ConnConfig)
	defer db.Close()
	files, _ := fs.Sub(migrations, "migrations") // embedded
	locker, _ := lock.NewPostgresSessionLocker() // only an option could be wrong
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
		err = fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	if err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	return nil
}

// ErrUnverifiedTLS reports an sslmode below verify-full, libpq's default included: an attacker in the middle would get
// the password and all documents.
var ErrUnverifiedTLS = errors.New("the connection to PostgreSQL would not be verified: sslmode is below verify-full")

func checkTLS(config *pgconn.Config, allowed bool) error {
	ways := append([]*pgconn.FallbackConfig{{Host: config.Host, TLSConfig: config.TLSConfig}}, config.Fallbacks...)
	for _, way := range ways {
		network, _ := pgconn.NetworkAddress(way.Host, 0)
		local := network == "unix" || way.Host == "localhost" || net.ParseIP(way.Host).IsLoopback()
		if !allowed && !local && (way.TLSConfig == nil || way.TLSConfig.InsecureSkipVerify) {
			return fmt.Errorf("%w, host %q", ErrUnverifiedTLS, way.Host)
		}
	}
	return nil
}

// connectTimeout applies to each host unless the DSN has connect_timeout, to leave time for the next host.
const connectTimeout = 2 * time.Second

func poolConfig(dsn string, opts Options) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("reading DSN: %w", err) // pgx blanks the password
	}
	if err := checkTLS(&config.ConnConfig.Config, opts.AllowUnverifiedTLS); err != nil {
		return nil, err
	}
	config.MaxConns = int32(cmp.Or(opts.MaxConns, 10))
	config.MinConns = int32(opts.MinConns)
	config.MaxConnLifetime = cmp.Or(opts.MaxConnLifetime, 30*time.Minute)
	config.MaxConnLifetimeJitter = config.MaxConnLifetime / 10
	config.PingTimeout = time.Second
	config.HealthCheckPeriod = 5 * time.Second
	config.ConnConfig.ConnectTimeout = cmp.Or(config.ConnConfig.ConnectTimeout, connectTimeout)
	config.AfterConnect = followIndexes
	config.ConnConfig.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler { return &canceler{conn: conn} }
	return config, nil
}

// followIndexes makes the planner read pages in the order of the primary key, with a generic plan. By default it may
// fetch and sort a whole organization that its statistics take for small, and it replans for a large one because of the
// unknown limit. jit is off because the cost of disabled plan types would trigger it.
func followIndexes(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `
SET enable_bitmapscan = off;
SET enable_seqscan = off;
SET enable_sort = off;
SET jit = off;
SET plan_cache_mode = force_generic_plan`)
	return err
}
