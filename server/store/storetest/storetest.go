// Package storetest holds an implementation of store.Store to what package store promises.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, storetest.Harness{Open: func(t testing.TB, cipher store.Cipher) store.Store {
//			return mystore.New(t.TempDir(), cipher)
//		}})
//	}
//
// It opens a new store for each story and runs the stories in parallel. It does not measure: a store may pass and
// be slow.
package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/keyset"
)

// Harness is how Run gets at an implementation.
type Harness struct {
	// Open opens a new, empty store that seals with cipher. It closes it when t ends.
	Open func(t testing.TB, cipher store.Cipher) store.Store

	// Again opens the database of a store a second time, as another process would. It may be nil.
	Again func(t testing.TB, s store.Store, cipher store.Cipher) (store.Store, error)

	// CopySecret copies the sealed secret of one webhook to another, behind the store's back. It may be nil.
	CopySecret func(t testing.TB, s store.Store, organizationID, from, to string)
}

// Run tells every story of the implementation.
func Run(t *testing.T, h Harness) {
	for _, story := range []struct {
		name string
		tell func(*testing.T, Harness)
	}{
		{"pages have exact ends in every direction", exactEnds},
		{"order is by creation time and then by the bytes of the id", order},
		{"walks see what stays exactly once", walks},
		{"organizations do not see each other", isolation},
		{"awkward values come back as they were", awkwardValues},
		{"text that not every engine keeps is refused", refusedText},
		{"imports count what they do", importCounts},
		{"imports are all or nothing", importAtomicity},
		{"imports let others write meanwhile", importConcurrency},
		{"deletes are all or nothing", deletes},
		{"tokens live until they expire or are revoked", tokens},
		{"re-encryption needs no pause", reencryption},
		{"imports and re-encryption exclude each other", importDuringReencryption},
		{"re-encryption outlives an import of what is stored", reencryptionDuringImport},
		{"keys of another database are refused", wrongKeys},
		{"secrets open in their place only", movedSecrets},
		{"cancellation is the caller's error", cancellation},
	} {
		t.Run(story.name, func(t *testing.T) {
			t.Parallel()
			story.tell(t, h)
		})
	}
}

func open(t *testing.T, h Harness) store.Store { return h.Open(t, newKeys(t)) }

func newKeys(t testing.TB) *keyset.Keyset {
	t.Helper()
	keys, err := keyset.Create(filepath.Join(t.TempDir(), "keyset"))
	check(t, err)
	return keys
}

// rotate adds a key to a keyset's file and promotes it.
func rotate(t testing.TB, path string) {
	t.Helper()
	id, err := keyset.Add(path)
	check(t, err)
	check(t, keyset.Promote(path, id))
}

type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

func check(t fataler, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
}

func equal[T any](t fataler, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s: got %+v, want %+v", what, got, want)
	}
}

func wantError(t fataler, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: got error %v, want %v", what, err, want)
	}
}

var epoch = time.Date(2024, 8, 2, 12, 0, 0, 0, time.UTC)

func newWebhook(id string, created time.Duration) store.Webhook {
	return store.Webhook{
		ID: id, EventCode: "orders.created", Endpoint: "https://myapp.packcloud.local/" + id, Secret: "secret of " + id,
		Enabled: true, CreatedAt: epoch.Add(created), UpdatedAt: epoch.Add(created),
	}
}

func newWebhooks(n int) []store.Webhook {
	all := make([]store.Webhook, n)
	for i := range all {
		all[i] = newWebhook(fmt.Sprintf("wh_%05d", i), time.Duration(i/3)*time.Second) // three at a time
	}
	return all
}

// each yields webhooks as an import takes them, and then the error if there is one.
func each(all []store.Webhook, err error) iter.Seq2[store.Webhook, error] {
	return func(yield func(store.Webhook, error) bool) {
		for _, w := range all {
			if !yield(w, nil) {
				return
			}
		}
		if err != nil {
			yield(store.Webhook{}, err)
		}
	}
}

func load(t fataler, s store.Store, organization string, all ...store.Webhook) store.ImportResult {
	t.Helper()
	result, err := s.ImportWebhooks(context.Background(), organization, each(all, nil), false)
	check(t, err)
	return result
}

// list reads an organization's webhooks in one page.
func list(t fataler, s store.Store, organization string) []store.Webhook {
	t.Helper()
	p, err := s.ListWebhooks(context.Background(), store.PageQuery{OrganizationID: organization, Limit: 100_000})
	check(t, err)
	return p.Webhooks
}

func position(w store.Webhook) store.Position {
	return store.Position{CreatedAt: w.CreatedAt, ID: w.ID}
}

func compare(a, b store.Position) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
}

// model is what a page must be when an organization has these webhooks, in order.
func model(all []store.Webhook, q store.PageQuery) store.Page {
	begin, end := 0, len(all)
	index := func(after bool) int {
		return len(all) - len(slices.DeleteFunc(slices.Clone(all), func(w store.Webhook) bool {
			c := compare(position(w), q.Position)
			return c < 0 || after && c == 0
		}))
	}
	switch q.Seek {
	case store.After, store.From:
		begin = index(q.Seek == store.After)
	case store.Before, store.UpTo:
		end = index(q.Seek == store.UpTo)
		begin = max(0, end-q.Limit)
	}
	end = min(end, begin+q.Limit)
	return store.Page{Webhooks: all[begin:end], HasPrev: begin > 0, HasNext: end < len(all)}
}

func samePage(t fataler, got, want store.Page) {
	t.Helper()
	equal(t, "has previous, next", [2]bool{got.HasPrev, got.HasNext}, [2]bool{want.HasPrev, want.HasNext})
	equal(t, "webhooks on page", len(got.Webhooks), len(want.Webhooks))
	for i := range got.Webhooks {
		equal(t, "webhook", got.Webhooks[i], want.Webhooks[i])
	}
}
