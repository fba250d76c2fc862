package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/packhooks/packhooks/server/store"
)

// Large is how many webhooks the benchmarks give to their large organization.
const Large = 1_000_000

// generate yields n webhooks of ordinary size, an order of creation and ids that follow no order.
func generate(n int) func(func(store.Webhook, error) bool) {
	return func(yield func(store.Webhook, error) bool) {
		for i := range n {
			w := newWebhook(fmt.Sprintf("wh_%08x%08d", uint32(i)*2654435761, i), time.Duration(i)*time.Millisecond)
			if !yield(w, nil) {
				return
			}
		}
	}
}

// BenchmarkGrowth measures pages of 25 and fails when the place of a page in a list of a million webhooks, or the size
// of another organization, matters to the time that it takes.
func BenchmarkGrowth(b *testing.B, h Harness) {
	ctx := context.Background()
	large, small := h.Open(b, newKeys(b)), h.Open(b, newKeys(b))
	for s, n := range map[store.Store]int{large: Large, small: Large / 100} {
		_, err := s.ImportWebhooks(ctx, "large", generate(n), false)
		check(b, err)
		_, err = s.ImportWebhooks(ctx, "small", generate(100), false)
		check(b, err)
	}
	at := func(i int) store.Position {
		return store.Position{CreatedAt: epoch.Add(time.Duration(i) * time.Millisecond)}
	}
	reads := []struct {
		of store.Store
		q  store.PageQuery
	}{
		{large, store.PageQuery{OrganizationID: "large"}},
		{large, store.PageQuery{OrganizationID: "large", Seek: store.From, Position: at(Large / 2)}},
		{large, store.PageQuery{OrganizationID: "large", Seek: store.Before, Position: at(2 * Large)}},
		{large, store.PageQuery{OrganizationID: "small", Seek: store.From, Position: at(50)}},
		{small, store.PageQuery{OrganizationID: "small", Seek: store.From, Position: at(50)}},
	}
	took := make([][]time.Duration, len(reads))
	for b.Loop() {
		for range 2000 {
			for i, r := range reads { // in turns, so that whatever else goes on disturbs all alike
				r.q.Limit = 25
				began := time.Now()
				p, err := r.of.ListWebhooks(ctx, r.q)
				took[i] = append(took[i], time.Since(began))
				check(b, err)
				equal(b, "webhooks", len(p.Webhooks), 25)
			}
		}
	}
	for i := range took {
		slices.Sort(took[i])
	}
	median := func(i int) float64 { return float64(took[i][len(took[i])/2].Nanoseconds()) / 1e3 }
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
func BenchmarkImport(b *testing.B, h Harness) {
	for b.Loop() {
		s := h.Open(b, newKeys(b))
		importLarge(b, s, "new", func(w *store.Webhook) {})
		importLarge(b, s, "same", func(w *store.Webhook) {})
		importLarge(b, s, "changed", func(w *store.Webhook) { w.Secret += "!" })
	}
}

func importLarge(b *testing.B, s store.Store, name string, change func(*store.Webhook)) {
	ctx, stop := context.WithCancel(context.Background())
	var slowest time.Duration
	var revoking sync.WaitGroup
	revoking.Go(func() {
		for ctx.Err() == nil {
			token, err := s.CreateToken(context.Background(), newHash(b), store.Token{})
			check(b, err)
			began := time.Now()
			check(b, s.RevokeToken(context.Background(), token.ID))
			slowest = max(slowest, time.Since(began))
			time.Sleep(10 * time.Millisecond)
		}
	})
	began, staged := time.Now(), time.Now()
	_, err := s.ImportWebhooks(context.Background(), "acme", func(yield func(store.Webhook, error) bool) {
		for w, err := range generate(Large) {
			change(&w)
			if !yield(w, err) {
				return
			}
		}
		staged = time.Now()
	}, true)
	check(b, err)
	ended := time.Now()
	stop()
	revoking.Wait()
	b.ReportMetric(ended.Sub(began).Seconds(), name+"-s")
	b.ReportMetric(ended.Sub(staged).Seconds(), name+"-merge-s")
	b.ReportMetric(slowest.Seconds(), name+"-slowest-revoke-s")
	if slowest > time.Second {
		b.Errorf("%s: a revocation took %v", name, slowest)
	}
}
