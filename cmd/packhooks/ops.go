package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/pprof"
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
