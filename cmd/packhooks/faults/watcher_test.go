//go:build faults && linux

package faults_test

import (
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	client "github.com/packhooks/packhooks/client"
)

// unavailable reports whether err is a 503 that says when to come back.
func unavailable(err error) bool {
	var answer *client.Error
	return errors.As(err, &answer) && answer.StatusCode == http.StatusServiceUnavailable && answer.RetryAfter > 0
}

// watcher sees every attempt of every client.
type watcher struct {
	next http.RoundTripper

	mu          sync.Mutex
	pages       map[string][]time.Time // by server, when they came
	unavailable int
	lost        int // calls that ended with a 503 in spite of every attempt
	lastBad     time.Time
	others      []string
}

func (w *watcher) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(req)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err != nil && req.Context().Err() != nil:
	case err != nil:
		w.others = append(w.others, err.Error())
	case resp.StatusCode == http.StatusOK:
		w.pages[req.URL.Host] = append(w.pages[req.URL.Host], time.Now())
	case resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "":
		w.unavailable++
		w.lastBad = time.Now()
	default:
		w.others = append(w.others, resp.Status)
	}
	return resp, err
}

func (w *watcher) gaveUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost++
}

func (w *watcher) report(t *testing.T, away time.Duration, back time.Time) {
	t.Helper()
	pages, good, bad := 0, time.Duration(0), max(0, w.lastBad.Sub(back))
	for host, times := range w.pages {
		pages += len(times)
		after := slices.DeleteFunc(times, func(at time.Time) bool { return at.Before(back) })
		if len(after) == 0 {
			t.Fatalf("no page from %s after the fault", host)
		}
		good = max(good, after[0].Sub(back))
	}
	t.Logf("%d pages, %d 503 with Retry-After, %d other answers; %d calls ended with a 503", pages, w.unavailable, len(w.others), w.lost)
	t.Logf("the fault lasted %v; when the database was back, every server answered within %v, and the last 503 came after %v",
		round(away), round(good), round(bad))
	for _, other := range w.others[:min(5, len(w.others))] {
		t.Errorf("answer: %s", other)
	}
	if max(good, bad) > postgresBack || len(w.pages) != replicas {
		t.Errorf("not back within %v", postgresBack)
	}
}
