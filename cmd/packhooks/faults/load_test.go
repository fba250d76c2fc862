//go:build faults && linux

package faults_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"
)

// load is calls that are made all the time by several workers.
type load struct {
	t      *testing.T
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex
	took   []time.Duration
	failed []failedCall
}

type failedCall struct {
	start, end time.Time
	err        error
}

// startLoad has each worker call, wait for pause, and call again.
func startLoad(t *testing.T, workers int, pause time.Duration, call func(ctx context.Context, worker int) error) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{t: t, cancel: cancel}
	for worker := range workers {
		l.done.Go(func() {
			for ctx.Err() == nil {
				start := time.Now()
				l.record(ctx, start, call(ctx, worker))
				select {
				case <-time.After(pause):
				case <-ctx.Done():
				}
			}
		})
	}
	t.Cleanup(l.stop)
	return l
}

// record leaves out calls that the end of the load has cut short.
func (l *load) record(ctx context.Context, start time.Time, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return
	}
	l.took = append(l.took, time.Since(start))
	if err != nil {
		l.failed = append(l.failed, failedCall{start, time.Now(), err})
	}
}

// excuse takes back the calls that have failed and were under way at some moment between two times.
func (l *load) excuse(from, to time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = slices.DeleteFunc(l.failed, func(f failedCall) bool { return f.start.Before(to) && f.end.After(from) })
}

func (l *load) stop() {
	l.cancel()
	l.done.Wait()
}

// finish ends the load, prints its figures and fails the test if a call has failed.
func (l *load) finish(what string) {
	l.t.Helper()
	l.stop()
	slices.Sort(l.took)
	if len(l.took) == 0 {
		l.t.Fatalf("%s: no call was made", what)
	}
	l.t.Logf("%s: %d calls, %d failed; median %v, slowest %v", what, len(l.took), len(l.failed),
		round(l.took[len(l.took)/2]), round(l.took[len(l.took)-1]))
	for _, f := range l.failed[:min(5, len(l.failed))] {
		l.t.Errorf("%s: %v", what, f.err)
	}
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
