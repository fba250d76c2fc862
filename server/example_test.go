package server_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
	"time"

	"github.com/packhooks/packhooks/gen/serverapi"
	"github.com/packhooks/packhooks/server"
	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
)

// subscriptions are the webhooks that a program has already, by organization, each list in the order of the API: by
// creation time and then by id.
type subscriptions map[string][]serverapi.Webhook

// ListWebhooks makes them a store.Lister.
func (s subscriptions) ListWebhooks(_ context.Context, q store.PageQuery) (page store.Page, err error) {
	all := s[q.OrganizationID]
	begin := sort.Search(len(all), func(i int) bool { // the first one beyond the bound
		c := cmp.Or(all[i].CreatedAt.Compare(q.Bound.CreatedAt), cmp.Compare(all[i].ID, q.Bound.ID))
		return c > 0 || c == 0 && !q.Bound.After
	})
	end := min(begin+q.Limit, len(all))
	if q.Backward {
		begin, end = max(begin-q.Limit, 0), begin
	}
	for _, w := range all[begin:end] {
		d, err := document.New(w) // holds the webhook to the contract
		if err != nil {
			return page, err
		}
		page.Webhooks = append(page.Webhooks, d)
	}
	page.HasPrev, page.HasNext = begin > 0, end < len(all)
	return page, nil
}

// singleToken is a store.Authenticator: a single token, for a single organization.
type singleToken struct{ token, organization string }

func (t singleToken) Authenticate(_ context.Context, token string) (store.Grant, error) {
	if token != t.token {
		return store.Grant{}, store.ErrUnauthorized
	}
	return store.Grant{TokenID: "the only one", Organizations: []string{t.organization}}, nil
}

// A program that has webhooks of its own serves them without a database of ours.
func Example() {
	day := time.Date(2024, 8, 2, 9, 30, 0, 0, time.UTC)
	handler, err := server.New(server.Config{
		Webhooks: subscriptions{"acme": {
			{ID: "wh_1", EventCode: "orders.created", Endpoint: "https://example.com/a", Secret: "q9NhjkjV9o", Enabled: true, CreatedAt: day, UpdatedAt: day},
			{ID: "wh_2", EventCode: "orders.created", Endpoint: "https://example.com/b", Secret: "b7XwnsqT4e", CreatedAt: day, UpdatedAt: day},
		}},
		Tokens:    singleToken{"example", "acme"},
		PublicURL: "https://webhooks.example.com",
		Logger:    slog.New(slog.DiscardHandler),
	})
	if err != nil {
		panic(err)
	}
	srv := httptest.NewServer(handler)
	defer srv.Close()

	request, err := http.NewRequest(http.MethodGet, srv.URL+"/v1/organizations/acme/webhooks?per_page=1", nil)
	if err != nil {
		panic(err)
	}
	request.Header.Set("Authorization", "Bearer example")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		panic(err)
	}
	fmt.Println(response.Status)
	fmt.Println(strings.ReplaceAll(string(body), `,"`, ",\n\""))
	// Output:
	// 200 OK
	// {"data":[{"id":"wh_1",
	// "event_code":"orders.created",
	// "endpoint":"https://example.com/a",
	// "secret":"q9NhjkjV9o",
	// "enabled":true,
	// "created_at":"2024-08-02T09:30:00Z",
	// "updated_at":"2024-08-02T09:30:00Z"}],
	// "links":{"prev":null,
	// "next":"https://webhooks.example.com/v1/organizations/acme/webhooks?cursor=AQEfoCB1DIxtvgAGHq_4pfYAd2hfMQ&per_page=1"},
	// "meta":{"per_page":1}}
}
