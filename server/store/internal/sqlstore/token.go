package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
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
	ctx, cancel := s.bound(ctx)
	defer cancel()
	var g store.Grant
	var expires, revoked sql.NullInt64
	err := s.Tokens.QueryRowContext(ctx, s.SQL.FindToken, hash[:]).
		Scan(&g.TokenID, jsonColumn{&g.Organizations}, &expires, &revoked)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return store.Grant{}, store.ErrUnauthorized
	case err != nil:
		return store.Grant{}, fmt.Errorf("looking up token: %w", s.failure(ctx, err))
	case revoked.Valid, expires.Valid && expires.Int64 <= time.Now().UnixMicro():
		return store.Grant{}, store.ErrUnauthorized
	}
	return g, nil
}

// CreateToken keeps a token under its hash.
func (s *Store) CreateToken(ctx context.Context, hash store.TokenHash, t store.Token) (store.Token, error) {
	for _, organization := range t.Organizations {
		if err := storable(text{"name", t.Name}, text{"organization", organization}); err != nil {
			return store.Token{}, fmt.Errorf("creating token: %w", err)
		}
	}
	t.ID = strings.ToLower(rand.Text()[:12])
	t.CreatedAt, t.ExpiresAt, t.RevokedAt = truncate(time.Now()), truncate(t.ExpiresAt), time.Time{}
	_, err := s.execute(ctx, s.Tokens, s.SQL.CreateToken,
		hash[:], t.ID, t.Name, jsonParam{t.Organizations}, t.CreatedAt.UnixMicro(), nullable(t.ExpiresAt))
	if err != nil {
		return store.Token{}, fmt.Errorf("creating token: %w", err)
	}
	return t, nil
}

// ListTokens returns every token, oldest first.
func (s *Store) ListTokens(ctx context.Context) ([]store.Token, error) {
	ctx, cancel := s.bound(ctx)
	defer cancel()
	var tokens []store.Token
	err := each(ctx, s.Tokens, s.SQL.ListTokens, func(rows *sql.Rows) error {
		var t store.Token
		var created, expires, revoked sql.NullInt64
		err := rows.Scan(&t.ID, &t.Name, jsonColumn{&t.Organizations}, &created, &expires, &revoked)
		t.CreatedAt, t.ExpiresAt, t.RevokedAt = instant(created), instant(expires), instant(revoked)
		tokens = append(tokens, t)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing tokens: %w", s.failure(ctx, err))
	}
	return tokens, nil
}

// RevokeToken revokes a token for good.
func (s *Store) RevokeToken(ctx context.Context, id string) error {
	missing := &store.MissingError{Kind: "token", IDs: []string{id}}
	if storable(text{"id", id}) != nil {
		return missing
	}
	n, err := s.execute(ctx, s.Tokens, s.SQL.RevokeToken, id, time.Now().UnixMicro())
	if err != nil {
		return fmt.Errorf("revoking token %s: %w", id, err)
	}
	if n == 0 {
		return missing
	}
	return nil
}

// jsonColumn scans a JSON text into a value.
type jsonColumn struct{ to any }

func (c jsonColumn) Scan(from any) error {
	switch text := from.(type) {
	case string:
		return json.Unmarshal([]byte(text), c.to)
	case []byte:
		return json.Unmarshal(text, c.to)
	}
	return fmt.Errorf("reading JSON from a column of type %T", from)
}

func truncate(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}

func nullable(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMicro(), Valid: !t.IsZero()}
}

func instant(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.UnixMicro(n.Int64).UTC()
}
