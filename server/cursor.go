package server

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/packhooks/packhooks/server/store"
)

// cursor is a bound in an organization's list and the side of it on which the page lies.
//
// On the wire it is the base64url of: version (1 byte), side (1), check (8), microseconds since 1970 (8, big endian),
// id. The check is a hash of the organization and the other fields.
// It detects cursors of other lists and accidental changes. It is no protection, and none is needed: authorization does
// not depend on the cursor.
type cursor struct {
	bound    store.Bound
	backward bool
}

// side is 1, plus 1 for a bound before its position and 2 for a page before the bound.
func (c cursor) side() (side byte) {
	side = 1
	if !c.bound.After {
		side++
	}
	if c.backward {
		side += 2
	}
	return side
}

const (
	cursorVersion = 1
	cursorCheck   = 8
	cursorHead    = 2 + cursorCheck + 8
)

var errCursor = errors.New("not a cursor of this organization's list; take it from links.prev or links.next unchanged")

// checkCursorLength rejects a contract whose ids may be too long for a cursor.
func checkCursorLength(id, cursor *openapi3.Schema) error {
	if id.MaxLength == nil {
		return errors.New("loading contract: the id of a webhook has no maxLength, which is needed as cursors contain ids")
	}
	if n := base64.RawURLEncoding.EncodedLen(cursorHead + int(*id.MaxLength)); n > int(*cursor.MaxLength) { //nolint:gosec // lengths
		return fmt.Errorf("loading contract: a cursor needs up to %d characters for an id of %d, but the contract allows %d", n, *id.MaxLength, *cursor.MaxLength)
	}
	return nil
}

// format encodes c for the organization's list. It is deterministic.
func (c cursor) format(organizationID string) string {
	b := append(make([]byte, 0, cursorHead+len(c.bound.ID)), cursorVersion, c.side())
	b = append(b, make([]byte, cursorCheck)...)
	b = binary.BigEndian.AppendUint64(b, uint64(c.bound.CreatedAt.UnixMicro()))
	b = append(b, c.bound.ID...)
	copy(b[2:], checkOf(organizationID, b))
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseCursor accepts only what format returns for the same organization. A cursor may be forged, so its id is validated.
func parseCursor(text, organizationID string, id *openapi3.Schema) (cursor, error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) <= cursorHead {
		return cursor{}, errCursor
	}
	c := cursor{backward: b[1] > 2, bound: store.Bound{
		CreatedAt: time.UnixMicro(int64(binary.BigEndian.Uint64(b[2+cursorCheck:]))).UTC(), //nolint:gosec // the bits, sign and all
		ID:        string(b[cursorHead:]),
		After:     b[1]%2 == 1,
	}}
	if id.VisitJSONString(c.bound.ID) != nil || c.format(organizationID) != text {
		return cursor{}, errCursor
	}
	return c, nil
}

// checkOf hashes the organization and everything in b but the check itself.
func checkOf(organizationID string, b []byte) []byte {
	h := sha256.New()
	h.Write([]byte(organizationID))
	h.Write([]byte{0}) // which no organization holds
	h.Write(b[:2])
	h.Write(b[2+cursorCheck:])
	return h.Sum(nil)[:cursorCheck]
}
