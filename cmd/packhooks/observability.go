package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/packhooks/packhooks/server"
	"github.com/packhooks/packhooks/server/store"
)

// observability is the log, the metrics and the traces of a server.
type observability struct {
	metrics  *metrics
	logger   *slog.Logger
	queue    *logQueue
	provider *sdktrace.TracerProvider // nil for no traces
	tracer   trace.Tracer             // nil for no traces
}

func (c *serveCmd) newObservability(ctx context.Context, stderr io.Writer) (_ *observability, err error) {
	o := &observability{metrics: newMetrics()}
	o.logger, o.queue = newLogger(stderr, c.LogFormat, c.LogLevel)
	if o.provider, err = newTracing(ctx, o.logger); o.provider != nil {
		o.tracer = o.provider.Tracer("github.com/packhooks/packhooks")
	}
	return o, err
}

// close flushes traces and log.
func (o *observability) close() {
	if o.provider != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = o.provider.Shutdown(ctx)
	}
	o.queue.close()
}

func (o *observability) store(db store.Store) *observedStore {
	return &observedStore{Store: db, granted: db.(store.GrantLister), metrics: o.metrics, tracer: o.tracer, outage: outage{logger: o.logger}}
}

func (o *observability) observe(ctx context.Context, outcome server.Outcome) {
	o.metrics.observe(outcome)
	describe(ctx, outcome)
}

func (o *observability) handler(next http.Handler) http.Handler {
	next = promhttp.InstrumentHandlerInFlight(o.metrics.inFlight, next)
	if o.tracer != nil {
		next = traced(o.tracer, next)
	}
	return next
}
