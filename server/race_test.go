//go:build race

package server_test

// raceDetector says that the race detector makes allocations of its own.
const raceDetector = true
