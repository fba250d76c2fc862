//go:build faults && linux

package faults_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/packhooks/packhooks/client"
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

const killedRows = 3000 // of an organization that is imported

// writes is what the kinds of writes work on.
type writes struct {
	place
	token  string // reads every organization
	url    string // of the server
	client *client.Client

	updated, replaced int    // the rounds whose imports are there
	revoked           string // the id and text of the token that is to be revoked
	revokedText       string
}

func newWrites(p place) *writes {
	w := &writes{place: p}
	organizations := []string{"updated", "replaced"}
	for n := range killRounds + 1 {
		organization := deletedFrom(n)
		p.fill(organization, 500)
		organizations = append(organizations, organization)
	}
	w.token = p.token(organizations...)
	return w
}

func deletedFrom(round int) string { return fmt.Sprintf("deleted-%d", round) }

func (w *writes) kinds() []write {
	return []write{
		{"import", w.beginImport, w.imported},
		{"import --replace", w.beginReplace, w.isReplaced},
		{"delete", w.beginDelete, w.deleted},
		{"token create", w.beginCreate, w.created},
		{"token revoke", w.beginRevoke, w.isRevoked},
	}
}

// beginImport changes every webhook but not its id.
func (w *writes) beginImport(round int) []string {
	file := writeRows(w.t, w.path("import.ndjson"), "updated", round, 0, killedRows, false)
	return []string{"import", "--org=updated", file}
}

func (w *writes) imported(round int, _ string) (bool, error) {
	done, err := w.one("updated", func(hook client.Webhook, i int) int {
		if hook.ID == idOf(i) && hook.Endpoint == endpointOf(round, i) {
			return round
		}
		if hook.ID == idOf(i) && hook.Endpoint == endpointOf(w.updated, i) {
			return w.updated
		}
		return -1
	}, w.updated, round)
	if done {
		w.updated = round
	}
	return done, err
}

// beginReplace replaces every webhook by another one.
func (w *writes) beginReplace(round int) []string {
	file := writeRows(w.t, w.path("replace.json"), "replaced", round, round*killedRows, (round+1)*killedRows, true)
	return []string{"import", "--org=replaced", "--replace", file}
}

func (w *writes) isReplaced(round int, _ string) (bool, error) {
	done, err := w.one("replaced", func(hook client.Webhook, i int) int {
		for _, r := range []int{round, w.replaced} {
			if n := r*killedRows + i; hook.ID == idOf(n) && hook.Endpoint == endpointOf(r, n) {
				return r
			}
		}
		return -1
	}, w.replaced, round)
	if done {
		w.replaced = round
	}
	return done, err
}

// one tells which of two rounds an organization is of, wholly.
func (w *writes) one(organization string, roundOf func(hook client.Webhook, i int) int, before, after int) (bool, error) {
	count, i := map[int]int{}, 0
	for hook, err := range w.client.Webhooks(w.t.Context(), organization, client.PerPage(100)) {
		if err != nil {
			return false, err
		}
		if hook.Secret.Reveal() != secretOf(organization, hook.ID) {
			return false, fmt.Errorf("wrong secret of %s", hook.ID)
		}
		count[roundOf(hook, i)]++
		i++
	}
	switch killedRows {
	case count[after]:
		return true, sized(i, killedRows)
	case count[before]:
		return false, sized(i, killedRows)
	}
	return false, fmt.Errorf("webhooks by round: %v; want %d of round %d or of round %d", count, killedRows, before, after)
}

func sized(n, want int) error {
	if n != want {
		return fmt.Errorf("%d webhooks, want %d", n, want)
	}
	return nil
}

func (w *writes) beginDelete(round int) []string {
	args := []string{"delete", "--org", deletedFrom(round)}
	for i := range 250 {
		args = append(args, idOf(2*i))
	}
	return args
}

func (w *writes) deleted(round int, _ string) (bool, error) {
	ctx, organization := context.Background(), deletedFrom(round)
	n, even := 0, 0
	for hook, err := range w.client.Webhooks(ctx, organization, client.PerPage(100)) {
		if err != nil {
			return false, err
		}
		if strings.ContainsAny(hook.ID[len(hook.ID)-1:], "02468") {
			even++
		}
		n++
	}
	if even != 0 && even != 250 || n-even != 250 {
		return false, fmt.Errorf("%d of the 250 webhooks to delete, %d of the 250 others", even, n-even)
	}
	return even == 0, nil
}

func (w *writes) beginCreate(round int) []string {
	return []string{"token", "create", "--org=updated", "--name", fmt.Sprintf("create-%d.", round)}
}

// created also holds a token to its word: one that was printed is good.
func (w *writes) created(round int, printed string) (bool, error) {
	row, err := w.tokenRow(fmt.Sprintf("create-%d.", round))
	if printed == "" || err != nil {
		return row != "", err
	}
	_, err = newClient(w.t, w.url, strings.TrimSpace(printed)).ListWebhooks(w.t.Context(), "updated")
	return true, err
}

func (w *writes) beginRevoke(round int) []string {
	name := fmt.Sprintf("revoke-%d.", round)
	w.revokedText = w.must("token", "create", "--org=updated", "--name", name)
	row, err := w.tokenRow(name)
	check(w.t, err)
	w.revoked = strings.Fields(row)[0]
	return []string{"token", "revoke", w.revoked}
}

func (w *writes) isRevoked(round int, _ string) (bool, error) {
	row, err := w.tokenRow(fmt.Sprintf("revoke-%d.", round))
	if err != nil {
		return false, err
	}
	status := strings.Fields(row)[1]
	_, err = newClient(w.t, w.url, w.revokedText).ListWebhooks(w.t.Context(), "updated")
	switch {
	case status == "revoked" && errors.Is(err, client.ErrUnauthorized):
		return true, nil
	case status == "active" && err == nil:
		return false, nil
	}
	return false, fmt.Errorf("the list says %s, the server says %w", status, err)
}

// tokenRow is the row of a token in packhooks token list, or empty.
func (w *writes) tokenRow(name string) (string, error) {
	out, err := w.try("token", "list")
	for row := range strings.Lines(out) {
		if strings.HasSuffix(strings.TrimSpace(row), " "+name) {
			return row, err
		}
	}
	return "", err
}
