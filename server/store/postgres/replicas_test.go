package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/packhooks/packhooks/gen/serverapi"
	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/keyset"
	"github.com/packhooks/packhooks/server/store/postgres"
	"github.com/packhooks/packhooks/server/store/postgres/postgrestest"
)

func newKeys(t testing.TB) *keyset.Keyset {
	t.Helper()
	keys, err := keyset.Create(filepath.Join(t.TempDir(), "keyset"))
	check(t, err)
	return keys
}

func newDocument(id, secret string, microseconds int) (document.Document, error) {
	at := time.UnixMicro(int64(microseconds))
	return document.New(serverapi.Webhook{ID: id, Endpoint: "x", Secret: secret, CreatedAt: at, UpdatedAt: at})
}

func rows(secret string, first, n int) iter.Seq2[document.Document, error] {
	return func(yield func(document.Document, error) bool) {
		for i := first; i < first+n; i++ {
			if !yield(newDocument(fmt.Sprintf("wh_%04d", i), secret, i)) {
				return
			}
		}
	}
}

func TestTenStartAtOnce(t *testing.T) {
	dsn, keys := postgrestest.DSN(t), newKeys(t)
	stores := make([]*postgres.Store, 10)
	var starting sync.WaitGroup
	for i := range stores {
		starting.Go(func() {
			s, err := postgres.Open(context.Background(), dsn, keys, postgres.Options{MaxConns: 4})
			if err != nil {
				t.Errorf("opening: %v", err)
				return
			}
			t.Cleanup(func() { _ = s.Close() })
			stores[i] = s
		})
	}
	if starting.Wait(); t.Failed() {
		return
	}

	// All of them write to one organization: imports that overlap, re-encryptions, and deletes of their own webhooks.
	var writing sync.WaitGroup
	for i, s := range stores[:8] {
		writing.Go(func() {
			for round := range 5 {
				_, err := s.ImportWebhooks(context.Background(), "acme", rows(fmt.Sprint(round), i*50, 100), store.ImportOptions{})
				if err != nil && !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("importing: %v", err)
				}
			}
			id := fmt.Sprint("own_", i)
			own := func(yield func(document.Document, error) bool) { yield(newDocument(id, "x", 0)) }
			if _, err := s.ImportWebhooks(context.Background(), "acme", own, store.ImportOptions{}); err != nil {
				t.Errorf("importing: %v", err)
			}
			if err := s.DeleteWebhooks(context.Background(), "acme", []string{id}); err != nil {
				t.Errorf("deleting: %v", err)
			}
		})
	}
	writing.Wait()
	p, err := stores[9].ListWebhooks(t.Context(), store.PageQuery{OrganizationID: "acme", Limit: 1000})
	check(t, err)
	if len(p.Webhooks) != 450 {
		t.Fatalf("%d webhooks", len(p.Webhooks))
	}
	for _, d := range p.Webhooks {
		if w, err := d.Webhook(); err != nil || w.Secret != "4" {
			t.Fatalf("%s is of round %s: %v", w.ID, w.Secret, err)
		}
	}
}

func TestMigrateModes(t *testing.T) {
	dsn, keys := postgrestest.DSN(t), newKeys(t)
	open := func(mode store.MigrateMode) error {
		s, err := postgres.Open(t.Context(), dsn, keys, postgres.Options{Migrate: mode})
		if err == nil {
			err = s.Close()
		}
		return err
	}
	if err := open(store.MigrateCheck); !errors.Is(err, store.ErrSchemaTooOld) {
		t.Fatalf("checking an empty database: %v", err)
	}
	if err := open(store.MigrateOff); err == nil || errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("using an empty database: %v", err)
	}
	if err := open("whatever"); err == nil {
		t.Fatal("an unknown mode was taken")
	}
	check(t, postgres.Migrate(t.Context(), dsn, postgres.Options{}))
	check(t, open(store.MigrateCheck))
	check(t, open(store.MigrateOff))
	check(t, open(store.MigrateAuto))
}

func TestErrorsHoldNoPassword(t *testing.T) {
	for _, dsn := range []string{
		"postgres://u:hunter2@127.0.0.1:bad/db", "postgres://u:hunter2@127.0.0.1/db?sslmode=maybe", "postgres://u:hunter2@127.0.0.1:1/db",
		"postgres://u:hunter2@%zz/db", "host=127.0.0.1 port=1 password=hunter2", "host=127.0.0.1 password=hunter2 sslmode=maybe",
	} {
		_, err := postgres.Open(t.Context(), dsn, newKeys(t), postgres.Options{})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("an error of %q: %v", dsn, err)
		}
	}
}

// TestUnverifiedTLS: below verify-full the password goes to whoever answers. None of these hosts is there.
func TestUnverifiedTLS(t *testing.T) {
	open := func(dsn string, opts postgres.Options) error {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := postgres.Open(ctx, dsn, newKeys(t), opts)
		return err
	}
	for dsn, refused := range map[string]bool{
		"postgres://u:hunter2@192.0.2.1/db":                                   true,
		"postgres://u:hunter2@192.0.2.1/db?sslmode=disable":                   true,
		"postgres://u:hunter2@192.0.2.1/db?sslmode=require":                   true,
		"postgres://u:hunter2@192.0.2.1/db?sslmode=verify-ca":                 true,
		"postgres://u:hunter2@192.0.2.1/db?sslmode=verify-full":               false,
		"postgres://u:hunter2@127.0.0.1:1,192.0.2.1:1/db":                     true,
		"postgres://u:hunter2@127.0.0.1:1,192.0.2.1:1/db?sslmode=verify-full": false,
		"postgres://u:hunter2@127.0.0.1:1/db":                                 false,
		"postgres://u:hunter2@localhost:1/db":                                 false,
		"postgres://u:hunter2@[::1]:1/db":                                     false,
		"postgres://u:hunter2@/db?host=/nowhere":                              false,
		"postgres://u:hunter2@localhost.example.invalid/db":                   true,
	} {
		for where, err := range map[string]error{
			"DSN":         open(dsn, postgres.Options{Migrate: store.MigrateOff}),
			"migrate DSN": open("postgres://127.0.0.1:1/x", postgres.Options{MigrateDSN: dsn}),
		} {
			if err == nil || errors.Is(err, postgres.ErrUnverifiedTLS) != refused || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s %s: %v; want refused: %t", where, dsn, err, refused)
			}
		}
		if err := open(dsn, postgres.Options{Migrate: store.MigrateOff, AllowUnverifiedTLS: true}); errors.Is(err, postgres.ErrUnverifiedTLS) {
			t.Errorf("%s, allowed: %v", dsn, err)
		}
	}
}
