package main_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	packhooks "github.com/packhooks/packhooks/cmd/packhooks"
)

// TestMain lets the test binary be packhooks itself, so that the tests run real processes with real signals.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_AS_PACKHOOKS") != "" {
		packhooks.Main()
	}
	os.Exit(m.Run())
}

// place is a folder to run packhooks in, with its environment.
type place struct {
	t   *testing.T
	dir string
	env []string
}

func newPlace(t *testing.T, env ...string) place {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	return place{t: t, dir: dir, env: env}
}

func (p place) with(env ...string) place {
	p.env = append(p.env[:len(p.env):len(p.env)], env...)
	return p
}

func (p place) command(args ...string) *exec.Cmd {
	p.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.CommandContext(p.t.Context(), exe, args...)
	cmd.Dir = p.dir
	cmd.Env = append([]string{
		"RUN_AS_PACKHOOKS=1", "PACKHOOKS_OPS_LISTEN=127.0.0.1:0", "PATH=" + os.Getenv("PATH"), "TMPDIR=" + filepath.Join(p.dir, "tmp"),
		"GOCOVERDIR=" + os.Getenv("GOCOVERDIR"), "GORACE=atexit_sleep_ms=10", // under -race every process ends with a sleep of a second by default
	}, p.env...)
	return cmd
}

type outcome struct {
	out, err string
	code     int
}

// run runs packhooks to its end.
func (p place) run(stdin string, args ...string) outcome {
	p.t.Helper()
	var out, errs bytes.Buffer
	cmd := p.command(args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return outcome{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// must runs packhooks and returns what it printed; it has to succeed.
func (p place) must(stdin string, args ...string) string {
	p.t.Helper()
	got := p.run(stdin, args...)
	if got.code != 0 {
		p.t.Fatalf("packhooks %s: exit %d: %s", args[0], got.code, got.err)
	}
	return got.out
}

// fails runs packhooks, which has to fail with this exit code and, in one line, all of these texts.
func (p place) fails(code int, stdin string, args []string, texts ...string) {
	p.t.Helper()
	got := p.run(stdin, args...)
	if got.code != code {
		p.t.Errorf("packhooks %s: exit %d, want %d: %s%s", strings.Join(args, " "), got.code, code, got.out, got.err)
	}
	line, rest, _ := strings.Cut(got.err, "\n")
	if rest != "" && (!strings.HasPrefix(rest, "packhooks: hint: ") || strings.Count(rest, "\n") != 1) {
		p.t.Errorf("packhooks %s: more than a line and a hint: %q", strings.Join(args, " "), got.err)
	}
	for _, text := range texts {
		if !strings.Contains(line, text) {
			p.t.Errorf("packhooks %s: %q does not say %q", strings.Join(args, " "), line, text)
		}
	}
}

func (p place) write(name, content string) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

// daemon is a running packhooks serve.
type daemon struct {
	*exec.Cmd
	t      *testing.T
	url    string // of the API
	ops    string
	exited chan error

	mu  sync.Mutex
	log strings.Builder
}

var (
	listening = regexp.MustCompile(`\blistening\b.*\burl\W{1,3}(http[^\s"]+)`) // as text and as JSON
	operating = regexp.MustCompile(`answering /healthz and /readyz\b.*\baddress\W{1,3}([^\s"]+)`)
)

// serve starts packhooks serve on free ports and waits until it listens.
func (p place) serve(args ...string) *daemon {
	p.t.Helper()
	d := &daemon{t: p.t, exited: make(chan error, 1)}
	d.Cmd = p.command(append([]string{"serve", "--listen=127.0.0.1:0", "--ops-listen=127.0.0.1:0"}, args...)...)
	stderr, err := d.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := d.Start(); err != nil {
		p.t.Fatal(err)
	}
	ready := make(chan struct{})
	go d.follow(stderr, ready)
	p.t.Cleanup(func() {
		_ = d.Process.Kill()
		_ = d.wait()
	})
	select {
	case <-ready:
	case <-time.After(20 * time.Second):
		p.t.Fatalf("not listening after 20 s: %s", d.logged())
	}
	if d.url == "" {
		p.t.Fatalf("did not start: %s", d.logged())
	}
	return d
}

func (d *daemon) follow(stderr io.Reader, ready chan struct{}) {
	var once sync.Once
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		d.mu.Lock()
		d.log.WriteString(lines.Text() + "\n")
		d.mu.Unlock()
		if m := operating.FindStringSubmatch(lines.Text()); m != nil {
			d.ops = "http://" + m[1]
		}
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			d.url = m[1]
			once.Do(func() { close(ready) })
		}
	}
	d.exited <- d.Wait()
	once.Do(func() { close(ready) })
}

func (d *daemon) logged() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

func (d *daemon) wait() error {
	err := <-d.exited
	d.exited <- err
	return err
}

// stop asks it to end, as a service manager does, and returns how long that took.
func (d *daemon) stop() time.Duration {
	d.t.Helper()
	start := time.Now()
	if err := d.Process.Signal(syscall.SIGTERM); err != nil {
		d.t.Fatal(err)
	}
	if err := d.wait(); err != nil {
		d.t.Errorf("packhooks serve: %v: %s", err, d.logged())
	}
	return time.Since(start)
}
