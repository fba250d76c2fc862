package postgres

import (
	"context"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/internal/engine"
)

// importer is the transaction of one import.
type importer struct {
	pgx.Tx
	failure func(context.Context, error) error
}

// The webhooks may come as slowly as they like.
const createStaged = `
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
CREATE TEMP TABLE staged (created_at bigint NOT NULL, id text COLLATE "C" NOT NULL, document bytea NOT NULL) ON COMMIT DROP`

// Nothing else would ever tell the planner how many rows there are. What followIndexes forbids is best for all of them.
const endStaging = `
ANALYZE staged;
SET LOCAL enable_seqscan = on;
SET LOCAL enable_sort = on`

const lockOrganization = `SELECT pg_advisory_xact_lock(hashtextextended('packhooks ' || $1, 0))`

// ImportWebhooks stages webhooks and merges them at the end. It is one transaction throughout, so that a pooler in
// transaction mode keeps the connection; it locks nothing that others use before it merges.
func (db *database) ImportWebhooks(ctx context.Context, organizationID string, webhooks iter.Seq2[document.Document, error], replace bool) (result store.ImportResult, err error) {
	if err := engine.CheckText("organization", organizationID); err != nil {
		return store.ImportResult{}, err
	}
	tx, err := db.pool.connections.Begin(ctx)
	if err != nil {
		return store.ImportResult{}, fmt.Errorf("importing webhooks: %w", db.pool.failure(ctx, err))
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	if _, err := tx.Exec(ctx, createStaged, pgx.QueryExecModeSimpleProtocol); err != nil {
		return store.ImportResult{}, fmt.Errorf("importing webhooks: %w", db.pool.failure(ctx, err))
	}
	return db.Import(ctx, importer{tx, db.pool.failure}, organizationID, webhooks, replace)
}

// Exec runs one statement.
func (im importer) Exec(ctx context.Context, statement string, args ...any) (int64, error) {
	tag, err := im.Tx.Exec(ctx, statement, args...)
	return tag.RowsAffected(), im.failure(ctx, err)
}

// Query reads rows.
func (im importer) Query(ctx context.Context, statement string, args []any, row func(func(...any) error) error) error {
	return im.failure(ctx, query(ctx, im.Tx, statement, args, row))
}

// Stored looks the rows up. A join would let the planner read the whole organization.
func (im importer) Stored(ctx context.Context, rows []engine.Row) error {
	created, ids := make([]int64, len(rows)), make([]string, len(rows))
	for i, r := range rows {
		created[i], ids[i] = r.CreatedAt, r.ID
	}
	i := 0
	return im.Query(ctx, `SELECT (SELECT document FROM webhooks WHERE organization_id = $1 AND created_at = b.created_at AND id = b.id)
		FROM unnest($2::bigint[], $3::text[]) WITH ORDINALITY AS b (created_at, id, i) ORDER BY i`,
		[]any{rows[0].OrganizationID, created, ids},
		func(scan func(...any) error) error {
			i++
			return scan(&rows[i-1].Sealed)
		})
}

// Stage copies the rows.
func (im importer) Stage(ctx context.Context, rows []engine.Row) error {
	_, err := im.CopyFrom(ctx, pgx.Identifier{"staged"}, []string{"created_at", "id", "document"},
		pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
			return []any{rows[i].CreatedAt, rows[i].ID, rows[i].Sealed}, nil
		}))
	return im.failure(ctx, err)
}

// Merge does all in what is left of the transaction.
func (im importer) Merge(ctx context.Context, organizationID string, all func() error) error {
	if _, err := im.Tx.Exec(ctx, endStaging, pgx.QueryExecModeSimpleProtocol); err != nil {
		return im.failure(ctx, err)
	}
	err := im.Query(ctx, `SELECT id FROM staged GROUP BY id HAVING count(*) > 1 LIMIT 1`, nil, func(scan func(...any) error) error {
		var id string
		if err := scan(&id); err != nil {
			return err
		}
		return fmt.Errorf("%w %q", store.ErrDuplicateID, id)
	})
	if err != nil {
		return err
	}
	if _, err := im.Exec(ctx, lockOrganization, organizationID); err != nil {
		return err
	}
	if err := all(); err != nil {
		return err
	}
	if err := im.Commit(ctx); err != nil {
		return im.failure(ctx, fmt.Errorf("%w: %w", store.ErrOutcomeUnknown, err))
	}
	return nil
}

// HoldState keeps a re-encryption or a check of documents from beginning before the merge is done.
func (im importer) HoldState() string { return engine.SelectState + " FOR SHARE" }
