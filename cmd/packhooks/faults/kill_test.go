//go:build faults && linux

package faults_test

import (
	"bytes"
	"database/sql"
	"errors"
	"os/exec"
	"testing"
	"time"
)

// write is a kind of write and how to tell what became of one.
type write struct {
	name string

	// begin prepares the write of a round and returns the arguments of the command that does it.
	begin func(round int) []string

	// done tells whether the write is wholly there or wholly absent. Anything between is an error.
	done func(round int, printed string) (bool, error)
}

// Every round kills one of each kind of write at a random moment of the time that it usually takes.
func TestWritesSurviveKill(t *testing.T) {
	random := newRandom(t)
	p := newPlace(t)
	w := newWrites(p)
	s := p.serve("--rate=-1")
	w.url, w.client = s.url, newClient(t, s.url, w.token)
	kinds := w.kinds()
	usual := make([]time.Duration, len(kinds))
	for i, kind := range kinds {
		start := time.Now()
		out := p.must(kind.begin(0)...)
		usual[i] = time.Since(start)
		if done, err := kind.done(0, out); err != nil || !done {
			t.Fatalf("%s that was not killed: %t, %v", kind.name, done, err)
		}
	}
	there, killed := make([]int, len(kinds)), make([]int, len(kinds))
	for n := 1; n <= killRounds; n++ {
		for i, kind := range kinds {
			moment := random.Float64() * 1.1
			if n%2 == 0 { // where it is decided
				moment = 0.6 + random.Float64()*0.5
			}
			args := kind.begin(n)
			start := time.Now()
			out, survived := p.killAfter(time.Duration(moment*float64(usual[i])), args...)
			usual[i] = adapt(usual[i], time.Since(start), survived)
			done, err := kind.done(n, out)
			if err != nil {
				t.Fatalf("round %d, %s: %v", n, kind.name, err)
			}
			if survived && !done {
				t.Errorf("round %d, %s: succeeded and is not there", n, kind.name)
			}
			if done {
				there[i]++
			}
			if !survived {
				killed[i]++
			}
		}
		for _, file := range []string{"packhooks.db", "packhooks.db.tokens"} {
			checkIntegrity(t, p.path(file))
		}
		if n%10 == 0 { // a server is a writer as well: of what others have left in the log
			s.kill()
			s = p.again(s)
		}
	}
	for i, kind := range kinds {
		t.Logf("%-16s about %v; %d rounds, %d killed in time; %d wholly there, %d wholly absent", kind.name, round(usual[i]),
			killRounds, killed[i], there[i], killRounds-there[i])
	}
}

// adapt keeps up with a machine that gets faster and slower.
func adapt(usual, took time.Duration, survived bool) time.Duration {
	if survived {
		return took
	}
	return max(usual, took) + usual/50
}

// killAfter runs packhooks, kills it after a while, and reports whether it had succeeded by then.
func (p place) killAfter(wait time.Duration, args ...string) (printed string, survived bool) {
	p.t.Helper()
	var out, errs bytes.Buffer
	cmd := p.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	check(p.t, cmd.Start())
	timer := time.AfterFunc(wait, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		p.t.Fatalf("packhooks %s: %v: %s", args[0], err, errs.String())
	}
	return out.String(), err == nil
}

func checkIntegrity(t *testing.T, path string) {
	t.Helper()
	db := openRaw(t, path)
	defer db.Close()
	var verdict string
	check(t, db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict))
	if verdict != "ok" {
		t.Fatalf("%s: %s", path, verdict)
	}
}

// openRaw opens a file of the database behind the back of packhooks.
func openRaw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=rw&_pragma=busy_timeout(10000)")
	check(t, err)
	return db
}
