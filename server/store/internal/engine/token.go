package engine

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/packhooks/packhooks/server/store"
)

// Authenticate looks a token up, every time: a cache would let a revoked token in.
func (s *Store) Authenticate(ctx context.Context, token string) (store.Grant, error) {
	hash, ok := store.HashToken(token)
	if !ok {
		return store.Grant{}, store.ErrUnauthorized
	}
	var g store.Grant
	var organizations string
	var expires, revoked int64
	err := s.Tokens.Query(ctx, `SELECT id, organizations, expires_at, revoked_at FROM tokens WHERE hash = $1`, []any{hash[:]},
		func(scan Scan) error { return scan(&g.TokenID, &organizations, &expires, &revoked) })
	switch {
	case err != nil:
		return store.Grant{}, fmt.Errorf("looking up token: %w", err)
	case g.TokenID == "", revoked != 0, expires != 0 && expires <= time.Now().UnixMicro():
		return store.Grant{}, store.ErrUnauthorized
	}
	if err := json.Unmarshal([]byte(organizations), &g.Organizations); err != nil {
		return store.Grant{}, fmt.Errorf("reading the organizations of token %s: %w", g.TokenID, err)
	}
	return g, nil
}

// CreateToken keeps a token under its hash.
func (s *Store) CreateToken(ctx context.Context, hash store.TokenHash, t store.Token) (store.Token, error) {
	err := checkText("name", t.Name)
	for _, organization := range t.Organizations {
		err = errors.Join(err, checkText("organization", organization))
	}
	if err != nil {
		return store.Token{}, fmt.Errorf("creating token: %w", err)
	}
	organizations, err := json.Marshal(t.Organizations)
	if err != nil {
		return store.Token{}, err
	}
	t.ID = strings.ToLower(rand.Text()[:12])
	t.CreatedAt, t.ExpiresAt, t.RevokedAt = instant(micros(time.Now())), instant(micros(t.ExpiresAt)), time.Time{}
	_, err = s.Tokens.Exec(ctx, `INSERT INTO tokens (hash, id, name, organizations, created_at, expires_at, revoked_at)
		VALUES ($1, $2, $3, $4, $5, $6, 0)`, hash[:], t.ID, t.Name, string(organizations), micros(t.CreatedAt), micros(t.ExpiresAt))
	if err != nil {
		return store.Token{}, fmt.Errorf("creating token: %w", err)
	}
	return t, nil
}

// ListTokens returns every token, oldest first.
func (s *Store) ListTokens(ctx context.Context) ([]store.Token, error) {
	var tokens []store.Token
	err := s.Tokens.Query(ctx, `SELECT id, name, organizations, created_at, expires_at, revoked_at FROM tokens
		ORDER BY created_at, id`, nil, func(scan Scan) error {
		var t store.Token
		var organizations string
		var created, expires, revoked int64
		if err := scan(&t.ID, &t.Name, &organizations, &created, &expires, &revoked); err != nil {
			return err
		}
		t.CreatedAt, t.ExpiresAt, t.RevokedAt = instant(created), instant(expires), instant(revoked)
		tokens = append(tokens, t)
		return json.Unmarshal([]byte(organizations), &tokens[len(tokens)-1].Organizations)
	})
	if err != nil {
		return nil, fmt.Errorf("listing tokens: %w", err)
	}
	return tokens, nil
}

// RevokeToken revokes a token for good.
func (s *Store) RevokeToken(ctx context.Context, id string) error {
	missing := &store.MissingError{Kind: "token", IDs: []string{id}}
	if checkText("id", id) != nil {
		return missing
	}
	n, err := s.Tokens.Exec(ctx, `UPDATE tokens SET revoked_at = CASE revoked_at WHEN 0 THEN $1 ELSE revoked_at END WHERE id = $2`,
		micros(time.Now()), id)
	if err != nil {
		return fmt.Errorf("revoking token %s: %w", id, err)
	}
	if n == 0 {
		return missing
	}
	return nil
}

// micros is an instant as it is kept, 0 for none.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func instant(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}
