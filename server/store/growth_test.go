package store_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/postgres"
	"github.com/packhooks/packhooks/server/store/postgres/postgrestest"
	"github.com/packhooks/packhooks/server/store/sqlite"
)

// go test -run '^$' -bench . -benchtime 1x -timeout 30m ./server/store

// large is how many webhooks the benchmarks give to their large organization.
const large = 1_000_000

// onEngines runs a benchmark on each engine that is installed.
func onEngines(b *testing.B, run func(b *testing.B, open func() store.Store)) {
	keys := newKeys(b)
	opened := func(s store.Store, err error) store.Store {
		b.Helper()
		check(b, err)
		b.Cleanup(func() { _ = s.Close() })
		return s
	}
	b.Run("sqlite", func(b *testing.B) {
		run(b, func() store.Store {
			return opened(sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "packhooks.db"), keys, sqlite.Options{}))
		})
	})
	if !postgrestest.Available() {
		b.Log("PostgreSQL is not installed")
		return
	}
	cluster := postgrestest.Start(b)
	b.Run("postgres", func(b *testing.B) {
		run(b, func() store.Store {
			return opened(postgres.Open(b.Context(), cluster.DSN(b), keys, postgres.Options{}))
		})
	})
}

// generate yields n webhooks of ordinary size, in order of creation, with ids in none.
func generate(n int, suffix string) iter.Seq2[document.Document, error] {
	return func(yield func(document.Document, error) bool) {
		for i := range n {
			at := epoch.Add(time.Duration(i) * time.Millisecond)
			id := fmt.Sprintf("wh_%08x%08d", uint32(i)*2654435761, i)
			w := webhook{
				ID: id, EventCode: "orders.created", Endpoint: "https://myapp.packcloud.local/" + id, Secret: id + suffix,
				Enabled: true, CreatedAt: at, UpdatedAt: at,
			}
			if !yield(document.New(w)) {
				return
			}
		}
	}
}

// BenchmarkGrowth measures pages of 25 and fails when the place of a page in a list of a million webhooks, or the size
// of another organization, matters to the time that it takes.
func BenchmarkGrowth(b *testing.B) { onEngines(b, growth) }

func growth(b *testing.B, open func() store.Store) {
	full, tenth := open(), open()
	for s, n := range map[store.Store]int{full: large, tenth: large / 100} {
		_, err := s.ImportWebhooks(b.Context(), "large", generate(n, ""), store.ImportOptions{})
		check(b, err)
		_, err = s.ImportWebhooks(b.Context(), "small", generate(100, ""), store.ImportOptions{})
		check(b, err)
	}
	at := func(i int) store.Bound {
		return store.Bound{CreatedAt: epoch.Add(time.Duration(i) * time.Millisecond)}
	}
	reads := []struct {
		of store.Store
		q  store.PageQuery
	}{
		{full, store.PageQuery{OrganizationID: "large"}},
		{full, store.PageQuery{OrganizationID: "large", Bound: at(large / 2)}},
		{full, store.PageQuery{OrganizationID: "large", Bound: at(2 * large), Backward: true}},
		{full, store.PageQuery{OrganizationID: "small", Bound: at(50)}},
		{tenth, store.PageQuery{OrganizationID: "small", Bound: at(50)}},
	}
	took := make([][]time.Duration, len(reads))
	for b.Loop() {
		for range 2000 {
			for i, r := range reads { // in turns, so that whatever else goes on disturbs all alike
				r.q.Limit = 25
				began := time.Now()
				p, err := r.of.ListWebhooks(b.Context(), r.q)
				took[i] = append(took[i], time.Since(began))
				if check(b, err); len(p.Webhooks) != 25 {
					b.Fatalf("%d webhooks", len(p.Webhooks))
				}
			}
		}
	}
	median := func(i int) float64 {
		slices.Sort(took[i])
		return float64(took[i][len(took[i])/2].Nanoseconds()) / 1e3
	}
	report := func(name string, i, of int) {
		b.ReportMetric(median(i)/median(of), name)
		if median(i) > 1.3*median(of) {
			b.Errorf("%s: a page took %.0f µs, the other %.0f µs", name, median(i), median(of))
		}
	}
	b.ReportMetric(median(0), "µs-first-page")
	report("middle/first", 1, 0)
	report("last/first", 2, 0)
	report("small-in-1M/small-in-10k", 3, 4)
}

// BenchmarkImport measures imports of a million webhooks: new ones, the same again, and all of them changed. Tokens are
// revoked all the while.
func BenchmarkImport(b *testing.B) {
	onEngines(b, func(b *testing.B, open func() store.Store) {
		for b.Loop() {
			s := open()
			importLarge(b, s, "new", "")
			importLarge(b, s, "same", "")
			importLarge(b, s, "changed", "!")
		}
	})
}

func importLarge(b *testing.B, s store.Store, name, suffix string) {
	ctx, stop := context.WithCancel(b.Context())
	slowest := make(chan time.Duration, 1)
	go func() { slowest <- revoke(ctx, b, s) }()
	began, staged := time.Now(), time.Now()
	_, err := s.ImportWebhooks(b.Context(), "acme", func(yield func(document.Document, error) bool) {
		generate(large, suffix)(yield)
		staged = time.Now()
	}, store.ImportOptions{Replace: true})
	check(b, err)
	ended := time.Now()
	stop()
	wait := <-slowest
	b.ReportMetric(ended.Sub(began).Seconds(), name+"-s")
	b.ReportMetric(ended.Sub(staged).Seconds(), name+"-merge-s")
	b.ReportMetric(wait.Seconds(), name+"-slowest-revoke-s")
	if wait > time.Second {
		b.Errorf("%s: a revocation took %v", name, wait)
	}
}

// revoke revokes one token after the other until ctx ends, and returns how long the slowest took.
func revoke(ctx context.Context, b *testing.B, s store.Store) (slowest time.Duration) {
	for ctx.Err() == nil {
		hash, _ := store.HashToken(store.NewToken())
		token, err := s.CreateToken(ctx, hash, store.Token{})
		began := time.Now()
		if err == nil {
			err = s.RevokeToken(ctx, token.ID)
		}
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				b.Errorf("revoking: %v", err)
			}
			break
		}
		slowest = max(slowest, time.Since(began))
		time.Sleep(10 * time.Millisecond)
	}
	return slowest
}
