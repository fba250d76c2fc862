package main_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func get(t *testing.T, url, token string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

func TestTokens(t *testing.T) {
	p := newPlace(t)
	two := strings.TrimSpace(p.must("", "token", "create", "--org", "acme", "--org", "other", "--name", "two\x1b[31m\torgs", "--expires", "90d"))
	brief := strings.TrimSpace(p.must("", "token", "create", "--org", "acme", "--expires", "1s"))
	if !regexp.MustCompile(`^phk_[A-Za-z0-9_-]{48}$`).MatchString(two) || two == brief {
		t.Fatal("not two tokens")
	}
	d := p.serve()
	status := func(token, org string) int { return get(t, d.url+"/organizations/"+org+"/webhooks", token) }
	if a, b, c := status(two, "acme"), status(two, "other"), status(two, "third"); a != 200 || b != 200 || c != 403 {
		t.Errorf("statuses %d, %d, %d; want 200, 200, 403", a, b, c)
	}
	time.Sleep(1100 * time.Millisecond)
	if got := status(brief, "acme"); got != 401 {
		t.Errorf("status %d with an expired token, want 401", got)
	}

	list := p.must("", "token", "list")
	if strings.Contains(list, "phk_") || strings.Contains(list, "\x1b") {
		t.Errorf("a token or an escape in %q", list)
	}
	rows := strings.Split(strings.TrimSpace(list), "\n")
	if len(rows) != 3 || !regexp.MustCompile(`^\S+ +active +\S+Z +\S+Z +\S+Z +acme,other +two\\x1b\[31m\\torgs$`).MatchString(rows[1]) || !strings.Contains(rows[2], "expired") {
		t.Errorf("unexpected list:\n%s", list)
	}
	id := strings.Fields(rows[1])[0]
	p.must("", "token", "revoke", id)
	p.must("", "token", "revoke", id)
	time.Sleep(time.Second)
	if got := status(two, "acme"); got != 401 {
		t.Errorf("status %d one second after the token was revoked, want 401", got)
	}
	if list := p.must("", "token", "list"); !strings.Contains(list, "revoked") {
		t.Errorf("no revoked token in:\n%s", list)
	}
	p.fails(1, "", []string{"token", "revoke", "nobody"}, "no such token", "nobody")
	for _, lifetime := range []string{"0d", "-1d", "1.5d", "d", "tomorrow", "-3h", "99999999d"} {
		p.fails(2, "", []string{"token", "create", "--org", "acme", "--expires=" + lifetime}, lifetime)
	}
	if d.stop(); strings.Contains(d.logged(), two) || strings.Contains(d.logged(), brief) {
		t.Error("a token in the log")
	}
}

func TestNoDatabaseIsMadeByMistake(t *testing.T) {
	p := newPlace(t)
	for _, args := range [][]string{{"token", "list"}, {"token", "revoke", "x"}, {"delete", "--org", "acme", "x"}, {"keys", "reencrypt"}, {"migrate"}} {
		p.fails(1, "", append(args, "--db", "typo.db"), "no database at typo.db")
	}
	if files, _ := filepath.Glob(filepath.Join(p.dir, "*")); len(files) != 1 || filepath.Base(files[0]) != "tmp" {
		t.Errorf("made %v", files)
	}
}

func TestNoDSNIsTakenForAFileOrPrinted(t *testing.T) {
	p := newPlace(t)
	refused := []string{"host=127.0.0.1 password=hunter2", " password = 'hunter2'", "password=hunter2", "mysql://u:hunter2@h/x", " postgres://u:hunter2@h/x", "file://hunter2"}
	for _, db := range refused {
		for _, args := range [][]string{
			{"token", "create", "--org", "acme"}, {"token", "list"}, {"token", "revoke", "x"}, {"import", "--org", "acme", "-"}, {"delete", "--org", "acme", "x"},
			{"migrate"}, {"keys", "reencrypt"}, {"keys", "init"}, {"keys", "add"}, {"keys", "promote", "1"}, {"keys", "disable", "1"}, {"keys", "remove", "1"}, {"init"}, {"keys", "list"}, {"serve", "--listen=nowhere"},
		} {
			for _, got := range []outcome{p.run("[]", append(args, "--db", db)...), p.with("PACKHOOKS_DB="+db).run("[]", args...)} {
				if got.code != 2 || !strings.Contains(got.err, "--db must be") || !strings.Contains(got.err, "postgres://user@host/database") || strings.Contains(got.err, "hunter2") {
					t.Errorf("packhooks %v of %q: exit %d: %s", args, db, got.code, got.err)
				}
			}
		}
	}
	for _, db := range []string{"postgres:/u:hunter2@h/x", "Postgres:u:hunter2@h", "postgresql/u:hunter2@h/x", "u:hunter2@h/x", "https:/hunter2"} {
		if got := p.run("", "token", "list", "--db", db); got.code != 2 || strings.Contains(got.err, "hunter2") {
			t.Errorf("%s: exit %d: %s", db, got.code, got.err)
		}
	}
	for _, db := range []string{"POSTGRES://u:a:hunter2@127.0.0.1:1/x", "PostgreSQL://u:hunter2@127.0.0.1:1/x"} {
		if got := p.run("", "migrate", "--db", db); got.code != 1 || !strings.Contains(got.err, "storage is unavailable") || strings.Contains(got.err, "hunter2") {
			t.Errorf("%s: exit %d: %s", db, got.code, got.err)
		}
		if got := p.run("", "migrate", "--db", "postgres://h/x", "--migrate-db", db); got.code != 1 || !strings.Contains(got.err, "storage is unavailable") || strings.Contains(got.err, "hunter2") {
			t.Errorf("%s: exit %d: %s", db, got.code, got.err)
		}
	}
	if got := p.run("", "migrate", "--db", "postgres://h/x", "--migrate-db", "host=h password=hunter2"); got.code != 2 || strings.Contains(got.err, "hunter2") {
		t.Errorf("exit %d: %s", got.code, got.err)
	}
	p.must("", "token", "create", "--org", "acme", "--db", "./a=b c=d.db")
	if files, _ := filepath.Glob(filepath.Join(p.dir, "*hunter2*")); len(files) != 0 {
		t.Errorf("made %v", files)
	}
}

func TestDelete(t *testing.T) {
	p := newPlace(t)
	p.must(goodRow+"\n"+bad("wh_1", "wh_2")+"\n"+bad("wh_1", "-x"), "import", "--org", "acme", "-")
	p.fails(1, "", []string{"delete", "--org", "acme", "wh_1", "wh_3"}, "wh_3")
	p.fails(1, "", []string{"delete", "--org", "other", "wh_1"}, "wh_1")
	if got := p.must("", "delete", "--org", "acme", "--", "wh_1", "wh_2", "-x", "wh_1"); got != "acme: 3 removed\n" {
		t.Errorf("got %q", got)
	}
}

func TestKeys(t *testing.T) {
	p := newPlace(t)
	p.must(ndjson(awkward(1200)), "import", "--org", "acme", "-")
	info, err := os.Stat(filepath.Join(p.dir, "packhooks.db.keyset"))
	if err != nil || info.Mode() != 0o600 {
		t.Fatalf("keyset: %v, %v", info, err)
	}
	before := exported(t, p)
	id := strings.TrimSpace(p.must("", "keys", "add"))
	p.must("", "keys", "promote", id)
	if list := p.must("", "keys", "list"); !regexp.MustCompile(`(?m)^`+id+` +true +true$`).MatchString(list) || strings.Count(list, "\n") != 3 {
		t.Errorf("unexpected list:\n%s", list)
	}
	if got := p.must("", "keys", "reencrypt"); !strings.HasPrefix(got, "1200 webhooks") {
		t.Errorf("got %q", got)
	}
	p.must("", "keys", "reencrypt")
	if exported(t, p) != before {
		t.Error("the export is another one after re-encryption")
	}
	p.fails(1, "", []string{"keys", "init"}, "exists")
	p.fails(1, "", []string{"keys", "promote", "1"}, "1")

	t.Run("a keyset that is lost or wrong is told at the start", func(t *testing.T) {
		p.must("", "keys", "init", "--keyset-file", "other.keyset")
		p.fails(1, "", []string{"token", "list", "--keyset-file", "other.keyset"}, "keyset does not belong to this database")
		keyset := filepath.Join(p.dir, "packhooks.db.keyset")
		content, err := os.ReadFile(keyset)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(keyset, keyset+".away"); err != nil {
			t.Fatal(err)
		}
		p.fails(1, "", []string{"token", "list"}, "packhooks.db.keyset", "no such file")
		p.fails(1, "", []string{"serve", "--listen=127.0.0.1:0"}, "packhooks.db.keyset", "no such file")
		p.with("PACKHOOKS_KEYSET="+string(content)).must("", "token", "list")
		p.fails(1, "", []string{"token", "list"}, "no such file")
		p.with("PACKHOOKS_KEYSET=x").fails(1, "", []string{"token", "list"}, "keyset")
	})
	t.Run("PostgreSQL never gets one by itself", func(t *testing.T) {
		p.fails(1, "", []string{"token", "list", "--db", "postgres://user:hunter2@127.0.0.1:1/x"}, "--keyset-file", "PACKHOOKS_KEYSET")
		p.fails(2, "", []string{"keys", "init", "--db", "postgres://user:hunter2@127.0.0.1:1/x"}, "--keyset-file")
		got := p.run("", "token", "list", "--db", "postgres://user:hunter2@127.0.0.1:1/x", "--keyset-file", "other.keyset")
		if got.code != 1 || strings.Contains(got.err, "hunter2") {
			t.Errorf("exit %d: %s", got.code, got.err)
		}
	})
}

// exported is all webhooks of acme with their secrets.
func exported(t *testing.T, p place) string {
	t.Helper()
	token := strings.TrimSpace(p.must("", "token", "create", "--org", "acme"))
	d := p.serve()
	defer d.stop()
	return p.with("PACKHOOKS_TOKEN="+token).must("", "export", "--org", "acme", "--url", d.url)
}
