//go:build faults && linux

package faults_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	client "github.com/packhooks/packhooks/client"
)

// secretOf is the signing secret of a webhook, so that whoever reads it can tell whether it is the right one.
func secretOf(organization, id string) string {
	sum := sha256.Sum256([]byte(organization + "/" + id))
	return "sig" + hex.EncodeToString(sum[:12])
}

func endpointOf(generation, i int) string {
	return fmt.Sprintf("https://hooks.example.com/%d/%d", generation, i)
}

// writeRows writes webhooks first to last-1 as NDJSON or, for --replace, as an array.
func writeRows(t *testing.T, path, organization string, generation, first, last int, array bool) string {
	t.Helper()
	file, err := os.Create(path)
	check(t, err)
	out := bufio.NewWriterSize(file, 1<<20)
	separator, opening, end := "\n", "", "\n"
	if array {
		separator, opening, end = ",\n", "[\n", "\n]\n"
	}
	start := time.Date(2024, 8, 2, 10, 0, 0, 0, time.UTC)
	_, _ = out.WriteString(opening)
	for i := first; i < last; i++ {
		if i > first {
			_, _ = out.WriteString(separator)
		}
		id, at := idOf(i), start.Add(time.Duration(i/3)*time.Second).Format(time.RFC3339)
		_, _ = fmt.Fprintf(out, `{"id":%q,"event_code":"orders.created","endpoint":%q,"secret":%q,"enabled":true,"created_at":%q,"updated_at":%q}`,
			id, endpointOf(generation, i), secretOf(organization, id), at, at)
	}
	_, _ = out.WriteString(end)
	check(t, out.Flush())
	if last-first > 10_000 {
		check(t, file.Sync()) // or the system writes it out during the test, and others wait for the disk
	}
	check(t, file.Close())
	return path
}

func idOf(i int) string { return fmt.Sprintf("wh_%07d", i) }

// fill imports webhooks 0 to n-1.
func (p place) fill(organization string, n int) {
	p.t.Helper()
	file := writeRows(p.t, p.path("fill.ndjson"), organization, 0, 0, n, false)
	p.must("import", "--org", organization, file)
	check(p.t, os.Remove(file))
}

// walk reads a whole organization of n webhooks and finds every one where it belongs, with its secret.
func walk(ctx context.Context, c *client.Client, organization string, n int, opts ...client.ListOption) error {
	i := 0
	for w, err := range c.Webhooks(ctx, organization, opts...) {
		if err != nil {
			return err
		}
		if w.ID != idOf(i) || w.Secret.Reveal() != secretOf(organization, w.ID) {
			return fmt.Errorf("webhook %d is %s, or has the secret of another one", i, w.ID)
		}
		i++
	}
	if i != n {
		return fmt.Errorf("%d webhooks, want %d", i, n)
	}
	return nil
}

// fillLarge imports webhooks as large as they may be: 48 kB each in JSON, which writes this character as \u2028.
func (p place) fillLarge(organization string, n int) {
	p.t.Helper()
	file := p.path("large.ndjson")
	var b strings.Builder
	for i := range n {
		prefix := fmt.Sprintf("https://hooks.example.com/%d/", i)
		_, _ = fmt.Fprintf(&b, `{"id":%q,"endpoint":%q,"secret":%q,"enabled":true,"created_at":"2024-08-02T10:00:00Z","updated_at":"2024-08-02T10:00:00Z"}`+"\n",
			idOf(i), prefix+strings.Repeat("\u2028", 8192-len(prefix)), secretOf(organization, idOf(i)))
	}
	check(p.t, os.WriteFile(file, []byte(b.String()), 0o600))
	p.must("import", "--org", organization, file)
	check(p.t, os.Remove(file))
}
