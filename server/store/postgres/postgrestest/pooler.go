//go:build unix

package postgrestest

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Pooled starts PgBouncer in transaction mode before the server of a DSN, and returns the DSN that leads through it to
// the same database. Where PgBouncer is not installed it says so and reports false.
func Pooled(t testing.TB, dsn string) (string, bool) {
	t.Helper()
	bouncer := pooler()
	if bouncer == "" {
		if os.Getenv(RequireVariable) != "" {
			t.Fatal("PgBouncer is not installed")
		}
		t.Log("PgBouncer is not installed: this test did not run")
		return "", false
	}
	server, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{owner: owner()}
	if c.Dir, err = c.makeDir(); err != nil {
		t.Fatal(err)
	}
	settings := fmt.Sprintf(`[databases]
* = host=%s port=%s user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 5
max_client_conn = 500
`, server.Hostname(), server.Port(), port)
	path := filepath.Join(c.Dir, "pgbouncer.ini")
	if err := os.WriteFile(path, []byte(settings), 0o644); err != nil { //nolint:gosec // for another user
		t.Fatal(err)
	}
	// It ends when its input does, and so with this process.
	run := c.command("sh", "-c", `"$0" "$1" >/dev/null 2>&1 & cat >/dev/null; kill $!; wait; rm -rf "$2"`, bouncer, path, c.Dir)
	leash, err := run.StdinPipe()
	if err == nil {
		err = run.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = leash.Close()
		_ = run.Wait()
	})
	server.Host = fmt.Sprintf("127.0.0.1:%d", port)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", server.Host)
		if err == nil {
			return server.String() + "&default_query_exec_mode=exec", conn.Close() == nil
		}
		if time.Now().After(deadline) {
			t.Fatalf("PgBouncer does not answer: %v", err)
		}
	}
}

func pooler() string {
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
