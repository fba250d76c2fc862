package store

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strings"
)

// TokenPrefix begins every token, so that people and secret scanners know one when they see it.
const TokenPrefix = "phk_"

// TokenHash is the SHA-256 of a token: what a store keeps and looks up. A token is 256 random bits, so neither salt
// nor stretching would add anything.
type TokenHash [sha256.Size]byte

// NewToken makes a token: TokenPrefix, then the base64url of 32 random bytes and their CRC-32 (IEEE, big endian),
// 52 characters in all.
func NewToken() string {
	b := make([]byte, 32, 36)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return TokenPrefix + base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)))
}

// HashToken returns the hash of a token. It reports false, without any look-up being needed, for a text that
// NewToken cannot have made.
func HashToken(token string) (TokenHash, bool) {
	text, ok := strings.CutPrefix(token, TokenPrefix)
	if !ok || len(text) != 48 { // the decoder passes over line breaks
		return TokenHash{}, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != 36 || crc32.ChecksumIEEE(b[:32]) != binary.BigEndian.Uint32(b[32:]) {
		return TokenHash{}, false
	}
	return sha256.Sum256([]byte(token)), true
}
