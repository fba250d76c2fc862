package document

import (
	"context"
	"fmt"
	"strconv"
	"sync"
)

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

var buffers = sync.Pool{New: func() any { return new([]byte) }}

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
