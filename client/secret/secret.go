// Package secret has the mask that stands for a signing secret wherever package packhooks prints or marshals one, for
// programs that must not take it for a real secret.
package secret

import "errors"

// Mask stands for a secret.
const Mask = "[redacted]"

// ErrMasked reports a mask where a secret belongs: text that had been printed or marshalled was read back.
var ErrMasked = errors.New("reading a masked secret: the real value was never written")
