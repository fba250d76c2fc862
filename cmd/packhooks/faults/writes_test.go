//go:build faults && linux

package faults_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	client "github.com/packhooks/packhooks/client"
)

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
