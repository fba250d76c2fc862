package packhooks_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	packhooks "github.com/packhooks/packhooks/client"
)

// hostileLimits are responses that cost time, memory or requests, or that mean another thing to another reader.
func hostileLimits() []hostile {
	raw := func(changes string) string {
		return `{"data":[{"id":"a","endpoint":"e","secret":"s","enabled":true,"created_at":"2024-08-02T09:30:00Z","updated_at":"2024-08-02T09:30:00Z"` +
			changes + `}],"links":{"prev":null,"next":null}}`
	}
	odd := func(name string, page string) hostile {
		return hostile{name: name, webhooks: 1, page: page, serve: fixed(always(200, page))}
	}
	return []hostile{
		{
			name: "101", status: 101, text: "101 Switching Protocols",
			serve: fixed(func(w http.ResponseWriter, _ *http.Request) {
				conn, _, _ := http.NewResponseController(w).Hijack()
				_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
				time.AfterFunc(2*time.Second, func() { _ = conn.Close() })
			}),
		},
		{
			name: "body cut short without a length", want: packhooks.ErrUnavailable, text: "unexpected EOF (8 attempts)", requests: 8,
			serve: fixed(func(w http.ResponseWriter, _ *http.Request) {
				conn, _, _ := http.NewResponseController(w).Hijack()
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"+body("", item("a", nil))[:80])
				_ = conn.Close()
			}),
		},
		{
			name: "endless chain of empty pages", want: packhooks.ErrMalformedPage, text: "101 pages in a row are empty", requests: 101,
			serve: fixed(func() http.HandlerFunc {
				var n atomic.Int32
				return func(w http.ResponseWriter, _ *http.Request) {
					_, _ = io.WriteString(w, body(fmt.Sprintf("?cursor=%d", n.Add(1))))
				}
			}()),
		},
		malformed("link of more than 8 KiB", "more than 8192 bytes", body("?cursor="+strings.Repeat("a", 8<<10))),
		malformed("gzip that is none", "not valid gzip", "").with("Content-Encoding", "gzip", "not gzip at all"),
		{
			name: "a million zeros in 10 kB of gzip", want: packhooks.ErrMalformedPage, text: "data[0] is a number",
			serve: fixed(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				zip := gzip.NewWriter(w)
				_, _ = io.WriteString(zip, `{"data":[`+strings.Repeat("0,", 5_000_000)+`0]}`)
				_ = zip.Close()
			}),
		},
		malformed("700,000 keys", "data is missing", "{"+strings.Repeat(`"x12345":0,`, 700_000)+`"y":0}`),
		malformed("nested deeply", "the JSON ends too early", strings.Repeat("[", 10)+`{"data":`+strings.Repeat("[", 1_000_000)).asArray(),
		{
			name: "more than 10,000 webhooks", want: packhooks.ErrResponseTooLarge, text: "more than 10000 webhooks",
			serve: fixed(always(200, body("", anyOf(item("a", nil), 10_001)...))),
		},
		malformed("data twice", "data comes twice", `{"data":[],"data":[],"links":{}}`),
		malformed("a field twice", "data[0].secret comes twice", raw(`,"secret":"t"`)),
		malformed("a field in another case", `data[0] has the key "secret" in another case`, raw(`,"SECRET":"t"`)),
		malformed("a field in another fold", `data[0] has the key "secret" in another case`, raw(`,"ſecret":"t"`)),
		malformed("data in another case", `the body has the key "data" in another case`, `{"Data":[]}`),
		malformed("invalid UTF-8", "data[0].secret has text that is not valid UTF-8", strings.Replace(raw(""), `"s"`, "\"\xff\"", 1)),
		malformed("unpaired surrogate", "data[0].secret has text that is not valid UTF-8", strings.Replace(raw(""), `"s"`, `"\ud800"`, 1)),
		malformed("bad escape", "invalid JSON at byte", strings.Replace(raw(""), `"s"`, `"\x"`, 1)),
		malformed("links.next a number", "links.next is a number", `{"data":[],"links":{"next":1}}`),
		malformed("more after the page", "invalid JSON at byte", raw("")+"{}"),
		malformed("broken JSON in an unknown key", "invalid JSON at byte", raw(`,"x":[1,]`)),
		odd("event_code a number", raw(`,"event_code":7`)),
		odd("meta an empty list", strings.Replace(raw(""), `"links"`, `"meta":[],"links"`, 1)),
		odd("per_page as text", strings.Replace(raw(""), `"links"`, `"meta":{"per_page":"25"},"links"`, 1)),
		odd("escaped slashes and key", strings.Replace(raw(""), `"endpoint":"e"`, `"end\u0070oint":"https:\/\/x"`, 1)),
	}
}

func anyOf(v any, n int) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = v
	}
	return list
}

func (h hostile) with(name, value, text string) hostile {
	h.serve = fixed(always(200, text, name, value))
	return h
}

// asArray is for pages whose outermost value is no object.
func (h hostile) asArray() hostile {
	h.text = "the body is an array"
	return h
}

// None takes more than hostileTime or 64 MiB beyond its cap. Not parallel: the figures are the process's.
func TestHostileResponsesAreCheap(t *testing.T) {
	for _, h := range hostileLimits() {
		t.Run(h.name, func(t *testing.T) {
			var took time.Duration
			for range 3 { // another try for a machine that is busy
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				start := time.Now()
				h.run(t)
				took = time.Since(start)
				runtime.ReadMemStats(&after)
				mib := (after.TotalAlloc - before.TotalAlloc) >> 20
				t.Logf("%v, %d MiB allocated in all", took.Round(time.Millisecond), mib)
				if mib > 64+10 {
					t.Errorf("it took %d MiB", mib)
				}
				if took <= hostileTime {
					return
				}
			}
			t.Errorf("it took %v", took)
		})
	}
}

// HTTP/2: a GOAWAY before the response makes net/http repeat the request without end.
func TestAttemptsAreCountedUnderGoaway(t *testing.T) {
	var requests atomic.Int32
	url := "http://" + listen(t, func(conn net.Conn) {
		defer conn.Close()
		preface := make([]byte, 24)
		if _, err := io.ReadFull(conn, preface); err != nil {
			return
		}
		_, _ = conn.Write([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0}) // SETTINGS
		header := make([]byte, 9)
		for {
			if _, err := io.ReadFull(conn, header); err != nil {
				return
			}
			_, _ = io.CopyN(io.Discard, conn, int64(header[0])<<16|int64(header[1])<<8|int64(header[2]))
			if header[3] == 1 { // HEADERS
				requests.Add(1)
				_, _ = conn.Write([]byte{0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}) // GOAWAY, last stream 0
				return
			}
		}
	})
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	c := newClientOf(t, testToken, url, packhooks.WithHTTPClient(&http.Client{Transport: transport}), packhooks.WithMaxAttempts(2), packhooks.WithAttemptTimeout(2*time.Second))
	_, err := c.ListWebhooks(t.Context(), "acme")
	if !errors.Is(err, packhooks.ErrUnavailable) || requests.Load() == 0 || requests.Load() > 2 {
		t.Errorf("%v after %d requests, want ErrUnavailable after at most 2", err, requests.Load())
	}
}

func listen(t *testing.T, serve func(net.Conn)) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	ctx := t.Context()
	t.Cleanup(func() {
		_ = l.Close()
		running.Wait()
	})
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(ctx, func() { _ = conn.Close() })
			running.Go(func() { serve(conn) })
		}
	})
	return l.Addr().String()
}
