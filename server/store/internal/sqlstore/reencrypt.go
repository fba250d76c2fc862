package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
)

// checkPlace is the associated data of the key check: an empty text that opens only with a key of this database.
var checkPlace = []byte("key-check")

// Reencrypt walks every organization in the order of the primary key. Each batch is a statement of its own that
// replaces a ciphertext only where it still is the one that was read: whoever changed it since has sealed it anew,
// or not merged yet and will find that keys were rotated.
func (s *Store) Reencrypt(ctx context.Context, progress func(webhooks int)) error {
	if _, err := s.execute(ctx, s.DB, s.SQL.BeginKeys); err != nil {
		return fmt.Errorf("beginning to re-encrypt: %w", err)
	}
	total := 0
	for organization := ""; ; {
		var err error
		organization, err = s.nextOrganization(ctx, organization)
		if errors.Is(err, sql.ErrNoRows) {
			break
		}
		if err != nil {
			return fmt.Errorf("finding organizations: %w", err)
		}
		err = s.reencrypt(ctx, organization, func(n int) {
			if total += n; progress != nil {
				progress(total)
			}
		})
		if err != nil {
			return fmt.Errorf("re-encrypting organization %q: %w", organization, err)
		}
	}
	// Last, so that a keyset without the old keys is refused until nothing needs them.
	check, err := s.Cipher.Seal(ctx, nil, checkPlace)
	if err != nil {
		return fmt.Errorf("sealing key check: %w", err)
	}
	if _, err := s.execute(ctx, s.DB, s.SQL.RenewCheck, check); err != nil {
		return fmt.Errorf("writing key check: %w", err)
	}
	return nil
}

func (s *Store) nextOrganization(ctx context.Context, after string) (organization string, err error) {
	ctx, cancel := s.bound(ctx)
	defer cancel()
	err = s.DB.QueryRowContext(ctx, s.SQL.NextOrganization, after).Scan(&organization)
	return organization, s.failure(ctx, err)
}

func (s *Store) reencrypt(ctx context.Context, organization string, done func(int)) error {
	for from, more := (bound{createdAt: math.MinInt64}), true; more; {
		rows, err := s.secrets(ctx, organization, from)
		if err != nil || len(rows) == 0 {
			return err
		}
		if err := s.swap(ctx, organization, rows); err != nil {
			return err
		}
		done(len(rows))
		last := rows[len(rows)-1]
		from = bound{createdAt: last.CreatedAt, id: last.ID + next}
		more = len(rows) == batchSize
	}
	return nil
}

func (s *Store) secrets(ctx context.Context, organization string, from bound) (secrets []Row, err error) {
	ctx, cancel := s.bound(ctx)
	defer cancel()
	err = each(ctx, s.DB, s.SQL.Secrets, func(rows *sql.Rows) error {
		var r Row
		err := rows.Scan(&r.CreatedAt, &r.ID, (*[]byte)(&r.Secret))
		secrets = append(secrets, r)
		return err
	}, organization, from.createdAt, from.id, batchSize)
	return secrets, s.failure(ctx, err)
}

// swap is a ciphertext and what it is to be replaced by.
type swap struct {
	ID  string `json:"id"`
	Old bytea  `json:"old"`
	New bytea  `json:"new"`
}

func (s *Store) swap(ctx context.Context, organization string, rows []Row) error {
	var swaps []swap
	for _, r := range rows {
		if !s.Cipher.Stale(r.Secret) {
			continue
		}
		plain, err := s.reveal(ctx, organization, r.ID, r.Secret)
		if err != nil {
			return err
		}
		sealed, err := s.seal(ctx, organization, r.ID, string(plain))
		if err != nil {
			return err
		}
		swaps = append(swaps, swap{r.ID, r.Secret, sealed})
	}
	if len(swaps) == 0 {
		return nil
	}
	_, err := s.execute(ctx, s.DB, s.SQL.SwapSecrets, organization, jsonParam{swaps})
	return err
}
