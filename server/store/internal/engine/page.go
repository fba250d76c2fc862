package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
)

// forward reads, in one statement and so as of one moment, whether there is anything on the other side of a bound, and
// then a page. LIMIT keeps PostgreSQL on the primary key, in its order: EXISTS would let it scan the table. SQLite would
// prepare the statement again for each value of a bare LIMIT $4.
const forward = `
SELECT coalesce((
  SELECT 1 FROM webhooks WHERE organization_id = $1 AND (created_at, id) < ($2, $3)
  ORDER BY created_at DESC, id DESC LIMIT 1
), 0), 0, '', NULL
UNION ALL
SELECT * FROM (
  SELECT 0, created_at, id, document FROM webhooks WHERE organization_id = $1 AND (created_at, id) >= ($2, $3)
  ORDER BY created_at ASC, id ASC LIMIT CAST($4 AS bigint)
) AS page`

// backward is the mirror image.
var backward = strings.NewReplacer("<", ">=", ">=", "<", "DESC", "ASC", "ASC", "DESC").Replace(forward)

// justAfter makes an id the one right after it: no text lies between the two, as NUL is not kept.
const justAfter = "\x01"

// ListWebhooks reads one row more than the page, to set HasNext.
func (s *Store) ListWebhooks(ctx context.Context, q store.PageQuery) (store.Page, error) {
	if q.Limit < 1 {
		return store.Page{}, errors.New("page query has no limit")
	}
	if err := errors.Join(checkText("organization", q.OrganizationID), checkText("bound", q.Bound.ID)); err != nil {
		return store.Page{}, err
	}
	statement, createdAt, id := forward, q.Bound.CreatedAt.UnixMicro(), q.Bound.ID
	if q.Bound == (store.Bound{}) {
		createdAt = math.MinInt64
	} else if q.Bound.After {
		id += justAfter
	}
	if q.Backward {
		statement = backward
	}
	var found, otherSide int64
	var sealed []byte
	place := document.Place{OrganizationID: q.OrganizationID}
	columns := []any{&found, &place.CreatedAt, &place.ID, &sealed}
	documents := make([]document.Document, 0, min(q.Limit, 100)+1)
	err := s.Webhooks.Query(ctx, statement, []any{q.OrganizationID, createdAt, id, int64(q.Limit) + 1}, func(scan Scan) error {
		if err := scan(columns...); err != nil || sealed == nil {
			otherSide |= found
			return err
		}
		d, err := document.Open(ctx, s.Cipher, place, sealed)
		documents = append(documents, d)
		return err
	})
	if err != nil {
		return store.Page{}, fmt.Errorf("reading webhooks of organization %q: %w", q.OrganizationID, err)
	}
	slices.SortFunc(documents, document.Compare) // UNION ALL guarantees no order
	more, n := len(documents) > q.Limit, min(len(documents), q.Limit)
	if q.Backward {
		return store.Page{Webhooks: documents[len(documents)-n:], HasPrev: more, HasNext: otherSide != 0}, nil
	}
	return store.Page{Webhooks: documents[:n], HasPrev: otherSide != 0, HasNext: more}, nil
}
