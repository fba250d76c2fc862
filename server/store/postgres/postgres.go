// Package postgres keeps webhooks and tokens in PostgreSQL: one truth for many servers.
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
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/internal/sqlstore"
)

//go:embed queries.sql
var queries string

var statements = sqlstore.Parse(queries)

// Options are the settings of a store. The zero value is sound.
type Options struct {
	MaxConns         int           // of the pool; 10 when zero
	MinConns         int           // kept open when idle; 0 when zero
	MaxConnLifetime  time.Duration // after which a connection is replaced; 30 minutes when zero
	StatementTimeout time.Duration // for all but imports, waiting for a connection included; 5 s when zero

	Migrate    MigrateMode // MigrateAuto when empty
	MigrateDSN string      // where to migrate, if not at the DSN itself
}

// Store is a store.Store on PostgreSQL.
type Store struct{ store.Store }

// Open connects to a database and does to its schema what opts.Migrate says. Cipher must hold the keys that the
// database was begun with: store.ErrWrongKey.
func Open(ctx context.Context, dsn string, cipher store.Cipher, opts Options) (*Store, error) {
	opts = opts.withDefaults(dsn)
	config, err := poolConfig(dsn, opts)
	if err != nil {
		return nil, err
	}
	if err := opts.Migrate.apply(ctx, opts.MigrateDSN); err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connecting to database: %w", err)
	}
	db := stdlib.OpenDBFromPool(pool)
	s := &sqlstore.Store{
		DB:      db,
		Tokens:  db,
		Cipher:  cipher,
		SQL:     statements,
		Timeout: opts.StatementTimeout,
		Transient: func(err error) bool {
			if lost(err) {
				pool.Reset() // the others lead to the same server
			}
			return transient(err)
		},
		Shut: func() error {
			err := db.Close()
			pool.Close()
			return err
		},
	}
	if err := s.Start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening database: %w", err), s.Close())
	}
	return &Store{s}, nil
}

// connectTimeout is for a host when the DSN has no connect_timeout: one that does not answer leaves time for the next.
const connectTimeout = 2 * time.Second

func (o Options) withDefaults(dsn string) Options {
	o.MaxConns = cmp.Or(o.MaxConns, 10)
	o.MaxConnLifetime = cmp.Or(o.MaxConnLifetime, 30*time.Minute)
	o.StatementTimeout = cmp.Or(o.StatementTimeout, 5*time.Second)
	o.MigrateDSN = cmp.Or(o.MigrateDSN, dsn)
	return o
}

func poolConfig(dsn string, opts Options) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("reading DSN: %w", err) // pgx blanks the password
	}
	config.MaxConns = int32(opts.MaxConns)
	config.MinConns = int32(opts.MinConns)
	config.MaxConnLifetime = opts.MaxConnLifetime
	config.MaxConnLifetimeJitter = opts.MaxConnLifetime / 10
	config.PingTimeout = time.Second
	config.HealthCheckPeriod = 5 * time.Second
	config.ConnConfig.ConnectTimeout = cmp.Or(config.ConnConfig.ConnectTimeout, connectTimeout)
	config.AfterConnect = followIndexes
	// Cancelling asks the server to stop, and drops the connection only when it does not.
	config.ConnConfig.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: time.Second}
	}
	return config, nil
}

// followIndexes leaves the planner one way to read a page, the primary key in its order, and lets it keep that plan. On
// its own it fetches and sorts a whole organization that it takes for small, as its statistics are old or it is not
// among the most common values; and it plans anew each time for a large one, as it knows no limit beforehand. What is
// off costs so much where nothing else is possible that it would be worth compiling, so jit is off too.
func followIndexes(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `
SET enable_bitmapscan = off;
SET enable_seqscan = off;
SET enable_sort = off;
SET jit = off;
SET plan_cache_mode = force_generic_plan`)
	return err
}
