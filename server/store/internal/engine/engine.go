// Package engine is a store.Store in SQL. The engines bring connections, transactions and the staging of imports.
//
// The SQL here runs on both. Parameters are $1, $2, … in the order of first appearance: PostgreSQL goes by the number,
// SQLite by the order.
package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
)

// Conn runs statements. Parameters are int64, string or []byte; columns are read into *int64, *string or *[]byte. Its
// errors are those that package store promises.
type Conn interface {
	Exec(ctx context.Context, statement string, args ...any) (changed int64, err error)
	Query(ctx context.Context, statement string, args []any, row func(Scan) error) error
}

// Scan reads the columns of a row.
type Scan func(columns ...any) error

// Database is a Conn that commits each statement by itself.
type Database interface {
	Conn

	// Transact runs f in a transaction that keeps out other writers of an organization, if one is given. A commit that
	// may or may not have happened is store.ErrOutcomeUnknown.
	Transact(ctx context.Context, organizationID string, f func(Conn) error) error
}

// Engine is what an engine does in its own way.
type Engine interface {
	// Connect makes a connection for one import.
	Connect(ctx context.Context) (Importer, error)

	Status() store.Status
	Close() error
}

// Store is a store.Store.
type Store struct {
	Engine
	Webhooks, Tokens Database
	Cipher           document.Cipher
	Contract         *document.Contract // the embedded one when nil
	Migrate          store.MigrateMode
	MustExist        bool      // an empty database is store.ErrIncomplete instead of being claimed
	Parts            [2]string // what errors call the places of webhooks and of tokens
	ForShare         string    // what makes a SELECT hold its rows until the end of the transaction

	databaseID string // set by Start
	recording  atomic.Bool
}

// state is the one row that each part has: the database that it belongs to. Only that of the webhooks says more.
type state struct {
	databaseID string // empty when there is no row
	keyCheck   []byte // a ciphertext that opens only with a key of this database
	claimed    int64  // 0 until the tokens carry the database's id too
	rotation   int64  // counts the re-encryptions begun
	contract   string // fingerprint of the contract that every document fits; empty when unknown
	checking   string // fingerprint of the contract that documents are being validated against
}

const (
	webhooksState = `SELECT database_id, key_check, claimed, rotation, contract, checking FROM store_state`
	tokensState   = `SELECT database_id, key_check, 1, 0, '', '' FROM token_state`

	// The associated data of a key check is one of these and the id of the database.
	webhooksPlace = "packhooks key check 2\x00"
	tokensPlace   = "packhooks tokens 1\x00"
)

func readState(ctx context.Context, c Conn, statement string) (st state, err error) {
	err = c.Query(ctx, statement, nil, func(scan Scan) error {
		return scan(&st.databaseID, &st.keyCheck, &st.claimed, &st.rotation, &st.contract, &st.checking)
	})
	if err != nil {
		return st, fmt.Errorf("reading the state of the database: %w", err)
	}
	return st, nil
}

// readStates reads that of the tokens first, as it is written last.
func (s *Store) readStates(ctx context.Context) (webhooks, tokens state, err error) {
	if tokens, err = readState(ctx, s.Tokens, tokensState); err == nil {
		webhooks, err = readState(ctx, s.Webhooks, webhooksState)
	}
	return webhooks, tokens, err
}

// writeCheck runs a statement whose first argument is a new key check.
func (s *Store) writeCheck(ctx context.Context, db Database, place, databaseID, statement string, args ...any) error {
	check, err := s.Cipher.Seal(ctx, nil, []byte(place+databaseID))
	if err == nil {
		_, err = db.Exec(ctx, statement, append([]any{check}, args...)...)
	}
	return err
}

// Start checks that webhooks, tokens and cipher are parts of one database. It claims a database of which no part was
// used before.
func (s *Store) Start(ctx context.Context) (err error) {
	if s.Cipher == nil {
		return errors.New("no cipher to seal webhooks with")
	}
	if s.Contract == nil {
		if s.Contract, err = document.Embedded(); err != nil {
			return err
		}
	}
	webhooks, tokens, err := s.readStates(ctx)
	if err != nil {
		return err
	}
	if s.databaseID, err = s.claim(ctx, webhooks, tokens); err != nil {
		return fmt.Errorf("claiming database: %w", err)
	}
	return s.Ready(ctx)
}

// claim gives a new database an id, and returns the one that it has. It writes only where nobody has yet: on SQLite even
// an insert that does nothing waits for whoever writes, and a token must be revocable during the merge of a large import.
func (s *Store) claim(ctx context.Context, webhooks, tokens state) (databaseID string, err error) {
	if webhooks.databaseID == "" && tokens.databaseID == "" && !s.MustExist {
		id := rand.Text()
		err = s.writeCheck(ctx, s.Webhooks, webhooksPlace, id, `
			INSERT INTO store_state (id, key_check, database_id, claimed, rotation, contract, checking)
			VALUES (1, $1, $2, 0, 0, $3, '') ON CONFLICT DO NOTHING`, id, s.Contract.Fingerprint())
		if err == nil {
			webhooks, err = readState(ctx, s.Webhooks, webhooksState) // of concurrent claims one succeeded
		}
	}
	if err == nil && webhooks.databaseID != "" && webhooks.claimed == 0 {
		err = s.writeCheck(ctx, s.Tokens, tokensPlace, webhooks.databaseID,
			`INSERT INTO token_state (id, key_check, database_id) VALUES (1, $1, $2) ON CONFLICT DO NOTHING`, webhooks.databaseID)
		if err == nil { // from now on tokens without the id are an error and not created again
			_, err = s.Webhooks.Exec(ctx, `UPDATE store_state SET claimed = 1`)
		}
	}
	return webhooks.databaseID, err
}

// Claimed reports whether the tokens of a database have been made.
func Claimed(ctx context.Context, webhooks Conn) (bool, error) {
	st, err := readState(ctx, webhooks, webhooksState)
	return st.claimed != 0, err
}

// Ready checks that the database responds and is complete, and that the cipher still has its keys.
func (s *Store) Ready(ctx context.Context) error {
	webhooks, tokens, err := s.readStates(ctx)
	switch {
	case err != nil:
		return err
	case webhooks.databaseID == "":
		return fmt.Errorf("%w: %s is empty", store.ErrIncomplete, s.Parts[0])
	case tokens.databaseID == "":
		return fmt.Errorf("%w: %s is empty", store.ErrIncomplete, s.Parts[1])
	}
	if _, err := s.Cipher.Open(ctx, webhooks.keyCheck, []byte(webhooksPlace+webhooks.databaseID)); err != nil {
		return fmt.Errorf("opening key check: %w: %w", store.ErrWrongKey, err)
	}
	_, err = s.Cipher.Open(ctx, tokens.keyCheck, []byte(tokensPlace+tokens.databaseID))
	switch {
	case webhooks.databaseID != s.databaseID:
		return fmt.Errorf("%w: %s was replaced by that of another database", store.ErrIncomplete, s.Parts[0])
	case tokens.databaseID != s.databaseID, err != nil:
		return fmt.Errorf("%w: %s is that of another database", store.ErrIncomplete, s.Parts[1])
	}
	return nil
}

// DeleteWebhooks removes webhooks, all or none.
func (s *Store) DeleteWebhooks(ctx context.Context, organizationID string, ids []string) error {
	return s.Webhooks.Transact(ctx, organizationID, func(c Conn) (err error) {
		missing := &store.MissingError{Kind: "webhook"}
		for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
			n := int64(0)
			if checkText("id", id) == nil {
				n, err = c.Exec(ctx, `DELETE FROM webhooks WHERE organization_id = $1 AND id = $2`, organizationID, id)
			}
			if err != nil {
				return fmt.Errorf("deleting webhooks of organization %q: %w", organizationID, err)
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
}

// checkText rejects text that some engine cannot store.
func checkText(name, text string) error {
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return fmt.Errorf("%s is not UTF-8 without NUL", name)
	}
	return nil
}
