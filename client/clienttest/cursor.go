package clienttest

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	packhooks "github.com/packhooks/packhooks/client"
)

// A seek says on which side of its position a page lies.
type seek byte

const (
	first seek = iota
	after
	onward // from the position on, it included
	before
	upTo // up to the position, it included
)

type position struct {
	createdAt time.Time
	id        string
}

type cursor struct {
	seek
	position
}

const (
	version  = 1
	sumLen   = 6
	fixedLen = 1 + sumLen + 1 + 8
)

var encoding = base64.RawURLEncoding.Strict()

// encode packs c with a sum over it and the organization, so that a changed or foreign cursor is refused.
func (c cursor) encode(organization string) string {
	tail := binary.BigEndian.AppendUint64([]byte{byte(c.seek)}, uint64(c.createdAt.UnixMicro()))
	tail = append(tail, c.id...)
	return encoding.EncodeToString(slices.Concat([]byte{version}, sum(organization, tail), tail))
}

func decode(text, organization string) (cursor, bool) {
	raw, err := encoding.DecodeString(text)
	if err != nil || len(raw) <= fixedLen || raw[0] != version {
		return cursor{}, false
	}
	tail := raw[1+sumLen:]
	if string(raw[1:1+sumLen]) != string(sum(organization, tail)) {
		return cursor{}, false
	}
	at := time.UnixMicro(int64(binary.BigEndian.Uint64(tail[1:]))).UTC()
	return cursor{seek(tail[0]), position{at, string(tail[9:])}}, true
}

func sum(organization string, tail []byte) []byte {
	h := sha256.Sum256([]byte(organization + "\x00" + string(tail)))
	return h[:sumLen]
}

// bounds returns where the page of c begins and ends in the sorted list.
func (c cursor) bounds(list []packhooks.Webhook, perPage int) (from, to int) {
	if c.seek == first {
		return 0, min(perPage, len(list))
	}
	at, found := slices.BinarySearchFunc(list, c.position, func(w packhooks.Webhook, p position) int {
		return comparePositions(positionOf(w), p)
	})
	if found && (c.seek == after || c.seek == upTo) {
		at++
	}
	if c.seek == before || c.seek == upTo {
		return max(at-perPage, 0), at
	}
	return at, min(at+perPage, len(list))
}

func positionOf(w packhooks.Webhook) position { return position{w.CreatedAt, w.ID} }

// compare orders webhooks as the contract does: by creation time, then by id in byte order.
func compare(a, b packhooks.Webhook) int { return comparePositions(positionOf(a), positionOf(b)) }

func comparePositions(a, b position) int {
	return cmp.Or(a.createdAt.Compare(b.createdAt), strings.Compare(a.id, b.id))
}
