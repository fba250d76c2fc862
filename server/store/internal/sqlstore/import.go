package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"iter"
	"math"

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
	batch := make([]Row, 0, batchSize)
	for w, err := range rows {
		if err != nil {
			return err
		}
		r, err := im.seal(ctx, im.organization, w)
		if err != nil {
			return err
		}
		if batch = append(batch, r); len(batch) == batchSize {
			if err := im.insert(ctx, batch); err != nil {
				return fmt.Errorf("staging webhooks: %w", im.failure(ctx, err))
			}
			batch = batch[:0]
		}
	}
	if err := im.insert(ctx, batch); err != nil {
		return fmt.Errorf("staging webhooks: %w", im.failure(ctx, err))
	}
	if err := im.keepSame(ctx); err != nil {
		return fmt.Errorf("comparing webhooks: %w", im.failure(ctx, err))
	}
	return nil
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

func (im *importing) insert(ctx context.Context, batch []Row) error {
	param, err := json.Marshal(batch)
	if err != nil {
		return err
	}
	rows, err := im.conn.QueryContext(ctx, im.SQL.StageInsert, string(param))
	if err != nil {
		return err
	}
	fresh := make(map[string]bool, len(batch))
	err = each(rows, func() error {
		var id string
		err := rows.Scan(&id)
		fresh[id] = true
		return err
	})
	if err != nil {
		return err
	}
	for _, r := range batch {
		if !fresh[r.ID] {
			return fmt.Errorf("%w %q", store.ErrDuplicateID, r.ID)
		}
		delete(fresh, r.ID)
	}
	im.staged += len(batch)
	return nil
}

// sameSecret is a staged webhook that is stored alike. The same secret never seals to the same bytes twice, so that
// SQL cannot tell.
type sameSecret struct {
	CreatedAt int64  `json:"created_at"`
	ID        string `json:"id"`
	Secret    bytea  `json:"secret"`
	staged    []byte
}

// keepSame lets staged webhooks that would change nothing keep the stored ciphertext: the merge then finds them
// equal and passes over them, or finds that they were changed since.
func (im *importing) keepSame(ctx context.Context) error {
	m := &script{importing: im, ctx: ctx}
	if m.exec(im.SQL.StageEnd); m.err != nil {
		return m.err
	}
	for from, more := (bound{createdAt: math.MinInt64}), true; more; {
		alike, err := im.alike(ctx, from)
		if err != nil || len(alike) == 0 {
			return err
		}
		last := alike[len(alike)-1]
		from, more = bound{createdAt: last.CreatedAt, id: last.ID + next}, len(alike) == batchSize
		var same []sameSecret
		for _, a := range alike {
			staged, err := im.reveal(ctx, im.organization, a.ID, a.staged)
			if err != nil {
				return err
			}
			// One that does not open is replaced.
			if stored, err := im.reveal(ctx, im.organization, a.ID, a.Secret); err == nil && string(stored) == string(staged) {
				same = append(same, a)
			}
		}
		if len(same) == 0 {
			continue
		}
		param, err := json.Marshal(same)
		if err != nil {
			return err
		}
		if _, err := im.conn.ExecContext(ctx, im.SQL.StageKeep, string(param)); err != nil {
			return err
		}
	}
	return nil
}

func (im *importing) alike(ctx context.Context, from bound) (alike []sameSecret, err error) {
	rows, err := im.conn.QueryContext(ctx, im.SQL.StageSame, im.organization, from.createdAt, from.id, batchSize)
	if err != nil {
		return nil, err
	}
	return alike, each(rows, func() error {
		var a sameSecret
		err := rows.Scan(&a.CreatedAt, &a.ID, &a.staged, (*[]byte)(&a.Secret))
		alike = append(alike, a)
		return err
	})
}

func (im *importing) merge(ctx context.Context, replace bool) (store.ImportResult, error) {
	m := &script{importing: im, ctx: ctx}
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
