package store_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
)

func importCounts(t *testing.T, h harness) {
	s, all := open(t, h), newWebhooks(1200)
	equal(t, "first import", load(t, s, "acme", all...), store.ImportResult{Created: len(all)})
	equal(t, "same import", load(t, s, "acme", all...), store.ImportResult{Unchanged: len(all)})

	for i, change := range []func(*webhook){
		func(w *webhook) { w.Secret += "!" },
		func(w *webhook) { w.Endpoint += "!" },
		func(w *webhook) { w.EventCode = "" },
		func(w *webhook) { w.Enabled = !w.Enabled },
		func(w *webhook) { w.UpdatedAt = w.UpdatedAt.Add(time.Microsecond) },
		func(w *webhook) { w.CreatedAt = epoch.Add(time.Hour) },
	} {
		change(&all[i])
	}
	added := newWebhook("new", 2*time.Hour)
	equal(t, "changed import", load(t, s, "acme", append(slices.Clone(all[:10]), added)...),
		store.ImportResult{Created: 1, Updated: 6, Unchanged: 4})
	all = append(slices.Concat(all[:5], all[6:], all[5:6]), added)
	equal(t, "webhooks", list(t, s, "acme"), all)

	all[0].Secret = "yet another"
	keep := slices.Concat(all[:600], []webhook{newWebhook("newer", 3*time.Hour)})
	planned := map[store.Change]int{}
	result, err := s.ImportWebhooks(t.Context(), "acme", each(keep, nil), store.ImportOptions{
		Replace: true, Preview: func(change store.Change, _ string) { planned[change]++ },
	})
	check(t, err)
	equal(t, "dry run", result, store.ImportResult{Created: 1, Updated: 1, Unchanged: 599, Removed: 601})
	equal(t, "what a dry run names", planned, map[store.Change]int{store.Create: 1, store.Update: 1, store.Remove: 601})
	equal(t, "webhooks after a dry run", len(list(t, s, "acme")), len(all))
	result, err = s.ImportWebhooks(t.Context(), "acme", each(keep, nil), store.ImportOptions{Replace: true})
	check(t, err)
	equal(t, "replacing import", result, store.ImportResult{Created: 1, Updated: 1, Unchanged: 599, Removed: 601})
	equal(t, "webhooks", list(t, s, "acme"), keep)

	result, err = s.ImportWebhooks(t.Context(), "acme", each(nil, nil), store.ImportOptions{Replace: true})
	check(t, err)
	equal(t, "empty replacing import", result, store.ImportResult{Removed: 601})
	equal(t, "webhooks", len(list(t, s, "acme")), 0)
}

func importAtomicity(t *testing.T, h harness) {
	s, all, broken := open(t, h), newWebhooks(10), errors.New("line 7 is broken")
	load(t, s, "acme", all...)
	many := newWebhooks(1100)
	for i := range many {
		many[i].Secret = "changed"
	}
	for _, replace := range []bool{false, true} {
		_, err := s.ImportWebhooks(t.Context(), "acme", each(many, broken), store.ImportOptions{Replace: replace})
		wantError(t, "import of broken rows", err, broken)
		_, err = s.ImportWebhooks(t.Context(), "acme", each(append(slices.Clone(many), many[3]), nil), store.ImportOptions{Replace: replace})
		wantError(t, "import of an id that came long before", err, store.ErrDuplicateID)
		twin := many[5]
		twin.CreatedAt = epoch.Add(-time.Hour)
		_, err = s.ImportWebhooks(t.Context(), "acme", each([]webhook{many[5], twin}, nil), store.ImportOptions{Replace: replace})
		wantError(t, "import of an id twice", err, store.ErrDuplicateID)
		equal(t, "webhooks", list(t, s, "acme"), all)
	}
	equal(t, "import after the broken ones", load(t, s, "acme", many...), store.ImportResult{Created: 1090, Updated: 10})
}

// importConcurrency writes from within the rows of an import.
func importConcurrency(t *testing.T, h harness) {
	s, all := open(t, h), newWebhooks(1000)
	load(t, s, "acme", all[:10]...)
	token, err := s.CreateToken(t.Context(), newHash(t), store.Token{Organizations: []string{"acme"}})
	check(t, err)
	began := time.Now()
	result, err := s.ImportWebhooks(t.Context(), "acme", func(yield func(document.Document, error) bool) {
		for i, w := range all {
			if i == 700 {
				check(t, s.DeleteWebhooks(t.Context(), "acme", []string{all[3].ID}))
				check(t, s.RevokeToken(t.Context(), token.ID))
				load(t, s, "acme", newWebhook("between", -time.Hour))
				load(t, s, "other", all[0])
				equal(t, "webhooks during the import", len(list(t, s, "acme")), 10)
			}
			if !yield(document.New(w)) {
				return
			}
		}
	}, store.ImportOptions{})
	check(t, err)
	equal(t, "import", result, store.ImportResult{Created: 991, Unchanged: 9})
	equal(t, "webhooks", len(list(t, s, "acme")), 1001)
	if took := time.Since(began); took > 10*time.Second {
		t.Fatalf("others were kept waiting: %v", took)
	}
}

func deletes(t *testing.T, h harness) {
	s, all := open(t, h), newWebhooks(5)
	load(t, s, "acme", all...)
	for _, missing := range []string{"wh_9", "a\x00b", "a\xff", "wh_00000 ", "WH_00000", ""} {
		err := s.DeleteWebhooks(t.Context(), "acme", []string{all[0].ID, missing, all[1].ID})
		var e *store.MissingError
		if !errors.As(err, &e) {
			t.Fatalf("deleting %q: %v", missing, err)
		}
		equal(t, "missing", *e, store.MissingError{Kind: "webhook", IDs: []string{missing}})
		equal(t, "webhooks", list(t, s, "acme"), all)
	}
	check(t, s.DeleteWebhooks(t.Context(), "acme", []string{all[1].ID, all[3].ID, all[1].ID}))
	check(t, s.DeleteWebhooks(t.Context(), "acme", nil))
	equal(t, "webhooks", list(t, s, "acme"), []webhook{all[0], all[2], all[4]})
}

func cancellation(t *testing.T, h harness) {
	s, all := open(t, h), newWebhooks(1000)
	load(t, s, "acme", all[:3]...)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.ImportWebhooks(ctx, "acme", func(yield func(document.Document, error) bool) {
		for i, w := range all {
			if i == 900 {
				cancel()
			}
			if !yield(document.New(w)) {
				return
			}
		}
	}, store.ImportOptions{Replace: true})
	wantError(t, "import", err, context.Canceled)

	_, err = s.ListWebhooks(ctx, store.PageQuery{OrganizationID: "acme", Limit: 1})
	wantError(t, "list", err, context.Canceled)
	_, err = s.Authenticate(ctx, store.NewToken())
	wantError(t, "authenticate", err, context.Canceled)
	wantError(t, "delete", s.DeleteWebhooks(ctx, "acme", []string{all[0].ID}), context.Canceled)
	wantError(t, "re-encrypt", s.Reencrypt(ctx, nil), context.Canceled)
	equal(t, "webhooks", list(t, s, "acme"), all[:3])
}
