//go:build faults && linux

package faults_test

import (
	"context"
	"encoding/binary"
	"strconv"
	"strings"
	"testing"
	"time"

	client "github.com/packhooks/packhooks/client"
)

// Readers try each request once, so that nothing is made good by trying again.
func TestRotationUnderLoad(t *testing.T) {
	random := newRandom(t)
	p := newPlace(t)
	p.fill("acme", rotateRows)
	token := p.token("acme")
	servers := []*service{p.serve("--rate=-1", "--log-level=warn"), p.serve("--rate=-1", "--log-level=warn")}
	readers := make([]*client.Client, len(servers))
	for i, s := range servers {
		readers[i] = newClient(t, s.url, token, client.WithMaxAttempts(1))
	}
	l := startLoad(t, len(readers), 0, func(ctx context.Context, worker int) error {
		return walk(ctx, readers[worker], "acme", rotateRows, client.PerPage(100))
	})

	p.promote()
	start := time.Now()
	t.Log(p.must("keys", "reencrypt"))
	usual := time.Since(start)
	t.Logf("re-encrypting %d webhooks under load: %v", rotateRows, round(usual))
	if n := p.stale(); n != 0 {
		t.Errorf("%d webhooks are sealed under another key than the primary one", n)
	}

	killed, between := 0, 0
	for range 40 {
		if killed == 10 {
			break
		}
		p.promote()
		if _, survived := p.killAfter(time.Duration(random.Float64()*float64(usual)), "keys", "reencrypt"); !survived {
			killed++
		}
		if n := p.stale(); n > 0 && n < rotateRows {
			between++
		}
	}
	start = time.Now()
	p.must("keys", "reencrypt")
	t.Logf("%d re-encryptions killed, %d of them halfway; repeating the last: %v", killed, between, round(time.Since(start)))
	if n := p.stale(); n != 0 {
		t.Errorf("%d webhooks are sealed under another key than the primary one", n)
	}
	l.finish("walks of 1000 pages on 2 servers")
	for i, c := range readers {
		if err := walk(t.Context(), c, "acme", rotateRows, client.PerPage(100)); err != nil {
			t.Errorf("server %d: %v", i, err)
		}
	}
	checkIntegrity(t, p.path("packhooks.db"))
}

// promote adds a key and makes it the primary one.
func (p place) promote() {
	p.t.Helper()
	p.must("keys", "promote", p.must("keys", "add"))
}

// stale counts the webhooks that are not sealed under the primary key: a ciphertext begins with a 1 and the key's id.
func (p place) stale() (n int) {
	p.t.Helper()
	db := openRaw(p.t, p.path("packhooks.db"))
	defer db.Close()
	check(p.t, db.QueryRowContext(p.t.Context(), "SELECT count(*) FROM webhooks WHERE substr(document, 1, 5) <> ?", p.primaryPrefix()).Scan(&n))
	return n
}

func (p place) primaryPrefix() []byte {
	p.t.Helper()
	id, err := strconv.ParseUint(p.primaryKey(), 10, 32)
	check(p.t, err)
	return binary.BigEndian.AppendUint32([]byte{1}, uint32(id))
}

func (p place) primaryKey() string {
	p.t.Helper()
	for row := range strings.Lines(p.must("keys", "list")) {
		if columns := strings.Fields(row); columns[1] == "true" {
			return columns[0]
		}
	}
	p.t.Fatal("no primary key")
	return ""
}
