package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// queuedLines bounds the log queue: a few megabytes.
const queuedLines = 4096

// logQueue buffers the log, so that a slow or stopped reader of standard error loses lines and never blocks requests.
type logQueue struct {
	lines   chan []byte // nil is its end
	dropped atomic.Int64
	done    chan struct{}
}

// newLogger returns a logger, and the queue through which it writes to w.
func newLogger(w io.Writer, format string, level slog.Level) (*slog.Logger, *logQueue) {
	handler := func(w io.Writer) slog.Handler {
		options := &slog.HandlerOptions{Level: level}
		if format == "json" {
			return slog.NewJSONHandler(w, options)
		}
		return slog.NewTextHandler(w, options)
	}
	signal.Ignore(syscall.SIGPIPE) // would end the process when standard error is closed
	q := &logQueue{lines: make(chan []byte, queuedLines), done: make(chan struct{})}
	go q.drain(w, slog.New(handler(w)))
	return slog.New(traceHandler{handler(q)}), q
}

// Write never waits and never fails.
func (q *logQueue) Write(line []byte) (int, error) {
	select {
	case q.lines <- bytes.Clone(line):
	default:
		q.dropped.Add(1)
	}
	return len(line), nil
}

// drain writes the lines, and reports dropped ones once it can write again.
func (q *logQueue) drain(w io.Writer, direct *slog.Logger) {
	defer close(q.done)
	var reported int64
	for line := <-q.lines; line != nil; line = <-q.lines {
		if _, err := w.Write(line); err != nil {
			q.dropped.Add(1)
		} else if n := q.dropped.Load(); n > reported {
			direct.Warn("log lines were dropped", "lines", n-reported)
			reported = n
		}
	}
}

// close waits up to a second for queued lines.
func (q *logQueue) close() {
	go func() { q.lines <- nil }()
	select {
	case <-q.done:
	case <-time.After(time.Second):
	}
}

// traceHandler adds trace_id to records.
type traceHandler struct{ slog.Handler }

func (h traceHandler) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h traceHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traceHandler{h.Handler.WithAttrs(attrs)}
}

func (h traceHandler) WithGroup(name string) slog.Handler {
	return traceHandler{h.Handler.WithGroup(name)}
}
