package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	native "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/packhooks/packhooks/gen/serverapi"
	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/keyset"
	"github.com/packhooks/packhooks/server/store/sqlite"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newKeys(t testing.TB) *keyset.Keyset {
	t.Helper()
	keys, err := keyset.Create(filepath.Join(t.TempDir(), "keyset"))
	check(t, err)
	return keys
}

func openAt(t testing.TB, path string, cipher document.Cipher) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), path, cipher, sqlite.Options{})
	check(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// raw opens a database behind the store's back.
func raw(t testing.TB, path string) *native.Conn {
	t.Helper()
	conn, err := native.OpenConn(path, native.OpenReadWrite)
	check(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

const endpoint = "https://myapp.packcloud.local/key-8123"

func load(t testing.TB, s store.Store, secret string) {
	t.Helper()
	_, err := s.ImportWebhooks(t.Context(), "acme", func(yield func(document.Document, error) bool) {
		yield(document.New(serverapi.Webhook{ID: "wh_1", Endpoint: endpoint, Secret: secret, CreatedAt: time.Now(), UpdatedAt: time.Now()}))
	}, store.ImportOptions{})
	check(t, err)
}

func TestFilesArePrivateAndHoldNothingInClear(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "packhooks.db")
	s := openAt(t, path, newKeys(t))
	const secret = "a signing secret"
	load(t, s, secret)
	token := store.NewToken()
	hash, _ := store.HashToken(token)
	_, err := s.CreateToken(t.Context(), hash, store.Token{Organizations: []string{"acme"}})
	check(t, err)
	check(t, sqlitex.Execute(raw(t, path), `VACUUM INTO ?`, &sqlitex.ExecOptions{Args: []any{filepath.Join(dir, "backup")}}))
	entries, err := os.ReadDir(dir)
	check(t, err)
	if len(entries) != 7 {
		t.Fatalf("files: %v", entries)
	}
	found := false
	for _, entry := range entries {
		info, err := entry.Info()
		check(t, err)
		if info.Mode().Perm() != 0o600 && info.Name() != "backup" {
			t.Errorf("%s has mode %v", info.Name(), info.Mode())
		}
		raw, err := os.ReadFile(filepath.Join(dir, info.Name()))
		check(t, err)
		for _, hidden := range []string{secret, endpoint, token, strings.TrimPrefix(token, store.TokenPrefix)} {
			if bytes.Contains(raw, []byte(hidden)) {
				t.Errorf("%s holds a secret or a token", info.Name())
			}
		}
		found = found || bytes.Contains(raw, []byte("wh_1"))
	}
	if !found {
		t.Fatal("no file holds the webhook: nothing was searched")
	}
}

func TestOpen(t *testing.T) {
	t.Run("paths are taken literally", func(t *testing.T) {
		t.Chdir(t.TempDir())
		keys := newKeys(t)
		for _, path := range []string{"plain.db", "a b?mode=memory&x=%41#y.db", "./:memory:", "ü:1.db"} {
			load(t, openAt(t, path, keys), "secret")
			for _, file := range []string{path, path + sqlite.TokensSuffix} {
				if info, err := os.Stat(file); err != nil || info.Size() == 0 {
					t.Errorf("%q: %v", file, err)
				}
			}
		}
	})
	t.Run("refuses what is no database", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "notes.txt")
		check(t, os.WriteFile(path, bytes.Repeat([]byte("not a database\n"), 1000), 0o600))
		_, err := sqlite.Open(t.Context(), path, newKeys(t), sqlite.Options{})
		if err == nil || errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("opening a text file: %v", err)
		}
		_, err = sqlite.Open(t.Context(), filepath.Join(path, "packhooks.db"), newKeys(t), sqlite.Options{})
		if err == nil {
			t.Fatal("opened a path below a file")
		}
		_, err = sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "no", "packhooks.db"), newKeys(t), sqlite.Options{})
		if !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("opening a path in no directory: %v", err)
		}
		if _, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "packhooks.db"), nil, sqlite.Options{}); err == nil {
			t.Fatal("opened without a cipher")
		}
	})
	t.Run("ten at once on an empty database", func(t *testing.T) {
		path, keys := filepath.Join(t.TempDir(), "packhooks.db"), newKeys(t)
		var opening sync.WaitGroup
		for range 10 {
			opening.Go(func() {
				s, err := sqlite.Open(context.Background(), path, keys, sqlite.Options{})
				if err != nil {
					t.Errorf("opening: %v", err)
					return
				}
				t.Cleanup(func() { _ = s.Close() })
			})
		}
		opening.Wait()
	})
}

// TestLockedDatabase holds the one lock that SQLite has for writers, as the merge of a large import does.
func TestLockedDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "packhooks.db")
	keys := newKeys(t)
	s := openAt(t, path, keys)
	load(t, s, "secret")
	token := store.NewToken()
	hash, _ := store.HashToken(token)
	kept, err := s.CreateToken(t.Context(), hash, store.Token{})
	check(t, err)
	other := raw(t, path)
	check(t, sqlitex.Execute(other, "BEGIN IMMEDIATE", nil))

	t.Run("opening, reads and tokens do not wait", func(t *testing.T) {
		began := time.Now()
		s := openAt(t, path, keys)
		_, err := s.ListWebhooks(t.Context(), store.PageQuery{OrganizationID: "acme", Limit: 1})
		check(t, err)
		_, err = s.Authenticate(t.Context(), token)
		check(t, err)
		check(t, s.RevokeToken(t.Context(), kept.ID))
		check(t, s.Ready(t.Context()))
		if took := time.Since(began); took > time.Second {
			t.Fatalf("they took %v", took)
		}
	})
	t.Run("writers wait no longer than their context", func(t *testing.T) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := s.DeleteWebhooks(ctx, "acme", []string{"wh_1"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("deleting: %v", err)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Fatalf("it took %v", took)
		}
	})
	t.Run("writers go on when the other has ended", func(t *testing.T) {
		ended := make(chan struct{})
		time.AfterFunc(time.Second, func() {
			defer close(ended)
			_ = sqlitex.Execute(other, "ROLLBACK", nil)
		})
		check(t, s.DeleteWebhooks(t.Context(), "acme", []string{"wh_1"}))
		<-ended
	})
}

// TestFailedImportLeavesNoLog fails in the merge, when everything has been written once: the write-ahead log must not go
// on filling the disk while the server runs.
func TestFailedImportLeavesNoLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "packhooks.db")
	s := openAt(t, path, newKeys(t))
	many := func(yield func(document.Document, error) bool) {
		for i := range 20_000 {
			at := time.UnixMicro(int64(i))
			if !yield(document.New(serverapi.Webhook{ID: fmt.Sprint("wh_", i), Endpoint: endpoint, Secret: "s", CreatedAt: at, UpdatedAt: at})) {
				return
			}
		}
	}
	check(t, sqlitex.ExecuteScript(raw(t, path), `CREATE TRIGGER broken BEFORE INSERT ON webhooks WHEN NEW.id = 'wh_19999' BEGIN SELECT RAISE(ABORT, 'broken'); END`, nil))
	if _, err := s.ImportWebhooks(t.Context(), "acme", many, store.ImportOptions{}); err == nil {
		t.Fatal("the import succeeded")
	}
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() > 1<<20 {
		t.Fatalf("%d bytes of log, %v", info.Size(), err)
	}
}
