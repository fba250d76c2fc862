package main_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	packhooks "github.com/packhooks/packhooks/cmd/packhooks"
)

// reading is a place with a server of 300 webhooks, a token and their URL.
func reading(t *testing.T) place {
	t.Helper()
	p := newPlace(t)
	p.must(ndjson(awkward(300)), "import", "--org", "acme", "-")
	token := strings.TrimSpace(p.must("", "token", "create", "--org", "acme"))
	d := p.serve()
	return p.with("PACKHOOKS_TOKEN="+token, "PACKHOOKS_URL="+d.url)
}

func (p place) url() string {
	return strings.TrimPrefix(p.env[len(p.env)-1], "PACKHOOKS_URL=")
}

func TestListAsTable(t *testing.T) {
	p := reading(t)
	table := p.must("", "list", "--org", "acme", "--per-page", "25")
	lines := strings.Split(strings.TrimSuffix(table, "\n"), "\n")
	if len(lines) != 301 || !regexp.MustCompile(`^ID +EVENT +ENABLED +CREATED +SECRET +ENDPOINT$`).MatchString(lines[0]) {
		t.Fatalf("%d lines: %s", len(lines), lines[0])
	}
	for _, line := range lines[1:] {
		if !strings.Contains(line, "[redacted]") {
			t.Errorf("unexpected line %q", line)
		}
		for _, r := range line {
			if r < ' ' || r == '\u202e' || r == '\u2028' {
				t.Errorf("%q in line %q", r, line)
			}
		}
	}
	if table := p.must("", "list", "--org", "acme", "--show-secrets", "--limit", "3"); strings.Count(table, "\n") != 4 || strings.Contains(table, "[redacted]") {
		t.Errorf("got %s", table)
	}
}

func TestListAsJSON(t *testing.T) {
	p := reading(t)
	var array []written
	if err := json.Unmarshal([]byte(p.must("", "list", "--org", "acme", "--output", "json")), &array); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(p.must("", "list", "--org", "acme", "--output", "ndjson"), "\n"), "\n")
	if len(array) != 300 || len(lines) != 300 {
		t.Errorf("%d elements and %d lines, want 300", len(array), len(lines))
	}
	for _, w := range array {
		if w.Secret != "[redacted]" {
			t.Fatal("a secret is shown")
		}
	}
	// What list prints is never taken for what was exported.
	p.fails(1, lines[0], []string{"import", "--org", "acme", "-"}, "line 1", "secret", "masked")
	if p.must(p.must("", "export", "--org", "acme", "--output", "json"), "import", "--org", "acme", "--replace", "-") != "acme: 0 created, 0 updated, 300 unchanged, 0 removed\n" {
		t.Error("an export does not come back unchanged")
	}
}

func TestListStopsQuietlyWhenTheReaderDoes(t *testing.T) {
	p := reading(t)
	for _, output := range []string{"ndjson", "json"} { // a table comes at once
		cmd := p.command("list", "--org", "acme", "--per-page", "1", "--output", output)
		var errs strings.Builder
		cmd.Stderr = &errs
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
			t.Error(err)
		}
		_ = stdout.Close()
		if err := cmd.Wait(); err == nil || err.Error() != "signal: broken pipe" {
			t.Errorf("%s: ended with %v", output, err)
		}
		if errs.String() != "" {
			t.Errorf("%s: said %q", output, errs.String())
		}
	}
}

func TestABrokenConnectionIsNotQuiet(t *testing.T) {
	var errs strings.Builder
	err := &net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE} // of a database or a server that went away
	if code := packhooks.ExitCode(&errs, err); code != 1 || !strings.Contains(errs.String(), "broken pipe") {
		t.Errorf("exit %d: %q", code, errs.String())
	}
}

func TestReadersSayWhatIsMissing(t *testing.T) {
	p := newPlace(t)
	p.fails(1, "", []string{"list", "--org", "acme"}, "no token")
	p.fails(1, "", []string{"list", "--org", "acme", "--token-file", p.write("empty", "\n")}, "no token")
	p.fails(2, "", []string{"list", "--org", "acme", "--token-file", "not-there"}, "not-there")
	token := strings.TrimSpace(p.must("", "token", "create", "--org", "acme"))
	d := p.serve()
	p.must("", "list", "--org", "acme", "--url", d.url, "--token-file", p.write("token", token+"\n"))
	p.must("", "list", "--org", "acme", "--url", d.url, "--token", token)
	p.fails(1, "", []string{"list", "--org", "acme", "--url", d.url, "--token", "phk_wrong"}, "401")
	p.fails(1, "", []string{"list", "--org", "other", "--url", d.url, "--token", token}, "403")
	p.fails(1, "", []string{"list", "--org", "..", "--url", d.url, "--token", token}, "organization")
	p.fails(2, "", []string{"list", "--url", d.url, "--token", token}, "--org")
	p.fails(2, "", []string{"list", "--org", "acme", "--output", "yaml"}, "table")
	d.stop()
	start := time.Now()
	p.fails(1, "", []string{"export", "--org", "acme", "--url", d.url, "--token", token}, "refused")
	if took := time.Since(start); took > 15*time.Second {
		t.Errorf("gave up after %v", took)
	}
}

func TestFlagsAndVariablesForTheToken(t *testing.T) {
	p := reading(t)
	token, _ := strings.CutPrefix(p.env[len(p.env)-2], "PACKHOOKS_TOKEN=")
	good, wrong := p.write("good", token), p.write("wrong", "phk_wrong")
	list := func(p place, flags ...string) {
		t.Helper()
		p.must("", append([]string{"list", "--org", "acme", "--limit", "1"}, flags...)...)
	}
	list(p.with("PACKHOOKS_TOKEN_FILE="+wrong), "--token", token)
	list(p.with("PACKHOOKS_TOKEN_FILE="+wrong), "--token-file", good)
	list(p.with("PACKHOOKS_TOKEN=phk_wrong"), "--token-file", good)
	list(p.with("PACKHOOKS_TOKEN=phk_wrong", "PACKHOOKS_TOKEN_FILE="+good))
	p.fails(2, "", []string{"list", "--org", "acme", "--token", token, "--token-file", good}, "--token and --token-file")
}

func TestVariablesThatWouldBeDangerous(t *testing.T) {
	p := newPlace(t, "PACKHOOKS_ORG=acme", "PACKHOOKS_URL=http://127.0.0.1:1/v1")
	for _, args := range [][]string{{"import", "-"}, {"delete", "x"}, {"token", "create"}} {
		p.fails(2, "[]", args, "--org")
	}
	p.fails(2, "", []string{"check", "--org", "acme"}, "--url")
}

// breaking serves one page and then fails, and says nasty things about it.
func breaking(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("cursor") {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = fmt.Fprint(w, `{"title":"no\n\u001b[31mred","detail":"a\u001b[31m\nb","status":500,"type":"about:blank","instance":"/","request_id":"x"}`)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"data":[%s],"links":{"prev":null,"next":"http://%s%s?cursor=x"}}`, goodRow, r.Host, r.URL.Path)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/v1"
}

func TestAFailureInTheMiddleShows(t *testing.T) {
	url := breaking(t)
	p := newPlace(t, "PACKHOOKS_TOKEN=x", "PACKHOOKS_URL="+url)
	got := p.run("", "export", "--org", "acme", "--output", "json")
	if got.code != 1 || !strings.Contains(got.out, `"secret":"q9NhjkjV9o"`) || json.Valid([]byte(got.out)) {
		t.Errorf("exit %d, printed %s", got.code, got.out)
	}
	if strings.Contains(got.err, "\x1b") || strings.Count(got.err, "\n") != 1 {
		t.Errorf("said %q", got.err)
	}
	if got := p.run("", "export", "--org", "acme"); got.code != 1 || strings.Count(got.out, "\n") != 1 {
		t.Errorf("exit %d, printed %s", got.code, got.out)
	}
	if got := p.run("", "list", "--org", "acme"); got.code != 1 || strings.Count(got.out, "\n") != 2 {
		t.Errorf("exit %d, printed %s", got.code, got.out)
	}
	p.fails(1, "", []string{"import", "--org", "acme", "--replace", "--from", url}, url, "500", "nothing was written")
	if got := p.must("[]", "import", "--org", "acme", "--replace", "--allow-empty", "-"); !strings.Contains(got, " 0 removed") {
		t.Errorf("something was written: %s", got)
	}
}
