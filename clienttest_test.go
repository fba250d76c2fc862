package packhooks_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/packhooks/packhooks/api"
	"github.com/packhooks/packhooks/client/clienttest"
)

// The fake comes without the contract, as importers of the client do. It is held to it here.
func TestTheFakeKeepsTheContract(t *testing.T) {
	doc, err := api.Load()
	if err != nil {
		t.Fatal(err)
	}
	listing, err := api.LoadListing()
	if err != nil {
		t.Fatal(err)
	}
	srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme", clienttest.Webhooks(300)...))
	item := doc.Paths.Value(listing.Path)
	route := &routers.Route{Spec: doc, Path: listing.Path, PathItem: item, Method: http.MethodGet, Operation: item.Get}
	path, size, largest := listing.PathOf("acme"), listing.SizeParameter, int(*listing.Size.Max)
	for _, tc := range []struct {
		target, token string
		fault         clienttest.Fault
		status, items int
	}{
		{path, srv.Token, nil, 200, int(listing.Size.Default.(float64))},
		{fmt.Sprintf("%s?%s=%d", path, size, largest), srv.Token, nil, 200, largest},
		{fmt.Sprintf("%s?%s=%d", path, size, largest+1), srv.Token, nil, 400, 0},
		{fmt.Sprintf("%s?%s=none", path, listing.CursorParameter), srv.Token, nil, 400, 0},
		{path, "another", nil, 401, 0},
		{listing.PathOf("unknown"), srv.Token, nil, 403, 0},
		{"/unknown", srv.Token, nil, 404, 0},
		{path, srv.Token, clienttest.RateLimited(time.Second), 429, 0},
		{path, srv.Token, clienttest.Unavailable(time.Second), 503, 0},
	} {
		t.Run(fmt.Sprintf("%d %s", tc.status, tc.target), func(t *testing.T) {
			srv.Inject(tc.fault)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+tc.target, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+tc.token)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			input := &openapi3filter.ResponseValidationInput{
				RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, Route: route},
				Status:                 resp.StatusCode, Header: resp.Header,
				Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
			}
			if err := openapi3filter.ValidateResponse(t.Context(), input.SetBodyBytes(body)); err != nil {
				t.Errorf("%v\n%s", err, body)
			}
			var page map[string]json.RawMessage
			var items []any
			if resp.StatusCode == http.StatusOK {
				if err := json.Unmarshal(body, &page); err != nil {
					t.Fatal(err)
				}
				if err := json.Unmarshal(page[listing.Items], &items); err != nil {
					t.Errorf("reading %s: %v", listing.Items, err)
				}
				if link := string(body); !strings.Contains(link, size+"=") || !strings.Contains(link, listing.CursorParameter+"=") {
					t.Errorf("links without %s and %s", size, listing.CursorParameter)
				}
			}
			if resp.StatusCode != tc.status || len(items) != tc.items {
				t.Errorf("%d with %d webhooks, want %d with %d\n%s", resp.StatusCode, len(items), tc.status, tc.items, body)
			}
		})
	}
}
