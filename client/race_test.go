//go:build race

package packhooks_test

import "time"

// hostileTime is longer than it is for programs: the race detector slows the scanner down.
const hostileTime = 10 * time.Second
