package sqlite_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/sqlite"
	"github.com/packhooks/packhooks/server/store/storetest"
)

func TestStore(t *testing.T) { storetest.Run(t, newHarness()) }

// go test -run '^$' -bench . -benchtime 1x -timeout 30m ./server/store/sqlite
func BenchmarkGrowth(b *testing.B) { storetest.BenchmarkGrowth(b, newHarness()) }
func BenchmarkImport(b *testing.B) { storetest.BenchmarkImport(b, newHarness()) }

func newHarness() storetest.Harness {
	var paths sync.Map // of the stores that are open
	openAt := func(t testing.TB, path string, cipher store.Cipher) (store.Store, error) {
		s, err := sqlite.Open(context.Background(), path, cipher)
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { _ = s.Close() })
		paths.Store(s, path)
		return s, nil
	}
	return storetest.Harness{
		Open: func(t testing.TB, cipher store.Cipher) store.Store {
			s, err := openAt(t, filepath.Join(t.TempDir(), "packhooks.db"), cipher)
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		Again: func(t testing.TB, s store.Store, cipher store.Cipher) (store.Store, error) {
			path, _ := paths.Load(s)
			return openAt(t, path.(string), cipher)
		},
		CopySecret: func(t testing.TB, s store.Store, organization, from, to string) {
			_, err := s.(*sqlite.Store).DB.Exec(`UPDATE webhooks SET secret =
				(SELECT secret FROM webhooks WHERE organization_id = ?1 AND id = ?2)
				WHERE organization_id = ?1 AND id = ?3`, organization, from, to)
			if err != nil {
				t.Fatal(err)
			}
		},
	}
}
