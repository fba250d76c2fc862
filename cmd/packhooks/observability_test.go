package main_test

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector receives traces by OTLP over HTTP.
func collector(t *testing.T) (url string, spans chan *tracepb.Span) {
	t.Helper()
	spans = make(chan *tracepb.Span, 100)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		var export coltrace.ExportTraceServiceRequest
		if err != nil || proto.Unmarshal(data, &export) != nil || r.URL.Path != "/v1/traces" {
			http.Error(w, "no traces", http.StatusBadRequest)
			return
		}
		for _, resource := range export.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					spans <- span
				}
			}
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL, spans
}

func TestARequestIsOneLineOneTraceAndItsMetrics(t *testing.T) {
	url, spans := collector(t)
	p := newPlace(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+url, "OTEL_BSP_SCHEDULE_DELAY=50")
	const secret = "Zq7-the-signing-secret"
	p.must(bad("q9NhjkjV9o", secret), "import", "--org", "acme", "-")
	token := strings.TrimSpace(p.must("", "token", "create", "--org", "acme"))
	d := p.serve("--log-format=json", "--pprof")
	const trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	request(t, d.url+"/organizations/acme/webhooks", token, "00-"+trace+"-"+parent+"-01")

	children := map[string]*tracepb.Span{}
	var root *tracepb.Span
	for len(children) < 2 || root == nil {
		select {
		case span := <-spans:
			if hex.EncodeToString(span.GetTraceId()) != trace {
				t.Errorf("span %q is of another trace", span.GetName())
			}
			if span.GetKind() == tracepb.Span_SPAN_KIND_SERVER {
				root = span
			} else {
				children[span.GetName()] = span
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("no more spans after %v and %v", root, children)
		}
	}
	if root.GetName() != "GET /v1/organizations/:organizationId/webhooks" || hex.EncodeToString(root.GetParentSpanId()) != parent {
		t.Errorf("span of the request is %v", root)
	}
	for _, name := range []string{"storage authenticate", "storage list_webhooks"} {
		if string(children[name].GetParentSpanId()) != string(root.GetSpanId()) {
			t.Errorf("span %q is %v", name, children[name])
		}
	}

	for _, other := range []struct{ url, token string }{
		{d.url + "/organizations/other/webhooks", token}, {d.url + "/organizations/acme/webhooks", ""},
		{d.url + "/organizations/acme/webhooks", "wrong"}, {d.url + "/nowhere", token}, {d.url + "/organizations/acme/webhooks?per_page=0", token},
	} {
		request(t, other.url, other.token, "")
	}
	metrics := scrape(t, d.ops,
		`packhooks_http_requests_total{operation="listWebhooks",status="200"} 1`,
		`packhooks_http_requests_total{operation="listWebhooks",status="400"} 1`,
		`packhooks_http_requests_total{operation="listWebhooks",status="401"} 2`,
		`packhooks_http_requests_total{operation="listWebhooks",status="403"} 1`,
		`packhooks_http_requests_total{operation="other",status="404"} 1`,
		`packhooks_http_request_duration_seconds_count{operation="listWebhooks"} 5`,
		`packhooks_authentication_failures_total{reason="no_token"} 1`,
		`packhooks_authentication_failures_total{reason="unknown_token"} 1`,
		`packhooks_storage_duration_seconds_count{operation="list_webhooks"} 1`,
		`packhooks_http_requests_in_flight 0`,
		`packhooks_storage_connections_in_use{pool="tokens"} 0`,
	)
	promtool(t, metrics)
	if status, _ := body(t, d.ops+"/debug/pprof/heap"); status != 200 {
		t.Errorf("status %d of a profile", status)
	}
	if status, _ := body(t, d.ops+"/debug/pprof/cmdline"); status != 404 {
		t.Errorf("status %d of the command line", status)
	}

	d.stop()
	var traced int
	for line := range strings.Lines(d.logged()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Errorf("%v: %s", err, line)
		}
		if fields["msg"] == "request" && fields["trace_id"] == trace {
			traced++
		}
	}
	if traced != 1 {
		t.Errorf("%d lines of the request: %s", traced, d.logged())
	}
	for _, want := range []string{`"msg":"starting"`, `"engine":"sqlite"`, `"msg":"shutting down"`, `"msg":"stopped"`} {
		if !strings.Contains(d.logged(), want) {
			t.Errorf("no %s in %s", want, d.logged())
		}
	}
	close(spans)
	for span := range spans {
		if text := span.String(); strings.Contains(text, secret) || strings.Contains(text, token) {
			t.Errorf("a span holds a secret: %s", text)
		}
	}
	for _, text := range []string{root.String(), metrics, d.logged()} {
		if strings.Contains(text, secret) || strings.Contains(text, token) {
			t.Error("a secret is observed")
		}
	}
}

// scrape waits for metrics: a client has its response a moment before the request is counted.
func scrape(t *testing.T, ops string, want ...string) string {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		_, metrics := body(t, ops+"/metrics")
		missing := slices.DeleteFunc(slices.Clone(want), func(line string) bool { return strings.Contains(metrics, line+"\n") })
		if len(missing) == 0 {
			return metrics
		}
		if time.Now().After(end) {
			t.Fatalf("no %s in\n%s", missing, metrics)
		}
	}
}

func request(t *testing.T, url, token, traceparent string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if traceparent != "" {
		r.Header.Set("traceparent", traceparent)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
}

// promtool holds metrics to the conventions of Prometheus.
func promtool(t *testing.T, metrics string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("PACKHOOKS_REQUIRE_PROMTOOL") != "" {
			t.Error("PACKHOOKS_REQUIRE_PROMTOOL is set and there is no promtool")
		}
		return
	}
	cmd := exec.CommandContext(t.Context(), path, "check", "metrics")
	cmd.Stdin = strings.NewReader(metrics)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

// A log that nobody reads, or whose reader is gone, costs lines and no request.
func TestTheLogNeverStopsTheServer(t *testing.T) {
	p := newPlace(t)
	stderr, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := p.command("serve", "--listen=127.0.0.1:0", "--ops-listen=")
	cmd.Stderr = writer
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	_ = writer.Close()
	log := bufio.NewScanner(stderr)
	var url string
	for url == "" && log.Scan() {
		if m := listening.FindStringSubmatch(log.Text()); m != nil {
			url = m[1] + "/organizations/acme/webhooks"
		}
	}
	client := &http.Client{Timeout: 20 * time.Second}
	answered := func(n int) {
		t.Helper()
		var done atomic.Int64
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for range n / 4 {
					resp, err := client.Get(url)
					if err != nil {
						t.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
					if resp.StatusCode == http.StatusUnauthorized {
						done.Add(1)
					}
				}
			})
		}
		group.Wait()
		if int(done.Load()) != n {
			t.Fatalf("%d of %d requests were answered", done.Load(), n)
		}
	}
	answered(10_000)
	dropped := false
	for !dropped && log.Scan() {
		dropped = strings.Contains(log.Text(), "log lines were dropped")
	}
	if !dropped {
		t.Error("no line says that lines were dropped")
	}
	_ = stderr.Close()
	answered(1_000)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}

func TestCertificateExpiryIsAMetric(t *testing.T) {
	p := newPlace(t)
	cert, key := certificate(t, p)
	d := p.serve("--tls-cert", cert, "--tls-key", key)
	_, metrics := body(t, d.ops+"/metrics")
	for _, name := range []string{"packhooks_tls_certificate_expiry_timestamp_seconds 1.", "packhooks_keyset_modified_timestamp_seconds 1."} {
		if !strings.Contains(metrics, name) {
			t.Errorf("no %s", name)
		}
	}
}
