package engine

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
)

// PageForward and PageBackward read a page and whether there is anything on the other side of its bound, in one
// statement and so as of one moment. An empty page is one row without a document. LIMIT keeps PostgreSQL on the primary
// key, in its order: EXISTS would let it scan the table.
const (
	PageForward = `
SELECT other_side, created_at, id, document
FROM (
  SELECT coalesce((
    SELECT 1 FROM webhooks WHERE organization_id = $1 AND (created_at, id) < ($2, $3)
    ORDER BY created_at DESC, id DESC LIMIT 1
  ), 0) AS other_side
) AS probe
LEFT JOIN (
  SELECT created_at, id, document FROM webhooks
  WHERE organization_id = $1 AND (created_at, id) >= ($2, $3)
  ORDER BY created_at, id LIMIT $4
) AS page ON true
ORDER BY created_at, id`

	PageBackward = `
SELECT other_side, created_at, id, document
FROM (
  SELECT coalesce((
    SELECT 1 FROM webhooks WHERE organization_id = $1 AND (created_at, id) >= ($2, $3)
    ORDER BY created_at, id LIMIT 1
  ), 0) AS other_side
) AS probe
LEFT JOIN (
  SELECT created_at, id, document FROM webhooks
  WHERE organization_id = $1 AND (created_at, id) < ($2, $3)
  ORDER BY created_at DESC, id DESC LIMIT $4
) AS page ON true
ORDER BY created_at DESC, id DESC`
)

// Page is a page that is being read.
type Page struct {
	Statement string
	CreatedAt int64 // the bound: rows from there on, or before it
	ID        string
	Limit     int // one row more than the page holds: it tells whether there is a next one

	store     *Store
	query     store.PageQuery
	documents []document.Document
}

// justAfter makes an id the one right after it: no text lies between the two, as NUL is not kept.
const justAfter = "\x01"

// NewPage checks a query and says what to run.
func (s *Store) NewPage(q store.PageQuery) (*Page, error) {
	if q.Limit < 1 {
		return nil, errors.New("page query has no limit")
	}
	if err := errors.Join(CheckText("organization", q.OrganizationID), CheckText("bound", q.Bound.ID)); err != nil {
		return nil, err
	}
	p := &Page{
		Statement: PageForward, CreatedAt: q.Bound.CreatedAt.UnixMicro(), ID: q.Bound.ID, Limit: q.Limit + 1,
		store: s, query: q, documents: make([]document.Document, 0, min(q.Limit+1, 101)),
	}
	if q.Bound == (store.Bound{}) {
		p.CreatedAt = math.MinInt64
	} else if q.Bound.After {
		p.ID += justAfter
	}
	if q.Backward {
		p.Statement = PageBackward
	}
	return p, nil
}

// Add opens the document of a row.
func (p *Page) Add(ctx context.Context, createdAt int64, id string, sealed []byte) error {
	d, err := document.Open(ctx, p.store.Cipher, document.Place{OrganizationID: p.query.OrganizationID, CreatedAt: createdAt, ID: id}, sealed)
	p.documents = append(p.documents, d)
	return err
}

// Result is the page once its rows were added. OtherSide is the first column of any of them.
func (p *Page) Result(otherSide bool) store.Page {
	more := len(p.documents) > p.query.Limit
	page := store.Page{Webhooks: p.documents[:min(len(p.documents), p.query.Limit)], HasPrev: otherSide, HasNext: more}
	if p.query.Backward {
		slices.Reverse(page.Webhooks)
		page.HasPrev, page.HasNext = more, otherSide
	}
	return page
}
