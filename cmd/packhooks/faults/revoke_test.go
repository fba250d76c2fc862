//go:build faults && linux

package faults_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	client "github.com/packhooks/packhooks/client"
)

// Every revocation is a process of its own, timed from its start to its end, as an operator would.
func TestRevokeDuringLargeImport(t *testing.T) {
	p := newPlace(t)
	file := writeRows(t, p.path("import.ndjson"), "acme", 0, 0, importRows, false)
	p.fill("other", 60)
	s := p.serve("--rate=-1")
	w := &writes{place: p}
	started := time.Now()
	cmd := p.command("import", "--org=acme", file)
	check(t, cmd.Start())
	imported := make(chan error, 1)
	go func() { imported <- cmd.Wait() }()

	all, merge, bites, create := newTiming(), newTiming(), newTiming(), newTiming()
	for n := 0; ; n++ {
		select {
		case err := <-imported:
			check(t, err)
			t.Logf("import of %d webhooks: %v", importRows, round(time.Since(started)))
			t.Logf("token revoke: %v", all)
			t.Logf("token revoke, during the merge: %v", merge)
			t.Logf("token create: %v", create)
			t.Logf("from the end of token revoke to the first 401: %v", bites)
			if merge.n == 0 {
				t.Error("no token was revoked during the merge")
			}
			if all.longest >= time.Second || bites.longest >= time.Second {
				t.Error("a revocation took a second or more")
			}
			return
		default:
			revokeOne(w, s, n, all, merge, bites, create)
		}
	}
}

func revokeOne(w *writes, s *service, n int, all, merge, bites, create *timing) {
	t, name := w.t, fmt.Sprintf("token-%d.", n)
	start := time.Now()
	c := newClient(t, s.url, w.must("token", "create", "--org=other", "--name", name), client.WithMaxAttempts(1))
	create.add(time.Since(start))
	row, err := w.tokenRow(name)
	check(t, err)
	_, err = c.ListWebhooks(t.Context(), "other")
	check(t, err)

	merging := w.merging()
	start = time.Now()
	w.must("token", "revoke", strings.Fields(row)[0])
	took := time.Since(start)
	all.add(took)
	if merging && w.merging() {
		merge.add(took)
	}
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		_, err := c.ListWebhooks(t.Context(), "other")
		if errors.Is(err, client.ErrUnauthorized) {
			bites.add(time.Since(start))
			return
		}
		check(t, err)
		if time.Since(start) > 10*time.Second {
			t.Fatal("a revoked token is good for 10 s")
		}
	}
}

// merging reports whether somebody is writing webhooks: up to the merge, an import writes to a file of its own.
func (p place) merging() bool {
	db := openRaw(p.t, p.path("packhooks.db"))
	defer db.Close()
	_, err := db.ExecContext(p.t.Context(), "PRAGMA busy_timeout = 0; BEGIN IMMEDIATE; ROLLBACK")
	return err != nil && strings.Contains(err.Error(), "SQLITE_BUSY")
}

// timing is what becomes of many durations.
type timing struct {
	began          time.Time
	n              int
	total, longest time.Duration
	at             time.Duration // when the longest ended
}

func newTiming() *timing { return &timing{began: time.Now()} }

func (m *timing) add(d time.Duration) {
	m.n++
	m.total += d
	if d > m.longest {
		m.longest, m.at = d, time.Since(m.began)
	}
}

func (m *timing) String() string {
	if m.n == 0 {
		return "none"
	}
	return fmt.Sprintf("%d times, on average %v, at most %v (%.1f s after the start)", m.n, round(m.total/time.Duration(m.n)), round(m.longest), m.at.Seconds())
}
