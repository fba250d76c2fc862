package packhooks_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	packhooks "github.com/packhooks/packhooks/client"
)

// A hostile server misbehaves in one way. What it sends may name self, its own base URL, and elsewhere, a listener
// that nothing must ever reach.
type hostile struct {
	name     string
	serve    func(self, elsewhere string) http.HandlerFunc
	tls      bool
	opts     []packhooks.Option
	want     error  // nil when the walk ends well
	status   int    // of the *Error, if it is one
	text     string // part of the error's text
	webhooks int    // that arrive before the error or the end
	page     string // that it serves to everybody, if it is as simple as that
	requests int    // that the server sees; 1 when not given
}

const operation = "/organizations/acme/webhooks"

func fixed(h http.HandlerFunc) func(string, string) http.HandlerFunc {
	return func(string, string) http.HandlerFunc { return h }
}

func TestHostileServers(t *testing.T) {
	for _, h := range slices.Concat(hostileLinks(), hostileAnswers(), hostilePages()) {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			h.run(t)
		})
	}
}

func (h hostile) run(t *testing.T) {
	var strays, requests atomic.Int32
	elsewhere := serve(t, func(http.ResponseWriter, *http.Request) { strays.Add(1) })
	var handler http.HandlerFunc
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		handler(w, r)
	}))
	opts := h.opts
	if h.tls {
		srv.StartTLS()
		opts = append(opts, packhooks.WithHTTPClient(srv.Client()))
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	handler = h.serve(srv.URL+"/v1", elsewhere)

	n, err := 0, error(nil)
	for _, e := range newClientOf(t, testToken, srv.URL+"/v1", opts...).Webhooks(t.Context(), "acme") {
		if err = e; err == nil {
			n++
		}
	}
	h.check(t, n, err)
	if want := max(h.requests, 1); int(requests.Load()) != want {
		t.Errorf("%d requests, want %d", requests.Load(), want)
	}
	if strays.Load() > 0 {
		t.Errorf("%d requests left the origin", strays.Load())
	}
}

func (h hostile) check(t *testing.T, webhooks int, err error) {
	if webhooks != h.webhooks {
		t.Errorf("%d webhooks, want %d", webhooks, h.webhooks)
	}
	if err == nil {
		if h.want != nil || h.status != 0 || h.text != "" {
			t.Fatal("no error")
		}
		return
	}
	t.Log(err)
	var status *packhooks.Error
	switch {
	case h.want == nil && h.status == 0 && h.text == "":
		t.Error("an error of a server that is only odd")
	case h.want != nil && !errors.Is(err, h.want):
		t.Errorf("the error is not %v", h.want)
	case h.status != 0 && (!errors.As(err, &status) || status.StatusCode != h.status):
		t.Errorf("the error has not the status %d", h.status)
	case !strings.Contains(err.Error(), h.text):
		t.Errorf("the error says nothing of %q", h.text)
	case strings.Contains(err.Error(), testToken):
		t.Error("the error names the token")
	}
}

func TestAttemptTimeoutIsNoDeadlineOfTheCaller(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}))
		srv.EnableHTTP2 = http2
		srv.StartTLS()
		defer srv.Close()
		c := newClientOf(t, testToken, srv.URL, packhooks.WithHTTPClient(srv.Client()),
			packhooks.WithAttemptTimeout(time.Second), packhooks.WithMaxAttempts(1))
		_, err := c.ListWebhooks(t.Context(), "acme")
		var timeout net.Error
		if !errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("HTTP/2 %t: got %v, want a timeout", http2, err)
		}
	}
}
