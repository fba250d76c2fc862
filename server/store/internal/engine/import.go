package engine

import (
	"cmp"
	"context"
	"fmt"
	"iter"

	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
)

// Row is a sealed document and its place.
type Row struct {
	document.Place
	Sealed   []byte
	document document.Document // that an import stages
}

// batchSize is how many rows are read or written at once.
const batchSize = 500

// Importer is a connection with a table staged (created_at, id, document) that only it sees. Rows are staged there and
// merged in one transaction at the end: other writers of webhooks wait for the merge alone, and a process that dies leaves
// nothing behind.
type Importer interface {
	Database

	Stored(ctx context.Context, rows []Row) error // fills in the stored ciphertext of each row
	Stage(ctx context.Context, rows []Row) error  // inserts rows
	Staged(ctx context.Context) error             // prepares the table for the merge; see DuplicateID
	Close()
}

// DuplicateID returns store.ErrDuplicateID with an id that was staged twice, if there is one.
func DuplicateID(ctx context.Context, c Conn) error {
	return c.Query(ctx, `SELECT id FROM staged GROUP BY id HAVING count(*) > 1 LIMIT 1`, nil, func(scan Scan) error {
		var id string
		err := scan(&id)
		return cmp.Or(err, fmt.Errorf("%w %q", store.ErrDuplicateID, id))
	})
}

// ImportWebhooks stages webhooks, and then merges them.
func (s *Store) ImportWebhooks(
	ctx context.Context, organizationID string, webhooks iter.Seq2[document.Document, error], opts store.ImportOptions,
) (result store.ImportResult, err error) {
	if err := checkText("organization", organizationID); err != nil {
		return result, err
	}
	im, err := s.Connect(ctx)
	if err != nil {
		return result, fmt.Errorf("beginning to import: %w", err)
	}
	defer im.Close()
	st, err := readState(ctx, im, webhooksState)
	if err == nil && s.Migrate != store.MigrateOff && st.contract != s.Contract.Fingerprint() {
		err = store.ErrOtherContract // as the merge would say, after all webhooks were read
	}
	// After reading the state, so that a rotation is noticed here or by the merge.
	if c, ok := s.Cipher.(interface{ Reload() error }); ok && err == nil {
		err = c.Reload()
	}
	staged := 0
	if err == nil {
		staged, err = s.stage(ctx, im, organizationID, webhooks)
	}
	if err != nil {
		return result, err
	}
	err = im.Transact(ctx, organizationID, func(c Conn) (err error) {
		if opts.Preview != nil {
			result, err = preview(ctx, c, organizationID, opts)
		} else {
			result, err = s.merge(ctx, c, organizationID, st.rotation, opts.Replace)
		}
		return err
	})
	if err != nil {
		return store.ImportResult{}, fmt.Errorf("merging webhooks: %w", err)
	}
	result.Unchanged = staged - result.Created - result.Updated
	return result, nil
}

// preview counts and names what merge would do.
func preview(ctx context.Context, c Conn, organizationID string, opts store.ImportOptions) (result store.ImportResult, err error) {
	changes := `SELECT CASE WHEN webhooks.id IS NULL THEN 'create' ELSE 'update' END AS change, staged.id AS id
		FROM staged LEFT JOIN webhooks ON webhooks.organization_id = $1 AND webhooks.id = staged.id
		WHERE webhooks.id IS NULL OR (webhooks.created_at, webhooks.document) <> (staged.created_at, staged.document)`
	if opts.Replace {
		changes += ` UNION ALL SELECT 'remove', id FROM webhooks WHERE organization_id = $1
			AND NOT EXISTS (SELECT 1 FROM staged WHERE staged.id = webhooks.id)`
	}
	counts := map[store.Change]*int{store.Create: &result.Created, store.Update: &result.Updated, store.Remove: &result.Removed}
	err = c.Query(ctx, changes+` ORDER BY id`, []any{organizationID}, func(scan Scan) error {
		var change, id string
		if err := scan(&change, &id); err != nil {
			return err
		}
		*counts[store.Change(change)]++
		opts.Preview(store.Change(change), id)
		return nil
	})
	return result, err
}

func (s *Store) stage(ctx context.Context, im Importer, organizationID string, webhooks iter.Seq2[document.Document, error]) (staged int, err error) {
	batch := make([]Row, 0, batchSize)
	for d, err := range webhooks {
		if err != nil {
			return 0, err
		}
		if batch = append(batch, Row{Place: d.Place(organizationID), document: d}); len(batch) == batchSize {
			if err := s.stageBatch(ctx, im, batch); err != nil {
				return 0, err
			}
			staged, batch = staged+len(batch), batch[:0]
		}
	}
	if err = s.stageBatch(ctx, im, batch); err == nil {
		err = im.Staged(ctx)
	}
	return staged + len(batch), err
}

// stageBatch stages an unchanged document with its stored ciphertext, so that the merge skips it. Encryption is
// randomized, so SQL could not compare newly sealed documents.
func (s *Store) stageBatch(ctx context.Context, im Importer, batch []Row) error {
	if len(batch) == 0 {
		return nil
	}
	if err := im.Stored(ctx, batch); err != nil {
		return fmt.Errorf("looking webhooks up: %w", err)
	}
	for i, r := range batch {
		if !s.holds(ctx, r) {
			sealed, err := r.document.Seal(ctx, s.Cipher, r.OrganizationID)
			if err != nil {
				return err
			}
			batch[i].Sealed = sealed
		}
	}
	if err := im.Stage(ctx, batch); err != nil {
		return fmt.Errorf("staging webhooks: %w", err)
	}
	return nil
}

// holds reports whether a stored ciphertext is that of its document and may stay. One with an old key may not: a
// concurrent re-encryption will replace it, and the merge would bring it back.
func (s *Store) holds(ctx context.Context, r Row) bool {
	if r.Sealed == nil || s.Cipher.Stale(r.Sealed) {
		return false
	}
	stored, err := document.Open(ctx, s.Cipher, r.Place, r.Sealed)
	return err == nil && stored.Equal(r.document)
}

// merge runs the statements of a merge.
func (s *Store) merge(ctx context.Context, c Conn, organizationID string, rotation int64, replace bool) (result store.ImportResult, err error) {
	exec := func(statement string, args ...any) int {
		var n int64
		if err == nil {
			n, err = c.Exec(ctx, statement, args...)
		}
		return int(n)
	}
	count := func() int {
		var n int64
		if err == nil {
			err = c.Query(ctx, `SELECT count(*) FROM webhooks WHERE organization_id = $1`, []any{organizationID},
				func(scan Scan) error { return scan(&n) })
		}
		return int(n)
	}
	own := s.Contract.Fingerprint()
	exec(`UPDATE store_state SET checking = '' WHERE checking <> '' AND checking <> $1`, own)
	if s.Migrate == store.MigrateOff {
		exec(`UPDATE store_state SET contract = '' WHERE contract <> '' AND contract <> $1`, own)
	}
	if err == nil {
		err = s.mayMerge(ctx, c, rotation)
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

// mayMerge locks the state, and checks that no rotation or check of documents has begun since the import did.
func (s *Store) mayMerge(ctx context.Context, c Conn, rotation int64) error {
	st, err := readState(ctx, c, webhooksState+s.ForShare)
	own := s.Contract.Fingerprint()
	switch {
	case err != nil:
		return err
	case st.rotation != rotation:
		return fmt.Errorf("%w: webhooks were re-encrypted during the import", store.ErrUnavailable)
	case s.Migrate != store.MigrateOff && st.contract != own:
		return store.ErrOtherContract
	case st.checking != "" && st.checking != own:
		return fmt.Errorf("%w: another program is checking the webhooks", store.ErrUnavailable)
	}
	return nil
}
