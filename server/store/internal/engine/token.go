package engine

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/packhooks/packhooks/server/store"
)

// tokenRow is a row of tokens. Its seal is the empty text, sealed with all columns but lastUsed as associated data: a MAC
// that cannot be forged without the keyset.
type tokenRow struct {
	hash                                []byte
	id, name, organizations             string
	created, expires, revoked, lastUsed int64
	seal                                []byte
}

//nolint:gosec // of tokens only hashes are stored
const selectTokens = `SELECT hash, id, name, organizations, created_at, expires_at, revoked_at, last_used_at, seal FROM tokens`

func (r *tokenRow) scan(scan Scan) error {
	return scan(&r.hash, &r.id, &r.name, &r.organizations, &r.created, &r.expires, &r.revoked, &r.lastUsed, &r.seal)
}

// associatedData begins with the hash: only it may contain zero bytes, and its length is fixed.
func (r *tokenRow) associatedData(databaseID string) []byte {
	data := make([]byte, 0, 256)
	data = append(data, "packhooks token 1\x00"...)
	data = append(data, r.hash...)
	for _, text := range [...]string{databaseID, r.id, r.name, r.organizations} {
		data = append(append(data, text...), 0)
	}
	for _, n := range [...]int64{r.created, r.expires, r.revoked} {
		data = append(strconv.AppendInt(data, n, 10), 0)
	}
	return data
}

// sealToken renews the seal of a row.
func (s *Store) sealToken(ctx context.Context, r *tokenRow) (err error) {
	if r.seal, err = s.Cipher.Seal(ctx, nil, r.associatedData(s.databaseID)); err != nil {
		return fmt.Errorf("sealing token %s: %w", r.id, err)
	}
	return nil
}

func (s *Store) openToken(ctx context.Context, r *tokenRow) error {
	if _, err := s.Cipher.Open(ctx, r.seal, r.associatedData(s.databaseID)); err != nil {
		return fmt.Errorf("token %s: %w: %w", r.id, store.ErrAltered, err)
	}
	return nil
}

// Authenticate does not cache, so that a revoked token is rejected at once.
func (s *Store) Authenticate(ctx context.Context, token string) (store.Grant, error) {
	hash, ok := store.HashToken(token)
	if !ok {
		return store.Grant{}, store.ErrUnauthorized
	}
	r := tokenRow{hash: hash[:]}
	if err := s.Tokens.Query(ctx, selectTokens+` WHERE hash = $1`, []any{hash[:]}, r.scan); err != nil {
		return store.Grant{}, fmt.Errorf("looking up token: %w", err)
	}
	if r.id == "" {
		return store.Grant{}, store.ErrUnauthorized
	}
	g := store.Grant{TokenID: r.id}
	if err := s.openToken(ctx, &r); err != nil {
		return g, err
	}
	now := time.Now()
	switch {
	case r.revoked != 0:
		return g, store.ErrRevoked
	case r.expires != 0 && r.expires <= now.UnixMicro():
		return g, store.ErrExpired
	}
	if now.Sub(time.UnixMicro(r.lastUsed)) > time.Hour {
		s.recordUse(ctx, r.hash, now)
	}
	g.ExpiresAt, g.Proof = instant(r.expires), store.Proof{Hash: string(r.hash), Seal: string(r.seal)}
	if err := json.Unmarshal([]byte(r.organizations), &g.Organizations); err != nil {
		return store.Grant{}, fmt.Errorf("reading the organizations of token %s: %w", r.id, err)
	}
	return g, nil
}

// recordUse updates the last use of a token in the background, one token at a time. After a failure, such as a read-only
// database, it pauses for a minute.
func (s *Store) recordUse(ctx context.Context, hash []byte, now time.Time) {
	if !s.recording.CompareAndSwap(false, true) {
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if _, err := s.Tokens.Exec(ctx, `UPDATE tokens SET last_used_at = $1 WHERE hash = $2`, now.UnixMicro(), hash); err != nil {
			time.AfterFunc(time.Minute, func() { s.recording.Store(false) })
			return
		}
		s.recording.Store(false)
	}()
}

// CreateToken keeps a token under its hash.
func (s *Store) CreateToken(ctx context.Context, hash store.TokenHash, t store.Token) (store.Token, error) {
	if err := errors.Join(checkText("name", t.Name), checkText("organization", strings.Join(t.Organizations, " "))); err != nil {
		return store.Token{}, fmt.Errorf("creating token: %w", err)
	}
	organizations, _ := json.Marshal(t.Organizations) // strings never fail
	r := tokenRow{
		hash: hash[:], id: strings.ToLower(rand.Text()[:12]), name: t.Name, organizations: string(organizations),
		created: micros(time.Now()), expires: micros(t.ExpiresAt),
	}
	err := s.sealToken(ctx, &r)
	if err == nil {
		_, err = s.Tokens.Exec(ctx, `INSERT INTO tokens (hash, id, name, organizations, created_at, expires_at, revoked_at, seal)
			VALUES ($1, $2, $3, $4, $5, $6, 0, $7)`, r.hash, r.id, r.name, r.organizations, r.created, r.expires, r.seal)
	}
	if err != nil {
		return store.Token{}, fmt.Errorf("creating token: %w", err)
	}
	return r.token()
}

func (r *tokenRow) token() (t store.Token, err error) {
	t = store.Token{
		ID: r.id, Name: r.name, CreatedAt: instant(r.created), ExpiresAt: instant(r.expires),
		RevokedAt: instant(r.revoked), LastUsedAt: instant(r.lastUsed),
	}
	return t, json.Unmarshal([]byte(r.organizations), &t.Organizations)
}

func (s *Store) readTokens(ctx context.Context) (rows []tokenRow, err error) {
	err = s.Tokens.Query(ctx, selectTokens+` ORDER BY created_at, id`, nil, func(scan Scan) error {
		var r tokenRow
		err := r.scan(scan)
		rows = append(rows, r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading tokens: %w", err)
	}
	return rows, nil
}

// ListTokens returns every token, oldest first.
func (s *Store) ListTokens(ctx context.Context) ([]store.Token, error) {
	rows, err := s.readTokens(ctx)
	tokens := make([]store.Token, 0, len(rows))
	for _, r := range rows {
		t, malformed := r.token()
		t.Altered = malformed != nil || s.openToken(ctx, &r) != nil
		tokens = append(tokens, t)
	}
	return tokens, err
}

// RevokeToken revokes a token for good, also one that was altered.
func (s *Store) RevokeToken(ctx context.Context, id string) error {
	rows, err := s.readTokens(ctx)
	if err != nil {
		return fmt.Errorf("revoking token %s: %w", id, err)
	}
	i := slices.IndexFunc(rows, func(r tokenRow) bool { return r.id == id })
	if i < 0 {
		return &store.MissingError{Kind: "token", IDs: []string{id}}
	}
	r := &rows[i]
	if r.revoked != 0 && s.openToken(ctx, r) == nil {
		return nil
	}
	r.revoked = micros(time.Now())
	if err = s.sealToken(ctx, r); err == nil {
		_, err = s.Tokens.Exec(ctx, `UPDATE tokens SET revoked_at = $1, seal = $2 WHERE hash = $3`, r.revoked, r.seal, r.hash)
	}
	if err != nil {
		return fmt.Errorf("revoking token %s: %w", id, err)
	}
	return nil
}

// resealTokens stops at an altered row: sealing would make it valid.
func (s *Store) resealTokens(ctx context.Context) error {
	rows, err := s.readTokens(ctx)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if !s.Cipher.Stale(r.seal) {
			continue
		}
		if err := s.openToken(ctx, &r); err != nil {
			return err
		}
		old := r.seal
		if err = s.sealToken(ctx, &r); err == nil { // a token that is revoked meanwhile has a new seal, and keeps it
			_, err = s.Tokens.Exec(ctx, `UPDATE tokens SET seal = $1 WHERE hash = $2 AND seal = $3`, r.seal, r.hash, old)
		}
		if err != nil {
			return fmt.Errorf("writing token %s: %w", r.id, err)
		}
	}
	return nil
}

// micros converts a time to its stored form, 0 for none.
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
