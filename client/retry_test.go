package packhooks_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	packhooks "github.com/packhooks/packhooks/client"
	"github.com/packhooks/packhooks/client/clienttest"
)

func TestWhichStatusIsTriedAgain(t *testing.T) {
	for status, want := range map[int]int32{
		400: 1, 401: 1, 403: 1, 404: 1, 405: 1, 409: 1, 501: 1, 505: 1, 525: 1,
		408: 3, 425: 3, 429: 3, 500: 3, 502: 3, 503: 3, 504: 3, 520: 3, 521: 3, 522: 3, 523: 3, 524: 3, 529: 3,
	} {
		var requests atomic.Int32
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			requests.Add(1)
			w.WriteHeader(status)
		})
		_, err := newClientOf(t, testToken, url, packhooks.WithMaxAttempts(3)).ListWebhooks(t.Context(), "acme")
		var e *packhooks.Error
		if !errors.As(err, &e) || e.StatusCode != status || e.Attempts != int(want) {
			t.Errorf("%d: got %v, want an *Error of %d attempts", status, err, want)
		}
		if requests.Load() != want {
			t.Errorf("%d: %d requests, want %d", status, requests.Load(), want)
		}
	}
}

func TestPassingFaultsAreRiddenOut(t *testing.T) {
	srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme", clienttest.Webhooks(3)...))
	c := newClient(t, srv)
	for name, fault := range map[string]clienttest.Fault{
		"503":       clienttest.Unavailable(0),
		"truncated": clienttest.Truncated(),
		"cut":       clienttest.Cut(),
	} {
		before := len(srv.Requests())
		srv.Inject(fault, fault)
		page, err := c.ListWebhooks(t.Context(), "acme")
		if err != nil || len(page.Webhooks) != 3 {
			t.Errorf("%s: %v", name, err)
		}
		if n := len(srv.Requests()) - before; n != 3 {
			t.Errorf("%s: %d requests, want 3", name, n)
		}
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	for name, header := range map[string]http.Header{
		"seconds": {"Retry-After": {"1"}},
		// The server's clock is years behind; what counts is the difference between its own two times.
		"date": {"Retry-After": {"Tue, 01 Jan 2019 00:00:01 GMT"}, "Date": {"Tue, 01 Jan 2019 00:00:00 GMT"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme"))
			srv.Inject(func(http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					for name, values := range header {
						w.Header()[name] = values
					}
					w.WriteHeader(http.StatusTooManyRequests)
				})
			})
			start := time.Now()
			_, err := newClient(t, srv, packhooks.WithBackoff(time.Millisecond, time.Second)).ListWebhooks(t.Context(), "acme")
			if took := time.Since(start); err != nil || took < time.Second || took > 3*time.Second {
				t.Errorf("%v after %v, want success after 1 to 2 s", err, took)
			}
		})
	}
}

func TestRetryAfterBeyondTheCapOrTheDeadlineEndsTheCall(t *testing.T) {
	srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme"))
	soon, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	for name, try := range map[string]struct {
		ctx        context.Context
		retryAfter time.Duration
	}{
		"cap":      {t.Context(), 61 * time.Second},
		"deadline": {soon, 4 * time.Second},
	} {
		before := len(srv.Requests())
		srv.Inject(clienttest.RateLimited(try.retryAfter))
		start := time.Now()
		_, err := newClient(t, srv, packhooks.WithBackoff(time.Millisecond, 5*time.Second)).ListWebhooks(try.ctx, "acme")
		var e *packhooks.Error
		if !errors.As(err, &e) || !errors.Is(err, packhooks.ErrRateLimited) || e.RetryAfter != try.retryAfter {
			t.Errorf("%s: got %v, want a 429 that says %v", name, err, try.retryAfter)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s: it took %v", name, took)
		}
		if n := len(srv.Requests()) - before; n != 1 {
			t.Errorf("%s: %d requests, want 1", name, n)
		}
	}
}

func TestCancellingEndsABackoffAtOnce(t *testing.T) {
	srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme"))
	srv.Inject(clienttest.Unavailable(5 * time.Second))
	ctx, cancel := context.WithCancel(t.Context())
	var cancelled time.Time
	time.AfterFunc(100*time.Millisecond, func() {
		cancelled = time.Now()
		cancel()
	})
	_, err := newClient(t, srv, packhooks.WithBackoff(5*time.Second, 5*time.Second)).ListWebhooks(ctx, "acme")
	if took := time.Since(cancelled); took > 50*time.Millisecond {
		t.Errorf("it took %v", took)
	}
	var e *packhooks.Error
	if !errors.Is(err, context.Canceled) || !errors.As(err, &e) || e.StatusCode != 503 {
		t.Errorf("got %v, want the context's error and the last failure", err)
	}
}

func TestCancellingEndsAnAttempt(t *testing.T) {
	srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme"))
	srv.Inject(clienttest.Unavailable(0), clienttest.Slow(time.Minute))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := newClient(t, srv).ListWebhooks(ctx, "acme")
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, packhooks.ErrUnavailable) {
		t.Errorf("got %v, want the context's error and the last failure", err)
	}
}

func TestACancelledCallSaysNothingOfTheService(t *testing.T) {
	srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme"))
	srv.Inject(clienttest.Slow(time.Minute))
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("lunch"))
	defer cancel()
	_, err := newClient(t, srv).ListWebhooks(ctx, "acme")
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, packhooks.ErrUnavailable) {
		t.Errorf("got %v, want the context's error alone", err)
	}
}

func TestRefusedConnectionsAreUnavailable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	_, err = newClientOf(t, testToken, "http://"+l.Addr().String()).ListWebhooks(t.Context(), "acme")
	if !errors.Is(err, packhooks.ErrUnavailable) || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, want ErrUnavailable and ECONNREFUSED", err)
	}
}

func TestAnUntrustedCertificateIsNotTriedAgain(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = discard
	srv.StartTLS()
	defer srv.Close()
	c := newClientOf(t, testToken, srv.URL, packhooks.WithBackoff(time.Minute, time.Minute))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	_, err := c.ListWebhooks(ctx, "acme")
	if !errors.Is(err, packhooks.ErrUnavailable) || strings.Contains(err.Error(), "attempts") {
		t.Errorf("got %v, want ErrUnavailable after one attempt", err)
	}
}

// The server's process ends as the first request arrives and is back after 3 s.
func TestDefaultsRideOutARestart(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	page := always(200, body("", item("wh_1", nil)))
	back := make(chan *http.Server)
	time.AfterFunc(3*time.Second, func() {
		srv := &http.Server{Handler: page, ReadHeaderTimeout: time.Second}
		if again, err := net.Listen("tcp", l.Addr().String()); err == nil {
			go func() { _ = srv.Serve(again) }()
		}
		back <- srv
	})
	c, err := packhooks.New(testToken, packhooks.WithBaseURL("http://"+l.Addr().String()), packhooks.WithHTTPClient(httpClient(t)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ListWebhooks(t.Context(), "acme"); err != nil {
		t.Error(err)
	}
	_ = (<-back).Close()
}

// In a bubble's own time the schedule can be tried often enough for its random part.
func TestDefaultsRideOutEveryThreeSeconds(t *testing.T) {
	for range 500 {
		synctest.Test(t, func(t *testing.T) {
			start, longest := time.Now(), time.Duration(0)
			c, err := packhooks.New(testToken, packhooks.WithHTTPClient(&http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
				longest = time.Since(start)
				return nil, syscall.ECONNREFUSED
			})}))
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.ListWebhooks(t.Context(), "acme")
			if !errors.Is(err, packhooks.ErrUnavailable) || longest < 3500*time.Millisecond || longest > 7100*time.Millisecond {
				t.Fatalf("%v; the last attempt came after %v", err, longest)
			}
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
