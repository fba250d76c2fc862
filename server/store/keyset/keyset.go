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
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// errMalformed replaces errors of parsers, which quote their input.
var errMalformed = errors.New("not a Tink keyset of AEAD keys in JSON")

// Keyset is a document.Cipher. It is safe for concurrent use, and nothing that it prints is key material: fmt does not
// follow the pointer that holds it.
type Keyset struct {
	state   atomic.Pointer[state]
	path    string     // empty for a keyset without a file
	loading sync.Mutex // held while the file is read
}

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
	if !k.state.Load().sealer(ciphertext).Enabled {
		if err := k.Reload(); err != nil {
			return nil, err
		}
		if !k.state.Load().sealer(ciphertext).Enabled {
			return nil, errors.New("sealed under a key that the keyset does not hold")
		}
	}
	return k.state.Load().aead.Decrypt(ciphertext, associatedData)
}

// Stale reports whether ciphertext was sealed under a key other than the primary one.
func (k *Keyset) Stale(ciphertext []byte) bool {
	return !k.state.Load().sealer(ciphertext).Primary
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
	s, err := read(k.path, k.state.Load())
	if err == nil {
		k.state.Store(s)
	}
	return err
}

// Modified is when the file was last written, as of its last reading; zero when there is no file.
func (k *Keyset) Modified() time.Time {
	if file := k.state.Load().file; file != nil {
		return file.ModTime()
	}
	return time.Time{}
}

// Keys lists the keys in the order in which they were added.
func (k *Keyset) Keys() []KeyInfo { return slices.Clone(k.state.Load().keys) }

// state is a keyset as it was read at one moment.
type state struct {
	handle *keyset.Handle
	aead   tink.AEAD
	keys   []KeyInfo
	file   fs.FileInfo // nil when there is none
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

// sealer returns the enabled key that sealed a ciphertext, if there is one. Tink prefixes a version byte and the id.
func (s *state) sealer(ciphertext []byte) KeyInfo {
	if len(ciphertext) >= 5 && ciphertext[0] == 1 {
		id := binary.BigEndian.Uint32(ciphertext[1:])
		for _, key := range s.keys {
			if key.ID == id && key.Enabled {
				return key
			}
		}
	}
	return KeyInfo{}
}
