package packhooks

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"io"
	"log/slog"
	"reflect"

	"github.com/packhooks/packhooks/client/secret"
)

// SecretMask is what a Secret shows wherever something prints, logs or marshals it.
const SecretMask = secret.Mask

// ErrMaskedSecret reports a mask where a secret belongs: text that had been printed or marshalled was read back.
var ErrMaskedSecret = secret.ErrMasked

// A Secret is a webhook's signing secret. The zero value holds none.
//
// fmt, log/slog, encoding/json and encoding/xml show [SecretMask]; encoding/gob returns an error. Tools that print
// by reflection (spew, testify, go-cmp) find an encrypted text. [Secret.Reveal] is the only way to the plain one.
//
// Secrets cannot be compared with ==. Use [Secret.Equal]; reflect.DeepEqual works too.
type Secret struct {
	_ [0]func()
	v *[]byte // sealed; behind a pointer, as fmt walks unexported fields without calling methods
}

// NewSecret returns a Secret that holds text.
func NewSecret(text string) Secret { return newSecret([]byte(text)) }

// newSecret keeps the hash of text, followed by text encrypted in counter mode from that hash. Equal texts look the same,
// so that reflect.DeepEqual works.
func newSecret(text []byte) Secret {
	if len(text) == 0 {
		return Secret{}
	}
	tag := maphash.Bytes(sealSeed, text)
	sealed := binary.LittleEndian.AppendUint64(make([]byte, 0, tagSize+len(text)+aes.BlockSize), tag)
	sealed = append(sealed, crypt(sealed[tagSize:], text, tag)...)
	return Secret{v: &sealed}
}

// Reveal returns the plain text, or "" when s holds none.
func (s Secret) Reveal() string {
	if s.v == nil {
		return ""
	}
	return string(crypt(nil, (*s.v)[tagSize:], binary.LittleEndian.Uint64(*s.v)))
}

const tagSize = 8

// The key and the seed are of the process.
var (
	sealKey  = newSealKey()
	sealSeed = maphash.MakeSeed()
)

func newSealKey() cipher.Block {
	key := make([]byte, aes.BlockSize)
	_, _ = rand.Read(key) // never fails (crypto/rand)
	block, _ := aes.NewCipher(key)
	return block
}

// crypt encrypts or decrypts text, using the room beyond the end of buf if there is enough.
func crypt(buf, text []byte, tag uint64) []byte {
	for n := uint64(0); len(buf) < len(text); n++ {
		buf = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(buf, tag), n)
		block := buf[len(buf)-aes.BlockSize:]
		sealKey.Encrypt(block, block)
	}
	subtle.XORBytes(buf, buf, text)
	return buf[:len(text)]
}

// IsZero reports whether s holds no text.
func (s Secret) IsZero() bool { return s.v == nil }

// Equal reports whether s and other hold the same text, in a time that does not depend on where they differ.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String returns SecretMask.
func (s Secret) String() string { return SecretMask }

// Format writes SecretMask for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, SecretMask) }

// LogValue returns SecretMask (log/slog).
func (s Secret) LogValue() slog.Value { return slog.StringValue(SecretMask) }

// MarshalText returns SecretMask. It serves encoding/json and encoding/xml. [Webhook.RevealJSON] writes the text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(SecretMask), nil }

// UnmarshalText reads the plain text of a secret. SecretMask is ErrMaskedSecret, so that a value that was marshalled
// and read back never replaces the real one. It serves encoding/json, where null leaves s unchanged.
func (s *Secret) UnmarshalText(text []byte) error {
	if string(text) == SecretMask {
		return ErrMaskedSecret
	}
	*s = newSecret(text)
	return nil
}

// RevealJSON returns w as JSON with the plain text of its secrets, which json.Marshal masks: to store webhooks where
// secrets may be. json.Unmarshal reads the result into a Webhook.
func (w Webhook) RevealJSON() ([]byte, error) {
	return json.Marshal(revealed(reflect.ValueOf(w)).Interface())
}

// revealed is a value of the same JSON, but for the secrets in it.
func revealed(v reflect.Value) reflect.Value {
	switch {
	case v.Type() == reflect.TypeFor[Secret]():
		return reflect.ValueOf(v.Interface().(Secret).Reveal())
	case v.Type().Implements(reflect.TypeFor[json.Marshaler]()):
	case v.Kind() == reflect.Pointer && !v.IsNil():
		plain := revealed(v.Elem())
		pointer := reflect.New(plain.Type())
		pointer.Elem().Set(plain)
		return pointer
	case v.Kind() == reflect.Slice && !v.IsNil() && v.Type().Elem().Kind() != reflect.Uint8:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = revealed(v.Index(i)).Interface()
		}
		return reflect.ValueOf(list)
	case v.Kind() == reflect.Struct:
		fields, values := reflect.VisibleFields(v.Type()), make([]reflect.Value, v.NumField())
		for i := range fields {
			values[i] = revealed(v.Field(i))
			fields[i].Type = values[i].Type()
		}
		plain := reflect.New(reflect.StructOf(fields)).Elem()
		for i := range values {
			plain.Field(i).Set(values[i])
		}
		return plain
	}
	return v
}
