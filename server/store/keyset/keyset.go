// Package keyset seals documents at rest with the keys of a Tink keyset.
//
//	keys, err := keyset.Open("packhooks.db.keyset")
//	if err != nil {
//		return err
//	}
//	db, err := sqlite.Open(ctx, "packhooks.db", keys)
//
// A keyset is a JSON file of mode 0600 that holds its keys in clear: who reads it and the database reads every
// secret. One of the keys is primary and seals; all of them open. Keys are changed in three steps, so that servers
// that share a database never meet a key that they cannot get: Add a key and distribute the file, Promote the key
// and distribute again, then re-encrypt; then the old key can be disabled and removed. A Keyset reads its file again
// when it meets an unknown key.
//
// A key management service would be another document.Cipher.
package keyset

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/packhooks/packhooks/server/document"
)

// errMalformed replaces errors of parsers, which quote their input.
var errMalformed = errors.New("not a Tink keyset of AEAD keys in JSON")

// Keyset is a document.Cipher. It is safe for concurrent use, and nothing that it prints is key material: fmt does not
// follow the pointer that holds it.
type Keyset struct {
	state atomic.Pointer[state]

	path    string // empty for a keyset without a file
	loading sync.Mutex
	loaded  fs.FileInfo // the file as it was last read; guarded by loading
}

var _ document.Cipher = (*Keyset)(nil)

// KeyInfo describes a key without its material.
type KeyInfo struct {
	ID      uint32
	Primary bool
	Enabled bool
}

// Parse reads a keyset from memory. It has no file, so Reload finds no new keys.
func Parse(json []byte) (*Keyset, error) {
	s, err := parse(json)
	if err != nil {
		return nil, fmt.Errorf("parsing keyset: %w", err)
	}
	k := new(Keyset)
	k.state.Store(s)
	return k, nil
}

// Seal encrypts plaintext under the primary key.
func (k *Keyset) Seal(_ context.Context, plaintext, associatedData []byte) ([]byte, error) {
	return k.state.Load().aead.Encrypt(plaintext, associatedData)
}

// Open decrypts a ciphertext that any of the keys has sealed.
func (k *Keyset) Open(_ context.Context, ciphertext, associatedData []byte) ([]byte, error) {
	if _, known := k.state.Load().sealer(ciphertext); !known {
		if err := k.Reload(); err != nil {
			return nil, err
		}
		if _, known = k.state.Load().sealer(ciphertext); !known {
			return nil, errors.New("sealed under a key that the keyset does not hold")
		}
	}
	return k.state.Load().aead.Decrypt(ciphertext, associatedData)
}

// Stale reports whether ciphertext was sealed under a key other than the primary one.
func (k *Keyset) Stale(ciphertext []byte) bool {
	key, _ := k.state.Load().sealer(ciphertext)
	return !key.Primary
}

// SealedUnder returns a function that reports whether a ciphertext was sealed under a key.
func SealedUnder(keyID uint32) func(ciphertext []byte) bool {
	prefix := binary.BigEndian.AppendUint32([]byte{1}, keyID)
	return func(ciphertext []byte) bool { return bytes.HasPrefix(ciphertext, prefix) }
}

// Reload reads the file again if it has changed. On an error the keys stay as they were.
func (k *Keyset) Reload() error {
	if k.path == "" {
		return nil
	}
	k.loading.Lock()
	defer k.loading.Unlock()
	info, err := os.Stat(k.path)
	if err != nil {
		return fmt.Errorf("reading keyset: %w", err)
	}
	if k.loaded != nil && os.SameFile(info, k.loaded) && info.ModTime().Equal(k.loaded.ModTime()) {
		return nil
	}
	s, info, err := read(k.path)
	if err != nil {
		return err
	}
	k.state.Store(s)
	k.loaded = info
	return nil
}

// Modified is when the file was last written, as of its last reading; zero when there is no file.
func (k *Keyset) Modified() time.Time {
	k.loading.Lock()
	defer k.loading.Unlock()
	if k.loaded == nil {
		return time.Time{}
	}
	return k.loaded.ModTime()
}

// Keys lists the keys in the order in which they were added.
func (k *Keyset) Keys() []KeyInfo { return slices.Clone(k.state.Load().keys) }

// state is a keyset as it was read at one moment.
type state struct {
	handle *keyset.Handle
	aead   tink.AEAD
	keys   []KeyInfo
}

func parse(json []byte) (*state, error) {
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(json)))
	if err != nil {
		return nil, errMalformed
	}
	s := &state{handle: handle}
	if s.aead, err = aead.New(handle); err != nil {
		return nil, errMalformed
	}
	info := handle.KeysetInfo()
	for _, key := range info.GetKeyInfo() {
		if key.GetOutputPrefixType() != tinkpb.OutputPrefixType_TINK {
			return nil, fmt.Errorf("key %d must have output prefix type TINK", key.GetKeyId())
		}
		s.keys = append(s.keys, KeyInfo{
			ID:      key.GetKeyId(),
			Primary: key.GetKeyId() == info.GetPrimaryKeyId(),
			Enabled: key.GetStatus() == tinkpb.KeyStatusType_ENABLED,
		})
	}
	return s, nil
}

// sealer returns the id of the key of a ciphertext: Tink prefixes a version byte and the id.
func (s *state) sealer(ciphertext []byte) (KeyInfo, bool) {
	if len(ciphertext) < 5 || ciphertext[0] != 1 {
		return KeyInfo{}, false
	}
	id := binary.BigEndian.Uint32(ciphertext[1:])
	i := slices.IndexFunc(s.keys, func(k KeyInfo) bool { return k.ID == id && k.Enabled })
	if i < 0 {
		return KeyInfo{}, false
	}
	return s.keys[i], true
}
