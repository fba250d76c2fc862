package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/packhooks/packhooks/server/store"
)

// readiness serves /readyz.
type readiness struct {
	db       *observedStore
	prepared atomic.Bool // false while stored webhooks are checked
	draining atomic.Bool

	mu     sync.Mutex
	asked  time.Time // when the storage was last checked
	answer string
}

// opsHandler leaves out /debug/pprof/cmdline: the command line may hold a password.
func (c *serveCmd) opsHandler(r *readiness, m *metrics) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, req *http.Request) {
		if what := r.missing(req.Context()); what != "" {
			http.Error(w, "not ready: "+what, http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ready")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	if c.Pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return mux
}

// missing says what is not ready; empty if all is.
func (r *readiness) missing(ctx context.Context) string {
	switch {
	case r.draining.Load():
		return "shutting down"
	case !r.prepared.Load():
		return "checking the stored webhooks"
	case r.db.answering():
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.asked) < time.Second {
		return r.answer
	}
	r.answer = inFixedWords(r.ask(context.WithoutCancel(ctx))) // shared with other probes
	r.asked = time.Now()
	return r.answer
}

// ask returns after two seconds even if the driver ignores the context.
func (r *readiness) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	answer := make(chan error, 1)
	go func() { answer <- r.db.Ready(ctx) }()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// inFixedWords hides hosts, users and files; the log has the error itself.
func inFixedWords(err error) string {
	switch kind := kindOf(err); {
	case kind == "":
		return ""
	case errors.Is(err, store.ErrWrongKey), errors.Is(err, store.ErrIncomplete):
		return "database and keyset do not match"
	case kind == "unavailable":
		return "storage does not respond"
	default:
		return "storage is failing"
	}
}

// probeCmd asks a server whether it is ready, for images that have no curl.
type probeCmd struct {
	OpsListen string        `default:"127.0.0.1:8081" help:"Address of the server's /readyz, as given to serve."`
	Timeout   time.Duration `env:"-" default:"3s" help:"How long to wait for a response."`
}

func (c *probeCmd) Run(ctx context.Context, t *terminal) error {
	host, port, err := net.SplitHostPort(c.OpsListen)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1" // a wildcard address includes loopback
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	text := strings.TrimSpace(string(body))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(text)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(t.Out, text)
	return err
}
