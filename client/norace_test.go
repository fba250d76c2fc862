//go:build !race

package packhooks_test

import "time"

// hostileTime is how long reading any response may take.
const hostileTime = time.Second
