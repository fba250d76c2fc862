package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"
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
