//go:build specedits && unix

package specedits_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// repository is a copy of the repository's files.
type repository struct {
	origin, dir string
	programs    string // where build puts them
	touched     []string
}

// generatedGo is the code that `make generate` writes, and generated is all of what it writes.
var (
	generatedGo = map[string][]string{
		"client": {"client/models.gen.go", "client/internal/clientapi/clientapi.gen.go"},
		"server": {"gen/serverapi/serverapi.gen.go"},
	}
	generated = slices.Concat([]string{"docs/contract.md"}, generatedGo["client"], generatedGo["server"])
)

// copyRepository copies what git tracks or would track.
func copyRepository(t *testing.T, origin string) *repository {
	t.Helper()
	list, err := exec.Command("git", "-C", origin, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatalf("listing the files of %s: %v", origin, err)
	}
	c := &repository{origin: origin, dir: t.TempDir(), programs: t.TempDir()}
	for name := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
		// What was deleted and is not yet committed is still listed.
		if err := c.restore(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return c
}

// restore brings a file back to how the repository has it.
func (c *repository) restore(name string) error {
	content, err := os.ReadFile(filepath.Join(c.origin, name))
	if err != nil {
		return err
	}
	path := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

// reset undoes every patch and what was generated from it.
func (c *repository) reset(t *testing.T) {
	t.Helper()
	for _, name := range slices.Concat(c.touched, generated) {
		if err := c.restore(name); err != nil {
			t.Fatal(err)
		}
	}
	c.touched = nil
}

// patch replaces old, which the file has to hold exactly once, or any number of times for one of everywhere.
type patch struct{ file, old, new string }

// everywhere begins the old text of a patch that replaces all that there are.
const everywhere = "everywhere: "

func (c *repository) apply(t *testing.T, patches []patch) {
	t.Helper()
	for _, p := range patches {
		path := filepath.Join(c.dir, p.file)
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		old, all := strings.CutPrefix(p.old, everywhere)
		if n := bytes.Count(content, []byte(old)); n != 1 && (n == 0 || !all) {
			t.Fatalf("%d places of %s hold %q, want one", n, p.file, old)
		}
		c.touched = append(c.touched, p.file)
		if err := os.WriteFile(path, bytes.ReplaceAll(content, []byte(old), []byte(p.new)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// program is packhooks as it was built after an edit, or from the repository as it is when edit is empty.
func (c *repository) program(edit string) string {
	return filepath.Join(c.programs, "packhooks "+edit)
}

func (c *repository) build(t *testing.T, edit string) string {
	t.Helper()
	if output, ok := c.run(t, "go", "build", "-o", c.program(edit), "./cmd/packhooks"); !ok {
		t.Fatal(output)
	}
	return c.program(edit)
}

// run runs a command in the copy, and returns what it said and whether it passed.
func (c *repository) run(t *testing.T, command ...string) (string, bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir = c.dir
	output, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(output), err == nil
}
