package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/keyset"
	"github.com/packhooks/packhooks/server/store/postgres"
	"github.com/packhooks/packhooks/server/store/postgres/postgrestest"
	"github.com/packhooks/packhooks/server/store/storetest"
)

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

func (r *replicas) ImportWebhooks(ctx context.Context, organization string, rows iter.Seq2[store.Webhook, error], replace bool) (store.ImportResult, error) {
	return r.next().ImportWebhooks(ctx, organization, rows, replace)
}

func (r *replicas) DeleteWebhooks(ctx context.Context, organization string, ids []string) error {
	return r.next().DeleteWebhooks(ctx, organization, ids)
}

func (r *replicas) RevokeToken(ctx context.Context, id string) error {
	return r.next().RevokeToken(ctx, id)
}

func TestReplicatedStore(t *testing.T) {
	const count = 8
	h := newHarness(direct)
	storetest.Run(t, storetest.Harness{
		Open: func(t testing.TB, cipher store.Cipher) store.Store {
			r := &replicas{Store: h.Open(t, cipher)}
			for r.all = []store.Store{r.Store}; len(r.all) < count; {
				s, err := h.Again(t, r.Store, cipher)
				check(t, err)
				r.all = append(r.all, s)
			}
			return r
		},
		Again: func(t testing.TB, s store.Store, cipher store.Cipher) (store.Store, error) {
			return h.Again(t, s.(*replicas).Store, cipher)
		},
		CopySecret: func(t testing.TB, s store.Store, organization, from, to string) {
			h.CopySecret(t, s.(*replicas).Store, organization, from, to)
		},
	})
}

func newKeys(t testing.TB) *keyset.Keyset {
	t.Helper()
	keys, err := keyset.Create(filepath.Join(t.TempDir(), "keyset"))
	check(t, err)
	return keys
}

func rows(secret string, first, n int) iter.Seq2[store.Webhook, error] {
	return func(yield func(store.Webhook, error) bool) {
		for i := first; i < first+n; i++ {
			w := store.Webhook{ID: fmt.Sprintf("wh_%04d", i), Endpoint: "x", Secret: secret, CreatedAt: time.UnixMicro(int64(i))}
			if !yield(w, nil) {
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
				_, err := s.ImportWebhooks(context.Background(), "acme", rows(fmt.Sprint(round), i*50, 100), false)
				if err != nil && !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("importing: %v", err)
				}
			}
			id := fmt.Sprint("own_", i)
			own := func(yield func(store.Webhook, error) bool) { yield(store.Webhook{ID: id, Secret: "x"}, nil) }
			if _, err := s.ImportWebhooks(context.Background(), "acme", own, false); err != nil {
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
	for _, w := range p.Webhooks {
		if w.Secret != "4" {
			t.Fatalf("%s is of round %s", w.ID, w.Secret)
		}
	}
}

func TestMigrateModes(t *testing.T) {
	dsn, keys := postgrestest.DSN(t), newKeys(t)
	open := func(mode postgres.MigrateMode) error {
		s, err := postgres.Open(t.Context(), dsn, keys, postgres.Options{Migrate: mode})
		if err == nil {
			err = s.Close()
		}
		return err
	}
	if err := open(postgres.MigrateCheck); !errors.Is(err, postgres.ErrSchemaTooOld) {
		t.Fatalf("checking an empty database: %v", err)
	}
	if err := open(postgres.MigrateOff); err == nil || errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("using an empty database: %v", err)
	}
	if err := open("whatever"); err == nil {
		t.Fatal("an unknown mode was taken")
	}
	check(t, postgres.Migrate(t.Context(), dsn))
	check(t, open(postgres.MigrateCheck))
	check(t, open(postgres.MigrateOff))
	check(t, open(postgres.MigrateAuto))
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
