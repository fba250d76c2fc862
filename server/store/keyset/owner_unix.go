//go:build unix

package keyset

import (
	"io/fs"
	"os"
	"syscall"
)

func exposed(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }

// giveTo makes f belong to the owner of old: a key added by root must stay readable to the server.
func giveTo(f *os.File, old fs.FileInfo) error {
	if stat, ok := old.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return f.Chown(int(stat.Uid), int(stat.Gid))
	}
	return nil
}
