//go:build faults && linux

package faults_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// freeze stops every process of a cluster in its tracks.
func freeze(t *testing.T, dir string) (thaw func()) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "postmaster.pid"))
	check(t, err)
	line, _, _ := strings.Cut(string(data), "\n")
	postmaster, err := strconv.Atoi(line)
	check(t, err)
	check(t, syscall.Kill(postmaster, syscall.SIGSTOP)) // first, so that it makes no more
	processes := append(childrenOf(t, postmaster), postmaster)
	signal := func(sig syscall.Signal) {
		for _, pid := range processes {
			_ = syscall.Kill(pid, sig) // one may have ended meanwhile
		}
	}
	signal(syscall.SIGSTOP)
	t.Cleanup(func() { signal(syscall.SIGCONT) })
	t.Logf("froze %d processes", len(processes))
	return func() { signal(syscall.SIGCONT) }
}

func childrenOf(t *testing.T, parent int) (children []int) {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	check(t, err)
	for _, path := range paths {
		data, _ := os.ReadFile(path)
		var pid, ppid int
		var state string
		// The name, in parentheses, may hold anything.
		_, _ = fmt.Sscanf(string(data), "%d", &pid)
		_, _ = fmt.Sscanf(string(data[strings.LastIndex(string(data), ")")+1:]), "%s %d", &state, &ppid)
		if ppid == parent {
			children = append(children, pid)
		}
	}
	return children
}
