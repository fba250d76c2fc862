//go:build faults && linux

package faults_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/packhooks/packhooks/client"
	"github.com/packhooks/packhooks/server"
)

const (
	clients     = 10 * server.DefaultMaxInFlight
	loris       = 500
	memoryLimit = 200 // MiB
	pageTime    = time.Second
)

// A page takes a second, so the server can answer as many a second as it may have in flight: a tenth of what is asked
// of it.
func TestOverload(t *testing.T) {
	p := newPlace(t)
	p.fill("acme", 60)
	token := p.token("acme")
	s := p.serveSlowly(pageTime)
	idle := s.openFiles()
	hold := openLoris(t, s.address())

	// One attempt a call, so that every 503 is seen; one connection a client, as if each were a program of its own.
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	c := newClient(t, s.url, token, client.WithMaxAttempts(1), client.WithHTTPClient(&http.Client{Transport: transport}))
	answers := &answers{}
	l := startLoad(t, clients, 0, func(ctx context.Context, _ int) error {
		return answers.ask(ctx, c)
	})
	steady, pages := newClient(t, s.url, token), atomic.Int64{}
	patient := startLoad(t, 4, 0, func(ctx context.Context, _ int) error {
		_, err := steady.ListWebhooks(ctx, "acme")
		if unavailable(err) {
			return nil // also an answer
		}
		if err == nil {
			pages.Add(1)
		}
		return err
	})
	time.Sleep(20 * time.Second)
	during := s.openFiles()
	l.finish(fmt.Sprintf("%d clients with one attempt and %d slow connections", clients, loris))
	patient.finish(fmt.Sprintf("4 clients with the defaults, %d calls of which brought a page", pages.Load()))
	answers.report(t)
	transport.CloseIdleConnections()

	start := time.Now()
	all := startLoad(t, server.DefaultMaxInFlight, time.Minute, func(ctx context.Context, _ int) error {
		_, err := steady.ListWebhooks(ctx, "acme")
		return err
	})
	time.Sleep(3 * time.Second)
	all.finish(fmt.Sprintf("%d calls at once, right after", server.DefaultMaxInFlight))
	closed, served := hold()
	s.until("the connections are gone", 15*time.Second, func() bool { return s.openFiles() < idle+50 })
	t.Logf("%d slow connections, %d at a time, were cut off, %d of them with an answer; %d descriptors before, %d during, %d after %v",
		closed, loris, served, idle, during, s.openFiles(), round(time.Since(start)))
	if closed < loris {
		t.Error("slow connections were let be")
	}
	t.Logf("most memory: %d MiB", s.peakMemory())
	if s.peakMemory() >= memoryLimit {
		t.Errorf("more than %d MiB", memoryLimit)
	}
}

// serveSlowly starts a server whose store takes a while for each page.
func (p place) serveSlowly(delay time.Duration) *service {
	p.t.Helper()
	cmd := p.command("serve", "--listen", freeAddress(p.t), "--ops-listen", freeAddress(p.t))
	self, err := os.Executable()
	check(p.t, err)
	cmd.Path = self
	cmd.Env = append(cmd.Env, slowVariable+"="+delay.String())
	return p.start(cmd)
}

// answers sorts what honest clients get.
type answers struct {
	mu       sync.Mutex
	pages    []time.Duration
	refusals []time.Duration
}

// ask makes one call; a client that is told to wait waits.
func (a *answers) ask(ctx context.Context, c *client.Client) error {
	start := time.Now()
	_, err := c.ListWebhooks(ctx, "acme")
	took := time.Since(start)
	var refusal *client.Error
	switch {
	case err == nil:
		a.add(&a.pages, took)
	case errors.As(err, &refusal) && refusal.StatusCode == http.StatusServiceUnavailable && refusal.RetryAfter > 0:
		a.add(&a.refusals, took)
		select {
		case <-time.After(refusal.RetryAfter):
		case <-ctx.Done():
		}
	default:
		return err
	}
	return nil
}

func (a *answers) add(list *[]time.Duration, took time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	*list = append(*list, took)
}

func (a *answers) report(t *testing.T) {
	t.Helper()
	for _, kind := range []struct {
		name string
		took []time.Duration
	}{{"pages", a.pages}, {"503", a.refusals}} {
		if len(kind.took) == 0 {
			t.Fatalf("%s: none", kind.name)
		}
		slices.Sort(kind.took)
		at := func(share float64) time.Duration { return round(kind.took[int(share*float64(len(kind.took)-1))]) }
		t.Logf("%s: %d; median %v, 99 %% within %v, slowest %v", kind.name, len(kind.took), at(0.5), at(0.99), at(1))
		if at(1) > server.DefaultRequestTimeout {
			t.Errorf("%s: slower than %v", kind.name, server.DefaultRequestTimeout)
		}
	}
	if median := a.refusals[len(a.refusals)/2]; median > pageTime {
		t.Errorf("it takes longer to be refused than to be answered: %v", median)
	}
}

// openLoris opens connections that send a byte now and then and never a whole request. What it returns ends them,
// and counts those that the server had cut off and those that it had sent anything to.
func openLoris(t *testing.T, address string) (hold func() (closed, answered int)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var mu sync.Mutex
	closed, answered := 0, 0
	for i := range loris {
		all.Go(func() {
			for ctx.Err() == nil {
				n, err := trickle(ctx, address, i%2 == 0)
				mu.Lock()
				if err == nil {
					closed++
				}
				if n > 0 {
					answered++
				}
				mu.Unlock()
			}
		})
	}
	return func() (int, int) {
		cancel()
		all.Wait()
		return closed, answered
	}
}

// trickle sends the beginning of a request, byte by byte, until the other side has had enough.
func trickle(ctx context.Context, address string, line bool) (answered int, err error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	text := "GET /v1/organizations/acme/webhooks?per_page=100&cursor=" + strings.Repeat("x", 10_000)
	if !line {
		text = "GET /v1/organizations/acme/webhooks HTTP/1.1\r\nHost: x\r\nX-Slow: " + strings.Repeat("x", 10_000)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		data, _ := io.ReadAll(conn)
		answered = len(data)
	}()
	for _, b := range []byte(text) {
		if _, err := conn.Write([]byte{b}); err != nil {
			break
		}
		select {
		case <-done:
			return answered, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	_ = conn.Close()
	<-done
	return answered, ctx.Err()
}
