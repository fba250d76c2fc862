package main

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/packhooks/packhooks/server/store"
)

// readiness answers the probes of whatever restarts the server or sends it traffic.
type readiness struct {
	db       store.Store
	prepared atomic.Bool // false while stored webhooks are checked
	draining atomic.Bool
}

func (r *readiness) handler() http.Handler {
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
	return mux
}

// missing names what is not ready, or nothing.
func (r *readiness) missing(ctx context.Context) string {
	switch {
	case r.draining.Load():
		return "shutting down"
	case !r.prepared.Load():
		return "checking the stored webhooks"
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := r.db.Ready(ctx); err != nil {
		return "storage: " + printable(err.Error())
	}
	return ""
}
