package main_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	client "github.com/packhooks/packhooks/client"
)

// written is a webhook as a test writes it, with its secret.
type written struct {
	ID        string    `json:"id"`
	EventCode string    `json:"event_code,omitempty"`
	Endpoint  string    `json:"endpoint"`
	Secret    string    `json:"secret"`
	Enabled   bool      `json:"enabled"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

func ndjson[T any](rows []T) string {
	var b strings.Builder
	for _, row := range rows {
		data, _ := json.Marshal(row)
		b.Write(append(data, '\n'))
	}
	return b.String()
}

// awkward makes webhooks that are valid and that something always goes wrong with, in the order of the API.
func awkward(n int) []written {
	random := rand.New(rand.NewPCG(1, 2))
	parts := []string{"%2F", "%00", "ü", "日本", "😀", "\u202e", "?a=b&c=%zz", "#x", " ", "\t", "\n", `"`, `\`, "<script>", "'", "\u2028", "%", "/../", "�"}
	ids := []string{"wh %d", "%d", "~%06d", "wh/%d", "wh%%2F%d", `"%d"`, `\%d`, "WH_%d"}
	start := time.Date(2021, 2, 28, 23, 59, 59, 999_999_000, time.UTC)
	rows := make([]written, n)
	for i := range rows {
		endpoint := "https://x.example/"
		for range random.IntN(12) {
			endpoint += parts[random.IntN(len(parts))]
		}
		if i%100 == 0 {
			endpoint += strings.Repeat("é", 8192-len([]rune(endpoint)))
		}
		created := start.Add(time.Duration(random.IntN(n)) * time.Microsecond)
		if i%3 == 0 {
			created = start.Add(time.Duration(i%9) * time.Hour) // hundreds of rows at the same moment
		}
		rows[i] = written{fmt.Sprintf(ids[i%len(ids)], i), "", endpoint, fmt.Sprintf("s%dß", i), i%2 == 0, created, created.Add(time.Hour)}
		if i%4 != 0 {
			rows[i].EventCode = "orders.créated"
		}
	}
	slices.SortFunc(rows, func(a, b written) int { return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID)) })
	return rows
}

func shuffled[T any](rows []T) []T {
	rows = slices.Clone(rows)
	rand.New(rand.NewPCG(3, 4)).Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	return rows
}

func asWritten(w client.Webhook) written {
	return written{w.ID, w.EventCode, w.Endpoint, w.Secret.Reveal(), w.Enabled, w.CreatedAt, w.UpdatedAt}
}

func TestAwkwardWebhooksAreWalkedBothWays(t *testing.T) {
	const n = 10_000
	p := newPlace(t)
	rows := awkward(n)
	p.must(ndjson(shuffled(rows)), "import", "--org", "acme", "-")
	token := strings.TrimSpace(p.must("", "token", "create", "--org", "acme"))
	d := p.serve("--rate=-1")
	reader, err := client.New(token, client.WithBaseURL(d.url))
	if err != nil {
		t.Fatal(err)
	}
	for _, perPage := range []int{1, 7, 25, 100} {
		t.Run(fmt.Sprintf("%d a page", perPage), func(t *testing.T) {
			var last *client.WebhookPage
			i := 0
			for page, err := range reader.WebhookPages(t.Context(), "acme", client.PerPage(perPage)) {
				if err != nil {
					t.Fatal(err)
				}
				for _, w := range page.Webhooks {
					if i >= n || asWritten(w) != rows[i] {
						t.Fatalf("webhook %d is %+v, want %+v", i, w, rows[min(i, n-1)])
					}
					i++
				}
				last = page
			}
			if i != n {
				t.Fatalf("%d webhooks forwards, want %d", i, n)
			}
			for perPage > 1 { // one at a time, once is enough
				for _, w := range slices.Backward(last.Webhooks) {
					if i--; i < 0 || asWritten(w) != rows[i] {
						t.Fatalf("backwards, webhook %d is %+v", i, w)
					}
				}
				if last.Prev == "" {
					break
				}
				if last, err = last.PrevPage(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if i != 0 && perPage > 1 {
				t.Fatalf("%d webhooks are missing backwards", i)
			}
		})
	}
}

func TestWalkWhileWebhooksComeAndGo(t *testing.T) {
	p := newPlace(t)
	rows := awkward(400)
	var stay, leave, come []written
	for i, row := range rows {
		switch i % 4 {
		case 0:
			leave = append(leave, row)
		case 1:
			come = append(come, row)
		default:
			stay = append(stay, row)
		}
	}
	p.must(ndjson(slices.Concat(stay, leave)), "import", "--org", "acme", "-")
	token := strings.TrimSpace(p.must("", "token", "create", "--org", "acme"))
	d := p.serve("--rate=-1")
	reader, err := client.New(token, client.WithBaseURL(d.url))
	if err != nil {
		t.Fatal(err)
	}
	var seen []written
	i := 0
	for page, err := range reader.WebhookPages(t.Context(), "acme", client.PerPage(7)) {
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range page.Webhooks {
			seen = append(seen, asWritten(w))
		}
		if i++; i%4 == 0 && len(leave) >= 10 && len(come) >= 10 {
			p.must(ndjson(come[:10]), "import", "--org", "acme", "-")
			args := []string{"delete", "--org", "acme", "--"}
			for _, w := range leave[:10] {
				args = append(args, w.ID)
			}
			p.must("", args...)
			come, leave = come[10:], leave[10:]
		}
	}
	if len(leave) >= 10 {
		t.Fatalf("the walk ended before the changes: %d pages", i)
	}
	var stayed []written
	for _, w := range seen {
		if slices.Contains(stay, w) {
			stayed = append(stayed, w)
		}
	}
	if !slices.Equal(stayed, stay) {
		t.Errorf("%d of the %d webhooks that were there throughout, or another order", len(stayed), len(stay))
	}
}
