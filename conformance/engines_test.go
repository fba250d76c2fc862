package conformance_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/packhooks/packhooks/conformance"
	"github.com/packhooks/packhooks/server"
	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/keyset"
	"github.com/packhooks/packhooks/server/store/sqlite"
)

func TestOurServerConformsOnSQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	keys, err := keyset.Create(path + ".keyset")
	check(t, err)
	db, err := sqlite.Open(t.Context(), path, keys, sqlite.Options{})
	check(t, err)
	t.Cleanup(func() { check(t, db.Close()) })
	mustConform(t, runOn(t, db))
}

// runOn fills a store with sixty webhooks and checks our server on it, at its default rate.
func runOn(t *testing.T, db store.Store) *conformance.Report {
	t.Helper()
	_, err := db.ImportWebhooks(t.Context(), "acme", func(yield func(document.Document, error) bool) {
		for _, w := range newList(60) {
			if !yield(document.New(w)) {
				return
			}
		}
	}, store.ImportOptions{})
	check(t, err)
	text := store.NewToken()
	hash, _ := store.HashToken(text)
	_, err = db.CreateToken(t.Context(), hash, store.Token{Organizations: []string{"acme"}})
	check(t, err)
	handler, err := server.New(server.Config{
		Webhooks: db, Tokens: db, PublicURL: "https://webhooks.example.com", Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	check(t, err)
	return run(t, serve(t, handler), func(cfg *conformance.Config) { cfg.Token = text })
}

func serve(t testing.TB, handler http.Handler) (url string) {
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	return srv.URL + "/v1"
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
