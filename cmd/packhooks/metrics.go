package main

import (
	"cmp"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/packhooks/packhooks/server"
	"github.com/packhooks/packhooks/server/store"
)

// metrics of one server. Labels never hold values that clients choose, such as organizations.
type metrics struct {
	promauto.Factory
	registry *prometheus.Registry

	requests   *prometheus.CounterVec
	durations  *prometheus.HistogramVec
	bytes      *prometheus.CounterVec
	inFlight   prometheus.Gauge
	rejections *prometheus.CounterVec
	failures   *prometheus.CounterVec

	storageDurations *prometheus.HistogramVec
	storageErrors    *prometheus.CounterVec
}

func newMetrics() *metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m := &metrics{Factory: promauto.With(registry), registry: registry}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return m.NewCounterVec(prometheus.CounterOpts{Name: "packhooks_" + name, Help: help}, labels)
	}
	histogram := func(name, help string, first float64) *prometheus.HistogramVec {
		return m.NewHistogramVec(prometheus.HistogramOpts{
			Name: "packhooks_" + name, Help: help, Buckets: prometheus.ExponentialBucketsRange(first, 10, 15),
		}, []string{"operation"})
	}
	m.requests = counter("http_requests_total", "Requests by operation and status.", "operation", "status")
	m.durations = histogram("http_request_duration_seconds", "Time from a request's arrival to the end of its response.", 0.0002)
	m.bytes = counter("http_response_bytes_total", "Bytes of response bodies.", "operation")
	m.inFlight = m.NewGauge(prometheus.GaugeOpts{Name: "packhooks_http_requests_in_flight", Help: "Requests in flight."})
	m.rejections = counter("http_rejections_total", "Requests answered with 429 or 503, by reason.", "reason")
	m.failures = counter("authentication_failures_total", "Requests answered with 401, by reason.", "reason")
	m.storageDurations = histogram("storage_duration_seconds", "Duration of storage calls.", 0.00005)
	m.storageErrors = counter("storage_errors_total", "Failed storage calls, by kind.", "operation", "kind")
	m.NewGauge(prometheus.GaugeOpts{
		Name: "packhooks_build_info", Help: "Always 1, labeled with version and Go version.",
		ConstLabels: prometheus.Labels{"version": version(), "goversion": runtime.Version()},
	}).Set(1)
	return m
}

func (m *metrics) gauge(name, help string, value func() float64, labels prometheus.Labels) {
	m.NewGaugeFunc(prometheus.GaugeOpts{Name: "packhooks_" + name, Help: help, ConstLabels: labels}, value)
}

func (m *metrics) counter(name, help string, value func() float64, labels prometheus.Labels) {
	m.NewCounterFunc(prometheus.CounterOpts{Name: "packhooks_" + name, Help: help, ConstLabels: labels}, value)
}

// observe counts a finished request.
func (m *metrics) observe(o server.Outcome) {
	operation := cmp.Or(o.Operation, "other")
	m.requests.WithLabelValues(operation, strconv.Itoa(o.Status)).Inc()
	m.durations.WithLabelValues(operation).Observe(o.Duration.Seconds())
	m.bytes.WithLabelValues(operation).Add(float64(o.Bytes))
	switch o.Status {
	case http.StatusUnauthorized:
		m.failures.WithLabelValues(o.Reason).Inc()
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		m.rejections.WithLabelValues(o.Reason).Inc()
	}
}

// watch adds the gauges of log, connections, files and pools.
func (m *metrics) watch(c *serveCmd, log *logQueue, db store.Store) {
	m.counter("log_lines_dropped_total", "Log lines dropped because the reader was too slow.", func() float64 { return float64(log.dropped.Load()) }, nil)
	m.gauge("connections", "Open client connections.", func() float64 { return float64(len(c.connections)) }, nil)
	m.gauge("connections_max", "Maximum open client connections.", func() float64 { return float64(cap(c.connections)) }, nil)
	if c.TLSCert != "" {
		m.gauge("tls_certificate_expiry_timestamp_seconds", "When the served certificate expires.", seconds(c.certificate.notAfter), nil)
	}
	if !c.keys.Modified().IsZero() {
		m.gauge("keyset_modified_timestamp_seconds", "When the keyset file was last changed; the primary key is at least that old.", seconds(c.keys.Modified), nil)
	}
	for i, pool := range db.Status().Pools {
		now := func(value func(store.Pool) float64) func() float64 {
			return func() float64 { return value(db.Status().Pools[i]) }
		}
		labels := prometheus.Labels{"pool": pool.Name}
		m.gauge("storage_connections_max", "Maximum connections of the pool.", now(func(p store.Pool) float64 { return float64(p.Max) }), labels)
		m.gauge("storage_connections_open", "Open connections of the pool.", now(func(p store.Pool) float64 { return float64(p.Open) }), labels)
		m.gauge("storage_connections_in_use", "Connections in use.", now(func(p store.Pool) float64 { return float64(p.InUse) }), labels)
		m.counter("storage_connection_waits_total", "Calls that waited for a free connection.", now(func(p store.Pool) float64 { return float64(p.Waits) }), labels)
		m.counter("storage_connection_wait_seconds_total", "Time spent waiting for a free connection.", now(func(p store.Pool) float64 { return p.WaitTime.Seconds() }), labels)
	}
}

func seconds(at func() time.Time) func() float64 {
	return func() float64 { return float64(at().UnixMilli()) / 1000 }
}
