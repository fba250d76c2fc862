package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// certificate caches the files of --tls-cert and --tls-key. Handshakes check for changes at most once a second. A
// certificate and key that do not match, as during a replacement, are ignored.
type certificate struct {
	certFile, keyFile string
	logger            *slog.Logger // nil before onHangup

	mu      sync.Mutex
	current *tls.Certificate
	version string // of the files that current was read from
	looked  time.Time
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) > time.Second {
		if err := c.reload(); err != nil {
			c.logger.Error("keeping the previous certificate", "error", err)
		}
	}
	return c.current, nil
}

func (c *certificate) notAfter() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current.Leaf.NotAfter
}

// reload reads the files if they have changed.
func (c *certificate) reload() error {
	c.looked = time.Now()
	version := ""
	for _, path := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("reading certificate and key: %w", err)
		}
		if path == c.keyFile && runtime.GOOS != "windows" && info.Mode().Perm()&0o007 != 0 {
			return hint(fmt.Errorf("TLS key %s can be read by everyone (mode %04o)", path, info.Mode().Perm()), "chmod o= %s", shellWord(path))
		}
		version += fmt.Sprintln(info.ModTime().UnixNano(), info.Size())
	}
	if version == c.version {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("reading certificate and key: %w", err)
	}
	if c.current, c.version = &pair, version; c.logger != nil {
		c.logger.Info("read certificate", "not_after", pair.Leaf.NotAfter)
	}
	return nil
}

// onHangup reloads certificate and keyset on SIGHUP, which would otherwise end the process.
func (c *serveCmd) onHangup(logger *slog.Logger) (stop func()) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	c.certificate.logger = logger
	go func() {
		for range hangups {
			err := c.keys.Reload()
			if c.TLSCert != "" {
				c.certificate.mu.Lock()
				err = errors.Join(err, c.certificate.reload())
				c.certificate.mu.Unlock()
			}
			if err != nil {
				logger.Error("reloading after SIGHUP", "error", err)
			} else {
				logger.Info("reloaded after SIGHUP")
			}
		}
	}()
	return func() { signal.Stop(hangups); close(hangups) }
}

// withHSTS tells browsers to use only HTTPS for a year (RFC 6797), if the public URL is https.
func (c *serveCmd) withHSTS(next http.Handler) http.Handler {
	if !strings.HasPrefix(strings.ToLower(c.PublicURL), "https://") {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		next.ServeHTTP(w, r)
	})
}
