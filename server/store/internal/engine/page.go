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

// forward reads a page and whether there is anything on the other side of its bound, in one statement and so as of one
// moment; an empty page is one row without a document. The limits keep PostgreSQL on the primary key, in its order:
// EXISTS would let it scan the table.
const forward = `
SELECT other_side, coalesce(created_at, 0), coalesce(id, ''), document
FROM (
  SELECT coalesce((
    SELECT 1 FROM webhooks WHERE organization_id = $1 AND (created_at, id) < ($2, $3)
    ORDER BY created_at DESC, id DESC LIMIT 1
  ), 0) AS other_side
) AS probe
LEFT JOIN (
  SELECT created_at, id, document FROM webhooks WHERE organization_id = $1 AND (created_at, id) >= ($2, $3)
  ORDER BY created_at ASC, id ASC LIMIT $4
) AS page ON true
ORDER BY created_at ASC, id ASC`

// backward is the mirror image.
var backward = strings.NewReplacer("<", ">=", ">=", "<", "DESC", "ASC", "ASC", "DESC").Replace(forward)

// justAfter makes an id the one right after it: no text lies between the two, as NUL is not kept.
const justAfter = "\x01"

// ListWebhooks reads one page, and a row more: it tells whether there is a next one.
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
	var otherSide int64
	var sealed []byte
	place := document.Place{OrganizationID: q.OrganizationID}
	columns := []any{&otherSide, &place.CreatedAt, &place.ID, &sealed}
	documents := make([]document.Document, 0, min(q.Limit, 100)+1)
	err := s.Webhooks.Query(ctx, statement, []any{q.OrganizationID, createdAt, id, int64(q.Limit) + 1}, func(scan Scan) error {
		if err := scan(columns...); err != nil || sealed == nil {
			return err
		}
		d, err := document.Open(ctx, s.Cipher, place, sealed)
		documents = append(documents, d)
		return err
	})
	if err != nil {
		return store.Page{}, fmt.Errorf("reading webhooks of organization %q: %w", q.OrganizationID, err)
	}
	more := len(documents) > q.Limit
	page := store.Page{Webhooks: documents[:min(len(documents), q.Limit)], HasPrev: otherSide != 0, HasNext: more}
	if q.Backward {
		slices.Reverse(page.Webhooks)
		page.HasPrev, page.HasNext = page.HasNext, page.HasPrev
	}
	return page, nil
}
