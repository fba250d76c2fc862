package store_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/packhooks/packhooks/api"
	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
)

// contract is the embedded one with each old text replaced by the new one.
func contract(t testing.TB, edits ...string) *document.Contract {
	t.Helper()
	spec := string(api.Spec)
	for pair := range slices.Chunk(edits, 2) {
		if strings.Count(spec, pair[0]) != 1 {
			t.Fatalf("the contract does not have %q once", pair[0])
		}
		spec = strings.Replace(spec, pair[0], pair[1], 1)
	}
	c, err := document.Load([]byte(spec))
	check(t, err)
	return c
}

func looser(t testing.TB) *document.Contract {
	return contract(t, "maxLength: 1024", "maxLength: 2048")
}

// tighter does not accept an endpoint of more than 40 characters.
func tighter(t testing.TB) *document.Contract { return contract(t, "maxLength: 8192", "maxLength: 40") }

func wantMisfits(t *testing.T, err error, count int, first ...string) {
	t.Helper()
	var misfits *store.MisfitError
	if !errors.As(err, &misfits) || misfits.Count != count {
		t.Fatalf("got error %v, want %d misfits", err, count)
	}
	for i, id := range first {
		equal(t, "misfit", misfits.First[i].ID, id)
	}
	if !strings.Contains(err.Error(), "endpoint: ") {
		t.Fatalf("the error does not name the property: %v", err)
	}
}

func contracts(t *testing.T, h harness) {
	keys := newKeys(t)
	s, all := h.open(t, keys), newWebhooks(1200)
	again := func(c *document.Contract, mode store.MigrateMode) store.Store {
		t.Helper()
		other, err := h.again(t, s, keys, c, mode)
		check(t, err)
		return other
	}
	load(t, s, "acme", all...)
	check(t, s.CheckDocuments(t.Context(), func(int) { t.Error("documents of the program's own contract were looked at") }))

	// What fits is recorded, there and back again. A program of the other contract can no longer import.
	next := again(looser(t), "")
	wantError(t, "import before the check", importError(t, next, all[0]), store.ErrOtherContract)
	wantError(t, "check without leave to look", again(looser(t), store.MigrateCheck).CheckDocuments(t.Context(), nil), store.ErrOtherContract)
	check(t, again(looser(t), store.MigrateOff).CheckDocuments(t.Context(), nil))
	check(t, importError(t, s, all[0]))
	seen := 0
	check(t, next.CheckDocuments(t.Context(), func(n int) { seen = n }))
	equal(t, "documents looked at", seen, len(all))
	check(t, importError(t, next, all[0]))
	wantError(t, "import by the former program", importError(t, s, all[0]), store.ErrOtherContract)
	check(t, s.CheckDocuments(t.Context(), nil))
	check(t, importError(t, s, all[0]))

	// What does not fit changes nothing.
	long := newWebhook("wh_long", 0)
	long.Endpoint += strings.Repeat("x", 40)
	load(t, s, "other", long)
	wantMisfits(t, again(tighter(t), "").CheckDocuments(t.Context(), nil), 1, "wh_long")
	check(t, importError(t, s, all[0]))

	// Importing without looking is the way to replace them; the database then knows no contract until somebody looks.
	long.Endpoint = "https://myapp.packcloud.local/"
	equal(t, "import without looking", load(t, again(tighter(t), store.MigrateOff), "other", long), store.ImportResult{Updated: 1})
	wantError(t, "import by the former program", importError(t, s, all[0]), store.ErrOtherContract)
	check(t, again(tighter(t), "").CheckDocuments(t.Context(), nil))
	equal(t, "webhooks", list(t, s, "acme"), all)
}

func importError(t *testing.T, s store.Store, w webhook) error {
	_, err := s.ImportWebhooks(t.Context(), "acme", each([]webhook{w}, nil), store.ImportOptions{})
	return err
}

func rewriting(t *testing.T, h harness) {
	keys := newKeys(t)
	s, all := h.open(t, keys), newWebhooks(1200)
	all[1].EventCode, all[1100].EventCode = "", ""
	load(t, s, "acme", all...)
	again := func(c *document.Contract) store.Store {
		t.Helper()
		other, err := h.again(t, s, keys, c, "")
		check(t, err)
		return other
	}
	rewrite := func(s store.Store, dryRun bool, want store.Rewritten) {
		t.Helper()
		got, err := s.RewriteDocuments(t.Context(), dryRun, nil)
		check(t, err)
		equal(t, "rewritten", got, want)
	}
	const optional, code = "required: [id, endpoint, secret, enabled, created_at, updated_at]", "          maxLength: 255\n          pattern: '^[^\\x00]+$'\n          example: orders.created"
	defaulted := again(contract(t, optional, "required: [id, event_code, endpoint, secret, enabled, created_at, updated_at]", code, code+"\n          default: orders.any"))
	if err := defaulted.CheckDocuments(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "event_code") {
		t.Fatalf("documents without a required property: %v", err)
	}
	rewrite(defaulted, true, store.Rewritten{Webhooks: 1200, Changed: 2, Filled: 2})
	equal(t, "webhooks after a dry run", list(t, s, "acme"), all)
	check(t, importError(t, s, all[1]))
	rewrite(defaulted, false, store.Rewritten{Webhooks: 1200, Changed: 2, Filled: 2})
	all[1].EventCode, all[1100].EventCode = "orders.any", "orders.any"
	equal(t, "webhooks", list(t, s, "acme"), all)
	check(t, defaulted.CheckDocuments(t.Context(), func(int) { t.Error("the contract was not recorded") }))

	removed := again(contract(t, "        event_code:\n", "        event_name:\n"))
	rewrite(removed, false, store.Rewritten{Webhooks: 1200, Changed: 1200, Dropped: 1200})
	rewrite(removed, false, store.Rewritten{Webhooks: 1200})
	for i := range all {
		all[i].EventCode = ""
	}
	equal(t, "webhooks", list(t, s, "acme"), all)

	long := newWebhook("wh_long", 0)
	long.Endpoint += strings.Repeat("x", 40)
	check(t, s.CheckDocuments(t.Context(), nil))
	load(t, s, "other", long)
	_, err := again(tighter(t)).RewriteDocuments(t.Context(), false, nil)
	wantMisfits(t, err, 1, "wh_long")
	equal(t, "webhook that cannot be mended", list(t, s, "other"), []webhook{long})
}

// contractDuringImport lets a program of the former contract import while documents are checked, behind the check's back.
func contractDuringImport(t *testing.T, h harness) {
	keys := &interrupted{Keyset: newKeys(t)}
	s, all := h.open(t, keys), newWebhooks(600)
	load(t, s, "acme", all...)
	next, err := h.again(t, s, keys, tighter(t), "")
	check(t, err)
	long := newWebhook("early", -1)
	long.Endpoint += strings.Repeat("x", 40)
	intrude := func() { load(t, s, "acme", long) }
	keys.beforeOpen.Store(&intrude)
	wantMisfits(t, next.CheckDocuments(t.Context(), nil), 1, "early")
	check(t, importError(t, s, all[0]))

	// An import that has begun under the former contract does not merge under the next one.
	_, err = s.ImportWebhooks(t.Context(), "acme", func(yield func(document.Document, error) bool) {
		check(t, s.DeleteWebhooks(t.Context(), "acme", []string{"early"}))
		check(t, next.CheckDocuments(t.Context(), nil))
		yield(document.New(long))
	}, store.ImportOptions{})
	wantError(t, "import", err, store.ErrOtherContract)
	equal(t, "webhooks", list(t, s, "acme"), all)
}
