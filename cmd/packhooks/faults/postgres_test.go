//go:build faults && linux

package faults_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	client "github.com/packhooks/packhooks/client"
	"github.com/packhooks/packhooks/server/store/postgres/postgrestest"
)

const (
	replicas       = 3
	readers        = 4 * replicas
	batch          = 20 // webhooks that are written at once
	postgresBack   = 2 * time.Second
	readWebhooks   = 300
	settle         = 7 * time.Second // for a call that waits its longest to end
	writePeriod    = 200 * time.Millisecond
	revokedOnEvery = time.Second
)

// Every fault strikes while clients read from three servers and an operator writes.
func TestPostgres(t *testing.T) {
	if !postgrestest.Available() {
		if os.Getenv(postgrestest.RequireVariable) != "" {
			t.Fatal("PostgreSQL is not installed")
		}
		t.Log("left out: PostgreSQL is not installed")
		return
	}
	primary := postgrestest.Start(t)
	standby := primary.Standby(t)
	f := newFleet(t, fmt.Sprintf("postgres://postgres@%s,%s/postgres?sslmode=disable&target_session_attrs=read-write",
		primary.Host(), standby.Host()))
	t.Run("revocation", f.revoke)
	t.Run("rotation", f.rotate)

	f.startWriting()
	t.Run("every connection is terminated, ten times", f.strike(func(t *testing.T) time.Time {
		for range 10 {
			f.terminate(t)
			time.Sleep(200 * time.Millisecond)
		}
		return time.Now()
	}))
	t.Run("the database is restarted", f.strike(func(t *testing.T) time.Time {
		primary.Control(t, "stop", "-m", "fast")
		back := f.whenBack(t)
		primary.Control(t, "start")
		return <-back
	}))
	t.Run("the database crashes", f.strike(func(t *testing.T) time.Time {
		primary.Control(t, "stop", "-m", "immediate")
		time.Sleep(time.Second)
		back := f.whenBack(t)
		primary.Control(t, "start")
		return <-back
	}))
	t.Run("the database is frozen for 5 s", f.strike(func(t *testing.T) time.Time {
		primary.Signal(t, syscall.SIGSTOP)
		thaw := time.After(5 * time.Second)
		f.servers[0].until("it says that it is not ready", 4500*time.Millisecond, func() bool { return f.servers[0].ready() == http.StatusServiceUnavailable })
		<-thaw
		primary.Signal(t, syscall.SIGCONT)
		return time.Now()
	}))
	t.Run("a standby is promoted", f.strike(func(t *testing.T) time.Time {
		primary.Control(t, "stop", "-m", "fast")
		back := f.whenBack(t)
		standby.Control(t, "promote")
		return <-back
	}))
	f.stopWriting()
	t.Run("nothing is lost or doubled", f.account)
}

func (f *fleet) revoke(t *testing.T) {
	bites := newTiming()
	w := &writes{place: f.in(t)}
	for n := range 20 {
		name := fmt.Sprintf("token-%d.", n)
		text := w.must("token", "create", "--org=acme", "--name", name)
		row, err := w.tokenRow(name)
		check(t, err)
		clients := make([]*client.Client, replicas)
		for i, s := range f.servers {
			clients[i] = newClient(t, s.url, text, client.WithMaxAttempts(1))
			_, err := clients[i].ListWebhooks(t.Context(), "acme")
			check(t, err)
		}
		w.must("token", "revoke", strings.Fields(row)[0])
		revoked := time.Now()
		for _, c := range clients {
			for {
				_, err := c.ListWebhooks(t.Context(), "acme")
				if errors.Is(err, client.ErrUnauthorized) {
					break
				}
				check(t, err)
			}
			bites.add(time.Since(revoked))
		}
	}
	t.Logf("from the end of token revoke to a 401 on %d servers: %v", replicas, bites)
	if bites.longest >= revokedOnEvery {
		t.Errorf("%v or more", revokedOnEvery)
	}
}

// rotate gives each server a keyset file of its own. The servers hear last that another key is the primary one, which
// they need not know to read.
func (f *fleet) rotate(t *testing.T) {
	p := f.in(t)
	clients := make([]*client.Client, replicas)
	for i, s := range f.servers {
		clients[i] = newClient(t, s.url, f.token, client.WithMaxAttempts(1))
	}
	l := startLoad(t, readers, 0, func(ctx context.Context, i int) error {
		return walk(ctx, clients[i%replicas], "acme", readWebhooks, client.PerPage(100))
	})
	for range 5 {
		id := p.must("keys", "add")
		for i := range replicas {
			f.distribute(i)
		}
		p.must("keys", "promote", id)
		p.must("keys", "reencrypt")
		for i := range replicas {
			f.distribute(i)
		}
		conn, err := pgx.Connect(t.Context(), f.dsn)
		check(t, err)
		var stale int
		check(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM webhooks WHERE substr(document, 1, 5) <> $1", p.primaryPrefix()).Scan(&stale))
		check(t, conn.Close(t.Context()))
		if stale > 0 {
			t.Errorf("%d webhooks are sealed under another key than the primary one", stale)
		}
	}
	l.finish(fmt.Sprintf("5 rotations, walks of 3 pages on %d servers", replicas))
}

// strike reads while a fault happens. The fault returns when the database was back.
func (f *fleet) strike(fault func(*testing.T) time.Time) func(*testing.T) {
	return func(t *testing.T) {
		watch := &watcher{pages: map[string][]time.Time{}, next: &http.Transport{MaxIdleConnsPerHost: readers}}
		clients := make([]*client.Client, readers)
		for i := range clients {
			clients[i] = newClient(t, f.servers[i%replicas].url, f.token, client.WithHTTPClient(&http.Client{Transport: watch}))
		}
		probing := make([]*client.Client, replicas)
		for i := range probing {
			probing[i] = newClient(t, f.servers[i].url, f.token, client.WithMaxAttempts(1), client.WithHTTPClient(&http.Client{Transport: watch}))
		}
		l := startLoad(t, readers, 5*time.Millisecond, func(ctx context.Context, i int) error {
			err := walk(ctx, clients[i], "acme", readWebhooks, client.PerPage(100))
			if unavailable(err) {
				watch.gaveUp()
				return nil
			}
			return err
		})
		// These do not wait when they are told to, so that they see how soon the service is back.
		probes := startLoad(t, replicas, 20*time.Millisecond, func(ctx context.Context, i int) error {
			if err := walk(ctx, probing[i], "acme", readWebhooks, client.PerPage(100)); !unavailable(err) {
				return err
			}
			return nil
		})
		time.Sleep(time.Second)
		began := time.Now()
		back := fault(t)
		time.Sleep(settle)
		probes.finish("walks with one attempt")
		l.finish(fmt.Sprintf("walks of 3 pages on %d servers", replicas))
		watch.report(t, back.Sub(began), back)
		for i, s := range f.servers {
			if s.hasExited() || s.ready() != http.StatusOK {
				t.Errorf("server %d is not ready", i)
			}
		}
	}
}
