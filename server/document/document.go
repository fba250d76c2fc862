// Package document defines the form in which a webhook is stored and served: the canonical JSON of the schema Webhook in
// api/openapi.yaml.
//
//	d, err := document.New(serverapi.Webhook{ID: "wh_1", Endpoint: "https://example.com", …})
//
// A Document fits the contract: New and Parse validate, and Open accepts only what was sealed before. So the server can
// put documents into a page as they are. Canonical means written by the generated type: properties in the contract's
// order, times in UTC to the microsecond, no unknown properties.
package document

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/packhooks/packhooks/gen/serverapi"
)

// Document is a webhook in canonical JSON. The zero Document is none.
type Document struct {
	id        string
	createdAt int64 // microseconds since 1970
	json      []byte
}

// New makes the document of a webhook. It validates the webhook against the embedded contract; the error names the
// property and never quotes its value.
func New(w serverapi.Webhook) (Document, error) {
	data, err := json.Marshal(w) //nolint:gosec // the contract sends secrets; they are sealed at rest
	if err != nil {
		return Document{}, fmt.Errorf("encoding webhook %q: %w", w.ID, err)
	}
	c, err := Embedded()
	if err != nil {
		return Document{}, err
	}
	d, _, err := c.Parse(data)
	if err != nil {
		return Document{}, fmt.Errorf("webhook %q: %w", w.ID, err)
	}
	return d, nil
}

// ID is the webhook's id.
func (d Document) ID() string { return d.id }

// CreatedAt is when the webhook was created: UTC, to the microsecond.
func (d Document) CreatedAt() time.Time { return time.UnixMicro(d.createdAt).UTC() }

// JSON is the canonical JSON. Callers must not change it.
func (d Document) JSON() []byte { return d.json }

// String keeps the document, which holds secrets, out of logs and errors.
func (d Document) String() string { return "webhook " + d.id }

// GoString is String, for %#v.
func (d Document) GoString() string { return d.String() }

// Compare orders documents of one organization: by creation time and then by the bytes of the id.
func Compare(a, b Document) int {
	return cmp.Or(cmp.Compare(a.createdAt, b.createdAt), cmp.Compare(a.id, b.id))
}

// Equal reports whether two documents are the same to the byte.
func (d Document) Equal(other Document) bool { return bytes.Equal(d.json, other.json) }

// Webhook decodes the document.
func (d Document) Webhook() (w serverapi.Webhook, err error) {
	return w, json.Unmarshal(d.json, &w)
}

// Cipher seals documents at rest. Package keyset has the one that packhooks uses; a key management service plugs in
// here.
//
// The associated data binds a ciphertext to its place: opening it with other data fails. If a cipher has a method
// Reload() error, it is called before an import, to load new keys.
type Cipher interface {
	Seal(ctx context.Context, plaintext, associatedData []byte) ([]byte, error)
	Open(ctx context.Context, ciphertext, associatedData []byte) ([]byte, error)

	// Stale reports whether ciphertext was sealed under a key other than the primary one.
	Stale(ciphertext []byte) bool
}

// Place is the plaintext key of a document: the columns that SQL orders and searches by. A ciphertext that is moved to
// another place no longer opens.
type Place struct {
	OrganizationID string
	CreatedAt      int64 // microseconds since 1970
	ID             string
}

// associatedData is a versioned label and the place. No column can contain the zero byte.
func (p Place) associatedData(data []byte) []byte {
	data = append(data[:0], "packhooks webhook 1\x00"...)
	data = append(data, p.OrganizationID...)
	data = append(data, 0)
	data = strconv.AppendInt(data, p.CreatedAt, 10)
	data = append(data, 0)
	return append(data, p.ID...)
}

// Place is the document's place in an organization.
func (d Document) Place(organizationID string) Place { return Place{organizationID, d.createdAt, d.id} }

// Seal encrypts the document for its place in an organization.
func (d Document) Seal(ctx context.Context, c Cipher, organizationID string) ([]byte, error) {
	sealed, err := c.Seal(ctx, d.json, d.Place(organizationID).associatedData(nil))
	if err != nil {
		return nil, fmt.Errorf("sealing webhook %q: %w", d.id, err)
	}
	return sealed, nil
}

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// Open decrypts the document that Seal encrypted for a place.
func Open(ctx context.Context, c Cipher, at Place, sealed []byte) (Document, error) {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	*buffer = at.associatedData(*buffer)
	text, err := c.Open(ctx, sealed, *buffer)
	if err != nil {
		return Document{}, fmt.Errorf("opening webhook %q of organization %q: %w", at.ID, at.OrganizationID, err)
	}
	return Document{at.ID, at.CreatedAt, text}, nil
}

// Reseal encrypts a document with the primary key without parsing it.
func Reseal(ctx context.Context, c Cipher, at Place, sealed []byte) ([]byte, error) {
	d, err := Open(ctx, c, at, sealed)
	if err != nil {
		return nil, err
	}
	return d.Seal(ctx, c, at.OrganizationID)
}
