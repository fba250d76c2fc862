//go:build unix

// Package postgrestest starts throw-away PostgreSQL clusters for tests.
//
//	func TestMain(m *testing.M) { os.Exit(postgrestest.Run(m)) }
//
//	func TestSomething(t *testing.T) {
//		dsn := postgrestest.DSN(t) // a database of its own
//
// It needs only PostgreSQL's programs. Clusters have an ICU locale, so that a query without its collation fails, and do
// not sync to disk. They are removed when the test process ends, even if it is killed.
package postgrestest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// RequireVariable makes tests fail without PostgreSQL instead of passing without having run.
const RequireVariable = "PACKHOOKS_REQUIRE_POSTGRES"

var (
	shared    *Cluster
	databases atomic.Int64
)

// Run runs the tests of a package with one cluster, which DSN uses. Where there is no PostgreSQL it says so and runs
// nothing.
func Run(m *testing.M) int {
	if !Available() {
		fmt.Println("PostgreSQL is not installed (no initdb in PATH or /usr/lib/postgresql): these tests did not run")
		if os.Getenv(RequireVariable) != "" {
			return 1
		}
		return 0
	}
	var err error
	if shared, err = start(initdb...); err != nil {
		fmt.Println(err)
		return 1
	}
	defer shared.end()
	return m.Run()
}

// Available reports whether PostgreSQL is installed.
func Available() bool { return program("initdb") != "" }

// DSN makes a database in the cluster of Run. It is dropped when t ends.
func DSN(t testing.TB) string {
	t.Helper()
	return shared.DSN(t)
}

// Cluster is a cluster that a test may stop or break.
type Cluster struct {
	Dir string

	port     int
	owner    *syscall.Credential
	watchdog *exec.Cmd
	leash    io.Closer
}

// Start starts a cluster that ends with t.
func Start(t testing.TB) *Cluster {
	t.Helper()
	return startFor(t, initdb...)
}

// Standby starts a streaming replica of the cluster. Control(t, "promote") makes it a primary.
func (c *Cluster) Standby(t testing.TB) *Cluster {
	t.Helper()
	return startFor(t, "pg_basebackup", "-R", "-X", "stream", "-c", "fast", "-d", c.dsn("postgres"))
}

func startFor(t testing.TB, filler ...string) *Cluster {
	t.Helper()
	c, err := start(filler...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.end)
	return c
}

// Control runs pg_ctl on the cluster: start, restart, stop, promote.
func (c *Cluster) Control(t testing.TB, args ...string) {
	t.Helper()
	if err := c.control(args...); err != nil {
		t.Fatal(err)
	}
}

func (c *Cluster) control(args ...string) error {
	options := fmt.Sprintf("-p %d -h 127.0.0.1 -k '' -F -N 200", c.port)
	return c.run("pg_ctl", append([]string{"-w", "-D", c.Dir, "-l", filepath.Join(c.Dir, "log"), "-o", options}, args...)...)
}

// Signal sends a signal to the server and to each of its children: SIGSTOP freezes the database, SIGCONT thaws it.
func (c *Cluster) Signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	pid, err := os.ReadFile(filepath.Join(c.Dir, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	server, _, _ := bytes.Cut(pid, []byte("\n"))
	children, _ := exec.Command("pgrep", "-P", string(server)).Output()
	for _, field := range append(bytes.Fields(children), server) {
		if pid, err := strconv.Atoi(string(field)); err == nil {
			_ = syscall.Kill(pid, signal) // a child may be gone already
		}
	}
}

// DSN makes a database in the cluster.
func (c *Cluster) DSN(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", databases.Add(1))
	c.exec(t, "CREATE DATABASE "+name)
	if c == shared { // one of the test's own goes as a whole
		t.Cleanup(func() { c.exec(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	}
	return c.dsn(name)
}

func (c *Cluster) exec(t testing.TB, statement string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), c.dsn("postgres"))
	if err == nil {
		defer conn.Close(context.Background())
		_, err = conn.Exec(context.Background(), statement)
	}
	if err != nil {
		t.Errorf("%s: %v", statement, err)
	}
}

func (c *Cluster) dsn(database string) string {
	return "postgres://postgres@" + c.Host() + "/" + database + "?sslmode=disable"
}

// Host is where the cluster listens, as part of a DSN.
func (c *Cluster) Host() string { return fmt.Sprint("127.0.0.1:", c.port) }

var initdb = []string{
	"initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US",
}

// start makes a cluster's directory, lets one of PostgreSQL's programs fill it, and starts the server.
func start(filler ...string) (*Cluster, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &Cluster{owner: owner(), port: l.Addr().(*net.TCPAddr).Port}
	_ = l.Close()
	if c.Dir, err = os.MkdirTemp("", "packhooks-postgres-"); err != nil { // that of a test would be root's
		return nil, err
	}
	if err := c.watch(); err != nil {
		return nil, err
	}
	if c.owner != nil {
		err = os.Chown(c.Dir, int(c.owner.Uid), int(c.owner.Gid))
	}
	if err == nil {
		err = c.run(filler[0], append([]string{"-D", c.Dir}, filler[1:]...)...)
	}
	if err == nil {
		err = c.control("start")
	}
	if err != nil {
		c.end()
	}
	return c, err
}

// watch starts a process that outlives this one: when its input ends, it takes the cluster away. The cluster may have
// been frozen by a test.
func (c *Cluster) watch() (err error) {
	c.watchdog = c.command("sh", "-c", `cat >/dev/null
		kill -CONT "$(head -n 1 "$1/postmaster.pid")"
		"$0" -D "$1" -m immediate stop
		rm -rf "$1"`, program("pg_ctl"), c.Dir)
	if c.leash, err = c.watchdog.StdinPipe(); err != nil {
		return err
	}
	return c.watchdog.Start()
}

func (c *Cluster) end() {
	_ = c.leash.Close()
	_ = c.watchdog.Wait()
}

func (c *Cluster) run(name string, args ...string) error {
	if out, err := c.command(program(name), args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, bytes.TrimSpace(out))
	}
	return nil
}

func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	command := exec.Command(name, args...)
	command.Dir = "/" // the user may not be allowed here
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: c.owner}
	return command
}

// owner is who runs a cluster: PostgreSQL refuses to run as root.
func owner() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ := strconv.ParseUint(u.Uid, 10, 32)
			gid, _ := strconv.ParseUint(u.Gid, 10, 32)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	return nil
}

// program finds one of PostgreSQL's programs, which Debian keeps out of PATH.
func program(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		return ""
	}
	return found[len(found)-1]
}
