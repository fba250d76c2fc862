//go:build faults && linux

// Package faults_test holds the real binary to what it promises while things go wrong: processes are killed, stopped
// and restarted, databases vanish and come back, clients are too many.
//
//	go test -tags faults -count=1 -v ./cmd/packhooks/faults
//
// It prints figures, so it wants a machine that does nothing else. The variables in size_test.go make it longer.
package faults_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/packhooks/packhooks/server/store"
)

// executable is packhooks as it ships.
var executable string

func TestMain(m *testing.M) {
	if os.Getenv(slowVariable) != "" {
		serveSlowly()
		return
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "packhooks-faults-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	executable = filepath.Join(dir, "packhooks")
	build := exec.Command("go", "build", "-trimpath", "-o", executable, "github.com/packhooks/packhooks/cmd/packhooks")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building packhooks: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// place is a folder to run packhooks in, with its environment.
type place struct {
	t   *testing.T
	dir string
	env []string

	// patient has must try again while the storage is unavailable: a machine that is busy with faults may take longer
	// to connect to PostgreSQL than a command waits.
	patient bool
}

func newPlace(t *testing.T, env ...string) place {
	t.Helper()
	env = append([]string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir()}, env...)
	return place{t: t, dir: t.TempDir(), env: env}
}

// in is the same place for a part of the test.
func (p place) in(t *testing.T) place {
	p.t = t
	return p
}

func (p place) path(name string) string { return filepath.Join(p.dir, name) }

// command does not outlive the test, however that ends.
func (p place) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(p.t.Context(), executable, args...)
	cmd.Dir, cmd.Env = p.dir, p.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// try runs packhooks to its end and returns what it printed.
func (p place) try(args ...string) (string, error) {
	var out, errs bytes.Buffer
	cmd := p.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("packhooks %s: %w: %s", strings.Join(args[:2], " "), err, errs.String())
	}
	return out.String(), nil
}

// must runs packhooks, which has to succeed.
func (p place) must(args ...string) string {
	p.t.Helper()
	out, err := p.try(args...)
	for n := 0; n < 5 && err != nil && p.patient && strings.Contains(err.Error(), store.ErrUnavailable.Error()); n++ {
		p.t.Logf("trying again: %v", err)
		out, err = p.try(args...)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// token makes a token that covers organizations.
func (p place) token(organizations ...string) string {
	p.t.Helper()
	args := []string{"token", "create"}
	for _, o := range organizations {
		args = append(args, "--org="+o)
	}
	return p.must(args...)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
