package postgres_test

import (
	"context"
	"os"
	"sync"
	"testing"

	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/postgres"
	"github.com/packhooks/packhooks/server/store/postgres/postgrestest"
	"github.com/packhooks/packhooks/server/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Run(m)) }

func TestStore(t *testing.T) { storetest.Run(t, newHarness(postgrestest.DSN)) }

// go test -run '^$' -bench . -benchtime 1x -timeout 30m ./server/store/postgres
func BenchmarkGrowth(b *testing.B) { storetest.BenchmarkGrowth(b, newHarness(postgrestest.DSN)) }
func BenchmarkImport(b *testing.B) { storetest.BenchmarkImport(b, newHarness(postgrestest.DSN)) }

// newHarness opens stores on the databases that dsn makes.
func newHarness(dsn func(testing.TB) string) storetest.Harness {
	var dsns sync.Map // of the stores that are open
	openAt := func(t testing.TB, dsn string, cipher store.Cipher) (store.Store, error) {
		s, err := postgres.Open(context.Background(), dsn, cipher, postgres.Options{})
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { _ = s.Close() })
		dsns.Store(s, dsn)
		return s, nil
	}
	return storetest.Harness{
		Open: func(t testing.TB, cipher store.Cipher) store.Store {
			s, err := openAt(t, dsn(t), cipher)
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		Again: func(t testing.TB, s store.Store, cipher store.Cipher) (store.Store, error) {
			dsn, _ := dsns.Load(s)
			return openAt(t, dsn.(string), cipher)
		},
		CopySecret: func(t testing.TB, s store.Store, organization, from, to string) {
			_, err := s.(*postgres.Store).DB.Exec(`UPDATE webhooks SET secret =
				(SELECT secret FROM webhooks WHERE organization_id = $1 AND id = $2)
				WHERE organization_id = $1 AND id = $3`, organization, from, to)
			if err != nil {
				t.Fatal(err)
			}
		},
	}
}
