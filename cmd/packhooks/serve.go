package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/packhooks/packhooks/server"
	"github.com/packhooks/packhooks/server/store"
)

// shutdownLimit is how long requests that are being answered may go on after the drain period.
const shutdownLimit = 5 * time.Second

type serveCmd struct {
	Demo        bool       `env:"-" help:"Serve a throw-away database with 60 webhooks and a token, instead of --db."`
	Listen      string     `default:"127.0.0.1:8080" help:"Address to listen on; port 0 takes a free one."`
	PublicURL   string     `placeholder:"URL" help:"Where clients reach the server, without the base path; links begin with it. Default: the bound address."`
	BasePath    string     `default:"/v1" help:"What comes before every path of the contract."`
	NoDocs      bool       `help:"Do not serve /docs, /openapi.yaml and /openapi.json."`
	LogLevel    slog.Level `default:"info" help:"One of debug, info, warn, error."`
	TLSCert     string     `type:"existingfile" placeholder:"FILE" help:"Certificate chain, for TLS 1.2 and later."`
	TLSKey      string     `type:"existingfile" placeholder:"FILE" help:"Key of the certificate."`
	BehindProxy bool       `help:"A proxy in front does TLS: allow plain HTTP beyond loopback."`
	OpsListen   string     `default:"127.0.0.1:8081" help:"Address for /healthz and /readyz; empty for none."`

	Drain       time.Duration `default:"500ms" help:"How long to go on serving after a signal, with /readyz at 503, before the listener closes."`
	Rate        float64       `default:"${rate}" help:"Requests a second that a token may make in the long run; below 0 for no limit."`
	RateBurst   int           `default:"${rate_burst}" help:"Requests that a token may make at once."`
	MaxInFlight int           `default:"${max_in_flight}" help:"Requests worked on at once; what is over is a 503."`

	RequestTimeout time.Duration `default:"${request_timeout}" help:"For the database to answer a request, before it is a 503."`
	ReadTimeout    time.Duration `default:"10s" help:"For a request to arrive, headers within half of it."`
	WriteTimeout   time.Duration `default:"30s" help:"For a request to be answered."`
	IdleTimeout    time.Duration `default:"2m" help:"For a connection without requests."`
	MaxHeaderBytes int           `default:"16384" help:"Size of a request's line and headers."`
	database
}

func (c *serveCmd) Run(ctx context.Context, t *terminal) error {
	listener, err := c.listen(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	logger := slog.New(slog.NewTextHandler(t.Err, &slog.HandlerOptions{Level: c.LogLevel}))
	if c.Demo {
		remove, err := c.useDemoDatabase()
		if err != nil {
			return err
		}
		defer remove()
	}
	db, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	handler, err := server.New(server.Config{
		Webhooks: db, Tokens: db, PublicURL: c.PublicURL, BasePath: c.BasePath, Logger: logger, NoDocs: c.NoDocs,
		RatePerSecond: c.Rate, RateBurst: c.RateBurst, MaxInFlight: c.MaxInFlight, RequestTimeout: c.RequestTimeout,
	})
	if err != nil {
		return err
	}
	ready := &readiness{db: db}
	ops, err := c.listenOps(ctx, logger)
	if err != nil {
		return err
	}
	if ops != nil {
		defer func() { _ = ops.Close() }()
		logger.Info("answering /healthz and /readyz", "address", ops.Addr().String())
	}
	if err := c.greet(ctx, t, logger, db, listener.Addr()); err != nil {
		return err
	}
	return c.serve(ctx, ready, c.httpServer(handler, logger), listener, c.httpServer(ready.handler(), logger), ops)
}

// listen binds the address before anything else is done, and refuses one that would show tokens to a network.
func (c *serveCmd) listen(ctx context.Context) (net.Listener, error) {
	listener, err := bind(ctx, c.Listen, "--listen")
	if err != nil {
		return nil, err
	}
	scheme := "http"
	if c.TLSCert != "" || c.TLSKey != "" {
		scheme = "https"
		certificate, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
		if err != nil {
			return nil, hint(err, "--tls-cert and --tls-key belong together")
		}
		listener = tls.NewListener(listener, &tls.Config{
			MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"},
		})
	}
	loopback := listener.Addr().(*net.TCPAddr).IP.IsLoopback()
	if !loopback && scheme == "http" && !c.BehindProxy {
		return nil, hint(fmt.Errorf("listening on %s without TLS would show tokens and secrets to the network", c.Listen),
			"give --tls-cert and --tls-key, or --behind-proxy when a proxy in front does TLS")
	}
	if !loopback && c.PublicURL == "" {
		return nil, hint(fmt.Errorf("listening on %s needs --public-url, which links begin with", c.Listen), "--public-url https://webhooks.example.com")
	}
	if c.PublicURL == "" {
		c.PublicURL = scheme + "://" + listener.Addr().String()
	}
	return listener, nil
}

func bind(ctx context.Context, address, flag string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, hint(fmt.Errorf("%s is taken by another program", address), "%s 127.0.0.1:0 takes a free port", flag)
	}
	return listener, err
}

// listenOps binds the operations listener, or returns nil where there is none. A demo does without a port that is
// taken.
func (c *serveCmd) listenOps(ctx context.Context, logger *slog.Logger) (net.Listener, error) {
	if c.OpsListen == "" {
		return nil, nil
	}
	listener, err := bind(ctx, c.OpsListen, "--ops-listen")
	if err != nil && c.Demo {
		logger.Warn("no /healthz and /readyz: " + err.Error())
		return nil, nil
	}
	return listener, err
}

func (c *serveCmd) httpServer(handler http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: c.ReadTimeout / 2,
		ReadTimeout:       c.ReadTimeout,
		WriteTimeout:      c.WriteTimeout,
		IdleTimeout:       c.IdleTimeout,
		MaxHeaderBytes:    c.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}

// greet says where the server is and what a token is still needed for.
func (c *serveCmd) greet(ctx context.Context, t *terminal, logger *slog.Logger, db store.Store, address net.Addr) error {
	if c.Demo {
		return c.greetDemo(ctx, t, db)
	}
	tokens, err := db.ListTokens(ctx)
	if err != nil {
		return err
	}
	if len(tokens) == 0 {
		logger.Warn("no token yet, so every request is a 401", "next", shellWord(t.Program)+" token create --org ORG"+c.flag())
	}
	logger.Info("listening", "address", address.String(), "url", c.apiURL())
	return nil
}

func (c *serveCmd) apiURL() string {
	return strings.TrimRight(strings.TrimRight(c.PublicURL, "/")+c.BasePath, "/")
}

// serve runs until the context ends: then the server says that it is not ready, goes on for the drain period so that
// whatever sends it traffic can notice, and answers what it has begun.
func (c *serveCmd) serve(ctx context.Context, ready *readiness, api *http.Server, listener net.Listener, ops *http.Server, opsListener net.Listener) error {
	var silent sync.Map
	api.ConnState = func(conn net.Conn, state http.ConnState) {
		if silent.Delete(conn); state == http.StateNew {
			silent.Store(conn, nil)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return untilClosed(api.Serve(listener)) })
	if opsListener != nil {
		group.Go(func() error { return untilClosed(ops.Serve(opsListener)) })
	}
	group.Go(func() error {
		<-ctx.Done()
		ready.draining.Store(true)
		time.Sleep(c.Drain)
		shutDown(api, &silent)
		return ops.Close()
	})
	return group.Wait()
}

// shutDown closes the listener and lets requests be answered. Shutdown by itself would wait five seconds for each
// connection on which nothing was asked yet, such as browsers open in advance.
func shutDown(api *http.Server, silent *sync.Map) {
	limited, cancel := context.WithTimeout(context.Background(), shutdownLimit)
	defer cancel()
	defer time.AfterFunc(shutdownLimit/10, func() {
		silent.Range(func(conn, _ any) bool { _ = conn.(net.Conn).Close(); return true })
	}).Stop()
	if api.Shutdown(limited) != nil {
		_ = api.Close()
	}
}

func untilClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
