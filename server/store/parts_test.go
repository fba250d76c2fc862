package store_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/keyset"
)

func newToken(t testing.TB, s store.Store, of store.Token) (string, store.Token) {
	t.Helper()
	text := store.NewToken()
	hash, _ := store.HashToken(text)
	kept, err := s.CreateToken(t.Context(), hash, of)
	check(t, err)
	return text, kept
}

// lastUse waits for what is written in the background.
func lastUse(t *testing.T, h harness) {
	s := open(t, h)
	text, _ := newToken(t, s, store.Token{Organizations: []string{"acme"}})
	used := func() time.Time {
		all, err := s.ListTokens(t.Context())
		check(t, err)
		return all[0].LastUsedAt
	}
	equal(t, "use of a new token", used(), time.Time{})
	until := func(what string, done func() bool) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
			_, err := s.Authenticate(t.Context(), text)
			check(t, err)
			if time.Now().After(end) {
				t.Fatalf("not recorded: %s", what)
			}
		}
	}
	until("the first use", func() bool { return time.Since(used()) < time.Minute })
	first := used()
	for range 20 {
		_, err := s.Authenticate(t.Context(), text)
		check(t, err)
	}
	time.Sleep(100 * time.Millisecond)
	equal(t, "second use within the hour", used(), first)
	h.rawTokens(t, s, fmt.Sprintf("UPDATE tokens SET last_used_at = %d", time.Now().Add(-2*time.Hour).UnixMicro()))
	until("a use in another hour", func() bool { return time.Since(used()) < time.Minute })
}

// alteredTokens is what somebody who can write to the database, and has not got the keyset, may try.
func alteredTokens(t *testing.T, h harness) {
	s := open(t, h)
	own, kept := newToken(t, s, store.Token{Name: "own", Organizations: []string{"mine"}})
	revoked, gone := newToken(t, s, store.Token{Organizations: []string{"acme"}})
	check(t, s.RevokeToken(t.Context(), gone.ID))
	expired, _ := newToken(t, s, store.Token{Organizations: []string{"acme"}, ExpiresAt: time.Now()})
	forged, spare := newToken(t, s, store.Token{})
	h.rawTokens(t, s, `CREATE TABLE spare AS SELECT hash FROM tokens WHERE id = '`+spare.ID+`'`)
	h.rawTokens(t, s, `DELETE FROM tokens WHERE id = '`+spare.ID+`'`)

	for name, test := range map[string]struct{ token, statement string }{
		"a row of their own": {forged, `INSERT INTO tokens (hash, id, name, organizations, created_at, expires_at, revoked_at, seal)
			SELECT spare.hash, 'forged', name, organizations, created_at, 0, 0, seal FROM tokens, spare WHERE id = '` + gone.ID + `'`},
		"a revocation undone":  {revoked, `UPDATE tokens SET revoked_at = 0 WHERE id = '` + gone.ID + `'`},
		"a longer life":        {expired, `UPDATE tokens SET expires_at = 0 WHERE expires_at <> 0`},
		"another organization": {own, `UPDATE tokens SET organizations = '["mine","acme"]' WHERE id = '` + kept.ID + `'`},
		"another hash":         {forged, `UPDATE tokens SET hash = (SELECT hash FROM spare) WHERE id = '` + kept.ID + `'`},
		"another seal":         {own, `UPDATE tokens SET seal = (SELECT seal FROM tokens AS o WHERE o.id = '` + gone.ID + `') WHERE id = '` + kept.ID + `'`},
	} {
		before, err := s.ListTokens(t.Context())
		check(t, err)
		h.rawTokens(t, s, `CREATE TABLE kept AS SELECT * FROM tokens`)
		h.rawTokens(t, s, test.statement)
		if _, err := s.Authenticate(t.Context(), test.token); !errors.Is(err, store.ErrAltered) || strings.Contains(err.Error(), test.token) {
			t.Errorf("%s: %v", name, err)
		}
		all, err := s.ListTokens(t.Context())
		check(t, err)
		altered := 0
		for _, token := range all {
			if token.Altered {
				altered++
			}
		}
		equal(t, name+": tokens shown as altered", altered, 1)
		h.rawTokens(t, s, `DELETE FROM tokens`)
		h.rawTokens(t, s, `INSERT INTO tokens SELECT * FROM kept`)
		h.rawTokens(t, s, `DROP TABLE kept`)
		after, err := s.ListTokens(t.Context())
		check(t, err)
		equal(t, "tokens put back", len(after), len(before))
	}

	t.Run("it can be revoked, and then stays so", func(t *testing.T) {
		h.rawTokens(t, s, `UPDATE tokens SET organizations = '["acme"]' WHERE id = '`+kept.ID+`'`)
		check(t, s.RevokeToken(t.Context(), kept.ID))
		_, err := s.Authenticate(t.Context(), own)
		wantError(t, "revoked token", err, store.ErrUnauthorized)
	})
}

func tokenRotation(t *testing.T, h harness) {
	path, keys := newKeyFile(t)
	s := h.open(t, keys)
	text, kept := newToken(t, s, store.Token{Organizations: []string{"acme"}})
	altered, bad := newToken(t, s, store.Token{Organizations: []string{"mine"}})
	rotate(t, path)
	check(t, keys.Reload())

	h.rawTokens(t, s, `UPDATE tokens SET organizations = '["acme"]' WHERE id = '`+bad.ID+`'`)
	err := s.Reencrypt(t.Context(), nil)
	wantError(t, "re-encryption over an altered token", err, store.ErrAltered)
	if !strings.Contains(err.Error(), bad.ID) {
		t.Errorf("it does not name the token: %v", err)
	}
	check(t, s.RevokeToken(t.Context(), bad.ID))
	check(t, s.Reencrypt(t.Context(), nil))
	fresh, err := againWithNewKeyAlone(t, h, s, path)
	check(t, err)
	grant, err := fresh.Authenticate(t.Context(), text)
	check(t, err)
	equal(t, "grant under the new key alone", grant, store.Grant{TokenID: kept.ID, Organizations: []string{"acme"}, Proof: grant.Proof})
	_, err = fresh.Authenticate(t.Context(), altered)
	wantError(t, "revoked token", err, store.ErrUnauthorized)
}

func countSealed(t *testing.T, h harness) {
	path, keys := newKeyFile(t)
	s := h.open(t, keys)
	load(t, s, "acme", newWebhooks(3)...)
	newToken(t, s, store.Token{Organizations: []string{"acme"}})
	old := keys.Keys()[0].ID
	count := func(id uint32) int {
		n, err := s.CountSealed(t.Context(), func(c []byte) bool { return binary.BigEndian.Uint32(c[1:]) == id })
		check(t, err)
		m, err := s.CountSealed(t.Context(), keyset.SealedUnder(id))
		check(t, err)
		equal(t, "count of the keyset", m, n)
		return n
	}
	equal(t, "webhooks, token and two checks", count(old), 3+1+2)
	rotate(t, path)
	check(t, keys.Reload())
	check(t, s.Reencrypt(t.Context(), nil))
	equal(t, "under the old key", count(old), 0)
	equal(t, "under the new key", count(keys.Keys()[1].ID), 3+1+2)
}

// incomplete takes away parts of a database whose other parts are there.
func incomplete(t *testing.T, h harness) {
	keys := newKeys(t)
	parts := func(s store.Store, want error, texts ...string) {
		t.Helper()
		_, err := h.again(t, s, keys, nil, "")
		wantError(t, "opening", err, want)
		wantError(t, "a server that runs", s.Ready(t.Context()), want)
		found := false
		for _, text := range texts {
			found = found || strings.Contains(err.Error(), text)
		}
		if !found {
			t.Errorf("%v does not name any of %q", err, texts)
		}
	}
	a, b := h.open(t, keys), h.open(t, keys)
	h.rawTokens(t, a, `UPDATE token_state SET database_id = 'OTHER'`)
	parts(a, store.ErrIncomplete, "packhooks.db.tokens is that of another database", "token_state is that of another database")
	h.rawTokens(t, a, `DELETE FROM token_state`)
	parts(a, store.ErrIncomplete, "packhooks.db.tokens is empty", "token_state is empty")
	h.raw(t, b, `UPDATE store_state SET database_id = 'OTHER'`)
	parts(b, store.ErrWrongKey, "keyset")
	h.raw(t, b, `DELETE FROM store_state`)
	parts(b, store.ErrIncomplete, "packhooks.db is empty", "store_state is empty")
}
