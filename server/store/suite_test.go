package store_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/packhooks/packhooks/gen/serverapi"
	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/keyset"
)

// harness is how the suite gets at an engine.
type harness struct {
	// open opens a new, empty store that seals with cipher. It closes it when t ends.
	open func(t testing.TB, cipher document.Cipher) store.Store

	// again opens the database of a store a second time, as another process would, which may be of another contract.
	again func(t testing.TB, s store.Store, cipher document.Cipher, contract *document.Contract, mode store.MigrateMode) (store.Store, error)

	// raw runs a statement behind the store's back, rawTokens where the tokens are.
	raw, rawTokens func(t testing.TB, s store.Store, statement string)
}

// run holds an engine to what the comments of package store promise. Each test has a store of its own; they run in
// parallel.
func run(t *testing.T, h harness) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, harness)
	}{
		{"pages have exact ends in every direction", exactEnds},
		{"order is by creation time and then by the bytes of the id", order},
		{"walks see what stays exactly once", walks},
		{"organizations do not see each other", isolation},
		{"awkward values come back as they were", awkwardValues},
		{"text that not every engine keeps is rejected", rejectedText},
		{"imports count what they do", importCounts},
		{"imports are all or nothing", importAtomicity},
		{"imports let others write meanwhile", importConcurrency},
		{"deletes are all or nothing", deletes},
		{"tokens live until they expire or are revoked", tokens},
		{"the use of a token is recorded by the hour", lastUse},
		{"altered tokens allow nothing", alteredTokens},
		{"re-encryption renews the seals of tokens", tokenRotation},
		{"what a key seals is counted", countSealed},
		{"parts that are missing, empty or foreign are named", incomplete},
		{"re-encryption needs no pause", reencryption},
		{"imports and re-encryption exclude each other", importDuringReencryption},
		{"re-encryption outlives an import of what is stored", reencryptionDuringImport},
		{"keys of another database are rejected", wrongKeys},
		{"documents open in their place only", movedDocuments},
		{"another contract is met in the open", contracts},
		{"documents are rewritten", rewriting},
		{"contracts and imports exclude each other", contractDuringImport},
		{"cancellation is the caller's error", cancellation},
		{"the pools of connections are described", pools},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, h)
		})
	}
}

func pools(t *testing.T, h harness) {
	s := open(t, h)
	status := s.Status()
	if status.Engine == "" || status.Schema != 1 || len(status.Pools) == 0 {
		t.Fatalf("status is %+v", status)
	}
	for _, p := range status.Pools {
		if p.Name == "" || p.Open < 1 || p.Open > p.Max || p.InUse > p.Open {
			t.Errorf("pool is %+v", p)
		}
	}
}

func open(t *testing.T, h harness) store.Store { return h.open(t, newKeys(t)) }

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

type webhook = serverapi.Webhook

func newWebhook(id string, created time.Duration) webhook {
	return webhook{
		ID: id, EventCode: "orders.created", Endpoint: "https://myapp.packcloud.local/" + id, Secret: "secret of " + id,
		Enabled: true, CreatedAt: epoch.Add(created), UpdatedAt: epoch.Add(created),
	}
}

func newWebhooks(n int) []webhook {
	all := make([]webhook, n)
	for i := range all {
		all[i] = newWebhook(fmt.Sprintf("wh_%05d", i), time.Duration(i/3)*time.Second) // three at a time
	}
	return all
}

// each yields documents as an import takes them, and then the error if there is one.
func each(all []webhook, err error) iter.Seq2[document.Document, error] {
	return func(yield func(document.Document, error) bool) {
		for _, w := range all {
			if d, err := document.New(w); !yield(d, err) || err != nil {
				return
			}
		}
		if err != nil {
			yield(document.Document{}, err)
		}
	}
}

func load(t fataler, s store.Store, organization string, all ...webhook) store.ImportResult {
	t.Helper()
	result, err := s.ImportWebhooks(context.Background(), organization, each(all, nil), store.ImportOptions{})
	check(t, err)
	return result
}

// list reads an organization's webhooks in one page.
func list(t fataler, s store.Store, organization string) []webhook {
	t.Helper()
	p, err := s.ListWebhooks(context.Background(), store.PageQuery{OrganizationID: organization, Limit: 100_000})
	check(t, err)
	return decode(t, p)
}

// decode returns the webhooks of a page.
func decode(t fataler, p store.Page) []webhook {
	t.Helper()
	all := make([]webhook, len(p.Webhooks))
	for i, d := range p.Webhooks {
		var err error
		all[i], err = d.Webhook()
		check(t, err)
		equal(t, "position of the document", store.Bound{CreatedAt: d.CreatedAt(), ID: d.ID()}, before(all[i]))
	}
	return all
}

// before and after are the bounds at a webhook.
func before(w webhook) store.Bound { return store.Bound{CreatedAt: w.CreatedAt, ID: w.ID} }

func after(w webhook) store.Bound { return store.Bound{CreatedAt: w.CreatedAt, ID: w.ID, After: true} }

func compare(a, b store.Bound) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
}

// page is a store.Page, decoded.
type page struct {
	webhooks         []webhook
	hasPrev, hasNext bool
}

// model is what a page must be when an organization has these webhooks, in order.
func model(all []webhook, q store.PageQuery) page {
	at := 0
	for _, w := range all {
		if c := compare(before(w), q.Bound); q.Bound != (store.Bound{}) && (c < 0 || q.Bound.After && c == 0) {
			at++
		}
	}
	begin, end := at, min(len(all), at+q.Limit)
	if q.Backward {
		begin, end = max(0, at-q.Limit), at
	}
	return page{all[begin:end], begin > 0, end < len(all)}
}

func samePage(t fataler, got store.Page, want page) {
	t.Helper()
	equal(t, "has previous, next", [2]bool{got.HasPrev, got.HasNext}, [2]bool{want.hasPrev, want.hasNext})
	equal(t, "webhooks on page", len(got.Webhooks), len(want.webhooks))
	for i, w := range decode(t, got) {
		equal(t, "webhook", w, want.webhooks[i])
	}
}
