package packhooks_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	packhooks "github.com/packhooks/packhooks/client"
	"github.com/packhooks/packhooks/client/clienttest"
)

const testToken = "pk-test-token-0123456789"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newClient returns a client of srv that hardly waits between attempts.
func newClient(t testing.TB, srv *clienttest.Server, opts ...packhooks.Option) *packhooks.Client {
	t.Helper()
	return newClientOf(t, srv.Token, srv.URL, opts...)
}

func newClientOf(t testing.TB, token, url string, opts ...packhooks.Option) *packhooks.Client {
	t.Helper()
	first := []packhooks.Option{
		packhooks.WithBaseURL(url),
		packhooks.WithHTTPClient(httpClient(t)),
		packhooks.WithBackoff(time.Millisecond, 10*time.Millisecond),
	}
	c, err := packhooks.New(token, append(first, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// httpClient has its own connections, closed with the test, so that no goroutine of theirs is left behind.
func httpClient(t testing.TB) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// serve starts a server of h below /v1.
func serve(t testing.TB, h http.HandlerFunc) (url string) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return srv.URL + "/v1"
}

// item is a webhook as a server writes it, with some members replaced; nil removes one.
func item(id string, changes map[string]any) map[string]any {
	it := map[string]any{
		"id":         id,
		"endpoint":   "https://example.com/hook",
		"secret":     "q9NhjkjV9o",
		"enabled":    true,
		"created_at": "2024-08-02T09:30:00Z",
		"updated_at": "2024-08-02T09:30:00Z",
	}
	for name, value := range changes {
		if it[name] = value; value == nil {
			delete(it, name)
		}
	}
	return it
}

// body is a page as a server writes it; an empty next is null.
func body(next string, items ...any) string {
	links := map[string]any{"prev": nil, "next": nil}
	if next != "" {
		links["next"] = next
	}
	if items == nil {
		items = []any{}
	}
	text, err := json.Marshal(map[string]any{"data": items, "links": links, "meta": map[string]any{"per_page": 25}})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// always sends the same response.
func always(status int, text string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, text)
	}
}

var discard = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
