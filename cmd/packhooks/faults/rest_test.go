//go:build faults && linux

package faults_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What lies on a disk is searched byte by byte: the files of the database while a server has them open, backups made
// in the documented ways, and the log at debug level.
func TestNothingReadableAtRest(t *testing.T) {
	const webhooks = 300
	p := newPlace(t)
	file := writeRows(t, p.path("import.ndjson"), "acme", 0, 0, webhooks, false)
	p.must("import", "--org=acme", file)
	token, revoked := p.token("acme"), p.token("acme")
	s := p.serve("--log-level=debug")
	check(t, walk(t.Context(), newClient(t, s.url, token), "acme", webhooks))
	p.must("token", "revoke", strings.Fields(strings.Split(p.must("token", "list"), "\n")[2])[0])
	p.must("keys", "promote", p.must("keys", "add"))
	p.must("keys", "reencrypt")
	p.must("import", "--org=acme", file) // again: compares secrets with those that are there
	misuse(t, s, token, revoked)

	p.backUp()
	needles := map[string]string{"token": token, "revoked token": revoked}
	for i := range webhooks {
		needles["secret of "+idOf(i)] = secretOf("acme", idOf(i))
		needles["endpoint of "+idOf(i)] = endpointOf(0, i)
	}
	var places []string
	for _, pattern := range []string{"packhooks.db", "packhooks.db-wal", "packhooks.db-shm", "packhooks.db.tokens*", "*.backup*", "log-*"} {
		found, err := filepath.Glob(p.path(pattern))
		check(t, err)
		if len(found) == 0 {
			t.Errorf("nothing to search: %s", pattern)
		}
		places = append(places, found...)
	}
	searched := 0
	for _, path := range places {
		data, err := os.ReadFile(path)
		check(t, err)
		searched += len(data)
		for name, needle := range needles {
			if contains(data, needle) {
				t.Errorf("%s holds the %s", filepath.Base(path), name)
			}
		}
	}
	t.Logf("searched %d files of %d bytes for %d texts in 3 encodings: %s", len(places), searched, len(needles), baseNames(places))
	p.searchFinds(file, token)
	if !strings.Contains(s.logged(), "organization=acme") {
		t.Error("the log says nothing of the requests")
	}
}

// searchFinds holds the search itself to account: it finds secrets where they are, and in the same database files
// what lies there in clear.
func (p place) searchFinds(file, token string) {
	p.t.Helper()
	imported, err := os.ReadFile(file)
	check(p.t, err)
	if !contains(imported, secretOf("acme", idOf(299))) || !contains([]byte(base64.StdEncoding.EncodeToString([]byte("xx"+token))), token) {
		p.t.Error("the search does not find a secret that is there")
	}
	for _, names := range [][]string{{"packhooks.db", "packhooks.db-wal"}, {"vacuum.backup"}, {"shell.backup"}} {
		var all []byte
		for _, name := range names {
			data, err := os.ReadFile(p.path(name))
			check(p.t, err)
			all = append(all, data...)
		}
		if !contains(all, idOf(299)) {
			p.t.Errorf("%v do not even hold an id", names)
		}
	}
}

// contains looks for a text as it is, in hexadecimal, and in base64 at any of its three offsets.
func contains(data []byte, needle string) bool {
	if bytes.Contains(data, []byte(needle)) || bytes.Contains(bytes.ToLower(data), []byte(hex.EncodeToString([]byte(needle)))) {
		return true
	}
	for offset := range 3 {
		text := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", offset) + needle))
		if bytes.Contains(data, []byte(text[4:len(text)-4])) {
			return true
		}
	}
	return false
}

// backUp makes backups while the server runs, the second one in the shell where there is one.
func (p place) backUp() {
	p.t.Helper()
	for _, file := range []string{"packhooks.db", "packhooks.db.tokens"} {
		db := openRaw(p.t, p.path(file))
		suffix := strings.TrimPrefix(file, "packhooks.db")
		_, err := db.ExecContext(p.t.Context(), "VACUUM INTO ?", p.path("vacuum.backup"+suffix))
		check(p.t, err)
		check(p.t, db.Close())
		if shell, err := exec.LookPath("sqlite3"); err == nil {
			check(p.t, exec.Command(shell, p.path(file), ".backup '"+p.path("shell.backup"+suffix)+"'").Run())
		} else {
			p.t.Log("left out: a backup by the sqlite3 shell, which is not installed")
		}
	}
}

func baseNames(paths []string) string {
	names := make([]string, len(paths))
	for i, path := range paths {
		names[i] = filepath.Base(path)
	}
	return strings.Join(names, " ")
}

// misuse puts tokens where they do not belong and does what goes into a log.
func misuse(t *testing.T, s *service, token, revoked string) {
	t.Helper()
	list := s.url + "/organizations/acme/webhooks"
	for _, r := range []struct{ method, url, header, value string }{
		{http.MethodGet, list, "Authorization", "Bearer " + revoked},
		{http.MethodGet, list, "Authorization", token},
		{http.MethodGet, list, "Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("x:"+token))},
		{http.MethodGet, list + "?token=" + token, "Authorization", "Bearer " + token},
		{http.MethodGet, list + "?cursor=" + token, "Authorization", "Bearer " + token},
		{http.MethodGet, s.url + "/organizations/" + token + "/webhooks", "Authorization", "Bearer " + token},
		{http.MethodGet, s.url + "/" + token, "X-Request-Id", token},
		{token, list, "Authorization", "Bearer " + token},
		{http.MethodPost, list, "Cookie", "session=" + token},
		{http.MethodGet, s.ops + "/" + token, "User-Agent", token},
		{http.MethodGet, list, "User-Agent", token},
		{http.MethodGet, list, "X-Forwarded-For", token},
		{http.MethodGet, list, "Traceparent", token},
	} {
		req, err := http.NewRequestWithContext(t.Context(), r.method, r.url, nil)
		check(t, err)
		req.Header.Set(r.header, r.value)
		resp, err := http.DefaultClient.Do(req)
		check(t, err)
		_ = resp.Body.Close()
	}
	for _, text := range []string{
		"GET /v1/organizations/acme/webhooks HTTP/1.1\r\nHost: x\r\nAuthorization Bearer " + token + "\r\n\r\n",
		token + "\r\n\r\n",
		"GET /" + token + " HTTP/9.9\r\nAuthorization: Bearer " + token + "\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + strings.Repeat("x", 40_000) + "\r\n\r\n",
	} {
		sendRaw(t, s.address(), text)
	}
}

func sendRaw(t *testing.T, address, text string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	check(t, err)
	defer conn.Close()
	check(t, conn.SetDeadline(time.Now().Add(5*time.Second)))
	_, _ = io.WriteString(conn, text) // what it does not want to hear it may cut off
	_, _ = bufio.NewReader(conn).ReadString('\n')
}
