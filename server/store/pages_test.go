package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/packhooks/packhooks/server/store"
)

func exactEnds(t *testing.T, h harness) {
	s, all := open(t, h), newWebhooks(7)
	load(t, s, "acme", all...)
	bounds := []store.Bound{
		{},
		{CreatedAt: epoch.Add(-time.Hour), ID: "early"},
		{CreatedAt: epoch, ID: "wh_00000x"},
		{CreatedAt: epoch, ID: "~", After: true},
		{CreatedAt: epoch.Add(time.Hour), ID: "late"},
	}
	for _, w := range all {
		bounds = append(bounds, before(w), after(w))
	}
	for _, bound := range bounds {
		for _, backward := range []bool{false, true} {
			for limit := 1; limit <= len(all)+1; limit++ {
				q := store.PageQuery{OrganizationID: "acme", Bound: bound, Backward: backward, Limit: limit}
				got, err := s.ListWebhooks(t.Context(), q)
				check(t, err)
				samePage(t, got, model(all, q))

				q.OrganizationID = "nobody"
				got, err = s.ListWebhooks(t.Context(), q)
				check(t, err)
				samePage(t, got, page{})
			}
		}
	}
}

func order(t *testing.T, h harness) {
	s := open(t, h)
	// Any collation but that of bytes orders some of these otherwise.
	ids := []string{" ", "-", "A", "B", "Z", "_", "a", "a ", "a-b", "a_b", "ab", "b", "z", "~"}
	slices.Sort(ids)
	var all []webhook
	for _, id := range ids {
		all = append(all, newWebhook(id, 0))
	}
	all = append(all, newWebhook("!", time.Microsecond))
	shuffled := slices.Clone(all)
	rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	load(t, s, "acme", shuffled...)
	equal(t, "order", list(t, s, "acme"), all)
	for _, w := range all {
		q := store.PageQuery{OrganizationID: "acme", Bound: after(w), Limit: 3}
		got, err := s.ListWebhooks(t.Context(), q)
		check(t, err)
		samePage(t, got, model(all, q))
	}
}

// walks compares random walks, with webhooks coming, going and moving between the pages, with the model.
func walks(t *testing.T, h harness) {
	s := open(t, h)
	var count atomic.Int64
	rapid.Check(t, func(r *rapid.T) {
		w := walk{Store: s, organization: fmt.Sprint("org-", count.Add(1))}
		w.add(r)
		w.add(r)
		w.start(r)
		r.Repeat(map[string]func(*rapid.T){
			"add":     w.add,
			"remove":  w.remove,
			"turn":    func(*rapid.T) { w.forward = !w.forward; w.steady = nil },
			"restart": w.start,
			"read on": func(*rapid.T) {},
			"":        w.page,
		})
	})
}

// walk is one reader of pages and what is true meanwhile.
type walk struct {
	store.Store
	organization string
	all          []webhook
	query        store.PageQuery
	forward      bool
	steady       map[string]bool // there since the walk began and not yet seen; nil when it did not begin at an end
}

// add imports some webhooks, of which some may be there already and move.
func (w *walk) add(r *rapid.T) {
	ids := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-cA-C_]{1,2}`), 1, 6, rapid.ID).Draw(r, "ids")
	for _, id := range ids {
		created := time.Duration(rapid.IntRange(0, 3).Draw(r, "created")) * time.Microsecond
		w.drop(id)
		w.all = append(w.all, newWebhook(id, created))
	}
	load(r, w.Store, w.organization, w.all[len(w.all)-len(ids):]...)
	slices.SortFunc(w.all, func(a, b webhook) int { return compare(before(a), before(b)) })
}

func (w *walk) remove(r *rapid.T) {
	if len(w.all) == 0 {
		return
	}
	id := w.all[rapid.IntRange(0, len(w.all)-1).Draw(r, "index")].ID
	check(r, w.DeleteWebhooks(context.Background(), w.organization, []string{id}))
	w.drop(id)
}

func (w *walk) drop(id string) {
	w.all = slices.DeleteFunc(w.all, func(a webhook) bool { return a.ID == id })
	delete(w.steady, id)
}

func (w *walk) start(r *rapid.T) {
	w.forward = true
	w.query = store.PageQuery{OrganizationID: w.organization, Limit: rapid.IntRange(1, 4).Draw(r, "limit")}
	w.steady = make(map[string]bool)
	for _, a := range w.all {
		w.steady[a.ID] = true
	}
}

func (w *walk) page(r *rapid.T) {
	got, err := w.ListWebhooks(context.Background(), w.query)
	check(r, err)
	samePage(r, got, model(w.all, w.query))
	seen := decode(r, got)
	for _, a := range seen {
		delete(w.steady, a.ID)
	}
	if w.forward && !got.HasNext && len(w.steady) > 0 {
		r.Fatalf("the walk ended without %v", w.steady)
	}
	if len(seen) == 0 {
		return
	}
	w.query.Backward = !w.forward
	if w.query.Bound = before(seen[0]); w.forward {
		w.query.Bound = after(seen[len(seen)-1])
	}
}

func isolation(t *testing.T, h harness) {
	s, all := open(t, h), newWebhooks(4)
	other := slices.Clone(all)
	for i := range other {
		other[i].Secret = "another secret"
	}
	load(t, s, "acme", all...)
	load(t, s, "acme2", other...)
	load(t, s, "ACME", other[0])
	check(t, s.DeleteWebhooks(t.Context(), "acme2", []string{other[1].ID}))
	_, err := s.ImportWebhooks(t.Context(), "ACME", each(nil, nil), store.ImportOptions{Replace: true})
	check(t, err)
	equal(t, "webhooks of acme", list(t, s, "acme"), all)
	equal(t, "webhooks of acme2", list(t, s, "acme2"), slices.Delete(slices.Clone(other), 1, 2))
	equal(t, "webhooks of ACME", len(list(t, s, "ACME")), 0)
}

func awkwardValues(t *testing.T, h harness) {
	s := open(t, h)
	all := []webhook{
		newWebhook("a", -30*365*24*time.Hour), // before 1995
		newWebhook("b", 0),
		newWebhook("c", 7*time.Microsecond),
		newWebhook("d", time.Hour),
		newWebhook("e", time.Hour),
		{ID: "f", Endpoint: "x", Secret: "x", CreatedAt: time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC), UpdatedAt: time.UnixMicro(0).UTC()},
	}
	all[0].CreatedAt = time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC)
	all[1].Endpoint = "https://x/%2F?a=b&c='\";--\\ \u00e4\U0001f4a1\u2028<>&\t\n\u007f"
	all[2].Endpoint = strings.Repeat("é", 8192)
	all[3].Secret = strings.Repeat("\U0001f511", 1024)
	all[4].EventCode, all[4].Enabled = "", false
	fine := slices.Clone(all)
	fine[2].CreatedAt = fine[2].CreatedAt.Add(999 * time.Nanosecond).In(time.FixedZone("", 3600))
	fine[0].UpdatedAt = fine[0].UpdatedAt.Add(999 * time.Nanosecond)
	load(t, s, "acme", fine...)
	equal(t, "webhooks", list(t, s, "acme"), all)
	equal(t, "second import", load(t, s, "acme", fine...), store.ImportResult{Unchanged: len(all)})
}

func rejectedText(t *testing.T, h harness) {
	s := open(t, h)
	for _, bad := range []string{"a\x00b", "a\xffb", "\xed\xa0\x80"} { // the last is a lone surrogate
		if _, err := s.ImportWebhooks(t.Context(), bad, each(nil, nil), store.ImportOptions{}); err == nil {
			t.Fatalf("an organization may be %q", bad)
		}
		if _, err := s.ListWebhooks(t.Context(), store.PageQuery{OrganizationID: bad, Limit: 1}); err == nil {
			t.Fatalf("an organization may be %q", bad)
		}
		if _, err := s.ListWebhooks(t.Context(), store.PageQuery{OrganizationID: "acme", Bound: store.Bound{ID: bad}, Limit: 1}); err == nil {
			t.Fatalf("a bound may be %q", bad)
		}
	}
}
