package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"github.com/packhooks/packhooks/server/store"
)

// cursor is a place in an organization's list and the side of it on which the page lies.
//
// On the wire it is the base64url of: version (1 byte), seek (1), hash of the organization (8), microseconds since
// 1970 (8, big endian), id (1 to 128). That is 195 characters at most. The hash keeps a cursor from being used for
// another organization by mistake; it protects nothing, as a cursor only ever reads what its token may read.
type cursor struct {
	seek     store.Seek
	position store.Position
}

const (
	cursorVersion = 1
	cursorHead    = 2 + cursorHash + 8
	cursorHash    = 8
	maxID         = 128
)

var errCursor = errors.New("not a cursor of this organization's list; take it from links.prev or links.next unchanged")

func (c cursor) format(organizationID string) string {
	b := append(make([]byte, 0, cursorHead+maxID), cursorVersion, byte(c.seek))
	b = append(b, organizationHash(organizationID)...)
	b = binary.BigEndian.AppendUint64(b, uint64(c.position.CreatedAt.UnixMicro())) //nolint:gosec // the bits, sign and all
	return base64.RawURLEncoding.EncodeToString(append(b, c.position.ID...))
}

// parseCursor reads what format wrote for the same organization, and refuses everything else.
func parseCursor(text, organizationID string) (cursor, error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || base64.RawURLEncoding.EncodeToString(b) != text { // one text a cursor: no line breaks, no stray bits
		return cursor{}, errCursor
	}
	if len(b) <= cursorHead || len(b) > cursorHead+maxID || b[0] != cursorVersion {
		return cursor{}, errCursor
	}
	seek := store.Seek(b[1])
	if seek < store.After || seek > store.UpTo || !bytes.Equal(b[2:2+cursorHash], organizationHash(organizationID)) {
		return cursor{}, errCursor
	}
	micros := int64(binary.BigEndian.Uint64(b[2+cursorHash : cursorHead])) //nolint:gosec // the bits, sign and all
	id := string(b[cursorHead:])
	if !printableASCII(id) {
		return cursor{}, errCursor
	}
	return cursor{seek, store.Position{CreatedAt: time.UnixMicro(micros).UTC(), ID: id}}, nil
}

func organizationHash(organizationID string) []byte {
	sum := sha256.Sum256([]byte(organizationID))
	return sum[:cursorHash]
}

func printableASCII(s string) bool {
	for _, b := range []byte(s) {
		if b < ' ' || b > '~' {
			return false
		}
	}
	return true
}
