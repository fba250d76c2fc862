//go:build faults && linux

package faults_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	client "github.com/packhooks/packhooks/client"
	"github.com/packhooks/packhooks/server/store"
)

// Each attack goes on for a while. A client with a token of its own beside it sees no failed request, and the server
// stays small.
const (
	attackTime   = 10 * time.Second
	attackMemory = 300 // MiB
)

// beside has an authorized client work before and during an attack.
func (s *service) beside(t *testing.T, c *client.Client, attack func(ctx context.Context)) {
	t.Helper()
	calm := s.steady(t, c, 3*time.Second)
	ctx, stop := context.WithTimeout(t.Context(), attackTime)
	defer stop()
	var attackers sync.WaitGroup
	attackers.Go(func() { attack(ctx) })
	time.Sleep(time.Second)
	during := s.steady(t, c, attackTime-2*time.Second)
	stop()
	attackers.Wait()
	t.Logf("99 %% within %v undisturbed, %v during the attack: %.1f ×; most memory %d MiB", calm, during,
		float64(during)/float64(calm), s.peakMemory())
	if s.peakMemory() > attackMemory {
		t.Errorf("more than %d MiB", attackMemory)
	}
}

// steady asks for pages, four at a time, and returns how long the slowest hundredth takes.
func (s *service) steady(t *testing.T, c *client.Client, d time.Duration) time.Duration {
	t.Helper()
	l := startLoad(t, 4, 5*time.Millisecond, func(ctx context.Context, _ int) error {
		_, err := c.ListWebhooks(ctx, "acme")
		return err
	})
	time.Sleep(d)
	l.finish("an authorized client")
	return round(l.took[len(l.took)*99/100])
}

const list = "/organizations/acme/webhooks"

// The largest file of the docs page, asked for without compression, and a query of 16,000 empty parameters.
func TestFloodWithoutAToken(t *testing.T) {
	p := newPlace(t)
	p.fill("acme", 60)
	s := p.serve("--rate=-1")
	c := newClient(t, s.url, p.token("acme"), client.WithMaxAttempts(1))
	for name, url := range map[string]string{
		"docs":  strings.TrimSuffix(s.url, "/v1") + "/docs/swagger-ui-bundle.js",
		"query": s.url + list + "?" + strings.Repeat("&", 16_000),
	} {
		t.Run(name, func(t *testing.T) {
			s.beside(t, c, func(ctx context.Context) {
				flood(ctx, 80, 500, url, func() string { return "none" }, func(int) {})
			})
		})
	}
}

func TestForgedTokens(t *testing.T) {
	p := newPlace(t)
	p.fill("acme", 60)
	s := p.serveSlowly(10*time.Millisecond, 0)
	c := newClient(t, s.url, p.token("acme"), client.WithMaxAttempts(1))
	s.beside(t, c, func(ctx context.Context) {
		var statuses [600]int
		flood(ctx, 32, 1500, s.url+list, store.NewToken, func(status int) { statuses[status]++ })
		t.Logf("forged tokens: %d × 401, %d × 429, %d × 503", statuses[401], statuses[429], statuses[503])
	})
}

func TestFloodWithAValidToken(t *testing.T) {
	p := newPlace(t)
	p.fill("acme", 60)
	s := p.serveSlowly(10*time.Millisecond, 0)
	c, other := newClient(t, s.url, p.token("acme"), client.WithMaxAttempts(1)), p.token("acme")
	s.beside(t, c, func(ctx context.Context) {
		flood(ctx, 1000, 20_000, s.url+list, func() string { return other }, func(int) {})
	})
}

// Responses of 5 MB that nobody reads.
func TestSlowReaders(t *testing.T) {
	p, s := newLargePages(t)
	c := newClient(t, s.url, p.token("acme"), client.WithMaxAttempts(1))
	hogs := []string{p.token("large"), p.token("large"), p.token("large")}
	s.beside(t, c, func(ctx context.Context) {
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				for ctx.Err() == nil {
					unread(ctx, s.address(), hogs[i%len(hogs)])
				}
			})
		}
		all.Wait()
	})
}

// Streams of HTTP/2 whose window is closed.
func TestClosedWindows(t *testing.T) {
	p := newPlace(t)
	p.fill("acme", 60)
	cert, key := selfSigned(t, p)
	s := p.serveTLS(cert, key)
	insecure := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
	c := newClient(t, s.url, p.token("acme"), client.WithMaxAttempts(1), client.WithHTTPClient(insecure))
	hogs := []string{p.token("acme"), p.token("acme"), p.token("acme")}
	s.beside(t, c, func(ctx context.Context) {
		var all sync.WaitGroup
		for i := range 12 {
			all.Go(func() { closedWindow(ctx, s.address(), hogs[i%len(hogs)]) })
		}
		all.Wait()
	})
}

// flood sends requests, so many a second, from several connections.
func flood(ctx context.Context, workers, perSecond int, url string, token func() string, saw func(status int)) {
	transport := &http.Transport{MaxIdleConnsPerHost: workers}
	defer transport.CloseIdleConnections()
	var mu sync.Mutex
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for tick := time.NewTicker(time.Second * time.Duration(workers) / time.Duration(perSecond)); ctx.Err() == nil; <-tick.C {
				req, _ := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
				req.Header.Set("Authorization", "Bearer "+token())
				resp, err := transport.RoundTrip(req)
				if err != nil {
					continue
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				mu.Lock()
				saw(resp.StatusCode)
				mu.Unlock()
			}
		})
	}
	all.Wait()
}

// newLargePages fills an organization with the largest page that the contract allows.
func newLargePages(t *testing.T) (place, *service) {
	p := newPlace(t)
	p.fill("acme", 60)
	var rows bytes.Buffer
	for i := range 100 {
		fmt.Fprintf(&rows, `{"id":"wh_%03d","endpoint":"%s","secret":"s","enabled":true,"created_at":"2024-08-02T09:30:00Z","updated_at":"2024-08-02T09:30:00Z"}`+"\n",
			i, strings.Repeat(`\u0001`, 8192))
	}
	check(t, os.WriteFile(p.path("large.ndjson"), rows.Bytes(), 0o600))
	p.must("import", "--org=large", p.path("large.ndjson"))
	return p, p.serve("--rate=-1")
}

// unread asks for a large page on a connection of its own and reads next to nothing.
func unread(ctx context.Context, address, token string) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	fmt.Fprintf(conn, "GET /v1/organizations/large/webhooks?per_page=100 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", token)
	line, _ := bufio.NewReaderSize(conn, 16).ReadString('\n')
	if strings.Contains(line, " 200 ") {
		<-ctx.Done()
	}
	time.Sleep(100 * time.Millisecond)
}

// closedWindow opens streams that may not send a byte.
func closedWindow(ctx context.Context, address, token string) {
	conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}}).DialContext(ctx, "tcp", address)
	if err != nil {
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	_, _ = io.WriteString(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	_ = framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for i := range 128 {
		block.Reset()
		for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "x"}, {":path", "/v1/organizations/acme/webhooks"}, {"authorization", "Bearer " + token}} {
			_ = encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
		}
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true})
	}
	for {
		f, err := framer.ReadFrame()
		if err != nil {
			return
		}
		if settings, ok := f.(*http2.SettingsFrame); ok && !settings.IsAck() {
			_ = framer.WriteSettingsAck()
		}
	}
}

// serveTLS starts a server with a certificate.
func (p place) serveTLS(cert, key string) *service {
	p.t.Helper()
	cmd := p.command("serve", "--listen", freeAddress(p.t), "--ops-listen", freeAddress(p.t), "--tls-cert="+cert, "--tls-key="+key, "--rate=-1")
	s := p.start(cmd)
	s.url = "https" + strings.TrimPrefix(s.url, "http")
	return s
}

func selfSigned(t *testing.T, p place) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	check(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	check(t, err)
	cert, key = p.path("cert.pem"), p.path("key.pem")
	check(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	check(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	return cert, key
}
