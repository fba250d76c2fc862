package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/packhooks/packhooks/server/store"
)

// bound is where a page begins: it holds everything from there on, or everything before it.
type bound struct {
	backward  bool
	createdAt int64
	id        string
}

// next makes an id the one right after it: no text lies between the two, as NUL is not stored.
const next = "\x01"

func newBound(q store.PageQuery) bound {
	at, id := q.Position.CreatedAt.UnixMicro(), q.Position.ID
	switch q.Seek {
	case store.After:
		return bound{false, at, id + next}
	case store.From:
		return bound{false, at, id}
	case store.Before:
		return bound{true, at, id}
	case store.UpTo:
		return bound{true, at, id + next}
	default:
		return bound{false, math.MinInt64, ""}
	}
}

// ListWebhooks reads one page.
func (s *Store) ListWebhooks(ctx context.Context, q store.PageQuery) (store.Page, error) {
	if q.Limit < 1 || q.Seek > store.UpTo {
		return store.Page{}, errors.New("page query has no limit or an unknown seek")
	}
	if err := storable(text{"organization", q.OrganizationID}, text{"position", q.Position.ID}); err != nil {
		return store.Page{}, err
	}
	b := newBound(q)
	rows, other, err := s.page(ctx, q, b)
	if err != nil {
		return store.Page{}, fmt.Errorf("reading webhooks of organization %q: %w", q.OrganizationID, err)
	}
	more := len(rows) > q.Limit
	rows = rows[:min(len(rows), q.Limit)]
	p := store.Page{HasPrev: other, HasNext: more, Webhooks: make([]store.Webhook, len(rows))}
	if b.backward {
		slices.Reverse(rows)
		p.HasPrev, p.HasNext = more, other
	}
	for i, r := range rows {
		if p.Webhooks[i], err = s.open(ctx, q.OrganizationID, r); err != nil {
			return store.Page{}, err
		}
	}
	return p, nil
}

// page reads one row more than the page holds: it tells whether there is a next one.
func (s *Store) page(ctx context.Context, q store.PageQuery, b bound) (page []Row, other bool, err error) {
	ctx, cancel := s.bound(ctx)
	defer cancel()
	statement := s.SQL.PageFrom
	if b.backward {
		statement = s.SQL.PageBefore
	}
	err = each(ctx, s.DB, statement, func(rows *sql.Rows) error {
		var createdAt, updatedAt sql.NullInt64
		var id, eventCode, endpoint sql.NullString
		var secret []byte
		var enabled sql.NullBool
		err := rows.Scan(&other, &createdAt, &id, &eventCode, &endpoint, &secret, &enabled, &updatedAt)
		if id.Valid {
			page = append(page, Row{createdAt.Int64, id.String, eventCode.String, endpoint.String, secret,
				enabled.Bool, updatedAt.Int64})
		}
		return err
	}, q.OrganizationID, b.createdAt, b.id, q.Limit+1)
	return page, other, s.failure(ctx, err)
}
