package store_test

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/packhooks/packhooks/server/store/postgres/postgrestest"
)

func findBouncer(t *testing.T) string {
	bouncer, err := exec.LookPath("pgbouncer")
	if err != nil {
		bouncer, err = exec.LookPath("/usr/sbin/pgbouncer") // where Debian has it, and not everyone's PATH
	}
	if err != nil && os.Getenv(postgrestest.RequireVariable) != "" {
		t.Fatal("PgBouncer is not installed")
	}
	return bouncer
}

// pool starts PgBouncer before the server of a DSN and returns where it listens.
func pool(t *testing.T, bouncer, dsn string) string {
	server, err := url.Parse(dsn)
	check(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	check(t, l.Close())
	host, port, err := net.SplitHostPort(l.Addr().String())
	check(t, err)
	settings := filepath.Join(t.TempDir(), "pgbouncer.ini")
	check(t, os.WriteFile(settings, fmt.Appendf(nil, `[databases]
* = host=%s port=%s user=postgres
[pgbouncer]
listen_addr = %s
listen_port = %s
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 5
max_client_conn = 500
`, server.Hostname(), server.Port(), host, port), 0o600))
	args := []string{"-c", `"$0" "$@" & cat >/dev/null; kill $!; wait`, bouncer, "-q", settings}
	if os.Geteuid() == 0 {
		args = append(args, "-u", "postgres") // it refuses to stay root
	}
	run := exec.Command("sh", args...) // ends when its input does, and so with this process
	leash, err := run.StdinPipe()
	check(t, err)
	check(t, run.Start())
	t.Cleanup(func() {
		_ = leash.Close()
		_ = run.Wait()
	})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			check(t, conn.Close())
			return l.Addr().String()
		}
		if time.Now().After(deadline) {
			t.Fatalf("PgBouncer does not answer: %v", err)
		}
	}
}
