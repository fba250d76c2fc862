package packhooks_test

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	packhooks "github.com/packhooks/packhooks/client"
)

// TestRetryFigures simulates outages in a bubble's own time and prints how many walks of ten pages fail:
//
//	go test -run TestRetryFigures -v -count=1 .
func TestRetryFigures(t *testing.T) {
	second := func(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }
	for _, try := range []struct {
		name  string
		most  float64 // percent of failed walks
		walks int
		limit int // requests a second; 0 for any number
		down  func(r *rand.Rand) []time.Duration
	}{
		{"one outage of 0 to 2 s", 0, 500, 0, func(r *rand.Rand) []time.Duration { return []time.Duration{0, second(2 * r.Float64())} }},
		{"one outage of 2 to 3.4 s", 0, 500, 0, func(r *rand.Rand) []time.Duration { return []time.Duration{0, second(2 + 1.4*r.Float64())} }},
		{"one outage of 3.4 to 5 s", 50, 500, 0, func(r *rand.Rand) []time.Duration { return []time.Duration{0, second(3.4 + 1.6*r.Float64())} }},
		{"restarts of up to 1.8 s, 0.3 s apart", 60, 500, 0, restarts(0.3)},
		{"restarts of up to 1.8 s, 2 s apart", 2, 500, 0, restarts(2)},
		{"2,000 clients after an outage of 3 s, 1,000 requests/s", 1, 2000, 1000, func(*rand.Rand) []time.Duration { return []time.Duration{0, second(3)} }},
	} {
		failed := 0
		if try.limit > 0 {
			failed = simulate(t, rand.New(rand.NewPCG(1, 1)), try.down, try.limit, try.walks)
		} else {
			for i := range try.walks {
				failed += simulate(t, rand.New(rand.NewPCG(1, uint64(i))), try.down, 0, 1)
			}
		}
		percent := 100 * float64(failed) / float64(try.walks)
		t.Logf("%-55s %5.1f %% of %d walks failed", try.name, percent, try.walks)
		if percent > try.most {
			t.Errorf("%s: want at most %.1f %%", try.name, try.most)
		}
	}
}

// restarts are twenty, with this much time between them.
func restarts(apart float64) func(*rand.Rand) []time.Duration {
	return func(r *rand.Rand) (edges []time.Duration) {
		at := time.Duration(0)
		for range 20 {
			edges = append(edges, at, at+time.Duration((0.2+1.6*r.Float64())*float64(time.Second)))
			at = edges[len(edges)-1] + time.Duration(apart*float64(time.Second))
		}
		return edges
	}
}

// simulate runs clients against a server that is away between each two edges and has limit requests a second; what
// is over gets 503 and Retry-After. It returns how many failed.
func simulate(t *testing.T, r *rand.Rand, down func(*rand.Rand) []time.Duration, limit, clients int) (failed int) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		start, edges, served := time.Now(), down(r), map[int64]int{}
		transport := roundTrip(func(req *http.Request) (*http.Response, error) {
			time.Sleep(5 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			now := time.Since(start)
			for i := 0; i < len(edges); i += 2 {
				if now >= edges[i] && now < edges[i+1] {
					return nil, syscall.ECONNREFUSED
				}
			}
			tenth := int64(now / (100 * time.Millisecond))
			if limit > 0 && served[tenth] >= limit/10 {
				resp := response(req, 503, "")
				resp.Header.Set("Retry-After", "1")
				return resp, nil
			}
			served[tenth]++
			next := "?" + req.URL.RawQuery + "1"
			if len(next) > 10 || limit > 0 {
				next = ""
			}
			return response(req, 200, body(next)), nil
		})
		c, err := packhooks.New(testToken, packhooks.WithHTTPClient(&http.Client{Transport: transport}))
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range clients {
			all.Go(func() {
				for _, err := range c.WebhookPages(t.Context(), "acme") {
					if err != nil {
						mu.Lock()
						failed++
						mu.Unlock()
					}
				}
			})
		}
		all.Wait()
	})
	return failed
}
