// Package engine is what the SQL engines have in common: sealing, imports, tokens, and passes over all documents. Each
// engine brings connections, transactions and whatever it does in its own way (Database, Importer).
//
// The SQL here runs on both. A parameter is $1, $2, … in the order of first appearance: PostgreSQL counts by the number,
// SQLite by the order.
package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
)

// Conn runs statements. Parameters are int64, string or []byte; its errors are those that store promises.
type Conn interface {
	// Exec returns how many rows a statement changed.
	Exec(ctx context.Context, statement string, args ...any) (int64, error)

	// Query calls row for each row; scan reads its columns into *int64, *string and *[]byte.
	Query(ctx context.Context, statement string, args []any, row func(scan func(dest ...any) error) error) error
}

// Database is a pool of connections.
type Database interface {
	Conn

	// ExecAll runs a statement with one list of parameters after the other, in one transaction.
	ExecAll(ctx context.Context, statement string, args [][]any) error
}

// Store is a store.Store but for pages, imports and deletes, which are the engine's.
type Store struct {
	Webhooks Database
	Tokens   Database // may be the same
	Cipher   document.Cipher
	Contract *document.Contract // the embedded one when nil
	Migrate  store.MigrateMode
}

// Row is a sealed document in its place.
type Row struct {
	document.Place
	Sealed []byte
}

// state is the one row that says how the documents are sealed and which contract they fit.
type state struct {
	keyCheck []byte // a ciphertext that opens only with a key of this database
	rotation int64  // counts the re-encryptions begun
	contract string // fingerprint of the contract that every document fits; empty when unknown
	checking string // fingerprint of the contract that somebody validates the documents against
}

// SelectState reads the state of the database.
const SelectState = `SELECT key_check, rotation, contract, checking FROM store_state`

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
	if err := s.Ready(ctx); !errors.Is(err, errNoState) {
		return err
	}
	check, err := s.Cipher.Seal(ctx, nil, keyCheckPlace)
	if err != nil {
		return fmt.Errorf("sealing key check: %w", err)
	}
	_, err = s.Webhooks.Exec(ctx, `INSERT INTO store_state (id, key_check, rotation, contract, checking)
		VALUES (1, $1, 0, $2, '') ON CONFLICT DO NOTHING`, check, s.Contract.Fingerprint())
	if err != nil {
		return fmt.Errorf("claiming database: %w", err)
	}
	return s.Ready(ctx)
}

var errNoState = errors.New("the database has not been claimed")

func readState(ctx context.Context, c Conn, statement string) (st state, err error) {
	err = errNoState
	failed := c.Query(ctx, statement, nil, func(scan func(...any) error) error {
		err = nil
		return scan(&st.keyCheck, &st.rotation, &st.contract, &st.checking)
	})
	if failed != nil {
		return st, fmt.Errorf("reading the state of the database: %w", failed)
	}
	return st, err
}

// Ready reports whether the database answers and the cipher still holds its keys.
func (s *Store) Ready(ctx context.Context) error {
	st, err := readState(ctx, s.Webhooks, SelectState)
	if err != nil {
		return err
	}
	if _, err := s.Cipher.Open(ctx, st.keyCheck, keyCheckPlace); err != nil {
		return fmt.Errorf("opening key check: %w: %w", store.ErrWrongKey, err)
	}
	none := func(func(...any) error) error { return nil }
	if err := s.Tokens.Query(ctx, `SELECT id FROM tokens LIMIT 1`, nil, none); err != nil {
		return fmt.Errorf("reaching tokens: %w", err)
	}
	return nil
}

// CheckText refuses text that not every engine keeps as it is.
func CheckText(name, text string) error {
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return fmt.Errorf("%s is not UTF-8 without NUL", name)
	}
	return nil
}
