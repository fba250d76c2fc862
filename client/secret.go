package packhooks

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// SecretMask is what a Secret shows wherever something prints, logs or marshals it.
const SecretMask = "[redacted]"

// ErrMaskedSecret reports a mask where a secret belongs: text that had been printed or marshalled was read back.
var ErrMaskedSecret = errors.New("reading a masked secret: the real value was never written")

// Secret is a signing secret. The zero value holds none.
//
// Its text sits behind a pointer, as fmt walks into the unexported fields of a struct without calling their
// methods. It cannot be compared with ==; use Equal.
type Secret struct {
	_ [0]func()
	v *string
}

// NewSecret returns a Secret that holds text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{v: &text}
}

// Reveal returns the text: the one way out.
func (s Secret) Reveal() string {
	if s.v == nil {
		return ""
	}
	return *s.v
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

// MarshalText returns SecretMask (encoding). It serves encoding/json, xml and gob too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(SecretMask), nil }

// UnmarshalText reads the text of a secret; SecretMask is ErrMaskedSecret, so that a value that was marshalled and read back
// can never replace the real one. It serves encoding/json too, where null leaves s as it is.
func (s *Secret) UnmarshalText(text []byte) error {
	if string(text) == SecretMask {
		return ErrMaskedSecret
	}
	*s = NewSecret(string(text))
	return nil
}
