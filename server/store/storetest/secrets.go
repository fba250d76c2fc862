package storetest

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
func againWithNewKeyAlone(t testing.TB, h Harness, s store.Store, path string) (store.Store, error) {
	t.Helper()
	forget(t, path)
	alone, err := keyset.Open(path)
	check(t, err)
	return h.Again(t, s, alone)
}

// interrupted is a keyset that lets something happen once, just before it seals.
type interrupted struct {
	*keyset.Keyset
	before atomic.Pointer[func()]
}

func (k *interrupted) Seal(ctx context.Context, plaintext, associatedData []byte) ([]byte, error) {
	if before := k.before.Swap(nil); before != nil {
		(*before)()
	}
	return k.Keyset.Seal(ctx, plaintext, associatedData)
}

// reencryption rotates keys while readers, who learn of it by themselves, go on. A webhook changes between being read
// and being sealed anew.
func reencryption(t *testing.T, h Harness) {
	path, file := newKeyFile(t)
	keys := &interrupted{Keyset: file}
	s, all := h.Open(t, keys), newWebhooks(1200)
	load(t, s, "acme", all...)
	load(t, s, "other", all[:700]...)
	reader := s
	if h.Again != nil {
		own, err := keyset.Open(path)
		check(t, err)
		reader, err = h.Again(t, s, own)
		check(t, err)
	}
	rotate(t, path)
	check(t, keys.Reload())

	ctx, cancel := context.WithCancel(t.Context())
	var others sync.WaitGroup
	read := func() {
		for ctx.Err() == nil {
			p, err := reader.ListWebhooks(context.Background(), store.PageQuery{OrganizationID: "acme", Seek: store.UpTo, Position: position(all[1199]), Limit: 100})
			if err != nil || len(p.Webhooks) != 100 || p.Webhooks[99].Secret != all[1199].Secret {
				t.Errorf("reading during re-encryption: %d webhooks, %v", len(p.Webhooks), err)
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
	if h.Again != nil {
		fresh, err := againWithNewKeyAlone(t, h, s, path)
		check(t, err)
		equal(t, "webhooks under the new key alone", list(t, fresh, "acme"), all)
	}
}

// importDuringReencryption: an import that has sealed under the old key must not merge once that key is being replaced.
func importDuringReencryption(t *testing.T, h Harness) {
	path, keys := newKeyFile(t)
	s, all := h.Open(t, keys), newWebhooks(10)
	load(t, s, "acme", all...)
	changed := all[2]
	changed.Secret = "changed"
	_, err := s.ImportWebhooks(t.Context(), "acme", func(yield func(store.Webhook, error) bool) {
		if !yield(changed, nil) {
			return
		}
		rotate(t, path)
		check(t, keys.Reload())
		check(t, s.Reencrypt(t.Context(), nil))
	}, false)
	wantError(t, "import", err, store.ErrUnavailable)
	equal(t, "webhooks", list(t, s, "acme"), all)
	equal(t, "repeated import", load(t, s, "acme", changed), store.ImportResult{Updated: 1})
}

// reencryptionDuringImport: an import of what is stored already must not bring the old key's ciphertexts back.
func reencryptionDuringImport(t *testing.T, h Harness) {
	if h.Again == nil {
		return
	}
	path, file := newKeyFile(t)
	keys := &interrupted{Keyset: file}
	s, all := h.Open(t, keys), newWebhooks(700)
	load(t, s, "acme", all...)
	rotate(t, path)
	check(t, keys.Reload())

	staged, done, imported := make(chan struct{}), make(chan struct{}), make(chan error)
	begin := func() { // when the first batch was read for re-encryption, and before it is replaced
		go func() {
			_, err := s.ImportWebhooks(t.Context(), "acme", func(yield func(store.Webhook, error) bool) {
				for i, w := range all {
					if i == 600 { // by then a batch is staged
						close(staged)
						<-done
					}
					if !yield(w, nil) {
						return
					}
				}
			}, false)
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

func wrongKeys(t *testing.T, h Harness) {
	if h.Again == nil {
		return
	}
	path, keys := newKeyFile(t)
	s := h.Open(t, keys)
	_, err := h.Again(t, s, newKeys(t))
	wantError(t, "opening with the keys of another database", err, store.ErrWrongKey)

	// Until everything is re-encrypted, the new key alone will not do.
	rotate(t, path)
	_, err = againWithNewKeyAlone(t, h, s, path)
	wantError(t, "opening with the new key alone", err, store.ErrWrongKey)
	check(t, s.Ready(t.Context()))
}

func movedSecrets(t *testing.T, h Harness) {
	if h.CopySecret == nil {
		return
	}
	s, all := open(t, h), newWebhooks(4)
	load(t, s, "acme", all...)
	h.CopySecret(t, s, "acme", all[0].ID, all[2].ID)
	_, err := s.ListWebhooks(t.Context(), store.PageQuery{OrganizationID: "acme", Limit: 10})
	if err == nil || errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrUnauthorized) {
		t.Fatalf("reading a moved secret: %v", err)
	}
	if text := err.Error(); !strings.Contains(text, "acme") || !strings.Contains(text, all[2].ID) || strings.Contains(text, all[0].Secret) {
		t.Fatalf("a moved secret is reported without its place or with content: %v", err)
	}
	p, err := s.ListWebhooks(t.Context(), store.PageQuery{OrganizationID: "acme", Limit: 2})
	check(t, err)
	equal(t, "webhooks before it", p.Webhooks, all[:2])
	equal(t, "import that mends it", load(t, s, "acme", all...), store.ImportResult{Updated: 1, Unchanged: 3})
	equal(t, "webhooks", list(t, s, "acme"), all)
}
