package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

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
