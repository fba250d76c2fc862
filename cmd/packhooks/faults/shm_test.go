//go:build faults && linux

package faults_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The files that SQLite shares between processes are mapped into memory, where reading beyond their end is SIGBUS.
func TestTruncatedSharedMemoryEndsNoServer(t *testing.T) {
	p := newPlace(t)
	p.fill("acme", 10)
	token := p.token("acme")
	s := p.serve("--rate=-1")
	answered := func() bool { return authorized(t, s.url, token) == http.StatusOK }
	s.until("it answers", 10*time.Second, answered)
	files, err := filepath.Glob(filepath.Join(p.dir, "*-shm"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for range 3 {
		for _, file := range files {
			check(t, os.Truncate(file, 0))
		}
		start := time.Now()
		s.until("it answers again", 20*time.Second, answered)
		t.Logf("answered again after %v", time.Since(start))
	}
	s.until("it is ready", 10*time.Second, func() bool { return s.ready() == http.StatusOK })
	s.stop()
	if began := strings.Count(s.logged(), `msg="storage is failing"`); began < 1 || began > 3 {
		t.Errorf("%d outages are logged", began)
	}
}

func authorized(t *testing.T, url, token string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/organizations/acme/webhooks", nil)
	check(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
