//go:build faults && linux

package faults_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/packhooks/packhooks/server"
	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/keyset"
	"github.com/packhooks/packhooks/server/store/sqlite"
)

// slowVariable holds how long a page takes; it makes this test binary a server.
const slowVariable = "FAULTS_SLOW_STORE"

// slow is a database that is slow to answer.
type slow struct {
	store.Store
	delay time.Duration // of each look-up and of each page
	pages time.Duration // of each page, besides
}

func (s slow) Authenticate(ctx context.Context, token string) (store.Grant, error) {
	select {
	case <-time.After(s.delay):
		return s.Store.Authenticate(ctx, token)
	case <-ctx.Done():
		return store.Grant{}, ctx.Err()
	}
}

func (s slow) ListWebhooks(ctx context.Context, q store.PageQuery) (store.Page, error) {
	select {
	case <-time.After(s.delay + s.pages):
		return s.Store.ListWebhooks(ctx, q)
	case <-ctx.Done():
		return store.Page{}, ctx.Err()
	}
}

// serveSlowly is packhooks serve, with its limits, on a slow store: there is no other way to make SQLite slow
// without using up the processor that the overload is to be made with. The arguments are those of packhooks.
func serveSlowly() {
	if err := runSlowly(os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runSlowly(address string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var delays [2]time.Duration
	for i, text := range strings.Fields(os.Getenv(slowVariable)) {
		var err error
		if delays[i], err = time.ParseDuration(text); err != nil {
			return err
		}
	}
	keys, err := keyset.Open("packhooks.db.keyset")
	if err != nil {
		return err
	}
	db, err := sqlite.Open(ctx, "packhooks.db", keys, sqlite.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	handler, err := server.New(server.Config{
		Webhooks: slow{db, delays[0], delays[1]}, Tokens: slow{db, delays[0], 0}, PublicURL: "http://" + address, Logger: logger, RatePerSecond: -1,
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	// As in cmd/packhooks/serve.go.
	s := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16384, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	context.AfterFunc(ctx, func() { _ = s.Close() })
	logger.Info("listening", "address", address)
	_ = s.Serve(listener)
	return nil
}
