// Package sqlstore is what the SQL engines have in common: everything of a store.Store but the SQL itself, opening
// a database, and telling passing failures from lasting ones. Those are in package sqlite and package postgres.
//
// Batches travel as one JSON parameter, which both engines unpack in SQL: the statements stay constants that can be
// pasted into a shell, one round trip carries hundreds of rows, and the Go here is the same for both.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/packhooks/packhooks/server/store"
)

// Store is a store.Store on an engine. Its fields are set once, before Start.
type Store struct {
	DB     *sql.DB // webhooks and the key check
	Tokens *sql.DB // tokens; may be DB
	Cipher store.Cipher
	SQL    Statements

	// Timeout bounds every statement but those of an import. Zero is no bound.
	Timeout time.Duration

	// Transient reports whether an error of the engine may pass by itself.
	Transient func(error) bool

	// Busy reports whether an error means that another writer is at work, on engines where one waits for all others.
	// May be nil.
	Busy func(error) bool

	// Shut closes whatever the store stands on.
	Shut func() error
}

var _ store.Store = (*Store)(nil)

// Start checks that the cipher belongs to the database, which it claims when it is new.
func (s *Store) Start(ctx context.Context) error {
	if s.Cipher == nil {
		return errors.New("no cipher to seal secrets with")
	}
	// Claimed only where nobody has: on SQLite an insert waits for whoever writes even if it then does nothing, and a
	// token must be revocable during the merge of a large import.
	if err := s.Ready(ctx); !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	check, err := s.Cipher.Seal(ctx, nil, checkPlace)
	if err != nil {
		return fmt.Errorf("sealing key check: %w", err)
	}
	if _, err := s.execute(ctx, s.DB, s.SQL.ClaimKeys, check); err != nil {
		return fmt.Errorf("writing key check: %w", err)
	}
	return s.Ready(ctx)
}

// Ready reports whether the database answers and the cipher still holds its keys.
func (s *Store) Ready(ctx context.Context) error {
	ctx, cancel := s.bound(ctx)
	defer cancel()
	var check []byte
	if err := s.DB.QueryRowContext(ctx, s.SQL.KeyCheck).Scan(&check); err != nil {
		return fmt.Errorf("reading key check: %w", s.failure(ctx, err))
	}
	if _, err := s.Cipher.Open(ctx, check, checkPlace); err != nil {
		return fmt.Errorf("opening key check: %w: %w", store.ErrWrongKey, err)
	}
	if err := s.Tokens.PingContext(ctx); err != nil {
		return fmt.Errorf("reaching tokens: %w", s.failure(ctx, err))
	}
	return nil
}

// Close closes the database.
func (s *Store) Close() error { return s.Shut() }

func (s *Store) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.Timeout <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, s.Timeout, store.ErrUnavailable)
}

// execute runs one statement and counts the rows that it touched.
func (s *Store) execute(ctx context.Context, db *sql.DB, statement string, args ...any) (int64, error) {
	ctx, cancel := s.bound(ctx)
	defer cancel()
	var result sql.Result
	err := s.patiently(ctx, func() (err error) {
		result, err = db.ExecContext(ctx, statement, args...)
		return err
	})
	if err != nil {
		return 0, s.failure(ctx, err)
	}
	return result.RowsAffected()
}

// patience is how long a writer waits for another one: longer than the merge of any import seen so far.
const patience = time.Minute

// patiently repeats a write while another writer is at work. The engine itself waits a little each time, and cannot be
// interrupted then.
func (s *Store) patiently(ctx context.Context, write func() error) error {
	for began := time.Now(); ; {
		err := write()
		if err == nil || s.Busy == nil || !s.Busy(err) || ctx.Err() != nil || time.Since(began) > patience {
			return err
		}
	}
}

// failure gives an error of the engine the identity that callers match: the caller's own cancellation, or
// store.ErrUnavailable for what may pass. Our own timeout is the latter.
func (s *Store) failure(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), store.ErrUnavailable):
		return fmt.Errorf("%w: no answer within %v", store.ErrUnavailable, s.Timeout)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	case errors.Is(err, context.DeadlineExceeded), s.Transient(err):
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return err
}
