package main_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestFailedStartLeavesNoFiles(t *testing.T) {
	p := newPlace(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	p.fails(1, "", []string{"serve", "--listen=127.0.0.1:0", "--ops-listen", taken.Addr().String()}, "in use")
	p.fails(1, "", []string{"serve", "--listen=127.0.0.1:0", "--ops-listen=", "--db=no/such/folder.db"}, "no such file")
	p.fails(1, goodRow, []string{"import", "--org=acme", "-", "--db=tmp"}, "tmp")
	if err := os.Mkdir(p.path("x.db.tokens"), 0o700); err != nil {
		t.Fatal(err)
	}
	p.fails(1, goodRow, []string{"import", "--org=acme", "-", "--db=x.db"}, "x.db")
	if left := p.files(); !slices.Equal(left, []string{"x.db.tokens"}) {
		t.Errorf("left behind: %v", left)
	}
}

func TestCertificateIsReloaded(t *testing.T) {
	p := newPlace(t)
	cert, key := certificate(t, p)
	d := p.serve("--tls-cert", cert, "--tls-key", key)
	address := strings.TrimPrefix(strings.TrimSuffix(d.url, "/v1"), "https://")
	serial := func() string {
		t.Helper()
		conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatalf("%v: %s", err, d.logged())
		}
		defer func() { _ = conn.Close() }()
		return fmt.Sprintf("%x", conn.ConnectionState().PeerCertificates[0].Signature)
	}
	first := serial()
	until := func(what string, done func() bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: not after 20 s: %s", what, d.logged())
			}
		}
	}
	certificate(t, p)
	until("a new certificate", func() bool { return serial() != first })
	second := serial()

	p.write("cert.pem", "half written")
	until("a broken one is logged", func() bool {
		return serial() == second && strings.Contains(d.logged(), "keeping the previous certificate")
	})
	certificate(t, p)
	if err := d.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	until("SIGHUP", func() bool { return strings.Contains(d.logged(), "reloaded after SIGHUP") })
	if serial() == second {
		t.Error("SIGHUP did not read the certificate")
	}

	insecure := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := insecure.Get(d.url + "/organizations/acme/webhooks")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if got := resp.Header.Get("Strict-Transport-Security"); resp.StatusCode != 401 || got != "max-age=31536000" {
		t.Errorf("status %d, Strict-Transport-Security %q", resp.StatusCode, got)
	}
	d.stop()

	for mode, refused := range map[os.FileMode]bool{0o644: true, 0o604: true, 0o640: false} {
		if err := os.Chmod(key, mode); err != nil {
			t.Fatal(err)
		}
		if refused {
			p.fails(1, "", []string{"serve", "--listen=127.0.0.1:0", "--tls-cert", cert, "--tls-key", key}, "key.pem can be read by everyone")
		} else {
			p.serve("--tls-cert", cert, "--tls-key", key).stop()
		}
	}
}

func TestHangupWithoutTLS(t *testing.T) {
	p := newPlace(t)
	d := p.serve()
	if err := d.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	resp, err := http.Get(d.url + "/organizations/acme/webhooks")
	if err != nil {
		t.Fatalf("after SIGHUP: %v", err)
	}
	_ = resp.Body.Close()
	if got := resp.Header.Get("Strict-Transport-Security"); got != "" {
		t.Errorf("Strict-Transport-Security %q over HTTP", got)
	}
	d.stop()
}
