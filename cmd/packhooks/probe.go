package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// probeCmd asks a server whether it is ready, for images that have no curl.
type probeCmd struct {
	OpsListen string        `default:"127.0.0.1:8081" help:"Address of the server's /readyz, as given to serve."`
	Timeout   time.Duration `env:"-" default:"3s" help:"How long to wait for a response."`
}

func (c *probeCmd) Run(ctx context.Context, t *terminal) error {
	host, port, err := net.SplitHostPort(c.OpsListen)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1" // a wildcard address includes loopback
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	text := strings.TrimSpace(string(body))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(text)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(t.Out, text)
	return err
}
