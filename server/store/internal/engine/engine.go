// Package engine is a store.Store in SQL. The engines bring connections, transactions and the staging of imports.
//
// The SQL here runs on both. Parameters are $1, $2, … in the order of first appearance: PostgreSQL goes by the number,
// SQLite by the order.
package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
)

// Conn runs statements. Parameters are int64, string or []byte, columns are read into *int64, *string or *[]byte. Its
// errors are those that package store promises.
type Conn interface {
	Exec(ctx context.Context, statement string, args ...any) (changed int64, err error)
	Query(ctx context.Context, statement string, args []any, row func(Scan) error) error
}

// Scan reads the columns of a row.
type Scan func(columns ...any) error

// Database is a Conn whose statements stand each for itself.
type Database interface {
	Conn

	// Transact runs f in a transaction that keeps out other writers of an organization, if one is given. A commit that
	// may or may not have happened is store.ErrOutcomeUnknown.
	Transact(ctx context.Context, organizationID string, f func(Conn) error) error
}

// Store is a store.Store but for opening, importing and closing.
type Store struct {
	Webhooks, Tokens Database
	Cipher           document.Cipher
	Contract         *document.Contract // the embedded one when nil
	Migrate          store.MigrateMode
	ForShare         string // what makes a SELECT hold its rows until the end of the transaction
}

// state is the one row that says how the documents are sealed and which contract they fit.
type state struct {
	keyCheck []byte // a ciphertext that opens only with a key of this database
	rotation int64  // counts the re-encryptions begun
	contract string // fingerprint of the contract that every document fits; empty when unknown
	checking string // fingerprint of the contract that documents are being validated against
}

var errUnclaimed = errors.New("the database has not been claimed")

func readState(ctx context.Context, c Conn, lock string) (st state, err error) {
	err = errUnclaimed
	failed := c.Query(ctx, `SELECT key_check, rotation, contract, checking FROM store_state`+lock, nil, func(scan Scan) error {
		err = nil
		return scan(&st.keyCheck, &st.rotation, &st.contract, &st.checking)
	})
	if failed != nil {
		return st, fmt.Errorf("reading the state of the database: %w", failed)
	}
	return st, err
}

var keyCheckPlace = []byte("packhooks key check 1")

// Start checks that the cipher belongs to the database, which it claims when it is new.
func (s *Store) Start(ctx context.Context) (err error) {
	if s.Cipher == nil {
		return errors.New("no cipher to seal webhooks with")
	}
	if s.Contract == nil {
		if s.Contract, err = document.Embedded(); err != nil {
			return err
		}
	}
	// Claimed only where nobody has: on SQLite even an insert that does nothing waits for whoever writes, and a token
	// must be revocable during the merge of a large import.
	if err := s.Ready(ctx); !errors.Is(err, errUnclaimed) {
		return err
	}
	check, err := s.Cipher.Seal(ctx, nil, keyCheckPlace)
	if err == nil {
		_, err = s.Webhooks.Exec(ctx, `INSERT INTO store_state (id, key_check, rotation, contract, checking)
			VALUES (1, $1, 0, $2, '') ON CONFLICT DO NOTHING`, check, s.Contract.Fingerprint())
	}
	if err != nil {
		return fmt.Errorf("claiming database: %w", err)
	}
	return s.Ready(ctx)
}

// Ready reports whether the database answers and the cipher still holds its keys.
func (s *Store) Ready(ctx context.Context) error {
	st, err := readState(ctx, s.Webhooks, "")
	if err != nil {
		return err
	}
	if _, err := s.Cipher.Open(ctx, st.keyCheck, keyCheckPlace); err != nil {
		return fmt.Errorf("opening key check: %w: %w", store.ErrWrongKey, err)
	}
	if err := s.Tokens.Query(ctx, `SELECT id FROM tokens LIMIT 1`, nil, func(Scan) error { return nil }); err != nil {
		return fmt.Errorf("reading tokens: %w", err)
	}
	return nil
}

// DeleteWebhooks removes webhooks, all or none.
func (s *Store) DeleteWebhooks(ctx context.Context, organizationID string, ids []string) error {
	missing := &store.MissingError{Kind: "webhook"}
	err := s.Webhooks.Transact(ctx, organizationID, func(c Conn) error {
		for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
			n := int64(0)
			if checkText("id", id) == nil {
				var err error
				if n, err = c.Exec(ctx, `DELETE FROM webhooks WHERE organization_id = $1 AND id = $2`, organizationID, id); err != nil {
					return fmt.Errorf("deleting webhooks of organization %q: %w", organizationID, err)
				}
			}
			if n == 0 {
				missing.IDs = append(missing.IDs, id)
			}
		}
		if len(missing.IDs) > 0 {
			return missing
		}
		return nil
	})
	return err
}

// checkText refuses text that not every engine keeps as it is.
func checkText(name, text string) error {
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return fmt.Errorf("%s is not UTF-8 without NUL", name)
	}
	return nil
}
