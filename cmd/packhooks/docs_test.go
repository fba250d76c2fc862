package main_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/packhooks/packhooks/server/store/postgres/postgrestest"
)

// block is a console block of a document: a line that begins with $ is a command, the others are what it prints.
type block struct {
	place  string
	reason string // why it is not run
	needs  string // a program that it needs
	lines  []string
}

var (
	notRun = regexp.MustCompile(`^<!-- not run: (.+) -->$`)
	needs  = regexp.MustCompile(`^<!-- needs: (\S+) -->$`)
)

func readBlocks(t *testing.T, path string) (blocks []block) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, inside := "", false
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case !inside && line == "```console":
			b := block{place: fmt.Sprintf("%s:%d", filepath.Base(path), i+1)}
			if m := notRun.FindStringSubmatch(before); m != nil {
				b.reason = m[1]
			}
			if m := needs.FindStringSubmatch(before); m != nil {
				b.needs = m[1]
			}
			blocks, inside = append(blocks, b), true
		case !inside && (line == "```sh" || line == "```shell" || line == "```bash"):
			t.Errorf("%s:%d: commands belong in a console block, so that they are run", path, i+1)
		case inside && line == "```":
			inside = false
		case inside:
			blocks[len(blocks)-1].lines = append(blocks[len(blocks)-1].lines, line)
		}
		before = line
	}
	return blocks
}

// TestDocumentsShowCommandsThatWork runs the console blocks of each document in one shell and a folder of its own, which
// holds the documents and a packhooks in PATH. A server goes to the background. Output that a block shows has to come.
func TestDocumentsShowCommandsThatWork(t *testing.T) {
	for _, document := range []string{"README.md", "CONTRIBUTING.md", "docs/operations.md", "docs/contract.md", "docs/vendor.md", "SECURITY.md"} {
		t.Run(document, func(t *testing.T) {
			p := newPlace(t)
			p.shell(t, readBlocks(t, filepath.Join("..", "..", document)))
		})
	}
}

func (p place) shell(t *testing.T, blocks []block) {
	t.Helper()
	script := []string{"trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"}
	for _, b := range blocks {
		if b.reason != "" {
			continue
		}
		if _, err := exec.LookPath(b.needs); b.needs != "" && err != nil {
			if os.Getenv(postgrestest.RequireVariable) != "" {
				t.Errorf("%s: %s is not installed", b.place, b.needs)
			}
			continue
		}
		for _, line := range b.lines {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				script = append(script, fmt.Sprintf("echo '@@ %s' >&2", b.place), asScript(command))
			}
		}
	}
	if len(script) == 1 {
		return
	}
	cmd := p.command()
	cmd.Path, cmd.Args = "/bin/bash", []string{"bash", "-euc", strings.Join(script, "\n")}
	api, ops := freeAddress(t), freeAddress(t)
	cmd.Env = append(cmd.Env, "PATH="+p.withProgram(t)+":"+os.Getenv("PATH"), "HOME="+p.dir,
		"PACKHOOKS_LISTEN="+api, "PACKHOOKS_OPS_LISTEN="+ops, "PACKHOOKS_URL=http://"+api+"/v1")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, errs.String())
	}
	for _, b := range blocks {
		for _, line := range b.lines {
			if b.reason == "" && !strings.HasPrefix(line, "$ ") && !strings.Contains(string(out), line+"\n") {
				t.Errorf("%s shows %q, printed was\n%s", b.place, line, out)
			}
		}
	}
}

// asScript lets a server run in the background and waits until it is ready.
func asScript(command string) string {
	if strings.HasPrefix(command, "packhooks serve") {
		return command + " 2>serve.log &\nfor i in $(seq 200); do packhooks probe 2>/dev/null && break; sleep 0.1; done; packhooks probe"
	}
	return command
}

// withProgram puts a packhooks and the documents' files into the place, and returns the folder of the program.
func (p place) withProgram(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(p.dir, "bin")
	err = os.Mkdir(bin, 0o700)
	if err == nil {
		err = os.Symlink(exe, filepath.Join(bin, "packhooks"))
	}
	if err == nil {
		err = os.CopyFS(filepath.Join(p.dir, "docs"), os.DirFS(filepath.Join("..", "..", "docs")))
	}
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
