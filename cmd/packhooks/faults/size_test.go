//go:build faults && linux

package faults_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// What the tests do on every run is bounded; these variables ask for more.
var (
	importRows = size("FAULTS_IMPORT_ROWS", 200_000) // of the import that tokens are revoked during; promised for 1000000
	rotateRows = size("FAULTS_ROTATE_ROWS", 100_000) // re-encrypted under load
	killRounds = size("FAULTS_KILL_ROUNDS", 50)      // in each of which every kind of write is killed once
	restarts   = size("FAULTS_RESTARTS", 20)
	seed       = size("FAULTS_SEED", int(time.Now().UnixNano()%1_000_000)) // of all moments that are chosen at random
)

func size(name string, fallback int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return fallback
}

func newRandom(t *testing.T) *rand.Rand {
	t.Helper()
	t.Logf("FAULTS_SEED=%d", seed)
	return rand.New(rand.NewPCG(uint64(seed), 0))
}
