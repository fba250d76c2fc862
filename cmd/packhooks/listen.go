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

// listen binds the address before anything else is done, and refuses one that would show tokens to a network.
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
		return nil, hint(fmt.Errorf("listening on %s without TLS would show tokens and secrets to the network", c.Listen),
			"give --tls-cert and --tls-key, or --behind-proxy=1 when a proxy in front does TLS")
	}
	if !loopback && c.PublicURL == "" {
		return nil, hint(fmt.Errorf("listening on %s needs --public-url, which links begin with", c.Listen), "--public-url https://webhooks.example.com")
	}
	if c.PublicURL == "" {
		c.PublicURL = scheme + "://" + listener.Addr().String()
	}
	return listener, nil
}

// limitListener accepts a connection when there is a place for it; serve gives the place back. Wrapping the connections
// instead would hide from net/http that they can be closed on one side, and cut responses off.
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
		return nil, hint(fmt.Errorf("%s is taken by another program", address), "another packhooks serve may be running; %s names another address", flag)
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
