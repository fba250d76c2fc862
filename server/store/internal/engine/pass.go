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
func (s *Store) walk(ctx context.Context, progress func(int), visit func(Row) ([]byte, error)) error {
	total, last := 0, document.Place{CreatedAt: math.MinInt64}
	for more := true; more; {
		var batch []Row
		err := s.Webhooks.Query(ctx, `SELECT organization_id, created_at, id, document FROM webhooks
			WHERE (organization_id, created_at, id) > ($1, $2, $3)
			ORDER BY organization_id, created_at, id LIMIT CAST($4 AS bigint)`, []any{last.OrganizationID, last.CreatedAt, last.ID, int64(batchSize)},
			func(scan Scan) error {
				var r Row
				err := scan(&r.OrganizationID, &r.CreatedAt, &r.ID, &r.Sealed)
				batch = append(batch, r)
				return err
			})
		if err != nil {
			return fmt.Errorf("reading webhooks: %w", err)
		}
		n := len(batch)
		if n > 0 {
			last = batch[n-1].Place
		}
		if err := s.visit(ctx, batch, visit); err != nil {
			return err
		}
		if total += n; n > 0 && progress != nil {
			progress(total)
		}
		more = n == batchSize
	}
	return nil
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
	err := s.Webhooks.Transact(ctx, "", func(c Conn) error {
		for _, args := range changes {
			_, err := c.Exec(ctx, `UPDATE webhooks SET document = $1
				WHERE organization_id = $2 AND created_at = $3 AND id = $4 AND document = $5`, args...)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("writing webhooks: %w", err)
	}
	return nil
}

// Reencrypt reseals every document that is not sealed under the primary key. It parses none, so that an invalid document
// cannot block a rotation.
func (s *Store) Reencrypt(ctx context.Context, progress func(webhooks int)) error {
	if _, err := s.Webhooks.Exec(ctx, `UPDATE store_state SET rotation = rotation + 1`); err != nil {
		return fmt.Errorf("beginning to re-encrypt: %w", err)
	}
	err := s.walk(ctx, progress, func(r Row) ([]byte, error) {
		if !s.Cipher.Stale(r.Sealed) {
			return nil, nil
		}
		return document.Reseal(ctx, s.Cipher, r.Place, r.Sealed)
	})
	if err != nil {
		return fmt.Errorf("re-encrypting: %w", err)
	}
	if err := s.resealTokens(ctx); err != nil {
		return fmt.Errorf("re-encrypting: %w", err)
	}
	// Last, so that a keyset without the old keys is rejected until nothing needs them.
	tokensCheck, err := s.Cipher.Seal(ctx, nil, tokensPlace(s.databaseID))
	if err != nil {
		return fmt.Errorf("sealing key check: %w", err)
	}
	check, err := s.Cipher.Seal(ctx, nil, webhooksPlace(s.databaseID))
	if err != nil {
		return fmt.Errorf("sealing key check: %w", err)
	}
	if _, err := s.Tokens.Exec(ctx, `UPDATE token_state SET key_check = $1`, tokensCheck); err != nil {
		return fmt.Errorf("writing key check: %w", err)
	}
	if _, err := s.Webhooks.Exec(ctx, `UPDATE store_state SET key_check = $1`, check); err != nil {
		return fmt.Errorf("writing key check: %w", err)
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
	err = s.walk(ctx, nil, func(r Row) ([]byte, error) {
		count(r.Sealed)
		return nil, nil
	})
	if err != nil {
		return 0, err
	}
	rows, err := s.readTokens(ctx)
	for _, r := range rows {
		count(r.seal)
	}
	if err != nil {
		return 0, err
	}
	st, err := readState(ctx, s.Webhooks, "")
	if err != nil {
		return 0, err
	}
	_, tokensCheck, err := s.readTokenState(ctx)
	count(st.keyCheck)
	count(tokensCheck)
	return n, err
}

// CheckDocuments validates every document unless the database has recorded that they fit.
func (s *Store) CheckDocuments(ctx context.Context, progress func(webhooks int)) error {
	if s.Migrate == store.MigrateOff {
		return nil
	}
	st, err := readState(ctx, s.Webhooks, "")
	switch {
	case err != nil:
		return err
	case st.contract == s.Contract.Fingerprint():
		return nil
	case s.Migrate == store.MigrateCheck:
		return store.ErrOtherContract
	}
	return s.settle(ctx, func(misfits *store.MisfitError) error {
		return s.walk(ctx, progress, func(r Row) ([]byte, error) {
			d, err := document.Open(ctx, s.Cipher, r.Place, r.Sealed)
			if err == nil {
				note(misfits, r, s.Contract.Check(d))
			}
			return nil, err
		})
	})
}

// RewriteDocuments brings every document into the form of the contract. Its counts are those of all passes together.
func (s *Store) RewriteDocuments(ctx context.Context, dryRun bool, progress func(webhooks int)) (done store.Rewritten, err error) {
	pass := func(misfits *store.MisfitError) error {
		done.Webhooks = 0
		return s.walk(ctx, progress, func(r Row) ([]byte, error) {
			done.Webhooks++
			d, err := document.Open(ctx, s.Cipher, r.Place, r.Sealed)
			if err != nil {
				return nil, err
			}
			rewritten, filled, dropped, err := s.Contract.Rewrite(d)
			if note(misfits, r, err) || rewritten.Equal(d) {
				return nil, nil
			}
			done.Changed, done.Filled, done.Dropped = done.Changed+1, done.Filled+filled, done.Dropped+dropped
			if dryRun {
				return nil, nil
			}
			return rewritten.Seal(ctx, s.Cipher, r.OrganizationID)
		})
	}
	if dryRun {
		misfits := &store.MisfitError{}
		err = orMisfits(pass(misfits), misfits)
	} else {
		err = s.settle(ctx, pass)
	}
	return done, err
}

// settlements is how often settle starts over after concurrent imports.
const settlements = 5

// settle runs a pass over all documents and records the contract when every one fits. An import by a program of another
// contract, which may add documents that the pass has gone by, takes the mark away; then the pass is made again.
func (s *Store) settle(ctx context.Context, pass func(*store.MisfitError) error) error {
	for range settlements {
		if _, err := s.Webhooks.Exec(ctx, `UPDATE store_state SET checking = $1`, s.Contract.Fingerprint()); err != nil {
			return fmt.Errorf("beginning to check webhooks: %w", err)
		}
		misfits := &store.MisfitError{}
		if err := orMisfits(pass(misfits), misfits); err != nil {
			return err
		}
		n, err := s.Webhooks.Exec(ctx, `UPDATE store_state SET contract = $1, checking = '' WHERE checking = $1`, s.Contract.Fingerprint())
		if err != nil {
			return fmt.Errorf("recording contract: %w", err)
		}
		if n > 0 {
			return nil
		}
	}
	return fmt.Errorf("%w: imports by programs with another contract keep running", store.ErrUnavailable)
}

// note counts a misfit and keeps the first ones.
func note(misfits *store.MisfitError, r Row, reason error) bool {
	if reason == nil {
		return false
	}
	if misfits.Count++; len(misfits.First) < 5 {
		misfits.First = append(misfits.First, store.Misfit{OrganizationID: r.OrganizationID, ID: r.ID, Reason: reason})
	}
	return true
}

func orMisfits(err error, misfits *store.MisfitError) error {
	if err == nil && misfits.Count > 0 {
		return misfits
	}
	return err
}
