package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/packhooks/packhooks/server/store"
)

// DeleteWebhooks removes webhooks, all or none.
func (s *Store) DeleteWebhooks(ctx context.Context, organization string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	ctx, cancel := s.bound(ctx)
	defer cancel()
	// JSON would quietly turn what is not storable into something that is.
	missing := slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		return storable(text{"organization", organization}, text{"id", id}) == nil
	})
	var err error
	if len(missing) == 0 {
		err = s.patiently(ctx, func() (err error) {
			missing, err = s.remove(ctx, organization, ids)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("deleting webhooks of organization %q: %w", organization, s.failure(ctx, err))
	}
	if len(missing) > 0 {
		return &store.MissingError{Kind: "webhook", IDs: missing}
	}
	return nil
}

func (s *Store) remove(ctx context.Context, organization string, ids []string) (missing []string, err error) {
	tx, err := s.DB.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	if s.SQL.Lock != "" {
		if _, err := tx.ExecContext(ctx, s.SQL.Lock, organization); err != nil {
			return nil, err
		}
	}
	missing = slices.Clone(ids)
	err = each(ctx, tx, s.SQL.Delete, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		missing = slices.DeleteFunc(missing, func(m string) bool { return m == id })
		return err
	}, organization, jsonParam{ids})
	if err != nil || len(missing) > 0 {
		return missing, err
	}
	return nil, tx.Commit()
}
