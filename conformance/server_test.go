package conformance_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/packhooks/packhooks/conformance"
	"github.com/packhooks/packhooks/gen/serverapi"
	"github.com/packhooks/packhooks/server"
	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
)

const (
	token  = "a-token-that-no-report-may-show"
	secret = "a-signing-secret-that-no-report-may-show"
)

// list is a store of one organization in memory.
type list []serverapi.Webhook

// newList returns n webhooks in order; every three of them were created at the same moment.
func newList(n int) list {
	l := make(list, n)
	for i := range l {
		at := time.Date(2024, 8, 2, 9, 30, i/3, 0, time.UTC)
		l[i] = serverapi.Webhook{
			ID: fmt.Sprintf("wh_%06d", i), EventCode: "orders.created", Endpoint: "https://myapp.packcloud.local/<order>",
			Secret: secret, Enabled: i%2 == 0, CreatedAt: at, UpdatedAt: at,
		}
	}
	return l
}

func (l list) ListWebhooks(_ context.Context, q store.PageQuery) (store.Page, error) {
	if q.OrganizationID != "acme" {
		return store.Page{}, nil
	}
	at, found := slices.BinarySearchFunc(l, q.Bound, func(w serverapi.Webhook, b store.Bound) int {
		return cmp.Or(w.CreatedAt.Compare(b.CreatedAt), cmp.Compare(w.ID, b.ID))
	})
	if found && q.Bound.After {
		at++
	}
	from, to := at, min(at+q.Limit, len(l))
	if q.Backward {
		from, to = max(0, at-q.Limit), at
	}
	page := store.Page{HasPrev: from > 0, HasNext: to < len(l)}
	for _, w := range l[from:to] {
		d, err := document.New(w)
		if err != nil {
			return store.Page{}, err
		}
		page.Webhooks = append(page.Webhooks, d)
	}
	return page, nil
}

func (l list) Authenticate(_ context.Context, text string) (store.Grant, error) {
	if text != token {
		return store.Grant{}, store.ErrUnauthorized
	}
	return store.Grant{TokenID: "t1", Organizations: []string{"acme"}}, nil
}

// newServer serves l by the project's own handler behind a deviation, which may be nil.
func newServer(t testing.TB, l list, deviation func(http.Handler) http.Handler) string {
	t.Helper()
	handler, err := server.New(server.Config{
		Webhooks: l, Tokens: l, PublicURL: "https://webhooks.example.com", Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		RatePerSecond: -1,
	})
	check(t, err)
	if deviation != nil {
		handler = deviation(handler)
	}
	return serve(t, handler)
}

func run(t testing.TB, url string, change ...func(*conformance.Config)) *conformance.Report {
	t.Helper()
	cfg := conformance.Config{URL: url, Organization: "acme", Token: token, Rate: 1e6}
	for _, c := range change {
		c(&cfg)
	}
	report, err := conformance.Run(t.Context(), cfg)
	check(t, err)
	return report
}
