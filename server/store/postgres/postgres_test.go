package postgres_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/postgres"
	"github.com/packhooks/packhooks/server/store/postgres/postgrestest"
	"github.com/packhooks/packhooks/server/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Run(m)) }

func TestStore(t *testing.T) { storetest.Run(t, newHarness(direct)) }

// TestPartitionedStore spreads organizations over tables, as a distributed engine spreads them over machines.
func TestPartitionedStore(t *testing.T) {
	storetest.Run(t, newHarness(func(t testing.TB) (string, postgres.Options) {
		dsn := postgrestest.DSN(t)
		check(t, postgres.Migrate(context.Background(), dsn))
		execute(t, dsn, `
			ALTER TABLE webhooks RENAME TO whole;
			CREATE TABLE webhooks (LIKE whole INCLUDING CONSTRAINTS, PRIMARY KEY (organization_id, created_at, id),
				UNIQUE (organization_id, id)) PARTITION BY HASH (organization_id);
			DROP TABLE whole;
			CREATE TABLE webhooks_0 PARTITION OF webhooks FOR VALUES WITH (MODULUS 3, REMAINDER 0);
			CREATE TABLE webhooks_1 PARTITION OF webhooks FOR VALUES WITH (MODULUS 3, REMAINDER 1);
			CREATE TABLE webhooks_2 PARTITION OF webhooks FOR VALUES WITH (MODULUS 3, REMAINDER 2)`)
		return dsn, postgres.Options{}
	}))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func execute(t testing.TB, dsn, statements string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	check(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(context.Background(), statements)
	check(t, err)
}

func direct(t testing.TB) (string, postgres.Options) { return postgrestest.DSN(t), postgres.Options{} }

// newHarness opens stores on the databases that prepare makes.
func newHarness(prepare func(testing.TB) (string, postgres.Options)) storetest.Harness {
	type place struct {
		dsn  string
		opts postgres.Options
	}
	var places sync.Map // of the stores that are open
	openAt := func(t testing.TB, at place, cipher store.Cipher) (store.Store, error) {
		s, err := postgres.Open(context.Background(), at.dsn, cipher, at.opts)
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { _ = s.Close() })
		places.Store(s, at)
		return s, nil
	}
	return storetest.Harness{
		Open: func(t testing.TB, cipher store.Cipher) store.Store {
			dsn, opts := prepare(t)
			s, err := openAt(t, place{dsn, opts}, cipher)
			check(t, err)
			return s
		},
		Again: func(t testing.TB, s store.Store, cipher store.Cipher) (store.Store, error) {
			at, _ := places.Load(s)
			return openAt(t, at.(place), cipher)
		},
		CopySecret: func(t testing.TB, s store.Store, organization, from, to string) {
			at, _ := places.Load(s)
			execute(t, at.(place).dsn, fmt.Sprintf(`UPDATE webhooks SET secret =
				(SELECT secret FROM webhooks WHERE organization_id = '%[1]s' AND id = '%[2]s')
				WHERE organization_id = '%[1]s' AND id = '%[3]s'`, organization, from, to))
		},
	}
}
