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
	"encoding/json"
	"fmt"
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
