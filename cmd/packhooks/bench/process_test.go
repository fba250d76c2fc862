//go:build bench && linux

package bench_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/packhooks/packhooks/server/store/postgres/postgrestest"
)

const connections = 16

// process is a running server.
type process struct {
	address string
	pid     int
}

// start starts a server and returns when it answers. What it logs goes to /dev/null.
func start(t *testing.T, address, program string, args ...string) process {
	t.Helper()
	cmd := command(t, program, args...)
	check(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for range 600 {
		if resp, err := http.Get("http://" + address); err == nil {
			_ = resp.Body.Close()
			return process{address, cmd.Process.Pid}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("no answer from %v", cmd.Args)
	return process{}
}

// command does not outlive the test, however that ends. Leading arguments of the form NAME=VALUE are its environment.
func command(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	env := []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir()}
	for len(args) > 0 && strings.HasPrefix(args[0], "BENCH_") {
		env, args = append(env, args[0]), args[1:]
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env, cmd.SysProcAttr = env, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	return l.Addr().String()
}

const bareVariable = "BENCH_BARE"

// serveBare is the server that does nothing.
func serveBare(file string) {
	page, err := os.ReadFile(file)
	if err == nil {
		err = http.ListenAndServe(os.Args[1], http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(page)
		}))
	}
	fmt.Fprintln(os.Stderr, err)
}

// result is that of a round; CPU time is of a request, in microseconds, and latencies are in milliseconds.
type result struct{ perSecond, p50, p99, cpu, database float64 }

func (r result) String() string {
	return fmt.Sprintf("%.0f req/s, p50 %.2f ms, p99 %.2f ms, CPU %.0f + %.0f µs", r.perSecond, r.p50, r.p99, r.cpu, r.database)
}

// measure lets wrk ask for pages, each of which has to come with a status of success.
func measure(t *testing.T, tg target, pages string, seconds int) (r result) {
	t.Helper()
	if tg.database == nil {
		tg.database = func() time.Duration { return 0 }
	}
	server, database := cpu(t, tg.pid).own, tg.database()
	out, err := command(t, "wrk", "-t1", fmt.Sprint("-c", connections), fmt.Sprintf("-d%ds", seconds), "-s", "pages.lua",
		"http://"+tg.address, "--", pages).CombinedOutput()
	server, database = cpu(t, tg.pid).own-server, tg.database()-database
	_, line, _ := bytes.Cut(out, []byte("result "))
	var requests, micros, failed, p50, p99 float64
	if _, scanErr := fmt.Sscan(string(line), &requests, &micros, &failed, &p50, &p99); err != nil || scanErr != nil || failed > 0 || requests == 0 {
		t.Fatalf("%s: wrk: %v, %v\n%s", tg.name, err, scanErr, out)
	}
	return result{
		perSecond: requests / micros * 1e6, p50: p50 / 1e3, p99: p99 / 1e3,
		cpu: float64(server.Microseconds()) / requests, database: float64(database.Microseconds()) / requests,
	}
}

// times are of a process: its own CPU time, and that of the children it has waited for.
type times struct {
	parent        int
	own, children time.Duration
}

// cpu reads /proc/PID/stat, where times are in hundredths of a second on every Linux.
func cpu(t *testing.T, pid int) times {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	check(t, err)
	return parseTimes(data)
}

func parseTimes(stat []byte) times {
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	number := func(i int) int {
		n, _ := strconv.Atoi(fields[i])
		return n
	}
	const tick = 10 * time.Millisecond
	return times{number(1), time.Duration(number(11)+number(12)) * tick, time.Duration(number(13)+number(14)) * tick}
}

// clusterCPU is the CPU time of PostgreSQL's server and its children, ended ones too.
func clusterCPU(t *testing.T, c *postgrestest.Cluster) time.Duration {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(c.Dir, "postmaster.pid"))
	check(t, err)
	pid, err := strconv.Atoi(strings.Fields(string(data))[0])
	check(t, err)
	server := cpu(t, pid)
	total := server.own + server.children
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	check(t, err)
	for _, file := range all {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // ended meanwhile
		}
		if p := parseTimes(data); p.parent == pid {
			total += p.own
		}
	}
	return total
}

// command runs packhooks to its end. The peak of its memory is looked at while it runs: what the system gives
// afterwards may be that of the process which started it.
func (b *bench) command(t *testing.T, args ...string) (out string, took time.Duration, peakMiB int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := command(t, b.packhooks, args...)
	cmd.Env = append(cmd.Env, "PACKHOOKS_TOKEN="+b.bulkToken)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	check(t, cmd.Start())
	ended := make(chan error)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("packhooks %s: %v\n%s", args[0], err, &stderr)
			}
			return stdout.String(), time.Since(began), peakMiB
		case <-time.After(5 * time.Millisecond):
			peakMiB = max(peakMiB, peak(cmd.Process.Pid))
		}
	}
}

// peak is the most memory that a process has had resident, or 0 when it has ended.
func peak(pid int) (mebibytes int) {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(data), "VmHWM:")
	_, _ = fmt.Sscan(rest, &mebibytes)
	return mebibytes / 1024
}

func loadAverage() string {
	data, _ := os.ReadFile("/proc/loadavg")
	one, _, _ := strings.Cut(string(data), " ")
	return one
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
