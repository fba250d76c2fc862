//go:build specedits && unix

package specedits_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/packhooks/packhooks/server/store/postgres/postgrestest"
)

// webhook is one as JSON has it, so that it may have any property.
type webhook map[string]any

// newWebhook makes the webhook of a number, with more properties: names and values in turns.
func newWebhook(number int, more ...any) webhook {
	w := webhook{
		"id": fmt.Sprintf("wh_%05d", number), "event_code": "orders.created", "endpoint": fmt.Sprintf("https://example.com/%d", number),
		"secret": fmt.Sprintf("secret of %d", number), "enabled": number%2 == 0,
		"created_at": "2024-08-02T09:30:00Z", "updated_at": "2024-08-03T09:30:00Z",
	}
	for i := 0; i < len(more); i += 2 {
		w[more[i].(string)] = more[i+1]
	}
	return w
}

func newWebhooks(n int) []webhook {
	all := make([]webhook, n)
	for i := range all {
		all[i] = newWebhook(i)
	}
	return all
}

// place is a database, and packhooks as two versions of the contract made it: the database was begun by the old one.
type place struct {
	*testing.T
	engine   string
	old, new string   // executables
	dir      string   // to run in
	files    string   // where the database lies
	env      []string // names the database
	token    string   // reads the organizations acme and copy
}

func newPlace(t *testing.T, before, after string) *place {
	p := &place{T: t, engine: "sqlite", old: before, new: after, dir: t.TempDir()}
	p.files, p.env = p.dir, []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir(), "PACKHOOKS_DB=packhooks.db"}
	return p
}

func newPostgresPlace(t *testing.T, cluster *postgrestest.Cluster, before, after string) *place {
	p := newPlace(t, before, after)
	p.engine, p.files = "postgres", cluster.Dir
	p.env = append(p.env[:2], "PACKHOOKS_DB="+cluster.DSN(t), "PACKHOOKS_KEYSET_FILE=packhooks.keyset")
	p.must(before, nil, "keys", "init")
	p.must(before, nil, "init")
	return p
}

// fill imports webhooks with the old program, and makes the token.
func (p *place) fill(all ...webhook) {
	p.Helper()
	p.must(p.old, all, "import", "--org=acme", "-")
	p.token = strings.TrimSpace(p.must(p.old, nil, "token", "create", "--org=acme", "--org=copy"))
}

// passes and stops print a line of the table.
func (p *place) passes(what, says string) { p.print(what, "passes", says) }

func (p *place) stops(what, says string) { p.print(what, "stops", says) }

func (p *place) print(what, verdict, says string) {
	says, _, _ = strings.Cut(says, "\n") // without the hint
	fmt.Printf("  %-9s %-35s %-7s %s\n", p.engine, what, verdict, says[:min(len(says), 150)])
}

// command gives webhooks on standard input.
func (p *place) command(program string, input []webhook, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(p.Context(), program, args...)
	cmd.Dir, cmd.Env = p.dir, append(p.env[:len(p.env):len(p.env)], "PACKHOOKS_TOKEN="+p.token)
	text, err := json.Marshal(input)
	p.check(err)
	cmd.Stdin = bytes.NewReader(text)
	return cmd
}

func (p *place) run(program string, input []webhook, args ...string) (out, errs string, code int) {
	p.Helper()
	var o, e bytes.Buffer
	cmd := p.command(program, input, args...)
	cmd.Stdout, cmd.Stderr = &o, &e
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		p.Fatal(err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// must runs packhooks, which has to succeed, and returns what it printed.
func (p *place) must(program string, input []webhook, args ...string) string {
	p.Helper()
	out, errs, code := p.run(program, input, args...)
	if code != 0 {
		p.Fatalf("packhooks %s: exit %d: %s", strings.Join(args, " "), code, errs)
	}
	return out
}

// fails runs packhooks, which has to exit with 1 and match each of the patterns, and returns its message.
func (p *place) fails(program string, input []webhook, args []string, patterns ...string) string {
	p.Helper()
	out, errs, code := p.run(program, input, args...)
	p.matches(strings.Join(args, " "), code, out+errs, patterns...)
	return strings.TrimPrefix(errs, "packhooks: ")
}

func (p *place) matches(what string, code int, text string, patterns ...string) {
	p.Helper()
	if code != 1 {
		p.Fatalf("packhooks %s: exit %d, want 1: %s", what, code, text)
	}
	for _, pattern := range patterns {
		if !regexp.MustCompile(pattern).MatchString(text) {
			p.Errorf("packhooks %s does not say %q: %s", what, pattern, text)
		}
	}
}

func (p *place) check(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// killed starts packhooks again and again, and kills it after longer each time, until it gets to its end; it returns
// what that one printed. Between, each is called.
func (p *place) killed(program string, between func(), args ...string) (out string, kills int) {
	p.Helper()
	for delay := 30 * time.Millisecond; ; delay = delay * 3 / 2 {
		var o, e bytes.Buffer
		cmd := p.command(program, nil, args...)
		cmd.Stdout, cmd.Stderr = &o, &e
		p.check(cmd.Start())
		timer := time.AfterFunc(delay, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		timer.Stop()
		between()
		if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() {
			if err != nil {
				p.Fatalf("packhooks %s after %d kills: %v: %s", strings.Join(args, " "), kills, err, e.String())
			}
			return o.String(), kills
		}
		kills++
	}
}

// server is a packhooks serve.
type server struct {
	*place
	cmd    *exec.Cmd
	log    string // a file
	exited chan struct{}
}

// start starts a server and returns at once.
func (p *place) start(program string) *server {
	p.Helper()
	log, err := os.CreateTemp(p.dir, "log-*")
	p.check(err)
	defer log.Close()
	s := &server{place: p, cmd: p.command(program, nil, "serve", "--listen=127.0.0.1:0", "--ops-listen=127.0.0.1:0", "--drain=0s"), log: log.Name(), exited: make(chan struct{})}
	s.cmd.Stderr = log
	p.check(s.cmd.Start())
	go func() {
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	p.Cleanup(s.kill)
	return s
}

// serve starts a server and returns when it is ready.
func (p *place) serve(program string) *server {
	p.Helper()
	s := p.start(program)
	s.url()
	return s
}

var (
	listening = regexp.MustCompile(`msg=listening address=\S+ url=(\S+)`)
	operating = regexp.MustCompile(`msg="answering /healthz and /readyz" address=(\S+)`)
)

// checked is what the log says of a server that looked at the stored webhooks.
const checked = "checking the stored webhooks"

func (s *server) url() string { return s.await(listening) }

func (s *server) await(pattern *regexp.Regexp) string {
	s.Helper()
	for range 30_000 {
		if m := pattern.FindStringSubmatch(s.logged()); m != nil {
			return m[1]
		}
		select {
		case <-s.exited:
			s.Fatalf("the server exited: %s", s.logged())
		case <-time.After(time.Millisecond):
		}
	}
	s.Fatalf("no %q after 30 s: %s", pattern, s.logged())
	return ""
}

func (s *server) logged() string {
	text, err := os.ReadFile(s.log)
	s.check(err)
	return string(text)
}

// wantChecked says whether the server had to look at the stored webhooks before it was ready.
func (s *server) wantChecked(want bool) {
	s.Helper()
	if strings.Contains(s.logged(), checked) != want {
		s.Errorf("looked at the stored webhooks: %t, want %t: %s", !want, want, s.logged())
	}
}

// aliveButNotReady is the state in which the stored webhooks are checked.
func (s *server) aliveButNotReady() {
	s.Helper()
	ops := "http://" + s.await(operating)
	alive, ready := s.get(ops+"/healthz").StatusCode, s.get(ops+"/readyz").StatusCode
	if alive != http.StatusOK || ready != http.StatusServiceUnavailable {
		s.Errorf("/healthz %d, /readyz %d while the stored webhooks are checked", alive, ready)
	}
}

// refuses waits until the server has exited with 1, and returns its message.
func (s *server) refuses(patterns ...string) string {
	s.Helper()
	<-s.exited
	s.matches("serve", s.cmd.ProcessState.ExitCode(), s.logged(), patterns...)
	_, message, _ := strings.Cut(s.logged(), "packhooks: ")
	return message
}

func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.exited
}

func (s *server) stop() {
	s.Helper()
	s.check(s.cmd.Process.Signal(syscall.SIGTERM))
	if <-s.exited; !s.cmd.ProcessState.Success() {
		s.Errorf("stopping: %v: %s", s.cmd.ProcessState, s.logged())
	}
}

func (s *server) get(url string) *http.Response {
	s.Helper()
	request, err := http.NewRequestWithContext(s.Context(), http.MethodGet, url, nil)
	s.check(err)
	request.Header.Set("Authorization", "Bearer "+s.token)
	response, err := http.DefaultClient.Do(request)
	s.check(err)
	s.Cleanup(func() { _ = response.Body.Close() })
	return response
}

// sends returns the first page of acme as it is on the wire.
func (s *server) sends() (all []webhook) {
	s.Helper()
	response := s.get(s.url() + "/organizations/acme/webhooks?per_page=100")
	body, err := io.ReadAll(response.Body)
	s.check(err)
	page := struct{ Data []webhook }{}
	if err := json.Unmarshal(body, &page); err != nil || response.StatusCode != http.StatusOK {
		s.Fatalf("%s: %v: %s", response.Status, err, body)
	}
	return page.Data
}

// prints returns what list or export of a program say of an organization on this server.
func (s *server) prints(program, command, organization string) (all []webhook) {
	s.Helper()
	out := s.must(program, nil, command, "--org="+organization, "--output=json", "--url="+s.url())
	s.check(json.Unmarshal([]byte(out), &all))
	return all
}

func (p *place) equal(what string, got []webhook, want ...webhook) {
	p.Helper()
	text, _ := json.Marshal(want)
	var plain []webhook // of the types that JSON has
	p.check(json.Unmarshal(text, &plain))
	if !reflect.DeepEqual(got, plain) {
		p.Errorf("%s:\ngot  %v\nwant %v", what, got, plain)
	}
}

// unreadable searches the files of the database for texts, and for the name of an organization, which is there.
func (p *place) unreadable(texts ...string) {
	p.Helper()
	found := false
	p.check(filepath.WalkDir(p.files, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(d.Name(), "log-") {
			return nil //nolint:nilerr // one that was removed meanwhile
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		found = found || bytes.Contains(data, []byte("acme"))
		for _, text := range texts {
			if bytes.Contains(data, []byte(text)) {
				p.Errorf("%s holds %q", path, text)
			}
		}
		return err
	}))
	if !found {
		p.Error("the search does not find what is there")
	}
}
