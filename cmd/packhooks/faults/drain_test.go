//go:build faults && linux

package faults_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	client "github.com/packhooks/packhooks/client"
)

func TestDrain(t *testing.T) {
	p := newPlace(t)
	p.fill("acme", 60)
	token := p.token("acme")

	t.Run("readiness goes first, then the listener, then the process", func(t *testing.T) {
		s := p.in(t).serve("--drain=1s", "--rate=-1")
		if got := s.ready(); got != http.StatusOK {
			t.Fatalf("/readyz is %d before the signal", got)
		}
		fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		c := newClient(t, s.url, token, client.WithMaxAttempts(1), client.WithHTTPClient(fresh))
		start := time.Now()
		s.signal(syscall.SIGTERM)
		s.until("/readyz is 503", 2*time.Second, func() bool { return s.ready() == http.StatusServiceUnavailable })
		notReady, served, closed := time.Since(start), 0, time.Duration(0)
		for ; closed == 0 && served < 100_000; served++ {
			if _, err := c.ListWebhooks(t.Context(), "acme"); err != nil {
				closed = time.Since(start)
			}
		}
		code := s.exit(10 * time.Second)
		t.Logf("/readyz is 503 after %v, %d requests were served until the listener closed after %v, exit %d after %v",
			round(notReady), served-1, round(closed), code, round(time.Since(start)))
		if code != 0 || served < 2 || closed < time.Second {
			t.Error("want requests served for 1 s after the signal, then exit 0")
		}
	})

	t.Run("a response that has begun is sent in full", func(t *testing.T) {
		p.fillLarge("large", 100)
		s := p.in(t).serve("--drain=100ms")
		body := beginReading(t, s.url+"/organizations/large/webhooks?per_page=100", p.token("large"))
		s.signal(syscall.SIGTERM)
		time.Sleep(time.Second) // long after the drain period
		if s.hasExited() {
			t.Error("gone before the response was read")
		}
		var page struct{ Data []json.RawMessage }
		if err := json.NewDecoder(body).Decode(&page); err != nil || len(page.Data) != 100 {
			t.Errorf("%d webhooks, %v", len(page.Data), err)
		}
		if code := s.exit(10 * time.Second); code != 0 {
			t.Errorf("exit %d", code)
		}
	})

	t.Run("a second signal ends it at once", func(t *testing.T) {
		s := p.in(t).serve("--drain=1m")
		s.signal(syscall.SIGTERM)
		s.until("/readyz is 503", 2*time.Second, func() bool { return s.ready() == http.StatusServiceUnavailable })
		start := time.Now()
		s.signal(syscall.SIGTERM)
		code := s.exit(10 * time.Second)
		t.Logf("gone %v after the second signal, exit %d", round(time.Since(start)), code)
		if took := time.Since(start); took > time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// beginReading returns the body of a response that is larger than what the kernel holds of it.
func beginReading(t *testing.T, url, token string) io.Reader {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	check(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	narrow := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(64 << 10)
		}
		return conn, err
	}}
	resp, err := narrow.RoundTrip(req)
	check(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d", resp.StatusCode)
	}
	return resp.Body
}
