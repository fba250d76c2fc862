package keyset

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// Open reads a keyset file, which only its owner may be able to read. The error for a missing file wraps fs.ErrNotExist.
func Open(path string) (*Keyset, error) {
	k := &Keyset{path: path}
	if err := k.Reload(); err != nil {
		return nil, err
	}
	return k, nil
}

// Create writes a keyset with one new key to a file, which must not exist.
func Create(path string) (*Keyset, error) {
	handle, err := keyset.NewHandle(aead.XChaCha20Poly1305KeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("making key: %w", err)
	}
	if err := write(path, handle, nil); err != nil {
		return nil, fmt.Errorf("creating keyset: %w", err)
	}
	return Open(path)
}

// Add adds a new key to a keyset file. It seals nothing before it is promoted.
func Add(path string) (keyID uint32, err error) {
	err = change(path, func(m *keyset.Manager) error {
		// XChaCha20-Poly1305: its random 192-bit nonces allow any number of messages per key.
		keyID, err = m.Add(aead.XChaCha20Poly1305KeyTemplate())
		return err
	})
	return keyID, err
}

// Promote makes a key of a file's keyset the primary one.
func Promote(path string, keyID uint32) error {
	return change(path, func(m *keyset.Manager) error { return m.SetPrimary(keyID) })
}

// Disable stops a key from opening what it sealed; Enable undoes that.
func Disable(path string, keyID uint32) error {
	return change(path, func(m *keyset.Manager) error { return m.Disable(keyID) })
}

// Enable lets a key open again what it sealed.
func Enable(path string, keyID uint32) error {
	return change(path, func(m *keyset.Manager) error { return m.Enable(keyID) })
}

// Remove takes a key out of a file's keyset for good: whatever it sealed is lost. See SealedUnder.
func Remove(path string, keyID uint32) error {
	return change(path, func(m *keyset.Manager) error { return m.Delete(keyID) })
}

// change replaces the file under a lock. It follows symbolic links.
func change(path string, f func(*keyset.Manager) error) error {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("reading keyset: %w", err)
	}
	unlock, err := LockDir(filepath.Dir(target))
	if err != nil {
		return fmt.Errorf("locking keyset %s: %w", path, err)
	}
	defer unlock()
	s, err := read(target, nil)
	if err != nil {
		return err
	}
	m := keyset.NewManagerFromHandle(s.handle)
	err = f(m)
	handle, broken := m.Handle()
	if err := cmp.Or(err, broken); err != nil {
		return fmt.Errorf("changing keyset %s: %w", path, err)
	}
	if err := write(target, handle, s.file); err != nil {
		return fmt.Errorf("writing keyset: %w", err)
	}
	return nil
}

// read reads a file. It returns old if that is what the file still holds.
func read(path string, old *state) (*state, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading keyset: %w", err)
	}
	if old != nil && os.SameFile(info, old.file) && info.ModTime().Equal(old.file.ModTime()) {
		return old, nil
	}
	if exposed(info) {
		return nil, fmt.Errorf("keyset %s can be read by others (mode %04o): chmod 600 %s", path, info.Mode().Perm(), path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading keyset: %w", err)
	}
	s, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("reading keyset %s: %w", path, err)
	}
	s.file = info
	return s, nil
}

// write replaces old atomically and keeps its owner. If old is nil, path must not exist.
func write(path string, handle *keyset.Handle, old fs.FileInfo) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(f)); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if old == nil {
		return os.Link(f.Name(), path) // unlike Rename, it never replaces a file
	}
	if err := chownLike(f, old); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
