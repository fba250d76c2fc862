//go:build faults && linux

package faults_test

import (
	"context"
	"testing"
	"time"

	client "github.com/packhooks/packhooks/client"
)

// The promise is for a server that is away for up to 2 s. The gap between its end and its start grows to 1.8 s, and
// starting takes a moment; what a busy machine makes longer than 2 s in all is done again.
//
// A client tries for up to 5.7 s, the last 4.9 of them in one wait: who restarts more often than that can meet a call
// twice.
func TestRestartsFailNoCall(t *testing.T) {
	const workers, webhooks, spacing = 8, 60, 6 * time.Second
	p := newPlace(t)
	p.fill("acme", webhooks)
	s := p.serve()
	clients := make([]*client.Client, workers)
	for i := range clients {
		clients[i] = newClient(t, s.url, p.token("acme"))
	}
	l := startLoad(t, workers, 20*time.Millisecond, func(ctx context.Context, worker int) error {
		return walk(ctx, clients[worker], "acme", webhooks)
	})
	var slow [][2]time.Time
	var longest time.Duration
	for i := 0; i < restarts+len(slow) && len(slow) < 10; i++ {
		time.Sleep(spacing)
		s.stop()
		stopped := time.Now()
		time.Sleep(1900 * time.Millisecond * time.Duration(i%restarts) / time.Duration(restarts))
		s = p.again(s)
		started := time.Now()
		if away := started.Sub(stopped); away > 2*time.Second {
			t.Logf("not counted: this machine took %v to start a process", round(away))
			slow = append(slow, [2]time.Time{stopped, started})
		} else {
			longest = max(longest, away)
		}
	}
	time.Sleep(spacing)
	l.stop()
	for _, s := range slow {
		l.excuse(s[0], s[1])
	}
	t.Logf("%d restarts, away for up to %v", restarts, round(longest))
	if len(slow) == 10 {
		t.Error("no restart is possible within 2 s on a machine as busy as this")
	}
	l.finish("walks of 3 pages by 8 clients")
}
