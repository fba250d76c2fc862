package store_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/packhooks/packhooks/server/store"
)

func newHash(t fataler) store.TokenHash {
	t.Helper()
	hash, ok := store.HashToken(store.NewToken())
	if !ok {
		t.Fatalf("a new token is malformed")
	}
	return hash
}

func tokens(t *testing.T, h harness) {
	s := open(t, h)
	none, err := s.ListTokens(t.Context())
	check(t, err)
	equal(t, "tokens of a new store", len(none), 0)

	create := func(token string, of store.Token) store.Token {
		hash, _ := store.HashToken(token)
		before := time.Now().Truncate(time.Microsecond)
		kept, err := s.CreateToken(t.Context(), hash, of)
		check(t, err)
		if kept.ID == "" || kept.CreatedAt.Before(before) || kept.CreatedAt.After(time.Now()) || kept.CreatedAt.Location() != time.UTC {
			t.Fatalf("token without an id or with a wrong time: %+v", kept)
		}
		return kept
	}
	forever, brief := store.NewToken(), store.NewToken()
	first := create(forever, store.Token{ID: "ignored", Name: "all of \u00e4", Organizations: []string{"acme", "ACME", "zenith"}})
	second := create(brief, store.Token{Organizations: []string{"acme"}, ExpiresAt: time.Now().Add(500 * time.Millisecond)})

	grant, err := s.Authenticate(t.Context(), forever)
	check(t, err)
	equal(t, "grant", grant, store.Grant{TokenID: first.ID, Organizations: []string{"acme", "ACME", "zenith"}})
	_, err = s.Authenticate(t.Context(), brief)
	check(t, err)
	for _, token := range []string{"", "x", store.NewToken(), forever + "x", forever[:51], store.TokenPrefix} {
		_, err := s.Authenticate(t.Context(), token)
		wantError(t, "unknown token", err, store.ErrUnauthorized)
	}
	hash, _ := store.HashToken(forever)
	if _, err := s.CreateToken(t.Context(), hash, store.Token{}); err == nil {
		t.Fatalf("one token was created twice")
	}

	time.Sleep(time.Until(second.ExpiresAt))
	grant, err = s.Authenticate(t.Context(), brief)
	wantError(t, "expired token", err, store.ErrExpired)
	equal(t, "grant of an expired token", grant, store.Grant{TokenID: second.ID})
	revocation(t, s, forever, first)

	all, err := s.ListTokens(t.Context())
	check(t, err)
	if len(all) == 2 {
		first.RevokedAt = all[0].RevokedAt
		first.LastUsedAt, second.LastUsedAt = all[0].LastUsedAt, all[1].LastUsedAt
	}
	equal(t, "tokens", all, []store.Token{first, second})
}

func revocation(t *testing.T, s store.Store, token string, kept store.Token) {
	check(t, s.RevokeToken(t.Context(), kept.ID))
	grant, err := s.Authenticate(t.Context(), token)
	wantError(t, "revoked token", err, store.ErrRevoked)
	equal(t, "grant of a revoked token", grant, store.Grant{TokenID: kept.ID})
	revokedAt := func() time.Time {
		all, err := s.ListTokens(t.Context())
		check(t, err)
		return all[slices.IndexFunc(all, func(a store.Token) bool { return a.ID == kept.ID })].RevokedAt
	}
	first := revokedAt()
	check(t, s.RevokeToken(t.Context(), kept.ID))
	equal(t, "second revocation", revokedAt(), first)

	for _, id := range []string{"nothing", "", "a\x00", "\xff"} {
		var e *store.MissingError
		if err := s.RevokeToken(t.Context(), id); !errors.As(err, &e) {
			t.Fatalf("revoking token %q: %v", id, err)
		}
		equal(t, "missing", *e, store.MissingError{Kind: "token", IDs: []string{id}})
	}
}
