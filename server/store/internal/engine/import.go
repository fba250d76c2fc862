package engine

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
)

// Importer is a connection of one import. It stages rows into the table staged (created_at, id, document), which only
// it sees, and merges them in one transaction at the end: other writers of webhooks wait for the merge alone, and a
// process that dies leaves nothing behind.
type Importer interface {
	Conn

	// Stored fills in the ciphertexts of the rows that are stored already, in the places that the rows name.
	Stored(ctx context.Context, rows []Row) error

	// Stage stages rows. An id that comes twice is store.ErrDuplicateID, here or in Merge.
	Stage(ctx context.Context, rows []Row) error

	// Merge does all in one transaction that keeps other writers of the organization out. A commit that may or may
	// not have happened is store.ErrOutcomeUnknown.
	Merge(ctx context.Context, organizationID string, all func() error) error

	// HoldState is a statement that reads the state and keeps it until the end of the transaction.
	HoldState() string
}

// Import carries an import out.
func (s *Store) Import(ctx context.Context, im Importer, organizationID string, webhooks iter.Seq2[document.Document, error], replace bool) (store.ImportResult, error) {
	st, err := readState(ctx, im, SelectState)
	if err != nil {
		return store.ImportResult{}, err
	}
	// Only now, so that a rotation is either seen here or found out by the merge.
	if c, ok := s.Cipher.(interface{ Reload() error }); ok {
		if err := c.Reload(); err != nil {
			return store.ImportResult{}, err
		}
	}
	staged, err := s.stage(ctx, im, organizationID, webhooks)
	if err != nil {
		return store.ImportResult{}, err
	}
	var result store.ImportResult
	err = im.Merge(ctx, organizationID, func() error {
		result, err = s.merge(ctx, im, organizationID, st.rotation, replace)
		return err
	})
	if err != nil {
		return store.ImportResult{}, fmt.Errorf("merging webhooks: %w", err)
	}
	result.Unchanged = staged - result.Created - result.Updated
	return result, nil
}

func (s *Store) stage(ctx context.Context, im Importer, organizationID string, webhooks iter.Seq2[document.Document, error]) (staged int, err error) {
	batch := make([]document.Document, 0, batchSize)
	flush := func() error {
		staged += len(batch)
		err := s.stageBatch(ctx, im, organizationID, batch)
		batch = batch[:0]
		if err != nil {
			return fmt.Errorf("staging webhooks: %w", err)
		}
		return nil
	}
	for d, err := range webhooks {
		if err != nil {
			return 0, err
		}
		if batch = append(batch, d); len(batch) < batchSize {
			continue
		}
		if err := flush(); err != nil {
			return 0, err
		}
	}
	return staged, flush()
}

// stageBatch stages a document that is stored already with the ciphertext that it has: the merge then finds the two equal
// and passes over them, unless the stored one was changed since. SQL cannot tell, as a document never seals to the same
// bytes twice.
func (s *Store) stageBatch(ctx context.Context, im Importer, organizationID string, batch []document.Document) error {
	if len(batch) == 0 {
		return nil
	}
	rows := make([]Row, len(batch))
	for i, d := range batch {
		rows[i].Place = d.Place(organizationID)
	}
	if err := im.Stored(ctx, rows); err != nil {
		return err
	}
	for i, d := range batch {
		if s.holds(ctx, rows[i], d) {
			continue
		}
		sealed, err := d.Seal(ctx, s.Cipher, organizationID)
		if err != nil {
			return err
		}
		rows[i].Sealed = sealed
	}
	return im.Stage(ctx, rows)
}

// holds reports whether a stored ciphertext, if there is one, is that of d and may stay. One under an old key may not: a
// re-encryption that has begun will replace it, and the merge would bring it back.
func (s *Store) holds(ctx context.Context, r Row, d document.Document) bool {
	if r.Sealed == nil || s.Cipher.Stale(r.Sealed) {
		return false
	}
	stored, err := document.Open(ctx, s.Cipher, r.Place, r.Sealed)
	return err == nil && bytes.Equal(stored.JSON(), d.JSON())
}

func (s *Store) merge(ctx context.Context, im Importer, organizationID string, rotation int64, replace bool) (result store.ImportResult, err error) {
	count := func() (n int) {
		if err == nil {
			err = im.Query(ctx, `SELECT count(*) FROM webhooks WHERE organization_id = $1`, []any{organizationID},
				func(scan func(...any) error) error {
					var count int64
					err := scan(&count)
					n = int(count)
					return err
				})
		}
		return n
	}
	exec := func(statement string, args ...any) int {
		if err != nil {
			return 0
		}
		var n int64
		n, err = im.Exec(ctx, statement, args...)
		return int(n)
	}
	own := s.Contract.Fingerprint()
	exec(`UPDATE store_state SET checking = '' WHERE checking <> '' AND checking <> $1`, own)
	if s.Migrate == store.MigrateOff {
		exec(`UPDATE store_state SET contract = '' WHERE contract <> '' AND contract <> $1`, own)
	}
	if err != nil {
		return result, err
	}
	st, err := readState(ctx, im, im.HoldState())
	if err == nil {
		err = s.mayMerge(st, rotation)
	}
	before := count()
	if replace {
		result.Removed = exec(`DELETE FROM webhooks WHERE organization_id = $1
			AND NOT EXISTS (SELECT 1 FROM staged WHERE staged.id = webhooks.id)`, organizationID)
	}
	touched := exec(`INSERT INTO webhooks (organization_id, created_at, id, document)
		SELECT $1, created_at, id, document FROM staged WHERE true ORDER BY created_at, id
		ON CONFLICT (organization_id, id) DO UPDATE SET created_at = excluded.created_at, document = excluded.document
		WHERE (webhooks.created_at, webhooks.document) <> (excluded.created_at, excluded.document)`, organizationID)
	result.Created = count() - before + result.Removed
	result.Updated = touched - result.Created
	return result, err
}
