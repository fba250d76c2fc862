package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/keyset"
)

// newKeyFile makes a keyset and returns its path and the keyset.
func newKeyFile(t testing.TB) (string, *keyset.Keyset) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keyset")
	keys, err := keyset.Create(path)
	check(t, err)
	return path, keys
}

// forget takes all keys but the primary one out of a keyset's file.
func forget(t testing.TB, path string) {
	t.Helper()
	var file struct {
		Primary uint32           `json:"primaryKeyId"`
		Keys    []map[string]any `json:"key"`
	}
	text, err := os.ReadFile(path)
	check(t, err)
	check(t, json.Unmarshal(text, &file))
	file.Keys = slices.DeleteFunc(file.Keys, func(k map[string]any) bool { return k["keyId"] != float64(file.Primary) })
	text, err = json.Marshal(file)
	check(t, err)
	check(t, os.WriteFile(path, text, 0o600))
}

// againWithNewKeyAlone opens the database of s with the primary key of a keyset's file and no other.
func againWithNewKeyAlone(t testing.TB, h harness, s store.Store, path string) (store.Store, error) {
	t.Helper()
	forget(t, path)
	alone, err := keyset.Open(path)
	check(t, err)
	return h.again(t, s, alone, nil, "")
}

// interrupted is a keyset that lets something happen once, just before it seals or opens a document.
type interrupted struct {
	*keyset.Keyset
	before, beforeOpen atomic.Pointer[func()]
}

func (k *interrupted) Seal(ctx context.Context, plaintext, associatedData []byte) ([]byte, error) {
	if before := k.before.Swap(nil); before != nil {
		(*before)()
	}
	return k.Keyset.Seal(ctx, plaintext, associatedData)
}

func (k *interrupted) Open(ctx context.Context, ciphertext, associatedData []byte) ([]byte, error) {
	if before := k.beforeOpen.Swap(nil); before != nil {
		(*before)()
	}
	return k.Keyset.Open(ctx, ciphertext, associatedData)
}

// reencryption rotates keys while readers, who learn of it by themselves, go on. A webhook changes between being read
// and being sealed anew.
func reencryption(t *testing.T, h harness) {
	path, file := newKeyFile(t)
	keys := &interrupted{Keyset: file}
	s, all := h.open(t, keys), newWebhooks(1200)
	load(t, s, "acme", all...)
	load(t, s, "other", all[:700]...)
	own, err := keyset.Open(path)
	check(t, err)
	reader, err := h.again(t, s, own, nil, "")
	check(t, err)
	rotate(t, path)
	check(t, keys.Reload())

	ctx, cancel := context.WithCancel(t.Context())
	var others sync.WaitGroup
	read := func() {
		for ctx.Err() == nil {
			p, err := reader.ListWebhooks(context.Background(), store.PageQuery{OrganizationID: "acme", Bound: after(all[1199]), Backward: true, Limit: 100})
			if err != nil || len(p.Webhooks) != 100 {
				t.Errorf("reading during re-encryption: %d webhooks, %v", len(p.Webhooks), err)
				return
			}
			if w, err := p.Webhooks[99].Webhook(); err != nil || w.Secret != all[1199].Secret {
				t.Errorf("reading during re-encryption: %v", err)
				return
			}
		}
	}
	others.Go(read)
	others.Go(read)
	changed := all[20]
	changed.Secret = "changed during re-encryption"
	change := func() { load(t, s, "acme", changed) }
	keys.before.Store(&change)
	last := 0
	check(t, s.Reencrypt(t.Context(), func(n int) {
		if n <= last {
			t.Errorf("progress went from %d to %d", last, n)
		}
		last = n
	}))
	cancel()
	others.Wait()
	equal(t, "progress at the end", last, 1900)
	all[20] = changed
	equal(t, "webhooks", list(t, s, "acme"), all)
	equal(t, "webhooks", len(list(t, reader, "other")), 700)
	check(t, s.Reencrypt(t.Context(), nil))
	fresh, err := againWithNewKeyAlone(t, h, s, path)
	check(t, err)
	equal(t, "webhooks under the new key alone", list(t, fresh, "acme"), all)
}

// importDuringReencryption: an import that has sealed under the old key must not merge once that key is being replaced.
func importDuringReencryption(t *testing.T, h harness) {
	path, keys := newKeyFile(t)
	s, all := h.open(t, keys), newWebhooks(10)
	load(t, s, "acme", all...)
	changed := all[2]
	changed.Secret = "changed"
	_, err := s.ImportWebhooks(t.Context(), "acme", func(yield func(document.Document, error) bool) {
		if !yield(document.New(changed)) {
			return
		}
		rotate(t, path)
		check(t, keys.Reload())
		check(t, s.Reencrypt(t.Context(), nil))
	}, store.ImportOptions{})
	wantError(t, "import", err, store.ErrUnavailable)
	equal(t, "webhooks", list(t, s, "acme"), all)
	equal(t, "repeated import", load(t, s, "acme", changed), store.ImportResult{Updated: 1})
}

// reencryptionDuringImport: an import of what is stored already must not bring the old key's ciphertexts back.
func reencryptionDuringImport(t *testing.T, h harness) {
	path, file := newKeyFile(t)
	keys := &interrupted{Keyset: file}
	s, all := h.open(t, keys), newWebhooks(700)
	load(t, s, "acme", all...)
	rotate(t, path)
	check(t, keys.Reload())

	staged, done, imported := make(chan struct{}), make(chan struct{}), make(chan error)
	begin := func() { // when the first batch was read for re-encryption, and before it is replaced
		go func() {
			_, err := s.ImportWebhooks(t.Context(), "acme", func(yield func(document.Document, error) bool) {
				for i, w := range all {
					if i == 600 { // by then a batch is staged
						close(staged)
						<-done
					}
					if !yield(document.New(w)) {
						return
					}
				}
			}, store.ImportOptions{})
			imported <- err
		}()
		<-staged
	}
	keys.before.Store(&begin)
	check(t, s.Reencrypt(t.Context(), nil))
	close(done)
	check(t, <-imported)
	fresh, err := againWithNewKeyAlone(t, h, s, path)
	check(t, err)
	equal(t, "webhooks under the new key alone", list(t, fresh, "acme"), all)
}

func wrongKeys(t *testing.T, h harness) {
	path, keys := newKeyFile(t)
	s := h.open(t, keys)
	_, err := h.again(t, s, newKeys(t), nil, "")
	wantError(t, "opening with the keys of another database", err, store.ErrWrongKey)

	// Until everything is re-encrypted, the new key alone will not do.
	rotate(t, path)
	_, err = againWithNewKeyAlone(t, h, s, path)
	wantError(t, "opening with the new key alone", err, store.ErrWrongKey)
	check(t, s.Ready(t.Context()))
}

// movedDocuments moves each column of a document: it no longer opens.
func movedDocuments(t *testing.T, h harness) {
	s, all := open(t, h), newWebhooks(4)
	load(t, s, "acme", all...)
	fails := func(organization, id string, limit int) {
		t.Helper()
		_, err := s.ListWebhooks(t.Context(), store.PageQuery{OrganizationID: organization, Limit: limit})
		if err == nil || errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrUnauthorized) {
			t.Fatalf("reading a moved document: %v", err)
		}
		if text := err.Error(); !strings.Contains(text, organization) || !strings.Contains(text, id) || strings.Contains(text, all[0].Secret) {
			t.Fatalf("a moved document is reported without its place or with content: %v", err)
		}
	}
	h.raw(t, s, `UPDATE webhooks SET document = (SELECT document FROM webhooks AS w WHERE w.organization_id = 'acme' AND w.id = 'wh_00000')
		WHERE organization_id = 'acme' AND id = 'wh_00002'`)
	fails("acme", "wh_00002", 10)
	p, err := s.ListWebhooks(t.Context(), store.PageQuery{OrganizationID: "acme", Limit: 1})
	check(t, err)
	equal(t, "webhooks before it", decode(t, p), all[:1])
	equal(t, "import that mends it", load(t, s, "acme", all...), store.ImportResult{Updated: 1, Unchanged: 3})
	equal(t, "webhooks", list(t, s, "acme"), all)

	for column, move := range map[string][2]string{
		"created_at":      {"created_at = created_at - 1000000", "created_at = created_at + 1000000"},
		"id":              {"id = 'wh_'", "id = 'wh_00000'"},
		"organization_id": {"organization_id = 'other'", "organization_id = 'acme'"},
	} {
		organization, id := "acme", "wh_00000"
		switch column {
		case "id":
			id = "wh_"
		case "organization_id":
			organization = "other"
		}
		h.raw(t, s, "UPDATE webhooks SET "+move[0]+" WHERE organization_id = 'acme' AND id = 'wh_00000'")
		fails(organization, id, 1)
		h.raw(t, s, "UPDATE webhooks SET "+move[1]+" WHERE organization_id = '"+organization+"' AND id = '"+id+"'")
		equal(t, "webhooks moved back", list(t, s, "acme"), all)
	}
}
