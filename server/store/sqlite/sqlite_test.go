package sqlite_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"sync"
	"testing"

	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/sqlite"
	"github.com/packhooks/packhooks/server/store/storetest"
)

func TestStore(t *testing.T) { storetest.Run(t, newHarness()) }

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
			check(t, err)
			return s
		},
		Again: func(t testing.TB, s store.Store, cipher store.Cipher) (store.Store, error) {
			path, _ := paths.Load(s)
			return openAt(t, path.(string), cipher)
		},
		CopySecret: func(t testing.TB, s store.Store, organization, from, to string) {
			path, _ := paths.Load(s)
			_, err := raw(t, path.(string)).Exec(`UPDATE webhooks SET secret =
				(SELECT secret FROM webhooks WHERE organization_id = ?1 AND id = ?2)
				WHERE organization_id = ?1 AND id = ?3`, organization, from, to)
			check(t, err)
		},
	}
}

// raw opens a database behind the store's back.
func raw(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	check(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}
