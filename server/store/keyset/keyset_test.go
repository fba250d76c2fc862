package keyset_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/packhooks/packhooks/server/store/keyset"
)

var place = []byte("place")

func create(t *testing.T) (string, *keyset.Keyset) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keyset")
	k, err := keyset.Create(path)
	check(t, err)
	return path, k
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func opens(t *testing.T, k *keyset.Keyset, ciphertext []byte) {
	t.Helper()
	plain, err := k.Open(t.Context(), ciphertext, place)
	check(t, err)
	if string(plain) != "secret" {
		t.Fatalf("opened %q", plain)
	}
}

func TestRotation(t *testing.T) {
	path, k := create(t)
	old, err := k.Seal(t.Context(), []byte("secret"), place)
	check(t, err)
	opens(t, k, old)
	if k.Stale(old) {
		t.Fatal("what the primary key sealed is stale")
	}

	other, err := keyset.Open(path) // another process
	check(t, err)
	id, err := keyset.Add(path)
	check(t, err)
	check(t, k.Reload())
	if keys := k.Keys(); len(keys) != 2 || keys[1].ID != id || !keys[0].Primary || keys[1].Primary || !keys[1].Enabled || k.Stale(old) {
		t.Fatalf("after adding %d: %+v", id, keys)
	}

	check(t, keyset.Promote(path, id))
	check(t, k.Reload())
	if keys := k.Keys(); keys[0].Primary || !keys[1].Primary || !k.Stale(old) {
		t.Fatalf("after promoting %d: %+v", id, keys)
	}
	fresh, err := k.Seal(t.Context(), []byte("secret"), place)
	check(t, err)
	opens(t, k, old)

	// The other process learns of the key when many of its requests meet it at once.
	var requests sync.WaitGroup
	for range 8 {
		requests.Go(func() {
			if plain, err := other.Open(t.Context(), fresh, place); err != nil || string(plain) != "secret" {
				t.Errorf("opening under a key that is new: %q, %v", plain, err)
			}
		})
	}
	requests.Wait()
	if other.Stale(fresh) || !other.Stale(old) {
		t.Fatal("the other process still seals under the old key")
	}

	if err := keyset.Promote(path, id+1); err == nil {
		t.Fatal("a key that is not there was promoted")
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	check(t, err)
	info, err := os.Stat(path)
	check(t, err)
	if len(entries) != 1 || info.Mode() != 0o600 {
		t.Fatalf("%d files, mode %v", len(entries), info.Mode())
	}
}

func TestOpenRefuses(t *testing.T) {
	_, k := create(t)
	sealed, err := k.Seal(t.Context(), []byte("secret"), place)
	check(t, err)
	_, foreign := create(t)
	flipped := bytes.Clone(sealed)
	flipped[len(flipped)-1] ^= 1
	for name, attempt := range map[string]func() ([]byte, error){
		"another place":  func() ([]byte, error) { return k.Open(t.Context(), sealed, []byte("elsewhere")) },
		"a flipped bit":  func() ([]byte, error) { return k.Open(t.Context(), flipped, place) },
		"another keyset": func() ([]byte, error) { return foreign.Open(t.Context(), sealed, place) },
		"nothing":        func() ([]byte, error) { return k.Open(t.Context(), nil, place) },
		"a short text":   func() ([]byte, error) { return k.Open(t.Context(), sealed[:5], place) },
	} {
		if plain, err := attempt(); err == nil {
			t.Errorf("%s: opened %q", name, plain)
		}
	}
}

func TestFiles(t *testing.T) {
	path, _ := create(t)
	if _, err := keyset.Create(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("creating over a file: %v", err)
	}
	missing := path + ".missing"
	if _, err := keyset.Open(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opening a missing file: %v", err)
	}
	if _, err := keyset.Add(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("adding to a missing file: %v", err)
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o644} {
		check(t, os.Chmod(path, mode))
		if _, err := keyset.Open(path); err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("mode %v: %v", mode, err)
		}
		if _, err := keyset.Add(path); err == nil {
			t.Errorf("mode %v: a key was added", mode)
		}
	}
}

func TestBrokenReloadKeepsKeys(t *testing.T) {
	path, k := create(t)
	sealed, err := k.Seal(t.Context(), []byte("secret"), place)
	check(t, err)
	_, foreign := create(t)
	unknown, err := foreign.Seal(t.Context(), []byte("secret"), place)
	check(t, err)
	check(t, os.Remove(path))
	if _, err := k.Open(t.Context(), unknown, place); err == nil {
		t.Fatal("opened what another keyset sealed")
	}
	opens(t, k, sealed)
}

// keyMaterial is the one text of a keyset's file that must never be seen.
func keyMaterial(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	check(t, err)
	var file struct {
		Key []struct{ KeyData struct{ Value string } }
	}
	check(t, json.Unmarshal(text, &file))
	return file.Key[0].KeyData.Value
}

func TestNothingPrintsKeys(t *testing.T) {
	path, k := create(t)
	secret := keyMaterial(t, path)
	type holder struct{ k *keyset.Keyset }
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		for _, value := range []any{k, holder{k}, []*keyset.Keyset{k}, k.Keys()} {
			text := fmt.Sprintf(verb, value)
			for _, part := range []string{secret[4:24], fmt.Sprintf("%x", secret)[8:40]} {
				if strings.Contains(text, part) {
					t.Errorf("%s of %T prints a key", verb, value)
				}
			}
		}
	}
	text, err := os.ReadFile(path)
	check(t, err)
	for i := range text { // cut anywhere, and with one byte that does not belong
		for _, broken := range [][]byte{text[:i], append(bytes.Clone(text[:i]), append([]byte("?"), text[i:]...)...)} {
			_, err := keyset.Parse(broken)
			if err != nil && strings.Contains(err.Error(), secret[4:12]) {
				t.Fatalf("the error quotes a key: cut at byte %d", i)
			}
		}
	}
}

// TestConcurrentChanges loses no key of forty that are added at once by way of a symbolic link.
func TestConcurrentChanges(t *testing.T) {
	path, _ := create(t)
	link := filepath.Join(t.TempDir(), "link")
	check(t, os.Symlink(path, link))
	ids := make([]uint32, 40)
	var adding sync.WaitGroup
	for i := range ids {
		adding.Go(func() {
			var err error
			if ids[i], err = keyset.Add(link); err != nil {
				t.Error(err)
			}
		})
	}
	adding.Wait()
	k, err := keyset.Open(path)
	check(t, err)
	for _, id := range ids {
		if !slices.ContainsFunc(k.Keys(), func(key keyset.KeyInfo) bool { return key.ID == id }) {
			t.Errorf("key %d is lost", id)
		}
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v, %v", info.Mode(), err)
	}
	for _, dir := range []string{filepath.Dir(path), filepath.Dir(link)} {
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("files left behind: %v, %v", entries, err)
		}
	}
}

// TestKeyLeaves takes a key away that has leaked.
func TestKeyLeaves(t *testing.T) {
	path, k := create(t)
	old := k.Keys()[0].ID
	sealed, err := k.Seal(t.Context(), []byte("secret"), place)
	check(t, err)
	if !keyset.SealedUnder(old)(sealed) || keyset.SealedUnder(old+1)(sealed) || keyset.SealedUnder(old)(nil) {
		t.Error("it does not know what it sealed")
	}
	for name, change := range map[string]func(string, uint32) error{"disabled": keyset.Disable, "removed": keyset.Remove} {
		if err := change(path, old); err == nil {
			t.Errorf("the primary key was %s", name)
		}
	}
	id, err := keyset.Add(path)
	check(t, err)
	check(t, keyset.Promote(path, id))
	check(t, keyset.Disable(path, old))
	check(t, k.Reload())
	if _, err := k.Open(t.Context(), sealed, place); err == nil {
		t.Error("a disabled key opens")
	}
	if err := keyset.Promote(path, old); err == nil {
		t.Error("a disabled key was promoted")
	}
	check(t, keyset.Enable(path, old))
	check(t, k.Reload())
	opens(t, k, sealed)
	check(t, keyset.Disable(path, old))
	check(t, keyset.Remove(path, old))
	check(t, k.Reload())
	if keys := k.Keys(); len(keys) != 1 || keys[0].ID != id {
		t.Errorf("keys left: %v", keys)
	}
	if keyset.Remove(path, old) == nil || keyset.Disable(path, old) == nil || keyset.Enable(path, old) == nil {
		t.Error("a key that is not there was changed")
	}
}

func TestParse(t *testing.T) {
	path, k := create(t)
	sealed, err := k.Seal(t.Context(), []byte("secret"), place)
	check(t, err)
	text, err := os.ReadFile(path)
	check(t, err)
	value, err := keyset.Parse(text)
	check(t, err)
	opens(t, value, sealed)
	check(t, value.Reload())
	raw := bytes.ReplaceAll(text, []byte(`"TINK"`), []byte(`"RAW"`))
	for name, broken := range map[string][]byte{"raw": raw, "empty": nil, "null": []byte("null"), "no keys": []byte(`{"primaryKeyId":1}`)} {
		if _, err := keyset.Parse(broken); err == nil {
			t.Errorf("%s was parsed", name)
		}
	}
}
