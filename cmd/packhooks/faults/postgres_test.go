//go:build faults && linux

package faults_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/packhooks/packhooks/client"
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
		if f.servers[0].ready() == http.StatusOK {
			t.Error("ready, though the database is frozen")
		}
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

// fleet is several servers on one database.
type fleet struct {
	place
	dsn     string
	servers []*service
	token   string // reads every organization

	writing sync.WaitGroup
	done    chan struct{}
	tried   int
	written []int // the batches whose import has succeeded
}

func newFleet(t *testing.T, dsn string) *fleet {
	t.Helper()
	f := &fleet{place: newPlace(t, "PACKHOOKS_DB="+dsn), dsn: dsn, done: make(chan struct{})}
	f.patient = true
	f.must("keys", "init", "--keyset-file", f.path("keyset"))
	f.env = append(f.env, "PACKHOOKS_KEYSET_FILE="+f.path("keyset"))
	f.fill("acme", readWebhooks)
	f.token = f.place.token("acme", "written")
	for i := range replicas {
		f.distribute(i)
		f.servers = append(f.servers, f.serve("--rate=-1", "--keyset-file", f.keyset(i)))
	}
	return f
}

// keyset is the path of a server's own copy of the keyset.
func (f *fleet) keyset(server int) string { return f.path(fmt.Sprintf("keyset-%d", server)) }

// distribute gives the keyset to a server, in one step.
func (f *fleet) distribute(server int) {
	f.t.Helper()
	data, err := os.ReadFile(f.path("keyset"))
	check(f.t, err)
	check(f.t, os.WriteFile(f.keyset(server)+".new", data, 0o600))
	check(f.t, os.Rename(f.keyset(server)+".new", f.keyset(server)))
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
		check(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM webhooks WHERE substr(secret, 1, 5) <> $1", p.primaryPrefix()).Scan(&stale))
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

// unavailable reports whether err is a 503 that says when to come back.
func unavailable(err error) bool {
	var answer *client.Error
	return errors.As(err, &answer) && answer.StatusCode == http.StatusServiceUnavailable && answer.RetryAfter > 0
}

// watcher sees every attempt of every client.
type watcher struct {
	next http.RoundTripper

	mu          sync.Mutex
	pages       map[string][]time.Time // by server, when they came
	unavailable int
	lost        int // calls that ended with a 503 in spite of every attempt
	lastBad     time.Time
	others      []string
}

func (w *watcher) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(req)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err != nil && req.Context().Err() != nil:
	case err != nil:
		w.others = append(w.others, err.Error())
	case resp.StatusCode == http.StatusOK:
		w.pages[req.URL.Host] = append(w.pages[req.URL.Host], time.Now())
	case resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "":
		w.unavailable++
		w.lastBad = time.Now()
	default:
		w.others = append(w.others, resp.Status)
	}
	return resp, err
}

func (w *watcher) gaveUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost++
}

func (w *watcher) report(t *testing.T, away time.Duration, back time.Time) {
	t.Helper()
	pages, good, bad := 0, time.Duration(0), max(0, w.lastBad.Sub(back))
	for host, times := range w.pages {
		pages += len(times)
		after := slices.DeleteFunc(times, func(at time.Time) bool { return at.Before(back) })
		if len(after) == 0 {
			t.Fatalf("no page from %s after the fault", host)
		}
		good = max(good, after[0].Sub(back))
	}
	t.Logf("%d pages, %d 503 with Retry-After, %d other answers; %d calls ended with a 503", pages, w.unavailable, len(w.others), w.lost)
	t.Logf("the fault lasted %v; when the database was back, every server answered within %v, and the last 503 came after %v",
		round(away), round(good), round(bad))
	for _, other := range w.others[:min(5, len(w.others))] {
		t.Errorf("answer: %s", other)
	}
	if max(good, bad) > postgresBack || len(w.pages) != replicas {
		t.Errorf("not back within %v", postgresBack)
	}
}

func (f *fleet) terminate(t *testing.T) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), f.dsn)
	check(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")
	check(t, err)
}

// whenBack tells when the database can be written to again.
func (f *fleet) whenBack(t *testing.T) <-chan time.Time {
	back := make(chan time.Time, 1)
	go func() {
		for t.Context().Err() == nil {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			conn, err := pgx.Connect(ctx, f.dsn)
			if err == nil {
				_ = conn.Close(ctx)
				cancel()
				break
			}
			cancel()
			time.Sleep(5 * time.Millisecond)
		}
		back <- time.Now()
	}()
	return back
}

// startWriting imports one batch after the other, each by a process of its own.
func (f *fleet) startWriting() {
	f.writing.Go(func() {
		for ; ; f.tried++ {
			select {
			case <-f.done:
				return
			case <-time.After(writePeriod):
			}
			file := writeRows(f.t, f.path("batch.ndjson"), "written", 0, f.tried*batch, (f.tried+1)*batch, false)
			if _, err := f.try("import", "--org=written", file); err == nil {
				f.written = append(f.written, f.tried)
			}
		}
	})
}

func (f *fleet) stopWriting() {
	close(f.done)
	f.writing.Wait()
}

// account finds every batch whole or absent, and there if it was said to be.
func (f *fleet) account(t *testing.T) {
	for i, s := range f.servers {
		found := map[int]int{}
		total := 0
		for w, err := range newClient(t, s.url, f.token).Webhooks(t.Context(), "written", client.PerPage(100)) {
			check(t, err)
			var n int
			_, err = fmt.Sscanf(w.ID, "wh_%d", &n)
			check(t, err)
			if w.Secret.Reveal() != secretOf("written", w.ID) {
				t.Errorf("wrong secret of %s", w.ID)
			}
			found[n/batch]++
			total++
		}
		for n, size := range found {
			if size != batch {
				t.Errorf("server %d: %d webhooks of batch %d, want none or %d", i, size, n, batch)
			}
		}
		for _, n := range f.written {
			if found[n] == 0 {
				t.Errorf("server %d: batch %d is lost", i, n)
			}
		}
		unsure := 0
		for n := range found {
			if !slices.Contains(f.written, n) {
				unsure++
			}
		}
		t.Logf("server %d: %d webhooks; %d imports, %d of them succeeded and are there, %d are there though they failed",
			i, total, f.tried, len(f.written), unsure)
	}
}
