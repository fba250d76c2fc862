// Package store defines the interfaces through which the server reads webhooks and tokens.
//
// A server needs a Lister of pages and an Authenticator. A program that already has its webhooks elsewhere implements only
// those. Store is what the command line uses; packages sqlite and postgres below this one implement it.
package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/packhooks/packhooks/server/document"
)

// Bound is a place in an organization's list, which is ordered by creation time and then by id, in byte order. It lies
// just before the position that it names or, with After, just after it. No webhook need be there. The zero Bound lies
// before the whole list.
type Bound struct {
	CreatedAt time.Time
	ID        string
	After     bool
}

// PageQuery asks for one page of an organization's webhooks: the first ones beyond the bound or, with Backward, the last
// ones before it. Limit is at least 1.
type PageQuery struct {
	OrganizationID string
	Bound          Bound
	Backward       bool
	Limit          int
}

// Page is a page of webhooks, ascending whichever way it was read. HasPrev and HasNext say whether there is any webhook
// before and after it, as of the same moment as the page itself, also when the page is empty.
type Page struct {
	Webhooks         []document.Document
	HasPrev, HasNext bool
}

// Lister reads pages of webhooks. An organization that it does not know is one without webhooks.
// The error of a transient failure wraps ErrUnavailable.
type Lister interface {
	ListWebhooks(ctx context.Context, q PageQuery) (Page, error)
}

// GrantLister reads a page and checks the grant in one step. The error is ErrUnauthorized unless the token is still stored
// exactly as it was when Authenticate returned the grant. A type that embeds a store and replaces ListWebhooks must
// replace ListGranted too.
type GrantLister interface {
	ListGranted(ctx context.Context, g Grant, q PageQuery) (Page, error)
}

// Grant is what a token allows: reading the webhooks of the organizations that it names. A token that is expired or
// revoked allows nothing and is named for the log only.
type Grant struct {
	TokenID       string
	Organizations []string
	ExpiresAt     time.Time // zero for never
	Proof         Proof     // for ListGranted; empty where a store is no GrantLister
}

// Proof identifies a version of a stored token.
type Proof struct{ Hash, Seal string }

// Authenticator looks up a bearer token. A token that is unknown, malformed, expired or revoked is
// ErrUnauthorized; the error of a transient failure wraps ErrUnavailable.
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (Grant, error)
}

// Token is a stored token, without its text.
type Token struct {
	ID            string
	Name          string
	Organizations []string
	CreatedAt     time.Time
	ExpiresAt     time.Time // zero for never, as the next two
	RevokedAt     time.Time
	LastUsedAt    time.Time // to about an hour; not authenticated
	Altered       bool      // written without the keyset: it allows nothing
}

// ImportResult counts what an import did, by webhook.
type ImportResult struct{ Created, Updated, Unchanged, Removed int }

// ImportOptions say what an import does beside adding and updating webhooks.
type ImportOptions struct {
	Replace bool                           // also remove the organization's webhooks that the import does not hold
	Preview func(change Change, id string) // makes it a dry run; called for each change, in order of id
}

// Change is what an import does to a webhook.
type Change string

// The changes.
const (
	Create Change = "create"
	Update Change = "update"
	Remove Change = "remove"
)

// Store keeps webhooks and tokens.
type Store interface {
	Lister
	Authenticator

	// ImportWebhooks adds or updates the organization's webhooks by id. It is done wholly or not at all: an error from
	// webhooks, an id that comes twice (ErrDuplicateID) or a process that dies leaves everything as it was. Other writers
	// are not kept waiting while webhooks is read. An import during which Reencrypt began is ErrUnavailable: it may be
	// repeated. One into a database whose documents fit another contract is ErrOtherContract (see CheckDocuments).
	ImportWebhooks(ctx context.Context, organizationID string, webhooks iter.Seq2[document.Document, error], opts ImportOptions) (ImportResult, error)

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

	// CheckDocuments makes sure that every document fits the program's contract. The database knows the contract
	// that its documents fit: where it is the program's own, nothing else is looked at. Otherwise every document
	// is validated, reading only; if all fit, the program's contract is recorded, and if not, nothing is changed
	// and the error is a *MisfitError. With MigrateCheck another contract is ErrOtherContract at once.
	CheckDocuments(ctx context.Context, progress func(webhooks int)) error

	// RewriteDocuments brings every document into the form of the program's contract, in batches, while others
	// read; it may be interrupted and repeated. At the end it records the contract. Documents that cannot be made
	// to fit stay as they are and are a *MisfitError. A dry run changes nothing.
	RewriteDocuments(ctx context.Context, dryRun bool, progress func(webhooks int)) (Rewritten, error)

	// Reencrypt seals every document and token that is not yet sealed under the cipher's primary key, in batches,
	// while others read and write. It may be interrupted and repeated. After each batch it calls progress, which may
	// be nil, with the number of webhooks that it has gone through so far.
	Reencrypt(ctx context.Context, progress func(webhooks int)) error

	// CountSealed counts what is stored under a key: the ciphertexts for which match returns true.
	CountSealed(ctx context.Context, match func(ciphertext []byte) bool) (int, error)

	// Status describes the store. It does not query the database.
	Status() Status

	// Ready reports whether the store can answer now; the error says what is wrong.
	Ready(ctx context.Context) error

	Close() error
}

// Status describes a store.
type Status struct {
	Engine string
	Schema int // version of the tables that the program knows
	Pools  []Pool
}

// Pool is a pool of connections at one moment.
type Pool struct {
	Name             string
	Max, Open, InUse int
	Waits            int64         // calls that found no free connection, in total
	WaitTime         time.Duration // of these
}

// MigrateMode says what to do if the version of tables or documents differs from the program's.
type MigrateMode string

// The modes. An import in MigrateOff does not ask which contract the documents fit; if it is another one, the database
// knows none from then on.
const (
	MigrateAuto  MigrateMode = "auto"  // create or change tables; validate documents and record the contract
	MigrateCheck MigrateMode = "check" // ErrSchemaTooOld, ErrOtherContract
	MigrateOff   MigrateMode = "off"   // do not look
)

// Validate rejects an unknown mode.
func (m MigrateMode) Validate() error {
	switch m {
	case MigrateAuto, MigrateCheck, MigrateOff, "":
		return nil
	}
	return fmt.Errorf("unknown migrate mode %q", string(m))
}

// Rewritten counts what RewriteDocuments did.
type Rewritten struct {
	Webhooks int // that were looked at
	Changed  int // of these
	Filled   int // properties that got their default
	Dropped  int // properties that the contract does not know
}

// Misfit is a document that does not fit the contract.
type Misfit struct {
	OrganizationID string
	ID             string
	Reason         error
}

// MisfitError counts the documents that do not fit the contract, and names the first ones.
type MisfitError struct {
	Count int
	First []Misfit
}

func (e *MisfitError) Error() string {
	text := fmt.Sprintf("stored webhooks that do not fit the contract: %d", e.Count)
	for _, m := range e.First {
		text += fmt.Sprintf("; %q of organization %q: %v", m.ID, m.OrganizationID, m.Reason)
	}
	if e.Count > len(e.First) {
		text += "; …"
	}
	return text
}

// MissingError names what was to be changed and is not there.
type MissingError struct {
	Kind string // "webhook" or "token"
	IDs  []string
}

func (e *MissingError) Error() string { return "no such " + e.Kind + ": " + strings.Join(e.IDs, " ") }

// What a token that allows nothing comes to. The reason is for the log.
var (
	ErrUnauthorized = errors.New("token is unknown, expired or revoked")
	ErrExpired      = fmt.Errorf("%w: it is expired", ErrUnauthorized)
	ErrRevoked      = fmt.Errorf("%w: it is revoked", ErrUnauthorized)
	ErrAltered      = errors.New("the token was altered in the database") // by somebody without the keyset
)

// What is wrong with a database. ErrUnavailable is transient: a call may be repeated.
var (
	ErrUnavailable   = errors.New("storage is unavailable") // it cannot be reached or is too busy
	ErrSchemaTooOld  = errors.New("database schema is older than this program")
	ErrOtherContract = errors.New("the stored webhooks were last checked against another version of the contract")
	ErrIncomplete    = errors.New("the database is incomplete") // a part, which it names, is missing, empty or another's
	ErrDamaged       = errors.New("the file is damaged")        // or it is no database
	ErrWrongKey      = errors.New("the keyset does not belong to this database")
)

// What is wrong with an import.
var (
	ErrDuplicateID = errors.New("duplicate webhook id")

	// ErrOutcomeUnknown: the import is done wholly or not at all, and may be repeated to find out.
	ErrOutcomeUnknown = errors.New("the database did not confirm the import")
)
