package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
)

// forward reads, in one statement and so as of one moment, whether there is anything on the other side of a bound, and
// then a page. The first of these has no id, and 1 or 0 for its time. LIMIT keeps PostgreSQL on the primary
// key, in its order: EXISTS would let it scan the table. SQLite would prepare the statement again for each value of a bare
// LIMIT $4.
const forward = `
SELECT coalesce((
  SELECT CAST(1 AS bigint) FROM webhooks WHERE organization_id = $1 AND (created_at, id) < ($2, $3)
  ORDER BY created_at DESC, id DESC LIMIT 1
), 0), '', NULL
UNION ALL
SELECT * FROM (
  SELECT created_at, id, document FROM webhooks WHERE organization_id = $1 AND (created_at, id) >= ($2, $3)
  ORDER BY created_at ASC, id ASC LIMIT CAST($4 AS bigint)
) AS page`

// backward is the mirror image.
var backward = strings.NewReplacer("<", ">=", ">=", "<", "DESC", "ASC", "ASC", "DESC").Replace(forward)

// granted makes a statement look up a token too, where one database has both.
var granted = strings.NewReplacer("NULL", "(SELECT seal FROM tokens WHERE hash = $5 AND revoked_at = 0)")

var grantedForward, grantedBackward = granted.Replace(forward), granted.Replace(backward)

// justAfter makes an id the one right after it: no text lies between the two, as NUL is not kept.
const justAfter = "\x01"

// ListWebhooks reads a page.
func (s *Store) ListWebhooks(ctx context.Context, q store.PageQuery) (store.Page, error) {
	page, _, err := s.list(ctx, q, nil)
	return page, err
}

// ListGranted compares the seal of the token, which changes with everything that the token allows.
func (s *Store) ListGranted(ctx context.Context, g store.Grant, q store.PageQuery) (page store.Page, err error) {
	var seal []byte
	hash := []byte(g.Proof.Hash)
	if s.Tokens == s.Webhooks {
		page, seal, err = s.list(ctx, q, hash)
	} else if err = s.Tokens.Query(ctx, `SELECT seal FROM tokens WHERE hash = $1 AND revoked_at = 0`, []any{hash},
		func(scan Scan) error { return scan(&seal) }); err == nil {
		page, _, err = s.list(ctx, q, nil)
	}
	expired := !g.ExpiresAt.IsZero() && !time.Now().Before(g.ExpiresAt)
	if err == nil && (len(seal) == 0 || string(seal) != g.Proof.Seal || expired) {
		return store.Page{}, store.ErrUnauthorized
	}
	return page, err
}

// list reads one row more than the page, to set HasNext, and the seal of the token with a hash, if one is given.
func (s *Store) list(ctx context.Context, q store.PageQuery, hash []byte) (_ store.Page, seal []byte, err error) {
	if q.Limit < 1 {
		return store.Page{}, nil, errors.New("page query has no limit")
	}
	if err := errors.Join(checkText("organization", q.OrganizationID), checkText("bound", q.Bound.ID)); err != nil {
		return store.Page{}, nil, err
	}
	createdAt, id := q.Bound.CreatedAt.UnixMicro(), q.Bound.ID
	if q.Bound == (store.Bound{}) {
		createdAt = math.MinInt64
	} else if q.Bound.After {
		id += justAfter
	}
	args := append(make([]any, 0, 5), q.OrganizationID, createdAt, id, int64(q.Limit)+1)
	statements := [2]string{forward, backward}
	if hash != nil {
		args, statements = append(args, hash), [2]string{grantedForward, grantedBackward}
	}
	statement := statements[0]
	if q.Backward {
		statement = statements[1]
	}
	var sealed []byte
	var otherSide bool
	place := document.Place{OrganizationID: q.OrganizationID}
	columns := []any{&place.CreatedAt, &place.ID, &sealed}
	documents := make([]document.Document, 0, min(q.Limit, 100)+1)
	err = s.Webhooks.Query(ctx, statement, args, func(scan Scan) error {
		if err := scan(columns...); err != nil {
			return err
		}
		if place.ID == "" { // not a webhook
			otherSide, seal = place.CreatedAt != 0, bytes.Clone(sealed)
			return nil
		}
		d, err := document.Open(ctx, s.Cipher, place, sealed)
		documents = append(documents, d)
		return err
	})
	if err != nil {
		return store.Page{}, nil, fmt.Errorf("reading webhooks of organization %q: %w", q.OrganizationID, err)
	}
	slices.SortFunc(documents, document.Compare) // UNION ALL guarantees no order
	more, n := len(documents) > q.Limit, min(len(documents), q.Limit)
	if q.Backward {
		return store.Page{Webhooks: documents[len(documents)-n:], HasPrev: more, HasNext: otherSide}, seal, nil
	}
	return store.Page{Webhooks: documents[:n], HasPrev: otherSide, HasNext: more}, seal, nil
}
