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
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/internal/engine"
)

// Options are the settings of a store. The zero value is sound.
type Options struct {
	MaxConns         int           // of the pool; 10 when zero
	MinConns         int           // kept open when idle; 0 when zero
	MaxConnLifetime  time.Duration // after which a connection is replaced; 30 minutes when zero
	StatementTimeout time.Duration // for all but imports, waiting for a connection included; 5 s when zero

	Contract   *document.Contract // what documents must fit; the embedded one when nil
	Migrate    store.MigrateMode  // store.MigrateAuto when empty
	MigrateDSN string             // where to migrate, if not at the DSN itself
}

// Store is a store.Store on PostgreSQL.
type Store struct{ store.Store }

type database struct {
	engine.Store
	pool *pool
}

// Open connects to a database and does to its tables what opts.Migrate says. Cipher must hold the keys that the
// database was begun with: store.ErrWrongKey.
func Open(ctx context.Context, dsn string, cipher document.Cipher, opts Options) (*Store, error) {
	opts = opts.withDefaults(dsn)
	config, err := poolConfig(dsn, opts)
	if err != nil {
		return nil, err
	}
	if err := Migrate(ctx, opts.MigrateDSN, opts.Migrate); err != nil {
		return nil, err
	}
	connections, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connecting to database: %w", err)
	}
	p := &pool{connections, opts.StatementTimeout}
	db := &database{engine.Store{Webhooks: p, Tokens: p, Cipher: cipher, Contract: opts.Contract, Migrate: opts.Migrate}, p}
	if err := db.Start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening database: %w", err), db.Close())
	}
	return &Store{db}, nil
}

// Close closes the connections.
func (db *database) Close() error {
	db.pool.connections.Close()
	return nil
}

// ListWebhooks reads one page.
func (db *database) ListWebhooks(ctx context.Context, q store.PageQuery) (store.Page, error) {
	page, err := db.NewPage(q)
	if err != nil {
		return store.Page{}, err
	}
	otherSide := false
	err = db.pool.bounded(ctx, func(ctx context.Context) error {
		rows, err := db.pool.connections.Query(ctx, page.Statement, q.OrganizationID, page.CreatedAt, page.ID, page.Limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var other int32
			var createdAt pgtype.Int8
			var id pgtype.Text
			var sealed pgtype.DriverBytes // of the row's lifetime
			if err := rows.Scan(&other, &createdAt, &id, &sealed); err != nil {
				return err
			}
			otherSide = other != 0
			if !id.Valid {
				continue
			}
			if err := page.Add(ctx, createdAt.Int64, id.String, sealed); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil {
		return store.Page{}, fmt.Errorf("reading webhooks of organization %q: %w", q.OrganizationID, err)
	}
	return page.Result(otherSide), nil
}

// DeleteWebhooks removes webhooks, all or none.
func (db *database) DeleteWebhooks(ctx context.Context, organizationID string, ids []string) error {
	missing := slices.Compact(slices.Sorted(slices.Values(ids)))
	storable := slices.DeleteFunc(slices.Clone(missing), func(id string) bool { return engine.CheckText("id", id) != nil })
	err := db.pool.bounded(ctx, func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, db.pool.connections, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, lockOrganization, organizationID); err != nil {
				return err
			}
			rows, err := tx.Query(ctx, `DELETE FROM webhooks WHERE organization_id = $1 AND id = ANY($2) RETURNING id`, organizationID, storable)
			if err != nil {
				return err
			}
			deleted, err := pgx.CollectRows(rows, pgx.RowTo[string])
			missing = slices.DeleteFunc(missing, func(id string) bool { return slices.Contains(deleted, id) })
			if err == nil && len(missing) > 0 {
				err = &store.MissingError{Kind: "webhook", IDs: missing}
			}
			return err
		})
	})
	if e := (*store.MissingError)(nil); err != nil && !errors.As(err, &e) {
		return fmt.Errorf("deleting webhooks of organization %q: %w", organizationID, err)
	}
	return err
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
