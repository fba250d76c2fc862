// Package store says what the server needs from a place that keeps webhooks and tokens.
//
// A server needs two small interfaces: a Lister of pages and an Authenticator. A program that already has its
// webhooks elsewhere implements those and nothing else. Store is the whole of what the command line works with;
// packages sqlite and postgres below this one implement it, and package storetest holds any implementation to
// what the comments here promise.
package store

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Webhook is a webhook subscription of one organization.
//
// Texts are UTF-8 without NUL; another is an error. Times are UTC and kept to the microsecond; what is finer is cut off.
// EventCode is empty when there is none. Secret is in clear here and encrypted at rest.
type Webhook struct {
	ID        string
	EventCode string
	Endpoint  string
	Secret    string
	Enabled   bool
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Position is a place in an organization's list, which is ordered by creation time and then by id, in byte order.
// It need not be the position of a webhook that still exists.
type Position struct {
	CreatedAt time.Time
	ID        string
}

// Seek says on which side of a Position a page lies, and whether the position itself belongs to it.
type Seek byte

const (
	Start  Seek = iota // the first page; the position does not count
	After              // the webhooks next after the position
	From               // the webhooks from the position on
	Before             // the webhooks next before the position
	UpTo               // the webhooks up to the position, it included
)

// PageQuery asks for one page of an organization's webhooks. Limit is at least 1.
type PageQuery struct {
	OrganizationID string
	Seek           Seek
	Position       Position
	Limit          int
}

// Page is a page of webhooks, ascending whichever way it was sought. HasPrev and HasNext say whether there is any
// webhook before and after it, as of the same moment as the page itself, also when the page is empty.
type Page struct {
	Webhooks []Webhook
	HasPrev  bool
	HasNext  bool
}

// Lister reads pages of webhooks. An organization that it does not know is one without webhooks.
// A failure that may pass by itself is an error that wraps ErrUnavailable.
type Lister interface {
	ListWebhooks(ctx context.Context, q PageQuery) (Page, error)
}

// Grant is what a token allows: reading the webhooks of the organizations that it names.
type Grant struct {
	TokenID       string
	Organizations []string
}

// Authenticator tells what a bearer token allows. A token that is unknown, malformed, expired or revoked is
// ErrUnauthorized; a failure that may pass by itself wraps ErrUnavailable.
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (Grant, error)
}

// Token is what is kept of a token: everything but its text. A zero ExpiresAt never expires; a zero RevokedAt was
// not revoked.
type Token struct {
	ID            string
	Name          string
	Organizations []string
	CreatedAt     time.Time
	ExpiresAt     time.Time
	RevokedAt     time.Time
}

// ImportResult counts what an import did, by webhook.
type ImportResult struct {
	Created   int
	Updated   int
	Unchanged int
	Removed   int
}

// Store keeps webhooks and tokens.
type Store interface {
	Lister
	Authenticator

	// ImportWebhooks adds or updates the organization's webhooks by id, and with replace also removes those that
	// rows does not hold. It is done wholly or not at all: an error from rows, an id that comes twice
	// (ErrDuplicateID) or a process that dies leaves everything as it was. Other writers are not kept waiting
	// while rows is read. An import during which Reencrypt began is ErrUnavailable: it may be repeated.
	ImportWebhooks(ctx context.Context, organizationID string, rows iter.Seq2[Webhook, error], replace bool) (ImportResult, error)

	// DeleteWebhooks removes the organization's webhooks of these ids, all or none: an id that is not there is
	// a *MissingError that names it.
	DeleteWebhooks(ctx context.Context, organizationID string, ids []string) error

	// CreateToken keeps a token under the hash of its text (see NewToken). It chooses t's ID and CreatedAt.
	CreateToken(ctx context.Context, hash TokenHash, t Token) (Token, error)

	// ListTokens returns every token, revoked and expired ones too, oldest first.
	ListTokens(ctx context.Context) ([]Token, error)

	// RevokeToken revokes a token for good; one that is revoked already stays as it is. An id that is not there
	// is a *MissingError.
	RevokeToken(ctx context.Context, id string) error

	// Reencrypt seals every secret that is not yet sealed under the cipher's primary key, in batches, while
	// others read and write. It may be interrupted and repeated. After each batch it calls progress, which may
	// be nil, with the number of webhooks that it has gone through so far.
	Reencrypt(ctx context.Context, progress func(webhooks int)) error

	// Ready reports whether the store can answer now; the error says what is wrong.
	Ready(ctx context.Context) error

	Close() error
}

// Cipher seals the signing secrets that a store keeps. Package keyset has the one that packhooks uses; a key
// management service plugs in here.
//
// The associated data binds a ciphertext to its place (see SecretPlace): opening it with other data fails. A cipher that
// also has a method Reload() error is told by it to look for new keys before an import.
type Cipher interface {
	Seal(ctx context.Context, plaintext, associatedData []byte) ([]byte, error)
	Open(ctx context.Context, ciphertext, associatedData []byte) ([]byte, error)

	// Stale reports whether ciphertext was sealed under a key other than the primary one.
	Stale(ciphertext []byte) bool
}

var (
	// ErrUnauthorized is the outcome for a token that allows nothing.
	ErrUnauthorized = errors.New("token is unknown, expired or revoked")

	// ErrUnavailable is a failure that may pass by itself: the storage cannot be reached or is too busy.
	ErrUnavailable = errors.New("storage is unavailable")

	// ErrWrongKey is a store that was sealed under keys that the cipher does not hold.
	ErrWrongKey = errors.New("the keyset does not belong to this database")

	// ErrOutcomeUnknown is an import whose end was not confirmed: it is done wholly or not at all, and may be
	// repeated to find out.
	ErrOutcomeUnknown = errors.New("the database did not confirm the import")

	// ErrDuplicateID is an import that holds an id twice.
	ErrDuplicateID = errors.New("duplicate webhook id")
)

// MissingError names what was to be changed and is not there.
type MissingError struct {
	Kind string // "webhook" or "token"
	IDs  []string
}

// Error names every missing id.
func (e *MissingError) Error() string {
	text := "no such " + e.Kind + ":"
	for _, id := range e.IDs {
		text += " " + id
	}
	return text
}

// SecretPlace is the associated data of a webhook's secret: a ciphertext that is moved to another organization or
// id no longer opens. The zero byte can be part of neither.
func SecretPlace(organizationID, webhookID string) []byte {
	return []byte("webhook-secret\x00" + organizationID + "\x00" + webhookID)
}
