package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// tree is a copy of the repository's files, in a folder of its own.
type tree struct {
	dir, origin string
	touched     []string
}

// generatedGo and generated are what `make generate` writes.
var (
	generatedGo = []string{"gen/clientapi/clientapi.gen.go", "gen/serverapi/serverapi.gen.go"}
	generated   = append([]string{"docs/contract.md"}, generatedGo...)
)

// copyTree copies what git tracks or would track.
func copyTree(origin, dir string) (*tree, error) {
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = origin
	list, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing the files of %s: %w", origin, err)
	}
	t := &tree{dir: dir, origin: origin}
	for name := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
		if err := t.restore(name); err != nil && !os.IsNotExist(err) {
			return nil, err
		}
	}
	return t, nil
}

// restore brings a file back to how the repository has it.
func (t *tree) restore(name string) error {
	info, err := os.Stat(filepath.Join(t.origin, name))
	if err != nil {
		return err
	}
	content, err := os.ReadFile(filepath.Join(t.origin, name))
	if err != nil {
		return err
	}
	path := filepath.Join(t.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, info.Mode().Perm())
}

// reset undoes every patch and what was generated from it.
func (t *tree) reset() error {
	for _, name := range slices.Concat(t.touched, generated) {
		if err := t.restore(name); err != nil {
			return err
		}
	}
	t.touched = nil
	return nil
}

// patch replaces old, which the file has to hold exactly once.
type patch struct{ file, old, new string }

func (t *tree) apply(patches []patch) error {
	for _, p := range patches {
		path := filepath.Join(t.dir, p.file)
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if n := bytes.Count(content, []byte(p.old)); n != 1 {
			return fmt.Errorf("patching %s: %d places hold %q, want one", p.file, n, p.old)
		}
		t.touched = append(t.touched, p.file)
		content = bytes.Replace(content, []byte(p.old), []byte(p.new), 1)
		if err := os.WriteFile(path, content, 0o644); err != nil { //nolint:gosec // the file is there, with its mode
			return err
		}
	}
	return nil
}

// run runs a command in the copy, and returns what it said and whether it succeeded.
func (t *tree) run(args ...string) (string, bool) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = t.dir
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}
