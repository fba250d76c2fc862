package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/sqlite"
	"github.com/packhooks/packhooks/server/store/storetest"
)

func TestStore(t *testing.T) {
	paths := make(chan map[store.Store]string, 1) // of the stores that are open
	paths <- map[store.Store]string{}
	openAt := func(t testing.TB, path string, cipher store.Cipher) (store.Store, error) {
		s, err := sqlite.Open(context.Background(), path, cipher)
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { _ = s.Close() })
		known := <-paths
		known[s] = path
		paths <- known
		return s, nil
	}
	pathOf := func(s store.Store) string {
		known := <-paths
		defer func() { paths <- known }()
		return known[s]
	}
	storetest.Run(t, storetest.Harness{
		Open: func(t testing.TB, cipher store.Cipher) store.Store {
			s, err := openAt(t, filepath.Join(t.TempDir(), "packhooks.db"), cipher)
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		Again: func(t testing.TB, s store.Store, cipher store.Cipher) (store.Store, error) {
			return openAt(t, pathOf(s), cipher)
		},
		CopySecret: func(t testing.TB, s store.Store, organization, from, to string) {
			_, err := s.(*sqlite.Store).DB.Exec(`UPDATE webhooks SET secret =
				(SELECT secret FROM webhooks WHERE organization_id = ?1 AND id = ?2)
				WHERE organization_id = ?1 AND id = ?3`, organization, from, to)
			if err != nil {
				t.Fatal(err)
			}
		},
	})
}
