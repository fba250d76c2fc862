package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/packhooks/packhooks/server"
	"github.com/packhooks/packhooks/server/store"
)

type serveCmd struct {
	Demo        bool       `env:"-" help:"Serve a temporary database with 60 webhooks and a token, instead of --db."`
	Listen      string     `default:"127.0.0.1:8080" help:"Address to listen on; port 0 picks a free port."`
	PublicURL   string     `placeholder:"URL" help:"Public URL of the server without the base path, used in links. Default: the bound address."`
	BasePath    string     `default:"/v1" help:"Prefix of every API path."`
	NoDocs      bool       `help:"Do not serve /docs, /openapi.yaml and /openapi.json."`
	LogLevel    slog.Level `default:"info" help:"One of debug, info, warn, error; at least warn with --demo."`
	LogFormat   string     `enum:"text,json" default:"text" help:"Log format: text or json."`
	TLSCert     string     `and:"tls" type:"existingfile" placeholder:"FILE" help:"Certificate chain (PEM), for TLS 1.2 and later."`
	TLSKey      string     `and:"tls" type:"existingfile" placeholder:"FILE" help:"Private key of the certificate (PEM)."`
	BehindProxy int        `placeholder:"N" must:"not be negative" help:"Number of trusted proxies that append to X-Forwarded-For. Allows plain HTTP beyond loopback."`
	OpsListen   string     `default:"127.0.0.1:8081" help:"Address for /healthz, /readyz and /metrics; empty for none."`
	Pprof       bool       `help:"Serve Go profiles below /debug/pprof/ of --ops-listen."`

	Drain          time.Duration `default:"500ms" must:"not be negative" help:"How long to keep serving after a signal, with /readyz at 503, before the listener closes."`
	Rate           float64       `default:"${rate}" must:"not be 0; below 0 is no limit" help:"Sustained requests per second for each token; negative for no limit."`
	RateBurst      int           `default:"${rate_burst}" must:"be at least 1" help:"Burst of requests for each token."`
	MaxInFlight    int           `default:"${max_in_flight}" must:"be at least 1" help:"Maximum concurrent database requests; excess requests get 503."`
	MaxInHand      int64         `default:"${max_in_hand}" must:"be at least 1" help:"Maximum bytes of unwritten responses, plus 16 KiB per request; excess requests get 429 or 503."`
	MaxConnections int           `default:"10000" must:"be at least 1" help:"Maximum connections; excess ones wait."`

	RequestTimeout time.Duration `default:"${request_timeout}" must:"be above 0" help:"Timeout of the database for a request, which then gets 503."`
	ReadTimeout    time.Duration `default:"10s" must:"be above 0" help:"Timeout for reading a request; half of it for the headers."`
	WriteTimeout   time.Duration `default:"30s" must:"be above 0" help:"Timeout for writing a response."`
	IdleTimeout    time.Duration `default:"2m" must:"be above 0" help:"Timeout of idle connections."`
	connections    chan struct{}
	certificate    certificate

	MaxHeaderBytes int `default:"16384" must:"be at least 1" help:"Maximum size of request line and headers."`
	database
}

func (c *serveCmd) Run(ctx context.Context, t *terminal) error {
	listener, err := c.listen(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	if c.Demo { // a line for each request would push the banner off the screen
		c.LogLevel = max(c.LogLevel, slog.LevelWarn)
	}
	o, err := c.newObservability(ctx, t.Err)
	if err != nil {
		return err
	}
	defer o.close()
	logger := o.logger
	ops, err := c.listenOps(ctx, logger)
	if err != nil {
		return err
	}
	if ops != nil {
		defer func() { _ = ops.Close() }()
	}
	docsOrganization := ""
	if c.Demo {
		docsOrganization = demoOrganization
		remove, err := c.useThrowAway()
		if err != nil {
			return err
		}
		defer remove()
	}
	opened, err := c.open(ctx) // last, as it may create files
	if err != nil {
		return err
	}
	defer func() { _ = opened.Close() }()
	defer c.onHangup(logger)()
	db := o.store(opened)
	o.metrics.watch(c, o.queue, db)
	handler, err := c.handler(db, o, docsOrganization)
	if err != nil {
		return err
	}
	ready := &readiness{db: db}
	logger.Info("starting", "version", version(), "engine", db.Status().Engine, "schema", db.Status().Schema)
	defer logger.Info("stopped")
	defer context.AfterFunc(ctx, func() { logger.Info("shutting down", "drain", c.Drain) })()
	if ops != nil {
		logger.Info("answering /healthz and /readyz", "address", ops.Addr().String())
	}
	prepare := func(ctx context.Context) error {
		err := c.checkDocuments(ctx, db, logProgress(logger))
		if err != nil {
			return err
		}
		ready.prepared.Store(true) // before greet, as a signal may follow at once
		return c.greet(ctx, t, logger, db, listener.Addr())
	}
	defer runtime.KeepAlive(heapFloor())
	return c.serve(ctx, ready, prepare, c.httpServer(handler, logger), listener, c.httpServer(c.opsHandler(ready, o.metrics), logger), ops)
}

func (c *serveCmd) handler(db store.Store, o *observability, docsOrganization string) (http.Handler, error) {
	handler, err := server.New(server.Config{
		Webhooks: db, Tokens: db, PublicURL: c.PublicURL, BasePath: c.BasePath, Logger: o.logger, Observe: o.observe, NoDocs: c.NoDocs, DocsOrganization: docsOrganization,
		RatePerSecond: c.Rate, RateBurst: c.RateBurst, MaxInFlight: c.MaxInFlight, MaxBytesInHand: c.MaxInHand, TrustedProxies: c.BehindProxy, RequestTimeout: c.RequestTimeout,
	})
	return c.withHSTS(o.handler(handler)), err
}

// heapFloor is never written to, so it uses no memory, but the garbage collector counts it as live and runs less often.
// With the few megabytes that are really live, collecting would take a sixth of the CPU time of a request.
func heapFloor() []byte { return make([]byte, 24<<20) }

// logProgress logs the progress of a check every two seconds.
func logProgress(logger *slog.Logger) func(webhooks int) {
	var last time.Time
	return func(webhooks int) {
		if time.Since(last) > 2*time.Second {
			last = time.Now()
			logger.Info("checking the stored webhooks against the contract", "webhooks", webhooks)
		}
	}
}

// greet logs the address, and a warning if there is no token yet.
func (c *serveCmd) greet(ctx context.Context, t *terminal, logger *slog.Logger, db store.Store, address net.Addr) error {
	if c.Demo {
		return c.greetDemo(ctx, t, db)
	}
	tokens, err := db.ListTokens(ctx)
	if err != nil {
		return err
	}
	if len(tokens) == 0 {
		logger.Warn("no token exists, so every request gets 401", "next", shellWord(t.Program)+" token create --org ORG"+c.flag())
	}
	logger.Info("listening", "address", address.String(), "url", c.apiURL())
	return nil
}

func (c *serveCmd) apiURL() string {
	return strings.TrimRight(strings.TrimRight(c.PublicURL, "/")+c.BasePath, "/")
}
