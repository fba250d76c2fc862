package server

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/packhooks/packhooks/server/store"
)

// cursor is a bound in an organization's list and the side of it on which the page lies.
//
// On the wire it is the base64url of: version (1 byte), side (1), check (8), microseconds since 1970 (8, big endian),
// id. The side is 1, plus 1 for a bound before its position and 2 for a page before the bound. The check is a hash of
// the organization and the other fields. It detects cursors of other lists and accidental changes. It is no protection,
// and none is needed: authorization does not depend on the cursor.
type cursor struct {
	bound    store.Bound
	backward bool
}

const (
	cursorVersion = 1
	cursorCheck   = 8
	cursorHead    = 2 + cursorCheck + 8
)

// checkCursorLength rejects a contract whose ids may be too long for a cursor.
func checkCursorLength(id, cursor *openapi3.Schema) error {
	if id.MaxLength == nil {
		return errors.New("loading contract: the id of a webhook has no maxLength, which is needed as cursors contain ids")
	}
	if n := base64.RawURLEncoding.EncodedLen(cursorHead + int(*id.MaxLength)); n > int(*cursor.MaxLength) { //nolint:gosec // lengths
		return fmt.Errorf("loading contract: a cursor needs up to %d characters for an id of %d, but the contract allows %d",
			n, *id.MaxLength, *cursor.MaxLength)
	}
	return nil
}

// format encodes c for the organization's list. It is deterministic.
func (c cursor) format(organizationID string) string {
	b := make([]byte, cursorHead, cursorHead+len(c.bound.ID))
	b[0], b[1] = cursorVersion, 1
	if !c.bound.After {
		b[1]++
	}
	if c.backward {
		b[1] += 2
	}
	binary.BigEndian.PutUint64(b[2+cursorCheck:], uint64(c.bound.CreatedAt.UnixMicro()))
	b = append(b, c.bound.ID...)
	hash := sha256.Sum256(slices.Concat([]byte(organizationID), []byte{0}, b[:2], b[2+cursorCheck:])) // no organization holds the 0
	copy(b[2:], hash[:cursorCheck])
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseCursor accepts only what format returns for the same organization. A cursor may be forged, so its id is validated.
func parseCursor(text, organizationID string, id *openapi3.Schema) (c cursor, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) <= cursorHead {
		return c, false
	}
	c = cursor{backward: b[1] > 2, bound: store.Bound{
		CreatedAt: time.UnixMicro(int64(binary.BigEndian.Uint64(b[2+cursorCheck:]))).UTC(), //nolint:gosec // the bits, sign and all
		ID:        string(b[cursorHead:]),
		After:     b[1]%2 == 1,
	}}
	return c, id.VisitJSONString(c.bound.ID) == nil && c.format(organizationID) == text
}
