//go:build unix

package keyset

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

func exposed(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }

// LockDir waits until no other process holds the lock of a directory. It leaves no file there.
func LockDir(path string) (unlock func(), err error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	for err = syscall.EINTR; errors.Is(err, syscall.EINTR); {
		err = syscall.Flock(int(dir.Fd()), syscall.LOCK_EX)
	}
	return func() { _ = dir.Close() }, err
}

// chownLike gives f the owner of old: a keyset changed by root must stay readable to the server.
func chownLike(f *os.File, old fs.FileInfo) error {
	if stat, ok := old.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return f.Chown(int(stat.Uid), int(stat.Gid))
	}
	return nil
}
