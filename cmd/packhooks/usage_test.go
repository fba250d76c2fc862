package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rivo/uniseg"

	packhooks "github.com/packhooks/packhooks/cmd/packhooks"
)

func TestHelpAndVersion(t *testing.T) {
	p := newPlace(t)
	for _, args := range [][]string{nil, {"--help"}, {"serve", "--help"}, {"token", "create", "-h"}, {"import", "--help"}} {
		if got := p.run("", args...); got.code != 0 || !strings.HasPrefix(got.out, "Usage: packhooks") || got.err != "" {
			t.Errorf("%v: exit %d: %s", args, got.code, got.err)
		}
	}
	version := p.must("", "version")
	if flag := p.must("", "--version"); !strings.HasPrefix(version, "packhooks ") || flag != version {
		t.Errorf("version: %q, --version: %q", version, flag)
	}
	p.fails(2, "", []string{"lits"}, `"list"`)
	for hint, args := range map[string][]string{
		"packhooks --help":              {"lits"},
		"packhooks token --help":        {"token"},
		"packhooks token create --help": {"token", "create"},
		"packhooks list --help":         {"list", "--nonsense"},
	} {
		if got := p.run("", args...); got.code != 2 || !strings.Contains(got.err, "hint: see "+hint) {
			t.Errorf("%v: exit %d: %s", args, got.code, got.err)
		}
	}
}

func TestEveryCommandHasExamplesOfItsFlags(t *testing.T) {
	p := newPlace(t)
	commands := regexp.MustCompile(`(?m)^  (\w+(?: \w+)?)(?: <.*| \[.*)?  +\S`).FindAllStringSubmatch(p.must("", "--help"), -1)
	if len(commands) != len(packhooks.Examples) {
		t.Errorf("%d commands and examples for %d", len(commands), len(packhooks.Examples))
	}
	for command, example := range packhooks.Examples {
		help := p.must("", append(strings.Fields(command), "--help")...)
		first, _, _ := strings.Cut(example, "\n")
		if !strings.Contains(help, "Examples:") || !strings.Contains(help, first) {
			t.Errorf("%s --help does not show its examples: %s", command, help)
		}
		for _, line := range strings.Split(example, "\n") {
			_, own, _ := strings.Cut(line, "packhooks "+command)
			for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(own, -1) {
				if !strings.Contains(help, flag) {
					t.Errorf("%s has no %s", command, flag)
				}
			}
		}
	}
}

func inOrder(lines string) string {
	return strings.Join(slices.Sorted(strings.SplitAfterSeq(lines, "\n")), "")
}

func TestCompletion(t *testing.T) {
	p := newPlace(t)
	for line, want := range map[string]string{"packhooks tok": "token\n", "packhooks token ": "create\nlist\nrevoke\n", "packhooks list --out": "--output\n"} {
		if got := p.with("COMP_LINE=" + line).must(""); inOrder(got) != want { // it comes in any
			t.Errorf("%q completes to %q, want %q", line, got, want)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if got := p.must("", "completion", "--code", shell); !strings.Contains(got, "complete ") {
			t.Errorf("%s: %s", shell, got)
		}
	}
}

func TestColorsAreForTerminals(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "xterm")
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Log("no pseudo-terminal here: colors were not tried")
		return
	}
	defer func() { _ = terminal.Close() }()
	if got := packhooks.Styled(terminal, "31", "x"); got != "\x1b[31mx\x1b[0m" {
		t.Errorf("on a terminal: %q", got)
	}
	if got := packhooks.Styled(&strings.Builder{}, "31", "x"); got != "x" {
		t.Errorf("elsewhere: %q", got)
	}
	t.Setenv("NO_COLOR", "1")
	if got := packhooks.Styled(terminal, "31", "x"); got != "x" {
		t.Errorf("with NO_COLOR: %q", got)
	}
}

// The widest cells come last, and some characters are two columns wide.
func TestListStaysAlignedAndWhole(t *testing.T) {
	long := "https://shop.example.com/" + strings.Repeat("x", 300)
	rows := []string{
		strings.Replace(goodRow, "wh_1", "wh_0", 1),
		fmt.Sprintf(`{"id":"wh_22222222","event_code":"注文.作成済み","endpoint":%q,"secret":"x","enabled":false,"created_at":"2024-08-02T09:30:00Z","updated_at":"2024-08-02T09:30:00Z"}`, long),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		row, next := rows[0], fmt.Sprintf(`"http://%s%s?cursor=x"`, r.Host, r.URL.Path)
		if r.URL.Query().Has("cursor") {
			row, next = rows[1], "null"
		}
		_, _ = fmt.Fprintf(w, `{"data":[%s],"links":{"prev":null,"next":%s}}`, row, next)
	}))
	defer server.Close()
	table := newPlace(t, "PACKHOOKS_TOKEN=x").must("", "list", "--org", "acme", "--url", server.URL+"/v1", "--per-page", "1")
	if !strings.Contains(table, long) {
		t.Errorf("an endpoint is cut: %s", table)
	}
	var columns []int
	for _, line := range strings.Split(strings.TrimSpace(table), "\n") {
		before, _, ok := strings.Cut(line, "https://")
		if !ok {
			before, _, _ = strings.Cut(line, "ENDPOINT")
		}
		columns = append(columns, uniseg.StringWidth(before))
	}
	if len(columns) != 3 || columns[0] != columns[1] || columns[1] != columns[2] {
		t.Errorf("the last column begins at %v:\n%s", columns, table)
	}
}

func TestTokensForPrograms(t *testing.T) {
	p := newPlace(t)
	created := p.run("", "token", "create", "--org", "acme", "--name", "ci")
	id := regexp.MustCompile(`created token (\S+);`).FindStringSubmatch(created.err)
	if id == nil || !strings.HasPrefix(created.out, "phk_") || strings.Count(created.out, "\n") != 1 ||
		!strings.Contains(created.err, "acme has no webhooks in this database yet") {
		t.Fatalf("printed %q and %q", created.out, created.err)
	}
	p.must(goodRow, "import", "--org", "acme", "-")
	var second struct{ ID, Token, Status string }
	got := p.run("", "token", "create", "--org", "acme", "--expires", "never", "--json")
	if err := json.Unmarshal([]byte(got.out), &second); err != nil || !strings.HasPrefix(second.Token, "phk_") || second.Status != "active" || got.err != "" {
		t.Errorf("%v: %q, %q", err, got.out, got.err)
	}
	if got := p.must("", "token", "revoke", id[1]); got != id[1]+": revoked\n" {
		t.Errorf("said %q", got)
	}
	if got := p.must("", "token", "revoke", id[1]); !strings.HasPrefix(got, id[1]+": already revoked at 20") {
		t.Errorf("said %q", got)
	}
	var tokens []struct {
		ID, Status, Name string
		Organizations    []string
		ExpiresAt        *string `json:"expires_at"`
	}
	text := p.must("", "token", "list", "--json")
	if err := json.Unmarshal([]byte(text), &tokens); err != nil || len(tokens) != 2 || tokens[0].ID != id[1] || tokens[0].Status != "revoked" ||
		tokens[0].Name != "ci" || tokens[0].Organizations[0] != "acme" || tokens[1].ExpiresAt != nil || strings.Contains(text, "phk_") {
		t.Errorf("%v: %s", err, text)
	}
	var keys []struct {
		ID      uint32
		Primary bool
	}
	if err := json.Unmarshal([]byte(p.must("", "keys", "list", "--json")), &keys); err != nil || len(keys) != 1 || !keys[0].Primary || keys[0].ID == 0 {
		t.Errorf("%v: %v", err, keys)
	}
	if got := p.must("", "keys", "reencrypt"); got != "1 webhook encrypted with the primary key\n" {
		t.Errorf("said %q", got)
	}
}

func TestMistakenURLs(t *testing.T) {
	p := newPlace(t)
	cert, key := certificate(t, p)
	token := strings.TrimSpace(p.must("", "token", "create", "--org", "acme"))
	p = p.with("PACKHOOKS_TOKEN="+token, "SSL_CERT_FILE="+cert)
	plain, secure := p.serve().url, p.serve("--tls-cert", cert, "--tls-key", key).url
	host := strings.TrimPrefix(plain, "http://")
	for url, hint := range map[string]string{
		host:                                "--url http://" + host,
		strings.TrimSuffix(plain, "/v1"):    plain,
		"https://" + host:                   "plain HTTP: --url " + plain,
		strings.Replace(secure, "s", "", 1): "HTTPS: --url " + secure,
	} {
		if got := p.run("", "list", "--org", "acme", "--url", url); got.code != 1 || !strings.Contains(got.err, "hint: ") || !strings.Contains(got.err, hint) {
			t.Errorf("%s: exit %d: %s", url, got.code, got.err)
		}
	}
}

func TestProbe(t *testing.T) {
	p := newPlace(t)
	d := p.serve()
	ops := strings.TrimPrefix(d.ops, "http://")
	if got := p.must("", "probe", "--ops-listen", ops); got != "ready\n" {
		t.Errorf("said %q", got)
	}
	_, port, _ := strings.Cut(ops, ":")
	p.must("", "probe", "--ops-listen", "0.0.0.0:"+port)
	d.stop()
	p.fails(1, "", []string{"probe", "--ops-listen", ops}, "refused")
}
