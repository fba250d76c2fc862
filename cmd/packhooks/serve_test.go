package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite"
)

// body gets a URL and returns status and body, or a status of 0 when nothing answers.
func body(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestDemoPrintsWhatWorks(t *testing.T) {
	p := newPlace(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0") // a demo does without an operations listener
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	cmd := p.command("serve", "--demo", "--listen=127.0.0.1:0", "--ops-listen="+taken.Addr().String())
	var logged strings.Builder
	cmd.Stderr = &logged
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var printed strings.Builder
	for !strings.Contains(printed.String(), " list --org ") {
		b := make([]byte, 4096)
		n, err := stdout.Read(b)
		if err != nil {
			t.Fatalf("%v after %q", err, printed.String())
		}
		printed.Write(b[:n])
	}

	curl := regexp.MustCompile(`(?m)^ +curl -H 'Authorization: Bearer (\S+)' '(\S+)'$`).FindStringSubmatch(printed.String())
	if curl == nil {
		t.Fatalf("no curl line in %s", printed.String())
	}
	if got := get(t, curl[2], curl[1]); got != 200 {
		t.Errorf("status %d of the curl line", got)
	}
	docs := regexp.MustCompile(`(?m)^ +Docs +(\S+)$`).FindStringSubmatch(printed.String())
	if docs == nil || get(t, docs[1], "") != 200 {
		t.Errorf("no docs page at %v", docs)
	}
	list := regexp.MustCompile(`(?m)^ +(PACKHOOKS_TOKEN=.*)$`).FindStringSubmatch(printed.String())
	if list == nil {
		t.Fatalf("no list line in %s", printed.String())
	}
	shell := p.command()
	shell.Path, shell.Args = "/bin/sh", []string{"sh", "-c", list[1]}
	table, err := shell.Output()
	if err != nil || strings.Count(string(table), "\n") != 61 {
		t.Errorf("list line: %v, %s", err, table)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after Ctrl-C: %v", err)
	}
	if strings.Contains(logged.String(), "msg=request") {
		t.Errorf("requests scroll the banner away: %s", logged.String())
	}
	if left, _ := filepath.Glob(filepath.Join(p.dir, "tmp", "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestServeDrainsAndExits(t *testing.T) {
	p := newPlace(t)
	d := p.serve("--drain=4s") // long enough for a machine that is busy
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n"} {
		if status, text := body(t, d.ops+path); status != 200 || text != want {
			t.Errorf("%s: %d %q", path, status, text)
		}
	}
	if err := d.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for {
		if status, text := body(t, d.ops+"/readyz"); status == 503 && text == "not ready: shutting down\n" {
			break
		}
		if time.Since(start) > 3*time.Second {
			t.Fatal("still ready")
		}
	}
	if status, _ := body(t, d.url+"/organizations/acme/webhooks"); status != 401 {
		t.Errorf("status %d while draining, want an answer", status)
	}
	if err := d.wait(); err != nil {
		t.Errorf("%v: %s", err, d.logged())
	}
	if !strings.Contains(d.logged(), "token create --org ORG --db packhooks.db") {
		t.Errorf("no line on how to make a token: %s", d.logged())
	}
	if took := time.Since(start); took < 3900*time.Millisecond || took > 15*time.Second {
		t.Errorf("ended after %v, want about 4 s", took)
	}

	t.Run("a second signal ends it at once", func(t *testing.T) {
		d := p.serve("--drain=1h")
		for range 2 {
			if err := d.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			time.Sleep(200 * time.Millisecond)
		}
		select {
		case err := <-d.exited:
			d.exited <- err
		case <-time.After(2 * time.Second):
			t.Error("still there")
		}
	})
	t.Run("a connection that says nothing does not keep it", func(t *testing.T) {
		d := p.serve()
		silent, err := net.Dial("tcp", strings.TrimPrefix(strings.TrimSuffix(d.url, "/v1"), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = silent.Close() }()
		time.Sleep(100 * time.Millisecond)
		if took := d.stop(); took > 4*time.Second { // net/http would wait for five
			t.Errorf("ended after %v", took)
		}
	})
}

func TestServeRefusesAddresses(t *testing.T) {
	p := newPlace(t)
	d := p.serve()
	address := strings.TrimPrefix(strings.TrimSuffix(d.url, "/v1"), "http://")
	p.fails(1, "", []string{"serve", "--listen", address}, address, "in use")
	p.fails(1, "", []string{"serve", "--listen", "127.0.0.1:0", "--ops-listen", address}, address, "in use")
	p.fails(1, "", []string{"serve", "--listen", "0.0.0.0:0", "--public-url", "https://a.example"}, "without TLS")
	p.fails(1, "", []string{"serve", "--listen", ":0", "--public-url", "https://a.example"}, "without TLS")
	p.fails(1, "", []string{"serve", "--listen", "0.0.0.0:0", "--behind-proxy=1"}, "--public-url")
	p.fails(1, "", []string{"serve", "--listen", "127.0.0.1:0", "--public-url", "ftp://a.example"}, "public URL")
	p.fails(1, "", []string{"serve", "--listen", "nonsense"}, "nonsense")

	proxied := p.serve("--listen=0.0.0.0:0", "--behind-proxy=1", "--public-url=https://a.example/hooks/", "--ops-listen=")
	if proxied.url != "https://a.example/hooks/v1" || proxied.ops != "" {
		t.Errorf("public URL %s, operations %q", proxied.url, proxied.ops)
	}
}

func TestServeTLS(t *testing.T) {
	p := newPlace(t)
	cert, key := certificate(t, p)
	p.must(goodRow, "import", "--org", "acme", "-")
	p = p.with("PACKHOOKS_TOKEN="+strings.TrimSpace(p.must("", "token", "create", "--org", "acme")), "SSL_CERT_FILE="+cert)
	p.fails(2, "", []string{"serve", "--tls-cert", cert}, "--tls-cert and --tls-key")
	p.fails(1, "", []string{"serve", "--tls-cert", cert, "--tls-key", cert, "--listen", "127.0.0.1:0"}, "certificate and key")
	d := p.serve("--tls-cert", cert, "--tls-key", key)
	if !strings.HasPrefix(d.url, "https://127.0.0.1:") {
		t.Fatalf("public URL %s", d.url)
	}
	if got := p.must("", "list", "--org", "acme", "--url", d.url); !strings.Contains(got, "wh_1") {
		t.Errorf("got %s", got)
	}
	address := strings.TrimPrefix(strings.TrimSuffix(d.url, "/v1"), "https://")
	for _, version := range []uint16{tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
		conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: version, NextProtos: []string{"h2"}})
		if ok := err == nil; ok != (version >= tls.VersionTLS12) {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			if got := conn.ConnectionState().NegotiatedProtocol; got != "h2" {
				t.Errorf("protocol %q, want h2", got)
			}
			_ = conn.Close()
		}
	}
}

// certificate writes a certificate of 127.0.0.1 that signs itself.
func certificate(t *testing.T, p place) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return p.write("cert.pem", block("CERTIFICATE", cert)), p.write("key.pem", block("PRIVATE KEY", der))
}

func TestReadinessNamesTheStorage(t *testing.T) {
	p := newPlace(t)
	d := p.serve()
	until := func(status int, text string) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			gotStatus, got := body(t, d.ops+"/readyz")
			if gotStatus == status && got == text {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%d %q, want %q", gotStatus, got, text)
			}
		}
	}
	for _, step := range []struct{ file, broken, repaired, text string }{
		{"packhooks.db", "ALTER TABLE store_state RENAME TO away", "ALTER TABLE away RENAME TO store_state", "storage is failing"},
		{"packhooks.db.tokens", "ALTER TABLE tokens RENAME TO away", "ALTER TABLE away RENAME TO tokens", "storage is failing"},
		{
			"packhooks.db.tokens", "UPDATE token_state SET database_id = 'x' || database_id", "UPDATE token_state SET database_id = substr(database_id, 2)",
			"database and keyset do not match",
		},
	} {
		db, err := sql.Open("sqlite", filepath.Join(p.dir, step.file))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		until(200, "ready\n")
		if _, err := db.ExecContext(t.Context(), step.broken); err != nil {
			t.Fatal(err)
		}
		until(503, "not ready: "+step.text+"\n")
		if status, _ := body(t, d.ops+"/healthz"); status != 200 {
			t.Errorf("healthz: %d", status)
		}
		if _, err := db.ExecContext(t.Context(), step.repaired); err != nil {
			t.Fatal(err)
		}
		until(200, "ready\n")
	}
	began, ended := strings.Count(d.logged(), `msg="storage is failing"`), strings.Count(d.logged(), `msg="storage has recovered"`)
	if began != 3 || ended < 2 || ended > 3 {
		t.Errorf("%d outages and %d recoveries are logged, want 3 each:\n%s", began, ended, d.logged())
	}
}

func TestServeRefusesLimitsThatMakeNoSense(t *testing.T) {
	p := newPlace(t)
	for _, flag := range []string{
		"--drain=-1s", "--rate=0", "--rate=nan", "--rate-burst=0", "--rate-burst=-1", "--max-in-flight=0", "--max-in-flight=-1", "--max-in-hand=0", "--max-connections=0", "--behind-proxy=-1", "--request-timeout=0",
		"--request-timeout=-1s", "--read-timeout=0", "--write-timeout=-1s", "--idle-timeout=0", "--max-header-bytes=0",
		"--max-conns=0", "--max-conns=9999999999", "--min-conns=-1", "--min-conns=11", "--max-conn-lifetime=0", "--statement-timeout=-1s",
	} {
		name, _, _ := strings.Cut(flag, "=")
		p.fails(2, "", []string{"serve", "--listen=nowhere", flag}, name+" must ")
	}
}

func TestServeBoundsRequests(t *testing.T) {
	p := newPlace(t)
	d := p.serve("--max-header-bytes=4096", "--read-timeout=400ms")
	status, _ := body(t, d.url+"/organizations/acme/webhooks?x="+strings.Repeat("x", 20_000))
	if status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d for a long URL, want 431", status)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(strings.TrimSuffix(d.url, "/v1"), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n")
	_ = conn.SetReadDeadline(time.Now().Add(3 * time.Second))
	if _, err := io.ReadAll(conn); err != nil {
		t.Errorf("a request that never ends is kept: %v", err)
	}
}
