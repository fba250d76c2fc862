package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/packhooks/packhooks/server/store"
)

// batchSize is how many rows travel at once.
const batchSize = 500

// errRotated ends an import whose secrets may be sealed under a key that was replaced meanwhile.
var errRotated = fmt.Errorf("%w: secrets were re-encrypted during the import", store.ErrUnavailable)

// ImportWebhooks stages rows into a table that only its connection sees, and merges them in one transaction at the
// end: other writers of webhooks wait for the merge alone, and a process that dies leaves nothing behind.
func (s *Store) ImportWebhooks(ctx context.Context, organization string, rows iter.Seq2[store.Webhook, error], replace bool) (store.ImportResult, error) {
	if err := storable(text{"organization", organization}); err != nil {
		return store.ImportResult{}, err
	}
	conn, err := s.DB.Conn(ctx)
	if err != nil {
		return store.ImportResult{}, fmt.Errorf("importing webhooks: %w", s.failure(ctx, err))
	}
	defer conn.Close()
	// Whatever is open or staged goes with the connection.
	defer conn.Raw(func(any) error { return driver.ErrBadConn })
	im := &importing{Store: s, conn: conn, organization: organization}
	if err := im.stage(ctx, rows); err != nil {
		return store.ImportResult{}, err
	}
	result, err := im.merge(ctx, replace)
	if err != nil {
		return store.ImportResult{}, fmt.Errorf("merging webhooks: %w", s.failure(ctx, err))
	}
	return result, nil
}

// importing is one import on its connection.
type importing struct {
	*Store
	conn         *sql.Conn
	organization string
	rotation     int
	staged       int
}

func (im *importing) stage(ctx context.Context, rows iter.Seq2[store.Webhook, error]) error {
	if err := im.begin(ctx); err != nil {
		return fmt.Errorf("staging webhooks: %w", im.failure(ctx, err))
	}
	batch := make([]store.Webhook, 0, batchSize)
	flush := func() error {
		if err := im.stageBatch(ctx, batch); err != nil {
			return fmt.Errorf("staging webhooks: %w", im.failure(ctx, err))
		}
		batch = batch[:0]
		return nil
	}
	for w, err := range rows {
		if err != nil {
			return err
		}
		if batch = append(batch, w); len(batch) == batchSize {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

func (im *importing) begin(ctx context.Context) error {
	m := &script{importing: im, ctx: ctx}
	m.exec(im.SQL.StageBegin)
	im.rotation = m.number(im.SQL.Rotation)
	// Only now, so that a rotation is either seen here or found out by the merge.
	if c, ok := im.Cipher.(interface{ Reload() error }); ok && m.err == nil {
		return c.Reload()
	}
	return m.err
}

func (im *importing) stageBatch(ctx context.Context, batch []store.Webhook) error {
	staged := make([]Row, len(batch))
	for i, w := range batch {
		var err error
		if staged[i], err = newRow(w); err != nil {
			return err
		}
	}
	if err := im.keepSame(ctx, batch, staged); err != nil {
		return err
	}
	for i, w := range batch {
		if staged[i].Secret != nil {
			continue
		}
		var err error
		if staged[i].Secret, err = im.seal(ctx, im.organization, w.ID, w.Secret); err != nil {
			return err
		}
	}
	return im.insert(ctx, staged)
}

// keepSame gives rows that would change nothing the ciphertext that is stored: the merge then finds them equal and
// passes over them, unless they were changed since. SQL cannot tell, as a secret never seals to the same bytes twice.
func (im *importing) keepSame(ctx context.Context, batch []store.Webhook, staged []Row) error {
	alike, err := im.alike(ctx, staged)
	if err != nil {
		return err
	}
	for i, w := range batch {
		stored := alike[w.ID]
		if stored == nil {
			continue
		}
		// One that does not open is replaced.
		if secret, err := im.reveal(ctx, im.organization, w.ID, stored); err == nil && string(secret) == w.Secret {
			staged[i].Secret = stored
		}
	}
	return ctx.Err()
}

// alike returns the ciphertexts of the webhooks that are stored with the same values.
func (im *importing) alike(ctx context.Context, staged []Row) (map[string][]byte, error) {
	param, err := json.Marshal(staged)
	if err != nil {
		return nil, err
	}
	rows, err := im.conn.QueryContext(ctx, im.SQL.Alike, im.organization, string(param))
	if err != nil {
		return nil, err
	}
	alike := make(map[string][]byte)
	return alike, each(rows, func() error {
		var id string
		var secret []byte
		err := rows.Scan(&id, &secret)
		alike[id] = secret
		return err
	})
}

func (im *importing) insert(ctx context.Context, staged []Row) error {
	param, err := json.Marshal(staged)
	if err != nil {
		return err
	}
	rows, err := im.conn.QueryContext(ctx, im.SQL.StageInsert, string(param))
	if err != nil {
		return err
	}
	fresh := make(map[string]bool, len(staged))
	err = each(rows, func() error {
		var id string
		err := rows.Scan(&id)
		fresh[id] = true
		return err
	})
	if err != nil {
		return err
	}
	for _, r := range staged {
		if !fresh[r.ID] {
			return fmt.Errorf("%w %q", store.ErrDuplicateID, r.ID)
		}
		delete(fresh, r.ID)
	}
	im.staged += len(staged)
	return nil
}

func (im *importing) merge(ctx context.Context, replace bool) (store.ImportResult, error) {
	m := &script{importing: im, ctx: ctx}
	m.exec(im.SQL.StageEnd)
	m.exec(im.SQL.MergeBegin)
	m.exec(im.SQL.Lock, im.organization)
	if rotation := m.number(im.SQL.HoldKeys); m.err == nil && rotation != im.rotation {
		return store.ImportResult{}, errRotated
	}
	before := m.number(im.SQL.Count, im.organization)
	var removed int
	if replace {
		removed = m.exec(im.SQL.MergeRemove, im.organization)
	}
	touched := m.exec(im.SQL.MergeUpsert, im.organization)
	created := m.number(im.SQL.Count, im.organization) - before + removed
	m.exec("COMMIT")
	if m.err != nil {
		return store.ImportResult{}, m.err
	}
	return store.ImportResult{Created: created, Updated: touched - created, Unchanged: im.staged - touched, Removed: removed}, nil
}

// script runs statements of an import one after the other, until one fails.
type script struct {
	*importing
	ctx context.Context
	err error
}

// exec returns how many rows the statement touched. An engine that has no use for a statement leaves it empty.
func (s *script) exec(statement string, args ...any) int {
	if s.err != nil || statement == "" {
		return 0
	}
	var n int64
	s.err = s.patiently(s.ctx, func() error {
		result, err := s.conn.ExecContext(s.ctx, statement, args...)
		if err == nil {
			n, err = result.RowsAffected()
		}
		return err
	})
	return int(n)
}

// number returns the one number that the statement yields.
func (s *script) number(statement string, args ...any) (n int) {
	if s.err == nil {
		s.err = s.conn.QueryRowContext(s.ctx, statement, args...).Scan(&n)
	}
	return n
}
