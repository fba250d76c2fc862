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
	equal(t, "grant", grant, store.Grant{TokenID: first.ID, Organizations: []string{"acme", "ACME", "zenith"}, Proof: grant.Proof})
	brieflyGranted, err := s.Authenticate(t.Context(), brief)
	check(t, err)
	granted(t, s, brieflyGranted, nil)
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
	granted(t, s, brieflyGranted, store.ErrUnauthorized)
	revocation(t, s, forever, first)

	all, err := s.ListTokens(t.Context())
	check(t, err)
	if len(all) == 2 {
		first.RevokedAt = all[0].RevokedAt
		first.LastUsedAt, second.LastUsedAt = all[0].LastUsedAt, all[1].LastUsedAt
	}
	equal(t, "tokens", all, []store.Token{first, second})
}

// granted reads pages in both directions for a grant, which must be those that anybody reads, or fail.
func granted(t *testing.T, s store.Store, g store.Grant, want error) {
	t.Helper()
	load(t, s, "acme", newWebhook("wh_1", 0), newWebhook("wh_2", 0))
	for _, q := range []store.PageQuery{{OrganizationID: "acme", Limit: 1}, {OrganizationID: "acme", Limit: 1, Backward: true, Bound: store.Bound{ID: "\x7f", CreatedAt: time.Now()}}} {
		page, err := s.(store.GrantLister).ListGranted(t.Context(), g, q)
		if !errors.Is(err, want) {
			t.Fatalf("a page for a grant: %v, want %v", err, want)
		}
		if want != nil {
			continue
		}
		anyone, err := s.ListWebhooks(t.Context(), q)
		check(t, err)
		if len(page.Webhooks) != 1 {
			t.Fatalf("%d webhooks", len(page.Webhooks))
		}
		equal(t, "page for a grant", page, anyone)
	}
}

func revocation(t *testing.T, s store.Store, token string, kept store.Token) {
	before, err := s.Authenticate(t.Context(), token)
	check(t, err)
	granted(t, s, before, nil)
	check(t, s.RevokeToken(t.Context(), kept.ID))
	granted(t, s, before, store.ErrUnauthorized)
	granted(t, s, store.Grant{}, store.ErrUnauthorized)
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
