//go:build faults && linux

package faults_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	client "github.com/packhooks/packhooks/client"
)

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
	f.must("init")
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
