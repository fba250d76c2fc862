package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func (p place) files() (names []string) {
	p.t.Helper()
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Name() != "tmp" {
			names = append(names, entry.Name())
		}
	}
	return names
}

func (p place) path(name string) string { return filepath.Join(p.dir, name) }

// without moves files away and returns what puts them back.
func (p place) without(names ...string) (restore func()) {
	p.t.Helper()
	away := p.t.TempDir()
	for _, name := range names {
		if err := os.Rename(p.path(name), filepath.Join(away, name)); err != nil {
			p.t.Fatal(err)
		}
	}
	return func() {
		for _, name := range names {
			if err := os.Rename(filepath.Join(away, name), p.path(name)); err != nil {
				p.t.Fatal(err)
			}
		}
	}
}

// TestPartsAreNeverMadeAnew is a volume that was not mounted, or was mounted in another's place.
func TestPartsAreNeverMadeAnew(t *testing.T) {
	p, foreign := newPlace(t), newPlace(t)
	parts := []string{"packhooks.db", "packhooks.db.tokens", "packhooks.db.keyset"}
	for _, p := range []place{p, foreign} {
		p.must(goodRow, "import", "--org", "acme", "-")
	}
	refuses := func(what string, texts ...string) {
		t.Helper()
		before := p.files()
		for _, args := range [][]string{
			{"serve", "--listen=127.0.0.1:0", "--ops-listen="}, {"import", "--org", "acme", "-"}, {"token", "create", "--org", "acme"},
		} {
			got := p.run(goodRow, args...)
			named := slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(got.err, text) })
			if got.code != 1 || !named || strings.Contains(got.out, "phk_") {
				t.Errorf("%s: packhooks %s: exit %d, none of %q in: %s", what, args[0], got.code, texts, got.err)
			}
		}
		if after := p.files(); !slices.Equal(before, after) {
			t.Errorf("%s: made files: %v, then %v", what, before, after)
		}
	}
	for _, name := range parts {
		restore := p.without(name)
		refuses(name+" is missing", name+" is missing", name+": no such file")
		p.write(name, "")
		refuses(name+" is empty", name+" is empty", name+": not a Tink keyset")
		theirs, err := os.ReadFile(foreign.path(name))
		if err != nil {
			t.Fatal(err)
		}
		p.write(name, string(theirs))
		refuses(name+" is foreign", name+" is that of another", "keyset does not belong")
		restore()
	}
	restore := p.without("packhooks.db", "packhooks.db.tokens")
	refuses("the keyset alone", "packhooks.db is missing")
	restore()
	restore = p.without("packhooks.db", "packhooks.db.keyset")
	refuses("the tokens alone", "packhooks.db.keyset: no such file", "packhooks.db is missing")
	restore()
	if got := p.must(goodRow, "import", "--org", "acme", "-"); !strings.Contains(got, "1 unchanged") {
		t.Errorf("all parts put back: %s", got)
	}
}

func TestDatabaseForAKeysetThatExists(t *testing.T) {
	p := newPlace(t, "PACKHOOKS_KEYSET_FILE=mounted.keyset")
	p.must("", "keys", "init")
	p.fails(1, goodRow, []string{"import", "--org", "acme", "-"}, "packhooks.db is missing")
	p.must("", "init")
	p.must(goodRow, "import", "--org", "acme", "-")
	p.must("", "init") // it takes nothing away
	if got := p.must(goodRow, "import", "--org", "acme", "-"); !strings.Contains(got, "1 unchanged") {
		t.Errorf("got %s", got)
	}
}

func TestManyMakeOneDatabase(t *testing.T) {
	p := newPlace(t)
	var making sync.WaitGroup
	for i := range 8 {
		making.Go(func() { p.must(bad("wh_1", fmt.Sprint("wh_", i)), "import", "--org", "acme", "-") })
	}
	making.Wait()
	if got := p.must("[]", "import", "--org", "acme", "--replace", "--allow-empty", "-"); !strings.Contains(got, "8 removed") {
		t.Errorf("got %s", got)
	}
}

func TestTokenThatNobodyReadIsRevoked(t *testing.T) {
	p := newPlace(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = full.Close() }()
	r, closed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = closed.Close() }()
	_ = r.Close()
	for _, out := range []*os.File{full, closed} {
		for _, flag := range []string{"--name=x", "--json"} {
			var errs bytes.Buffer
			cmd := p.command("token", "create", "--org", "acme", flag)
			cmd.Stdout, cmd.Stderr = out, &errs
			if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(errs.String(), "was revoked") || strings.Contains(errs.String(), "phk_") {
				t.Errorf("%v: %s", err, errs.String())
			}
		}
	}
	if list := p.must("", "token", "list"); strings.Contains(list, "active") || strings.Count(list, "revoked") != 4 {
		t.Errorf("unexpected list:\n%s", list)
	}
}

func TestTokensExpireUnlessToldOtherwise(t *testing.T) {
	p := newPlace(t)
	for flag, want := range map[string]time.Duration{"--expires=never": 0, "--name=default": 90 * 24 * time.Hour, "--expires=2d": 48 * time.Hour} {
		var token struct {
			Expires *time.Time `json:"expires_at"`
		}
		if err := json.Unmarshal([]byte(p.must("", "token", "create", "--json", "--org=acme", flag)), &token); err != nil {
			t.Fatal(err)
		}
		if (token.Expires == nil) != (want == 0) || token.Expires != nil && time.Until(token.Expires.Add(-want)).Abs() > time.Minute {
			t.Errorf("%s: expires at %v", flag, token.Expires)
		}
	}
	if list := p.must("", "token", "list"); !strings.Contains(list, "LAST USED") {
		t.Errorf("unexpected list:\n%s", list)
	}
}

// TestRotationIsCompleted is what is left to do when a key has leaked.
func TestRotationIsCompleted(t *testing.T) {
	p := newPlace(t)
	p.must(ndjson(awkward(30)), "import", "--org", "acme", "-")
	before := exported(t, p)
	list := strings.Fields(p.must("", "keys", "list"))
	old := list[3]
	p.fails(1, "", []string{"keys", "disable", old}, "primary")
	p.fails(1, "", []string{"keys", "remove", old}, "33 ciphertexts") // webhooks, a token, and a check of each part
	p.must("", "keys", "promote", strings.TrimSpace(p.must("", "keys", "add")))
	p.fails(1, "", []string{"keys", "remove", old}, "33 ciphertexts")
	p.must("", "keys", "reencrypt")
	p.must("", "keys", "disable", old)
	p.must("", "keys", "enable", old)
	p.must("", "keys", "disable", old)
	if exported(t, p) != before {
		t.Error("the export is another one without the key")
	}
	p.must("", "keys", "remove", old)
	if list := p.must("", "keys", "list"); strings.Contains(list, old) || strings.Count(list, "\n") != 2 {
		t.Errorf("unexpected list:\n%s", list)
	}
	if exported(t, p) != before {
		t.Error("the export is another one when the key is gone")
	}
	p.fails(1, "", []string{"keys", "remove", old}, old)
}

// TestImportFromAnEndlessServer walks pages that never end, each with a link to another one.
func TestImportFromAnEndlessServer(t *testing.T) {
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var rows []string
		for range 100 {
			n++
			rows = append(rows, bad("wh_1", fmt.Sprint("wh_", n)))
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"data":[%s],"links":{"prev":null,"next":"http://%s%s?cursor=%d"},"meta":{"per_page":100}}`, strings.Join(rows, ","), r.Host, r.URL.Path, n)
	}))
	defer server.Close()
	p := newPlace(t, "PACKHOOKS_TOKEN=phk_x")
	p.fails(1, "", []string{"import", "--org=acme", "--from", server.URL + "/v1", "--max-webhooks=1000"}, "more than 1000 webhooks", "nothing was written")
	if n > 3000 {
		t.Errorf("%d webhooks were read", n)
	}
}

func TestAuditLog(t *testing.T) {
	p := newPlace(t)
	p.must(goodRow+"\n"+bad("wh_1", "wh_2"), "import", "--org", "acme", "-")
	token := strings.TrimSpace(p.must("", "token", "create", "--org", "acme", "--name", "ci"))
	id := regexp.MustCompile(`(?m)^(\S+) +active`).FindStringSubmatch(p.must("", "token", "list"))[1]
	p.must("", "token", "revoke", id)
	p.must("", "delete", "--org", "acme", "wh_1")
	p.fails(1, "", []string{"delete", "--org", "acme", "nothing"}, "nothing")
	key := strings.TrimSpace(p.must("", "keys", "add"))
	p.must("", "keys", "promote", key)
	p.must("", "keys", "reencrypt")
	p.must("", "migrate")
	p.must("", "migrate", "--documents")
	path := p.path("packhooks.db.audit")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	type line struct {
		Time                                          time.Time
		Command, User, Host, Database, Outcome, Error string
		PID                                           int
		Details                                       map[string]any
	}
	var got []string
	for row := range strings.Lines(string(text)) {
		var l line
		if err := json.Unmarshal([]byte(row), &l); err != nil {
			t.Fatalf("%v: %s", err, row)
		}
		if l.User == "" || l.Host == "" || l.PID == 0 || l.Database != "packhooks.db" || time.Since(l.Time).Abs() > time.Minute || (l.Outcome == "ok") != (l.Error == "") {
			t.Errorf("incomplete: %s", row)
		}
		details, _ := json.Marshal(l.Details)
		got = append(got, l.Command+" "+l.Outcome+" "+string(details))
	}
	want := []string{
		`import ok {"created":2,"dry_run":false,"organization":"acme","removed":0,"replace":false,"source":"standard input","unchanged":0,"updated":0}`,
		`token create ok {"expires_at":"…","name":"ci","organizations":["acme"],"token":"` + id + `"}`,
		`token revoke ok {"token":"` + id + `"}`,
		`delete ok {"ids":["wh_1"],"organization":"acme"}`,
		`delete failed {"ids":["nothing"],"organization":"acme"}`,
		`keys add ok {"key":` + key + `,"keyset":"packhooks.db.keyset"}`,
		`keys promote ok {"key":` + key + `,"keyset":"packhooks.db.keyset"}`,
		`keys reencrypt ok {"webhooks":1}`,
		`migrate ok null`,
		`migrate ok {"changed":0,"dropped":0,"dry_run":false,"filled":0,"webhooks":1}`,
	}
	for i := range got {
		got[i] = regexp.MustCompile(`"expires_at":"[^"]*"`).ReplaceAllString(got[i], `"expires_at":"…"`)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for _, secret := range []string{token, "q9NhjkjV9o"} {
		if bytes.Contains(text, []byte(secret)) {
			t.Error("it holds a secret")
		}
	}

	t.Run("a command that cannot be recorded does not run", func(t *testing.T) {
		p := p
		p.t = t
		p.fails(1, "", []string{"token", "create", "--org", "acme", "--audit-log", "no/such/folder"}, "audit log", "no/such/folder")
		if list := p.must("", "token", "list"); strings.Contains(list, "active") {
			t.Errorf("a token was made:\n%s", list)
		}
	})
	t.Run("on PostgreSQL it names no password", func(t *testing.T) {
		got := p.with("PACKHOOKS_AUDIT_LOG=-").run("", "migrate", "--db", "postgres://user:hunter2@127.0.0.1:1/x?password=hunter2")
		if got.code != 1 || !strings.Contains(got.err, `"database":"postgres://127.0.0.1:1/x"`) || strings.Contains(got.err, "hunter2") {
			t.Errorf("exit %d: %s", got.code, got.err)
		}
	})
}

// TestDatabaseCommandsNeedVerifiedTLS names a host beyond loopback, which is not there.
func TestDatabaseCommandsNeedVerifiedTLS(t *testing.T) {
	p := newPlace(t)
	p.must("", "keys", "init", "--keyset-file=x.keyset")
	for _, args := range [][]string{{"token", "list"}, {"migrate"}, {"serve", "--listen=127.0.0.1:0", "--ops-listen="}, {"init"}} {
		p.fails(1, "", append(args, "--keyset-file=x.keyset", "--db=postgres://u:hunter2@192.0.2.1/x"), "not be verified", "192.0.2.1")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.command().Path, "migrate", "--allow-unverified-tls", "--db=postgres://u@192.0.2.1/x?connect_timeout=1")
	cmd.Env = append(p.command().Env, "RUN_AS_PACKHOOKS=1")
	if out, _ := cmd.CombinedOutput(); strings.Contains(string(out), "verified") {
		t.Errorf("allowed, and refused: %s", out)
	}
}

func TestDamagedDatabase(t *testing.T) {
	p := newPlace(t)
	p.must(goodRow, "import", "--org", "acme", "-")
	for _, name := range []string{"packhooks.db", "packhooks.db.tokens"} {
		whole, err := os.ReadFile(p.path(name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p.path(name), bytes.Repeat([]byte("damaged "), len(whole)/8), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := p.run("", "token", "list"); got.code != 1 || !strings.Contains(got.err, "the file is damaged") || !strings.Contains(got.err, "from a backup") {
			t.Errorf("%s: exit %d: %s", name, got.code, got.err)
		}
		if err := os.WriteFile(p.path(name), whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
