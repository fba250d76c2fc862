package sqlite_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/packhooks/packhooks/gen/serverapi"
	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/keyset"
	"github.com/packhooks/packhooks/server/store/sqlite"
)

const (
	crashRounds   = 50
	crashWebhooks = 3000
	crashDir      = "PACKHOOKS_TEST_CRASH" // a process with this in its environment writes until it is killed
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		fmt.Println(write(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// write makes generation after generation of an organization's webhooks, all of one secret, and of its tokens.
func write(dir string) error {
	ctx := context.Background()
	keys, err := keyset.Open(filepath.Join(dir, "keyset"))
	if err != nil {
		return err
	}
	s, err := sqlite.Open(ctx, filepath.Join(dir, "packhooks.db"), keys, sqlite.Options{})
	for generation := 0; err == nil; generation++ {
		secret := fmt.Sprintf("%d of %d", generation, os.Getpid())
		_, err = s.ImportWebhooks(ctx, "acme", func(yield func(document.Document, error) bool) {
			for i := range crashWebhooks {
				at := time.UnixMicro(int64(i * generation % 7))
				w := serverapi.Webhook{ID: fmt.Sprint("wh_", i), Endpoint: "x", Secret: secret, CreatedAt: at, UpdatedAt: at}
				if !yield(document.New(w)) {
					return
				}
			}
		}, store.ImportOptions{Replace: true})
		for _, step := range []func() error{
			func() error { return s.DeleteWebhooks(ctx, "acme", []string{"wh_1", "wh_2"}) },
			func() error {
				hash, _ := store.HashToken(store.NewToken())
				token, err := s.CreateToken(ctx, hash, store.Token{Name: secret, Organizations: []string{"acme"}})
				if err != nil {
					return err
				}
				return s.RevokeToken(ctx, token.ID)
			},
			func() error {
				if id, err := keyset.Add(filepath.Join(dir, "keyset")); err != nil || keyset.Promote(filepath.Join(dir, "keyset"), id) != nil {
					return fmt.Errorf("rotating: %w", err)
				}
				if err := keys.Reload(); err != nil {
					return err
				}
				return s.Reencrypt(ctx, nil)
			},
		} {
			if err == nil {
				err = step()
			}
		}
	}
	return err
}

func TestKilledWriters(t *testing.T) {
	dir := t.TempDir()
	keys, err := keyset.Create(filepath.Join(dir, "keyset"))
	check(t, err)
	seen := make(map[int]int)
	for round := range crashRounds {
		writer := exec.Command(os.Args[0])
		writer.Env = append(os.Environ(), crashDir+"="+dir)
		check(t, writer.Start())
		time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond)
		check(t, writer.Process.Kill())
		_ = writer.Wait()

		s, err := sqlite.Open(t.Context(), filepath.Join(dir, "packhooks.db"), keys, sqlite.Options{})
		check(t, err)
		p, err := s.ListWebhooks(t.Context(), store.PageQuery{OrganizationID: "acme", Limit: 2 * crashWebhooks})
		check(t, err)
		secrets := map[string]bool{}
		for _, d := range p.Webhooks {
			w, err := d.Webhook()
			check(t, err)
			secrets[w.Secret] = true
		}
		if len(secrets) > 1 {
			t.Fatalf("round %d: two imports are mixed", round)
		}
		if n := len(p.Webhooks); n != 0 && n != crashWebhooks && n != crashWebhooks-2 {
			t.Fatalf("round %d: %d webhooks", round, n)
		}
		seen[len(p.Webhooks)]++
		_, err = s.ListTokens(t.Context())
		check(t, err)
		for _, file := range []string{"packhooks.db", "packhooks.db" + sqlite.TokensSuffix} {
			verdict, err := sqlitex.ResultText(raw(t, filepath.Join(dir, file)).Prep("PRAGMA integrity_check"))
			if check(t, err); verdict != "ok" {
				t.Fatalf("round %d: %s", round, verdict)
			}
		}
		check(t, s.Close())
	}
	t.Logf("rounds by number of webhooks: %v", seen)
}
