package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// listen binds the address. It rejects plain HTTP beyond loopback unless a proxy does TLS.
func (c *serveCmd) listen(ctx context.Context) (net.Listener, error) {
	listener, err := bind(ctx, c.Listen, "--listen")
	if err != nil {
		return nil, err
	}
	c.connections = make(chan struct{}, c.MaxConnections)
	listener, scheme := net.Listener(limitListener{listener, c.connections}), "http"
	if c.TLSCert != "" {
		scheme = "https"
		c.certificate.certFile, c.certificate.keyFile = c.TLSCert, c.TLSKey
		if err := c.certificate.reload(); err != nil {
			return nil, err
		}
		listener = tls.NewListener(listener, &tls.Config{
			MinVersion: tls.VersionTLS12, GetCertificate: c.certificate.get, NextProtos: []string{"h2", "http/1.1"},
		})
	}
	loopback := listener.Addr().(*net.TCPAddr).IP.IsLoopback()
	if !loopback && scheme == "http" && c.BehindProxy == 0 {
		return nil, hint(fmt.Errorf("listening on %s without TLS would expose tokens and secrets", c.Listen),
			"set --tls-cert and --tls-key, or --behind-proxy=1 behind a proxy that does TLS")
	}
	if !loopback && c.PublicURL == "" {
		return nil, hint(fmt.Errorf("listening on %s requires --public-url, the base of all links", c.Listen), "--public-url https://webhooks.example.com")
	}
	if c.PublicURL == "" {
		c.PublicURL = scheme + "://" + listener.Addr().String()
	}
	return listener, nil
}

// limitListener limits open connections; serve frees the slots. Wrapping the connections, as netutil.LimitListener does,
// would hide CloseWrite from net/http and truncate responses.
type limitListener struct {
	net.Listener
	places chan struct{}
}

func (l limitListener) Accept() (net.Conn, error) {
	l.places <- struct{}{}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.places
	}
	return conn, err
}

func bind(ctx context.Context, address, flag string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, hint(fmt.Errorf("%s is already in use", address), "another packhooks serve may be running; choose another address with %s", flag)
	}
	return listener, err
}

// listenOps binds the operations listener, if there is one. A demo runs without it if the port is in use.
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

// shutdownLimit bounds in-flight requests after the drain period.
const shutdownLimit = 5 * time.Second

func (c *serveCmd) httpServer(handler http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: c.ReadTimeout / 2,
		ReadTimeout:       c.ReadTimeout,
		WriteTimeout:      c.WriteTimeout,
		IdleTimeout:       c.IdleTimeout,
		MaxHeaderBytes:    c.MaxHeaderBytes,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 64},

		DisableGeneralOptionsHandler: true, // OPTIONS * is a 404 like any unknown path

		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}

// serve starts the operations listener, calls prepare, and serves the API until ctx ends. Then /readyz fails for the
// drain period, so that load balancers notice, before the listener closes and in-flight requests finish.
func (c *serveCmd) serve(ctx context.Context, ready *readiness, prepare func(context.Context) error, api *http.Server, listener net.Listener, ops *http.Server, opsListener net.Listener) error {
	var silent sync.Map
	api.ConnState = func(conn net.Conn, state http.ConnState) {
		if silent.Delete(conn); state == http.StateNew {
			silent.Store(conn, nil)
		}
		if state == http.StateClosed || state == http.StateHijacked {
			<-c.connections
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	if opsListener != nil {
		group.Go(func() error { return untilClosed(ops.Serve(opsListener)) })
	}
	group.Go(func() error {
		if err := prepare(ctx); err != nil {
			return err
		}
		return untilClosed(api.Serve(listener))
	})
	group.Go(func() error {
		<-ctx.Done()
		if ready.draining.Store(true); ready.prepared.Load() {
			time.Sleep(c.Drain)
		}
		shutDown(api, &silent)
		return ops.Close()
	})
	return group.Wait()
}

// shutDown closes the listener and waits for in-flight requests. Shutdown alone would wait five seconds for connections
// without a request, such as those that browsers open in advance.
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
