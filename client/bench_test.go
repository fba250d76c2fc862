package packhooks_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	packhooks "github.com/packhooks/packhooks/client"
	"github.com/packhooks/packhooks/client/clienttest"
)

const benchWebhooks = 10_000

// recorded serves the pages of an organization of benchWebhooks as clienttest rendered them once, so that what is
// measured is the client's share.
func recorded(b *testing.B) string {
	b.Helper()
	source := clienttest.NewServer(b, clienttest.WithWebhooks("acme", clienttest.Webhooks(benchWebhooks)...))
	pages := map[string][]byte{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(pages[r.URL.RawQuery])
	}))
	b.Cleanup(srv.Close)

	for link := source.URL + "/organizations/acme/webhooks?per_page=100"; link != ""; {
		var page handWrittenPage
		query := fetchByHand(b, link, source.Token, &page)
		if link = ""; page.Links.Next != nil {
			link = *page.Links.Next
			moved := strings.Replace(link, source.URL, srv.URL+"/v1", 1)
			page.Links.Next = &moved
		}
		body, err := json.Marshal(page)
		if err != nil {
			b.Fatal(err)
		}
		pages[query] = body
	}
	return srv.URL + "/v1"
}

// fetchByHand does what a careful program does without this package.
func fetchByHand(b *testing.B, link, token string, page *handWrittenPage) (query string) {
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, link, nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		b.Fatal(resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(page); err != nil {
		b.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body) // or the connection is not used again
	return req.URL.RawQuery
}

type handWrittenPage struct {
	Data []struct {
		ID        string    `json:"id"`
		EventCode string    `json:"event_code,omitempty"`
		Endpoint  string    `json:"endpoint"`
		Secret    string    `json:"secret"`
		Enabled   bool      `json:"enabled"`
		CreatedAt time.Time `json:"created_at"`
		UpdatedAt time.Time `json:"updated_at"`
	} `json:"data"`
	Links struct {
		Prev *string `json:"prev"`
		Next *string `json:"next"`
	} `json:"links"`
	Meta struct {
		PerPage int `json:"per_page"`
	} `json:"meta"`
}

func BenchmarkWebhooks(b *testing.B) {
	walk := throughClient(b, recorded(b))
	b.ReportAllocs()
	for b.Loop() {
		walk()
	}
}

func BenchmarkHandWritten(b *testing.B) {
	walk := byHand(b, recorded(b))
	b.ReportAllocs()
	for b.Loop() {
		walk()
	}
}

// BenchmarkRatio takes turns, so that whatever else the machine does slows both; client/hand is to stay at or
// below 0.75.
func BenchmarkRatio(b *testing.B) {
	url := recorded(b)
	client, hand := throughClient(b, url), byHand(b, url)
	var clientTime, handTime time.Duration
	for b.Loop() {
		start := time.Now()
		client()
		middle := time.Now()
		hand()
		clientTime += middle.Sub(start)
		handTime += time.Since(middle)
	}
	b.ReportMetric(float64(clientTime)/float64(handTime), "client/hand")
}

func throughClient(b *testing.B, url string) func() {
	c, err := packhooks.New("bench-token", packhooks.WithBaseURL(url))
	if err != nil {
		b.Fatal(err)
	}
	return func() {
		n := 0
		for _, err := range c.Webhooks(b.Context(), "acme", packhooks.PerPage(100)) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != benchWebhooks {
			b.Fatalf("%d webhooks", n)
		}
	}
}

func byHand(b *testing.B, url string) func() {
	return func() {
		n := 0
		for link := url + "/organizations/acme/webhooks?per_page=100"; link != ""; {
			var page handWrittenPage
			fetchByHand(b, link, "bench-token", &page)
			for range page.Data {
				n++
			}
			if link = ""; page.Links.Next != nil {
				link = *page.Links.Next
			}
		}
		if n != benchWebhooks {
			b.Fatalf("%d webhooks", n)
		}
	}
}

// BenchmarkPage reads a page of 100 webhooks over and over, without a network.
func BenchmarkPage(b *testing.B) {
	source := clienttest.NewServer(b, clienttest.WithWebhooks("acme", clienttest.Webhooks(200)...))
	var wire handWrittenPage
	fetchByHand(b, source.URL+"/organizations/acme/webhooks?per_page=100", source.Token, &wire)
	text, err := json.Marshal(wire)
	if err != nil {
		b.Fatal(err)
	}
	for name, read := range map[string]func() error{
		"client":        func() error { return packhooks.DecodePage(b.Context(), text) },
		"encoding/json": func() error { return json.Unmarshal(text, new(handWrittenPage)) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if err := read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
