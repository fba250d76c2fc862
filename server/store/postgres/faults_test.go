package postgres_test

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/postgres"
	"github.com/packhooks/packhooks/server/store/postgres/postgrestest"
)

// backWithin is how soon a store must serve again once its database does.
const backWithin = 2 * time.Second

// under reads and authenticates all the while that fault goes on. Whatever fails must be ErrUnavailable; when fault
// returns, the database is there again.
func under(t *testing.T, s *postgres.Store, token string, fault func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	var mutex sync.Mutex
	var failed, read int
	var lastFailure time.Time
	for range 8 {
		readers.Go(func() {
			for ctx.Err() == nil {
				p, err := s.ListWebhooks(t.Context(), store.PageQuery{OrganizationID: "acme", Limit: 5})
				if err == nil && len(p.Webhooks) != 5 {
					t.Errorf("%d webhooks", len(p.Webhooks))
				}
				if err == nil {
					_, err = s.Authenticate(t.Context(), token)
				}
				if err != nil && !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("not what a client may retry: %v", err)
				}
				mutex.Lock()
				if read++; err != nil {
					failed, lastFailure = failed+1, time.Now()
				}
				mutex.Unlock()
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	time.Sleep(200 * time.Millisecond)
	fault()
	back := time.Now()
	time.Sleep(backWithin + 500*time.Millisecond)
	stop()
	readers.Wait()
	t.Logf("%d of %d reads failed, the last %v after the database was back", failed, read, lastFailure.Sub(back).Round(time.Millisecond))
	if lastFailure.Sub(back) > backWithin {
		t.Errorf("reads still failed %v after the database was back", lastFailure.Sub(back))
	}
}

func TestFaults(t *testing.T) {
	primary := postgrestest.Start(t)
	dsn := primary.DSN(t)
	standby := primary.Standby(t)
	hosts, err := url.Parse(dsn)
	check(t, err)
	hosts.Host += "," + standby.Host()
	hosts.RawQuery += "&target_session_attrs=read-write"
	s, err := postgres.Open(t.Context(), hosts.String(), newKeys(t), postgres.Options{StatementTimeout: time.Second})
	check(t, err)
	defer s.Close()
	_, err = s.ImportWebhooks(t.Context(), "acme", rows("secret", 0, 100), store.ImportOptions{})
	check(t, err)
	token := store.NewToken()
	hash, _ := store.HashToken(token)
	_, err = s.CreateToken(t.Context(), hash, store.Token{Organizations: []string{"acme"}})
	check(t, err)

	t.Run("restart", func(t *testing.T) {
		under(t, s, token, func() { primary.Control(t, "restart", "-m", "fast") })
	})
	t.Run("crash", func(t *testing.T) {
		under(t, s, token, func() { primary.Control(t, "restart", "-m", "immediate") })
	})
	t.Run("every connection terminated", func(t *testing.T) {
		under(t, s, token, func() {
			execute(t, dsn, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
				WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'`)
		})
	})
	t.Run("frozen", func(t *testing.T) {
		under(t, s, token, func() {
			primary.Signal(t, syscall.SIGSTOP)
			time.Sleep(3 * time.Second)
			primary.Signal(t, syscall.SIGCONT)
		})
	})
	t.Run("read-only", func(t *testing.T) {
		execute(t, dsn, "ALTER SYSTEM SET default_transaction_read_only = on")
		execute(t, dsn, "SELECT pg_reload_conf()")
		time.Sleep(100 * time.Millisecond)
		if err := s.DeleteWebhooks(t.Context(), "acme", []string{"nothing"}); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("writing to a read-only server: %v", err)
		}
		execute(t, dsn, "ALTER SYSTEM RESET default_transaction_read_only")
		execute(t, dsn, "SELECT pg_reload_conf()")
		time.Sleep(100 * time.Millisecond)
		var missing *store.MissingError
		if err := s.DeleteWebhooks(t.Context(), "acme", []string{"nothing"}); !errors.As(err, &missing) {
			t.Errorf("writing when it no longer is: %v", err)
		}
	})
	t.Run("failover", func(t *testing.T) {
		under(t, s, token, func() {
			primary.Control(t, "stop", "-m", "immediate")
			standby.Control(t, "promote")
		})
		_, err := s.ImportWebhooks(t.Context(), "acme", rows("changed", 0, 1), store.ImportOptions{})
		check(t, err)
	})
	t.Run("gone", func(t *testing.T) {
		standby.Control(t, "stop", "-m", "immediate")
		for name, call := range map[string]func(context.Context) error{
			"ready":  s.Ready,
			"delete": func(ctx context.Context) error { return s.DeleteWebhooks(ctx, "acme", []string{"wh_0000"}) },
			"import": func(ctx context.Context) error {
				_, err := s.ImportWebhooks(ctx, "acme", rows("secret", 0, 1), store.ImportOptions{})
				return err
			},
			"open": func(ctx context.Context) error {
				_, err := postgres.Open(ctx, hosts.String(), newKeys(t), postgres.Options{})
				return err
			},
		} {
			if err := call(t.Context()); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
