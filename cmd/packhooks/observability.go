package main

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
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

// newTracing returns nil unless OpenTelemetry's own variables name a collector.
func newTracing(ctx context.Context, logger *slog.Logger) (*sdktrace.TracerProvider, error) {
	if cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")) == "" {
		return nil, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, err
	}
	source, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", "packhooks"), attribute.String("service.version", version()),
	), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, err
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn("exporting traces", "error", err) }))
	return sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(source)), nil
}

// traced starts a span for each request, in the trace of its traceparent header.
func traced(tracer trace.Tracer, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := tracer.Start(ctx, "request", trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// describe sets name and attributes of the request's span.
func describe(ctx context.Context, o server.Outcome) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.SetName(o.Method + " " + o.Route)
	span.SetAttributes(
		attribute.String("http.request.method", o.Method), attribute.String("http.route", o.Route),
		attribute.Int("http.response.status_code", o.Status), attribute.Int64("http.response.body.size", o.Bytes),
	)
	if o.Status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, o.Reason)
	}
}
