//go:build faults && linux

package faults_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	client "github.com/packhooks/packhooks/client"
)

// service is a running packhooks serve.
type service struct {
	t   *testing.T
	cmd *exec.Cmd
	url string // of the API
	ops string
	log string // path of what it logs

	exited chan struct{}
	err    error // how it exited
}

// serve starts packhooks serve on free ports and returns when it listens.
func (p place) serve(args ...string) *service {
	p.t.Helper()
	args = append([]string{"serve", "--listen", freeAddress(p.t), "--ops-listen", freeAddress(p.t)}, args...)
	return p.start(p.command(args...))
}

// again starts a server that has exited once more, on the same ports.
func (p place) again(s *service) *service {
	p.t.Helper()
	return p.start(p.command(s.cmd.Args[1:]...))
}

// start starts a server whose arguments begin with those of serve.
func (p place) start(cmd *exec.Cmd) *service {
	p.t.Helper()
	log, err := os.CreateTemp(p.dir, "log-*")
	check(p.t, err)
	defer log.Close()
	cmd.Stderr = log
	s := &service{t: p.t, cmd: cmd, log: log.Name(), exited: make(chan struct{})}
	s.url, s.ops = "http://"+cmd.Args[3]+"/v1", "http://"+cmd.Args[5]
	check(p.t, cmd.Start())
	go func() {
		s.err = cmd.Wait()
		close(s.exited)
	}()
	p.t.Cleanup(s.kill)
	s.until("it answers", 30*time.Second, func() bool { return status(s.url) != 0 })
	return s
}

// until waits for something of a server that runs.
func (s *service) until(what string, limit time.Duration, done func() bool) {
	s.t.Helper()
	for end := time.Now().Add(limit); !done(); time.Sleep(5 * time.Millisecond) {
		if s.hasExited() {
			s.t.Fatalf("server exited before %s: %v\n%s", what, s.err, tail(s.logged()))
		}
		if time.Now().After(end) {
			s.t.Fatalf("%v passed before %s\n%s", limit, what, tail(s.logged()))
		}
	}
}

// address is where the API listens.
func (s *service) address() string { return s.cmd.Args[3] }

func (s *service) hasExited() bool {
	select {
	case <-s.exited:
		return true
	default:
		return false
	}
}

func (s *service) logged() string {
	data, err := os.ReadFile(s.log)
	check(s.t, err)
	return string(data)
}

func tail(text string) string { return text[max(0, len(text)-2000):] }

func (s *service) signal(sig syscall.Signal) {
	s.t.Helper()
	check(s.t, s.cmd.Process.Signal(sig))
}

// kill ends it by SIGKILL.
func (s *service) kill() {
	_ = s.cmd.Process.Kill()
	<-s.exited
}

// exit waits until it has exited by itself, and returns its exit code: -1 when a signal ended it.
func (s *service) exit(limit time.Duration) int {
	s.t.Helper()
	select {
	case <-s.exited:
	case <-time.After(limit):
		s.t.Fatalf("still there after %v\n%s", limit, tail(s.logged()))
	}
	return s.cmd.ProcessState.ExitCode()
}

// stop ends it as a service manager does.
func (s *service) stop() {
	s.t.Helper()
	s.signal(syscall.SIGTERM)
	if code := s.exit(15 * time.Second); code != 0 {
		s.t.Errorf("exit code %d after SIGTERM\n%s", code, tail(s.logged()))
	}
}

func (s *service) ready() int { return status(s.ops + "/readyz") }

// status is that of a response, or 0 when nothing answers.
func status(url string) int {
	resp, err := http.Get(url)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// peakMemory is the most memory that it has had resident.
func (s *service) peakMemory() (mebibytes int) {
	s.t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	check(s.t, err)
	_, rest, _ := strings.Cut(string(data), "VmHWM:")
	var kibibytes int
	_, err = fmt.Sscanf(rest, "%d kB", &kibibytes)
	check(s.t, err)
	return kibibytes / 1024
}

// openFiles counts its descriptors, connections among them.
func (s *service) openFiles() int {
	s.t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	check(s.t, err)
	return len(entries)
}

// freeAddress is below the ports that the system gives to outgoing connections: while a server is away, a client
// that tries to reach it could be given its very port, and keep it.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 1000 {
		address := fmt.Sprintf("127.0.0.1:%d", 18_000+rand.N(14_000))
		listener, err := net.Listen("tcp", address)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		check(t, err)
		check(t, listener.Close())
		return address
	}
	t.Fatal("no free port")
	return ""
}

func newClient(t *testing.T, url, token string, opts ...client.Option) *client.Client {
	t.Helper()
	c, err := client.New(token, append([]client.Option{client.WithBaseURL(url)}, opts...)...)
	check(t, err)
	return c
}
