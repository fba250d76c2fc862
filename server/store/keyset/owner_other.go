//go:build !unix

package keyset

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Mode bits do not govern access here.
func exposed(fs.FileInfo) bool { return false }

// LockDir creates a lock file, which remains if the process is killed.
func LockDir(path string) (unlock func(), err error) {
	name := filepath.Join(path, ".packhooks.lock")
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			_ = f.Close()
			return func() { _ = os.Remove(name) }, nil
		}
		if !errors.Is(err, fs.ErrExist) || time.Now().After(end) {
			return nil, err
		}
	}
}

func chownLike(*os.File, fs.FileInfo) error { return nil }
