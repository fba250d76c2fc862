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
	im := &importing{Store: s, ctx: ctx, conn: conn, organization: organization}
	if err := im.stage(rows); err != nil {
		return store.ImportResult{}, err
	}
	result, err := im.merge(replace)
	if err != nil {
		return store.ImportResult{}, fmt.Errorf("merging webhooks: %w", s.failure(ctx, err))
	}
	return result, nil
}

// importing is one import. Its statements run until one fails; err then says why.
type importing struct {
	*Store
	ctx          context.Context
	conn         *sql.Conn
	organization string
	rotation     int
	staged       int
	err          error
}

func (im *importing) stage(rows iter.Seq2[store.Webhook, error]) error {
	im.exec(im.SQL.StageBegin)
	im.rotation = im.number(im.SQL.Rotation)
	// Only now, so that a rotation is either seen here or found out by the merge.
	if c, ok := im.Cipher.(interface{ Reload() error }); ok && im.err == nil {
		im.err = c.Reload()
	}
	batch := make([]store.Webhook, 0, batchSize)
	for w, err := range rows {
		if err != nil {
			return err
		}
		if batch = append(batch, w); len(batch) == batchSize {
			im.stageBatch(batch)
			batch = batch[:0]
		}
		if im.err != nil {
			break
		}
	}
	im.stageBatch(batch)
	if im.err != nil {
		return fmt.Errorf("staging webhooks: %w", im.failure(im.ctx, im.err))
	}
	return nil
}

// stageBatch stages webhooks that would change nothing with the ciphertext that is stored: the merge then finds them
// equal and passes over them, unless they were changed since. SQL cannot tell, as a secret never seals to the same
// bytes twice.
func (im *importing) stageBatch(batch []store.Webhook) {
	staged := make([]Row, len(batch))
	for i := 0; i < len(batch) && im.err == nil; i++ {
		staged[i], im.err = newRow(batch[i])
	}
	alike := im.alike(staged)
	for i := 0; i < len(batch) && im.err == nil; i++ {
		w := batch[i]
		if staged[i].Secret = alike[w.ID]; !im.holds(w, staged[i].Secret) {
			staged[i].Secret, im.err = im.seal(im.ctx, im.organization, w.ID, w.Secret)
		}
	}
	im.insert(staged)
}

// holds reports whether a stored ciphertext, if there is one, is that of w's secret and may stay. One under an old key
// may not: a re-encryption that has begun will replace it, and the merge would bring it back.
func (im *importing) holds(w store.Webhook, stored bytea) bool {
	if stored == nil || im.Cipher.Stale(stored) {
		return false
	}
	text, err := im.reveal(im.ctx, im.organization, w.ID, stored)
	return err == nil && string(text) == w.Secret
}

// alike returns the ciphertexts of the webhooks that are stored with the same values.
func (im *importing) alike(rows []Row) map[string]bytea {
	alike := make(map[string]bytea)
	im.each(im.SQL.Alike, func(r *sql.Rows) error {
		var id string
		var secret []byte
		err := r.Scan(&id, &secret)
		alike[id] = secret
		return err
	}, im.organization, jsonParam{rows})
	return alike
}

func (im *importing) insert(rows []Row) {
	fresh := make(map[string]bool, len(rows))
	im.each(im.SQL.StageInsert, func(r *sql.Rows) error {
		var id string
		err := r.Scan(&id)
		fresh[id] = true
		return err
	}, jsonParam{rows})
	for i := 0; i < len(rows) && im.err == nil; i++ {
		if !fresh[rows[i].ID] {
			im.err = fmt.Errorf("%w %q", store.ErrDuplicateID, rows[i].ID)
		}
		delete(fresh, rows[i].ID)
	}
	im.staged += len(rows)
}

func (im *importing) merge(replace bool) (store.ImportResult, error) {
	im.exec(im.SQL.StageEnd)
	im.exec(im.SQL.MergeBegin)
	im.exec(im.SQL.Lock, im.organization)
	if rotation := im.number(im.SQL.HoldKeys); im.err == nil && rotation != im.rotation {
		return store.ImportResult{}, errRotated
	}
	before, removed := im.number(im.SQL.Count, im.organization), 0
	if replace {
		removed = im.exec(im.SQL.MergeRemove, im.organization)
	}
	touched := im.exec(im.SQL.MergeUpsert, im.organization)
	created := im.number(im.SQL.Count, im.organization) - before + removed
	if im.err == nil {
		if im.exec("COMMIT"); im.err != nil {
			im.err = fmt.Errorf("%w: %w", store.ErrOutcomeUnknown, im.err)
		}
	}
	return store.ImportResult{Created: created, Updated: touched - created, Unchanged: im.staged - touched, Removed: removed}, im.err
}

// exec returns how many rows a statement touched. An engine that has no use for a statement leaves it empty.
func (im *importing) exec(statement string, args ...any) int {
	if im.err != nil || statement == "" {
		return 0
	}
	var n int64
	im.err = im.patiently(im.ctx, func() error {
		result, err := im.conn.ExecContext(im.ctx, statement, args...)
		if err == nil {
			n, err = result.RowsAffected()
		}
		return err
	})
	return int(n)
}

// number returns the one number that a statement yields.
func (im *importing) number(statement string, args ...any) (n int) {
	if im.err == nil {
		im.err = im.conn.QueryRowContext(im.ctx, statement, args...).Scan(&n)
	}
	return n
}

func (im *importing) each(statement string, scan func(*sql.Rows) error, args ...any) {
	if im.err == nil {
		im.err = each(im.ctx, im.conn, statement, scan, args...)
	}
}

// jsonParam passes a value as JSON text.
type jsonParam struct{ v any }

// Value makes it a driver.Valuer.
func (p jsonParam) Value() (driver.Value, error) {
	text, err := json.Marshal(p.v)
	return string(text), err
}
