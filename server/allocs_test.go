package server_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/packhooks/packhooks/server"
)

// maxAllocs is what a page of 25 from SQLite may allocate, with everything on: token, validation, log, opening the
// documents. net/http's own are not in it.
const maxAllocs = 200

// discard is a response that goes nowhere.
type discard struct {
	header http.Header
	status int
	size   int
}

func (d *discard) Header() http.Header { return d.header }
func (d *discard) WriteHeader(status int) {
	d.status = status
}
func (d *discard) Flush()                           {}
func (d *discard) SetWriteDeadline(time.Time) error { return nil }
func (d *discard) Write(p []byte) (int, error) {
	d.size += len(p)
	return len(p), nil
}

func pageRequest(t testing.TB) func() {
	f := newFixture(t, func(c *server.Config) {
		c.RatePerSecond = -1
		c.Logger = slog.New(slog.NewTextHandler(&discard{}, nil))
		c.Observe = func(context.Context, server.Outcome) {}
	})
	f.seed("acme", 60)
	next := query(t, f.list("?per_page=25").page(t).Links.Next)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/organizations/acme/webhooks"+next, nil)
	check(t, err)
	r.Header.Set("Authorization", "Bearer "+f.token)
	return func() {
		w := &discard{header: http.Header{}}
		f.handler.ServeHTTP(w, r)
		if w.status != http.StatusOK || w.size < 25*100 {
			t.Fatalf("status %d, %d bytes", w.status, w.size)
		}
	}
}

func TestAllocationsOfAPage(t *testing.T) {
	n := testing.AllocsPerRun(200, pageRequest(t))
	t.Logf("%.0f allocations", n)
	if n > maxAllocs && !raceDetector {
		t.Errorf("a page of 25 takes %.0f allocations, at most %d are allowed", n, maxAllocs)
	}
}

func BenchmarkPage(b *testing.B) {
	page := pageRequest(b)
	b.ReportAllocs()
	for b.Loop() {
		page()
	}
}
