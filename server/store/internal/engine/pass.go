package engine

import (
	"context"
	"fmt"
	"math"

	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
)

// walk reads every document in the order of the primary key, in batches of one statement each. Visit returns the new
// ciphertexts, nil for a row that stays. A concurrent change of a row wins.
func (s *Store) walk(ctx context.Context, progress func(int), visit func(Row) ([]byte, error)) (total int, err error) {
	last := document.Place{CreatedAt: math.MinInt64}
	for {
		var batch []Row
		err := s.Webhooks.Query(ctx, `SELECT organization_id, created_at, id, document FROM webhooks
			WHERE (organization_id, created_at, id) > ($1, $2, $3)
			ORDER BY organization_id, created_at, id LIMIT CAST($4 AS bigint)`,
			[]any{last.OrganizationID, last.CreatedAt, last.ID, int64(batchSize)}, func(scan Scan) error {
				var r Row
				err := scan(&r.OrganizationID, &r.CreatedAt, &r.ID, &r.Sealed)
				batch = append(batch, r)
				return err
			})
		if err != nil {
			return total, fmt.Errorf("reading webhooks: %w", err)
		}
		if err := s.visit(ctx, batch, visit); err != nil {
			return total, err
		}
		n := len(batch)
		if total += n; n > 0 && progress != nil {
			progress(total)
		}
		if n < batchSize {
			return total, nil
		}
		last = batch[n-1].Place
	}
}

func (s *Store) visit(ctx context.Context, batch []Row, visit func(Row) ([]byte, error)) error {
	var changes [][]any
	for _, r := range batch {
		sealed, err := visit(r)
		if err != nil {
			return err
		}
		if sealed != nil {
			changes = append(changes, []any{sealed, r.OrganizationID, r.CreatedAt, r.ID, r.Sealed})
		}
	}
	if len(changes) == 0 {
		return nil
	}
	err := s.Webhooks.Transact(ctx, "", func(c Conn) (err error) {
		for i := 0; i < len(changes) && err == nil; i++ {
			_, err = c.Exec(ctx, `UPDATE webhooks SET document = $1
				WHERE organization_id = $2 AND created_at = $3 AND id = $4 AND document = $5`, changes[i]...)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("writing webhooks: %w", err)
	}
	return nil
}

// Reencrypt reseals every document that is not sealed under the primary key. It parses none, so that an invalid document
// cannot block a rotation.
func (s *Store) Reencrypt(ctx context.Context, progress func(webhooks int)) error {
	_, err := s.Webhooks.Exec(ctx, `UPDATE store_state SET rotation = rotation + 1`)
	if err == nil {
		_, err = s.walk(ctx, progress, func(r Row) ([]byte, error) {
			if !s.Cipher.Stale(r.Sealed) {
				return nil, nil
			}
			return document.Reseal(ctx, s.Cipher, r.Place, r.Sealed)
		})
	}
	if err == nil {
		err = s.resealTokens(ctx)
	}
	// Last, so that a keyset without the old keys is rejected until nothing needs them.
	if err == nil {
		err = s.writeCheck(ctx, s.Tokens, tokensPlace, s.databaseID, `UPDATE token_state SET key_check = $1`)
	}
	if err == nil {
		err = s.writeCheck(ctx, s.Webhooks, webhooksPlace, s.databaseID, `UPDATE store_state SET key_check = $1`)
	}
	if err != nil {
		return fmt.Errorf("re-encrypting: %w", err)
	}
	return nil
}

// CountSealed counts the ciphertexts for which match returns true.
func (s *Store) CountSealed(ctx context.Context, match func(ciphertext []byte) bool) (n int, err error) {
	count := func(ciphertext []byte) {
		if match(ciphertext) {
			n++
		}
	}
	_, err = s.walk(ctx, nil, func(r Row) ([]byte, error) {
		count(r.Sealed)
		return nil, nil
	})
	var rows []tokenRow
	if err == nil {
		rows, err = s.readTokens(ctx)
	}
	for _, r := range rows {
		count(r.seal)
	}
	if err != nil {
		return 0, err
	}
	webhooks, tokens, err := s.readStates(ctx)
	count(webhooks.keyCheck)
	count(tokens.keyCheck)
	return n, err
}

// CheckDocuments validates every document unless the database has recorded that they fit.
func (s *Store) CheckDocuments(ctx context.Context, progress func(webhooks int)) error {
	if s.Migrate == store.MigrateOff {
		return nil
	}
	st, err := readState(ctx, s.Webhooks, webhooksState)
	switch {
	case err != nil:
		return err
	case st.contract == s.Contract.Fingerprint():
		return nil
	case s.Migrate == store.MigrateCheck:
		return store.ErrOtherContract
	}
	_, err = s.settle(ctx, progress, func(d document.Document) (document.Document, error) { return d, s.Contract.Check(d) })
	return err
}

// RewriteDocuments brings every document into the form of the contract. Its counts are those of all passes together.
func (s *Store) RewriteDocuments(ctx context.Context, dryRun bool, progress func(webhooks int)) (done store.Rewritten, err error) {
	fit := func(d document.Document) (document.Document, error) {
		rewritten, filled, dropped, err := s.Contract.Rewrite(d)
		if err == nil && !rewritten.Equal(d) {
			done.Changed, done.Filled, done.Dropped = done.Changed+1, done.Filled+filled, done.Dropped+dropped
		}
		return rewritten, err
	}
	if dryRun {
		done.Webhooks, err = s.pass(ctx, true, progress, fit)
	} else {
		done.Webhooks, err = s.settle(ctx, progress, fit)
	}
	return done, err
}

// fit returns a document in the form of the contract, or why there is none.
type fit func(document.Document) (document.Document, error)

// pass stores every document in the form of the contract. Those that have none are a store.MisfitError.
func (s *Store) pass(ctx context.Context, dryRun bool, progress func(int), fit fit) (int, error) {
	misfits := &store.MisfitError{}
	total, err := s.walk(ctx, progress, func(r Row) ([]byte, error) {
		d, err := document.Open(ctx, s.Cipher, r.Place, r.Sealed)
		if err != nil {
			return nil, err
		}
		fitting, reason := fit(d)
		if reason != nil {
			if misfits.Count++; misfits.Count <= 5 {
				misfits.First = append(misfits.First, store.Misfit{OrganizationID: r.OrganizationID, ID: r.ID, Reason: reason})
			}
			return nil, nil
		}
		if dryRun || fitting.Equal(d) {
			return nil, nil
		}
		return fitting.Seal(ctx, s.Cipher, r.OrganizationID)
	})
	if err == nil && misfits.Count > 0 {
		return total, misfits
	}
	return total, err
}

// settle makes a pass and records the contract when every document fits. An import by a program of another contract, which
// may add documents that the pass has gone by, takes the mark away; then the pass is made again, a few times.
func (s *Store) settle(ctx context.Context, progress func(int), fit fit) (total int, err error) {
	mark := func(statement string) (n int64) {
		if err == nil {
			if n, err = s.Webhooks.Exec(ctx, statement, s.Contract.Fingerprint()); err != nil {
				err = fmt.Errorf("recording contract: %w", err)
			}
		}
		return n
	}
	for range 5 {
		if mark(`UPDATE store_state SET checking = $1`); err == nil {
			total, err = s.pass(ctx, false, progress, fit)
		}
		if n := mark(`UPDATE store_state SET contract = $1, checking = '' WHERE checking = $1`); err != nil || n > 0 {
			return total, err
		}
	}
	return 0, fmt.Errorf("%w: imports by programs with another contract keep running", store.ErrUnavailable)
}
