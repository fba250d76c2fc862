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
	"testing"
	"time"

	client "github.com/packhooks/packhooks/client"
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
	tokens := make([]string, 40)
	for i := range tokens {
		tokens[i] = p.token("acme")
	}
	s := p.serveSlowly(0, pageTime)
	idle := s.openFiles()
	endLoris := openLoris(t, s.address())

	t.Run("ten times as many clients as may be in flight", func(t *testing.T) {
		s.crowd(t, 20*time.Second, tokens[1:], tokens[0])
	})
	t.Run("all of them with one token, and others", func(t *testing.T) {
		s.crowd(t, 10*time.Second, tokens[1:2], tokens[0])
	})
	t.Run("it recovers", func(t *testing.T) {
		ended := time.Now()
		l := startLoad(t, server.DefaultMaxInFlight, time.Minute, func(ctx context.Context, i int) error {
			_, err := newClient(t, s.url, tokens[i%len(tokens)]).ListWebhooks(ctx, "acme")
			return err
		})
		time.Sleep(3 * time.Second)
		l.finish(fmt.Sprintf("%d calls at once, right after", server.DefaultMaxInFlight))
		newClient(t, s.url, tokens[0]).CloseIdleConnections() // all of them share those
		closed, answered := endLoris()
		s.until("the connections are gone", 15*time.Second, func() bool { return s.openFiles() < idle+50 })
		t.Logf("%d slow connections, %d at a time, were cut off, %d of them with an answer", closed, loris, answered)
		t.Logf("%d descriptors before, %d after %v", idle, s.openFiles(), round(time.Since(ended)))
		if closed < loris {
			t.Error("slow connections were let be")
		}
	})
	t.Logf("most memory: %d MiB", s.peakMemory())
	if s.peakMemory() >= memoryLimit {
		t.Errorf("more than %d MiB", memoryLimit)
	}
}

// crowd has many clients share tokens, and a few with the client's defaults use another one. The many try once a call,
// so that every refusal is seen, and have a connection each, as if they were programs of their own.
func (s *service) crowd(t *testing.T, d time.Duration, tokens []string, other string) {
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	many := make([]*client.Client, len(tokens))
	for i, token := range tokens {
		many[i] = newClient(t, s.url, token, client.WithMaxAttempts(1), client.WithHTTPClient(&http.Client{Transport: transport}))
	}
	var all, few answers
	l := startLoad(t, clients, 0, func(ctx context.Context, i int) error { return all.ask(ctx, many[i%len(many)]) })
	steady := newClient(t, s.url, other)
	patient := startLoad(t, 4, 0, func(ctx context.Context, _ int) error { return few.ask(ctx, steady) })
	time.Sleep(d)
	l.finish(fmt.Sprintf("%d clients with %d tokens and one attempt, %d slow connections", clients, len(tokens), loris))
	all.report(t)
	if len(all.refusals) == 0 {
		t.Fatal("no refusal, so no overload")
	}
	patient.finish("4 clients with a token of their own and the defaults")
	few.report(t)
	if slowest := max(all.pages[len(all.pages)-1], all.refusals[len(all.refusals)-1]); slowest > server.DefaultRequestTimeout {
		t.Errorf("an answer took %v", slowest)
	}
	if median := all.refusals[len(all.refusals)/2]; median > pageTime {
		t.Errorf("it takes longer to be refused than to be answered: %v", median)
	}
}

// serveSlowly starts a server whose store takes a while for each call, and a while more for each page.
func (p place) serveSlowly(delay, pages time.Duration) *service {
	p.t.Helper()
	cmd := p.command("serve", "--listen", freeAddress(p.t), "--ops-listen", freeAddress(p.t))
	self, err := os.Executable()
	check(p.t, err)
	cmd.Path = self
	cmd.Env = append(cmd.Env, slowVariable+"="+delay.String()+" "+pages.String())
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
	case errors.As(err, &refusal) && refused(refusal.StatusCode) && refusal.RetryAfter > 0:
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

func refused(status int) bool {
	return status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests
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
	}{{"pages", a.pages}, {"refusals", a.refusals}} {
		slices.Sort(kind.took)
		at := func(share float64) time.Duration { return round(kind.took[int(share*float64(len(kind.took)-1))]) }
		if len(kind.took) > 0 {
			t.Logf("  %s: %d; median %v, 99 %% within %v, slowest %v", kind.name, len(kind.took), at(0.5), at(0.99), at(1))
		}
	}
	if len(a.pages) == 0 {
		t.Fatal("no page for anybody")
	}
}

// openLoris opens connections that send a byte now and then and never a whole request. What it returns ends them,
// and counts those that the server had cut off and those that it had sent anything to.
func openLoris(t *testing.T, address string) (end func() (closed, answered int)) {
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
