package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/packhooks/packhooks/server/store"
)

// observedStore measures and traces the calls of a store, and logs each outage and its end.
type observedStore struct {
	store.Store
	granted store.GrantLister
	metrics *metrics
	tracer  trace.Tracer // nil for no traces
	outage  outage

	listed, authenticated atomic.Int64 // when this last succeeded, in Unix nanoseconds
}

func (s *observedStore) ListWebhooks(ctx context.Context, q store.PageQuery) (store.Page, error) {
	return observe(ctx, s, "list_webhooks", &s.listed, func(ctx context.Context) (store.Page, error) { return s.Store.ListWebhooks(ctx, q) })
}

func (s *observedStore) ListGranted(ctx context.Context, g store.Grant, q store.PageQuery) (store.Page, error) {
	page, err := observe(ctx, s, "list_webhooks", &s.listed, func(ctx context.Context) (store.Page, error) { return s.granted.ListGranted(ctx, g, q) })
	if err == nil {
		s.authenticated.Store(s.listed.Load())
	}
	return page, err
}

func (s *observedStore) Authenticate(ctx context.Context, token string) (store.Grant, error) {
	return observe(ctx, s, "authenticate", &s.authenticated, func(ctx context.Context) (store.Grant, error) { return s.Store.Authenticate(ctx, token) })
}

// answering reports whether requests succeeded within the last second. Then a probe need not use a connection.
func (s *observedStore) answering() bool {
	return !s.outage.on.Load() && time.Now().UnixNano()-min(s.listed.Load(), s.authenticated.Load()) < int64(time.Second)
}

// Ready also looks up a token that does not exist.
func (s *observedStore) Ready(ctx context.Context) error {
	var ignored atomic.Int64
	_, err := observe(ctx, s, "ready", &ignored, func(ctx context.Context) (store.Grant, error) {
		if err := s.Store.Ready(ctx); err != nil {
			return store.Grant{}, err
		}
		return s.Store.Authenticate(ctx, store.NewToken())
	})
	if errors.Is(err, store.ErrUnauthorized) {
		return nil
	}
	return err
}

// observe calls do, an operation of the store.
func observe[T any](ctx context.Context, s *observedStore, name string, succeeded *atomic.Int64, do func(context.Context) (T, error)) (T, error) {
	var span trace.Span
	if s.tracer != nil {
		ctx, span = s.tracer.Start(ctx, "storage "+name, trace.WithSpanKind(trace.SpanKindClient))
		defer span.End()
	}
	start := time.Now()
	result, err := do(ctx)
	end := time.Now()
	s.metrics.storageDurations.WithLabelValues(name).Observe(end.Sub(start).Seconds())
	kind := kindOf(err)
	if kind == "" {
		succeeded.Store(end.UnixNano())
		s.outage.recovered(end)
		return result, err
	}
	s.metrics.storageErrors.WithLabelValues(name, kind).Inc()
	if span != nil {
		span.SetStatus(codes.Error, kind)
	}
	if kind == "unavailable" || name == "ready" && kind != "canceled" {
		s.outage.failed(end, err)
	}
	return result, err
}

// kindOf classifies an error of the storage; empty for none.
func kindOf(err error) string {
	switch {
	case err == nil, errors.Is(err, store.ErrUnauthorized):
		return ""
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return "unavailable"
	default:
		return "other"
	}
}

// outage logs when the storage begins to fail, and when it has worked again for a second.
type outage struct {
	logger *slog.Logger
	on     atomic.Bool

	mu          sync.Mutex
	began, last time.Time
}

func (o *outage) failed(now time.Time, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = now
	if o.on.CompareAndSwap(false, true) {
		o.began = now
		o.logger.Error("storage is failing", "error", err)
	}
}

func (o *outage) recovered(now time.Time) {
	if !o.on.Load() {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if now.Sub(o.last) > time.Second && o.on.CompareAndSwap(true, false) {
		o.logger.Info("storage has recovered", "after", now.Sub(o.began).Round(time.Millisecond))
	}
}
