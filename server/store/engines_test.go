package store_test

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	native "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/postgres"
	"github.com/packhooks/packhooks/server/store/postgres/postgrestest"
	"github.com/packhooks/packhooks/server/store/sqlite"
)

func TestMain(m *testing.M) {
	if !postgrestest.Available() && os.Getenv(postgrestest.RequireVariable) == "" {
		fmt.Println("PostgreSQL is not installed: its tests did not run")
		os.Exit(m.Run())
	}
	os.Exit(postgrestest.Run(m))
}

func TestSQLite(t *testing.T) {
	var paths sync.Map // of the stores that are open
	openAt := func(t testing.TB, path string, cipher document.Cipher, opts sqlite.Options) (store.Store, error) {
		s, err := sqlite.Open(context.Background(), path, cipher, opts)
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { _ = s.Close() })
		paths.Store(s, path)
		return s, nil
	}
	run(t, harness{
		open: func(t testing.TB, cipher document.Cipher) store.Store {
			s, err := openAt(t, filepath.Join(t.TempDir(), "packhooks.db"), cipher, sqlite.Options{})
			check(t, err)
			return s
		},
		again: func(t testing.TB, s store.Store, cipher document.Cipher, contract *document.Contract, mode store.MigrateMode) (store.Store, error) {
			path, _ := paths.Load(s)
			return openAt(t, path.(string), cipher, sqlite.Options{Contract: contract, Migrate: mode})
		},
		raw: func(t testing.TB, s store.Store, statement string) {
			path, _ := paths.Load(s)
			executeFile(t, path.(string), statement)
		},
		rawTokens: func(t testing.TB, s store.Store, statement string) {
			path, _ := paths.Load(s)
			executeFile(t, path.(string)+sqlite.TokensSuffix, statement)
		},
	})
}

func executeFile(t testing.TB, path, statement string) {
	t.Helper()
	conn, err := native.OpenConn(path, native.OpenReadWrite)
	check(t, err)
	conn.SetBusyTimeout(10 * time.Second)
	check(t, sqlitex.ExecuteTransient(conn, statement, nil))
	check(t, conn.Close())
}

// onPostgres runs the suite on the databases that prepare makes.
func onPostgres(t *testing.T, prepare func(testing.TB) (string, postgres.Options), wrap func(*testing.T, harness) harness) {
	if !postgrestest.Available() {
		t.Log("PostgreSQL is not installed")
		return
	}
	type place struct {
		dsn  string
		opts postgres.Options
	}
	var places sync.Map // of the stores that are open
	openAt := func(t testing.TB, at place, cipher document.Cipher) (store.Store, error) {
		s, err := postgres.Open(context.Background(), at.dsn, cipher, at.opts)
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { _ = s.Close() })
		places.Store(s, at)
		return s, nil
	}
	h := harness{
		open: func(t testing.TB, cipher document.Cipher) store.Store {
			dsn, opts := prepare(t)
			s, err := openAt(t, place{dsn, opts}, cipher)
			check(t, err)
			return s
		},
		again: func(t testing.TB, s store.Store, cipher document.Cipher, contract *document.Contract, mode store.MigrateMode) (store.Store, error) {
			loaded, _ := places.Load(s)
			at := loaded.(place)
			at.opts.Contract, at.opts.Migrate = contract, mode
			return openAt(t, at, cipher)
		},
		raw: func(t testing.TB, s store.Store, statement string) {
			at, _ := places.Load(s)
			execute(t, at.(place).dsn, statement)
		},
	}
	h.rawTokens = h.raw
	if wrap != nil {
		h = wrap(t, h)
	}
	run(t, h)
}

func execute(t testing.TB, dsn, statements string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	check(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(context.Background(), statements, pgx.QueryExecModeSimpleProtocol)
	check(t, err)
}

func direct(t testing.TB) (string, postgres.Options) { return postgrestest.DSN(t), postgres.Options{} }

func TestPostgres(t *testing.T) { onPostgres(t, direct, nil) }

// TestPartitionedPostgres spreads organizations over tables, as a distributed engine spreads them over machines.
func TestPartitionedPostgres(t *testing.T) {
	onPostgres(t, func(t testing.TB) (string, postgres.Options) {
		dsn := postgrestest.DSN(t)
		check(t, postgres.Migrate(context.Background(), dsn, postgres.Options{}))
		execute(t, dsn, `
			ALTER TABLE webhooks RENAME TO whole;
			CREATE TABLE webhooks (LIKE whole INCLUDING CONSTRAINTS, PRIMARY KEY (organization_id, created_at, id),
				UNIQUE (organization_id, id)) PARTITION BY HASH (organization_id);
			DROP TABLE whole;
			CREATE TABLE webhooks_0 PARTITION OF webhooks FOR VALUES WITH (MODULUS 3, REMAINDER 0);
			CREATE TABLE webhooks_1 PARTITION OF webhooks FOR VALUES WITH (MODULUS 3, REMAINDER 1);
			CREATE TABLE webhooks_2 PARTITION OF webhooks FOR VALUES WITH (MODULUS 3, REMAINDER 2)`)
		return dsn, postgres.Options{}
	}, nil)
}

// TestPooledPostgres goes through PgBouncer in transaction mode.
func TestPooledPostgres(t *testing.T) {
	if prepare := pooled(t); prepare != nil {
		onPostgres(t, prepare, nil)
	}
}

// pooled makes databases behind one PgBouncer. It returns nil where that is not installed.
func pooled(t *testing.T) func(testing.TB) (string, postgres.Options) {
	bouncer := findBouncer(t)
	if bouncer == "" || !postgrestest.Available() {
		t.Log("PostgreSQL or PgBouncer is not installed")
		return nil
	}
	pooler := pool(t, bouncer, postgrestest.DSN(t))
	return func(t testing.TB) (string, postgres.Options) {
		dsn := postgrestest.DSN(t)
		through, err := url.Parse(dsn)
		check(t, err)
		through.Host = pooler
		return through.String() + "&default_query_exec_mode=exec", postgres.Options{MigrateDSN: dsn}
	}
}

// TestCancellationsEndNoPooler: PgBouncer 1.18 exits when a client abandons the request to cancel a statement.
func TestCancellationsEndNoPooler(t *testing.T) {
	prepare := pooled(t)
	if prepare == nil {
		return
	}
	dsn, opts := prepare(t)
	s, err := postgres.Open(t.Context(), dsn, newKeys(t), opts)
	check(t, err)
	defer s.Close()
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for i := range 500 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%20)*50*time.Microsecond)
				_, _ = s.ListWebhooks(ctx, store.PageQuery{OrganizationID: "acme", Limit: 1})
				cancel()
			}
		})
	}
	readers.Wait()
	_, err = s.ListWebhooks(t.Context(), store.PageQuery{OrganizationID: "acme", Limit: 1})
	check(t, err)
}

// replicas is one database through several stores, each call through the next one.
type replicas struct {
	store.Store // the first; it does what is not below
	all         []store.Store
	calls       atomic.Uint32
}

func (r *replicas) next() store.Store { return r.all[int(r.calls.Add(1))%len(r.all)] }

func (r *replicas) ListWebhooks(ctx context.Context, q store.PageQuery) (store.Page, error) {
	return r.next().ListWebhooks(ctx, q)
}

func (r *replicas) Authenticate(ctx context.Context, token string) (store.Grant, error) {
	return r.next().Authenticate(ctx, token)
}

func (r *replicas) ListGranted(ctx context.Context, g store.Grant, q store.PageQuery) (store.Page, error) {
	return r.next().(store.GrantLister).ListGranted(ctx, g, q)
}

func (r *replicas) ImportWebhooks(ctx context.Context, organization string, rows iter.Seq2[document.Document, error], opts store.ImportOptions) (store.ImportResult, error) {
	return r.next().ImportWebhooks(ctx, organization, rows, opts)
}

func (r *replicas) DeleteWebhooks(ctx context.Context, organization string, ids []string) error {
	return r.next().DeleteWebhooks(ctx, organization, ids)
}

func (r *replicas) RevokeToken(ctx context.Context, id string) error {
	return r.next().RevokeToken(ctx, id)
}

func TestReplicatedPostgres(t *testing.T) {
	const count = 8
	onPostgres(t, direct, func(_ *testing.T, h harness) harness {
		raw := func(t testing.TB, s store.Store, statement string) { h.raw(t, s.(*replicas).Store, statement) }
		return harness{
			open: func(t testing.TB, cipher document.Cipher) store.Store {
				r := &replicas{Store: h.open(t, cipher)}
				for r.all = []store.Store{r.Store}; len(r.all) < count; {
					s, err := h.again(t, r.Store, cipher, nil, "")
					check(t, err)
					r.all = append(r.all, s)
				}
				return r
			},
			again: func(t testing.TB, s store.Store, cipher document.Cipher, contract *document.Contract, mode store.MigrateMode) (store.Store, error) {
				return h.again(t, s.(*replicas).Store, cipher, contract, mode)
			},
			raw: raw, rawTokens: raw,
		}
	})
}
