package sqlstore

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/packhooks/packhooks/server/store"
)

// Row is a webhook as it is kept: times in microseconds since 1970, the secret sealed.
type Row struct {
	CreatedAt int64  `json:"created_at"`
	ID        string `json:"id"`
	EventCode string `json:"event_code"`
	Endpoint  string `json:"endpoint"`
	Secret    bytea  `json:"secret"`
	Enabled   bool   `json:"enabled"`
	UpdatedAt int64  `json:"updated_at"`
}

// bytea is bytes that are hexadecimal in JSON, which both engines read.
type bytea []byte

func (b bytea) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, b), nil }

// newRow turns a webhook into a row, but for the secret.
func newRow(w store.Webhook) (Row, error) {
	err := storable(text{"id", w.ID}, text{"event code", w.EventCode}, text{"endpoint", w.Endpoint}, text{"secret", w.Secret})
	if err != nil {
		return Row{}, fmt.Errorf("webhook %q: %w", w.ID, err)
	}
	return Row{w.CreatedAt.UnixMicro(), w.ID, w.EventCode, w.Endpoint, nil, w.Enabled, w.UpdatedAt.UnixMicro()}, nil
}

// open turns a row into a webhook.
func (s *Store) open(ctx context.Context, organization string, r Row) (store.Webhook, error) {
	secret, err := s.reveal(ctx, organization, r.ID, r.Secret)
	return store.Webhook{
		ID: r.ID, EventCode: r.EventCode, Endpoint: r.Endpoint, Secret: string(secret), Enabled: r.Enabled,
		CreatedAt: time.UnixMicro(r.CreatedAt).UTC(), UpdatedAt: time.UnixMicro(r.UpdatedAt).UTC(),
	}, err
}

func (s *Store) seal(ctx context.Context, organization, id, secret string) ([]byte, error) {
	sealed, err := s.Cipher.Seal(ctx, []byte(secret), store.SecretPlace(organization, id))
	if err != nil {
		return nil, fmt.Errorf("sealing secret of webhook %q: %w", id, err)
	}
	return sealed, nil
}

func (s *Store) reveal(ctx context.Context, organization, id string, secret []byte) ([]byte, error) {
	plain, err := s.Cipher.Open(ctx, secret, store.SecretPlace(organization, id))
	if err != nil {
		return nil, fmt.Errorf("opening secret of webhook %q of organization %q: %w", id, organization, err)
	}
	return plain, nil
}

// text is a text and what it is.
type text struct{ name, value string }

// storable refuses text that one engine or the other would not keep as it is.
func storable(texts ...text) error {
	for _, t := range texts {
		if !utf8.ValidString(t.value) || strings.ContainsRune(t.value, 0) {
			return fmt.Errorf("%s is not UTF-8 without NUL", t.name)
		}
	}
	return nil
}

// each scans every row that a statement yields.
func each(ctx context.Context, db querier, statement string, scan func(*sql.Rows) error, args ...any) error {
	rows, err := db.QueryContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// querier is a database, a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, statement string, args ...any) (*sql.Rows, error)
}
