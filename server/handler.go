package server

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/packhooks/packhooks/api"
	"github.com/packhooks/packhooks/gen/serverapi"
	"github.com/packhooks/packhooks/server/store"
)

// handler translates between the generated types and the store.
type handler struct {
	webhooks store.Lister
	baseURL  string
	listing  *api.Listing
	id       *openapi3.Schema // of a webhook
}

func newHandler(config Config, doc *openapi3.T, webhooks store.Lister) (*handler, error) {
	listing, err := api.LoadListing()
	if err != nil {
		return nil, err
	}
	webhook := doc.Components.Schemas["Webhook"]
	if webhook == nil || webhook.Value.Properties["id"] == nil {
		return nil, errors.New("loading contract: no schema Webhook with an id")
	}
	h := &handler{webhooks, config.PublicURL + config.BasePath, listing, webhook.Value.Properties["id"].Value}
	return h, checkCursorLength(h.id, listing.Cursor)
}

// ListWebhooks returns a page of webhooks.
func (h *handler) ListWebhooks(ctx context.Context, request serverapi.ListWebhooksRequestObject) (serverapi.ListWebhooksResponseObject, error) {
	query := store.PageQuery{
		OrganizationID: request.OrganizationID,
		Limit:          int(*request.Params.PerPage), // set, as the contract has a default
	}
	if text := request.Params.Cursor; text != nil {
		c, ok := parseCursor(*text, request.OrganizationID, h.id)
		if !ok {
			return nil, badParameters(serverapi.ParameterError{
				Parameter: h.listing.CursorParameter,
				Detail:    "not a cursor of this organization's list; take it from links.prev or links.next unchanged",
			})
		}
		query.Bound, query.Backward = c.bound, c.backward
	}
	page, err := h.webhooks.ListWebhooks(ctx, query)
	if err != nil {
		return nil, err
	}
	s := stateOf(ctx)
	links := h.pageLinks(s.query, query, page)
	return pageResponse{s, page.Webhooks, serverapi.ListWebhooks200JSONResponse{WebhookListJSONResponse: serverapi.WebhookListJSONResponse{
		Body: serverapi.WebhookPage{
			Data:  []serverapi.Webhook{}, // replaced by the documents
			Links: links,
			Meta:  &serverapi.PageMeta{PerPage: request.Params.PerPage},
		},
		Headers: serverapi.WebhookListResponseHeaders{
			CacheControl: noStore,
			Link:         linkHeader(links),
			XRequestID:   s.requestID,
		},
	}}}, nil
}

// pageLinks makes the absolute links of a page. They keep every parameter of the request and always have the page
// size. The links of an empty page point to both sides of the bound that it was read from.
func (h *handler) pageLinks(requested url.Values, query store.PageQuery, page store.Page) serverapi.PageLinks {
	prev, next := cursor{query.Bound, true}, cursor{query.Bound, false}
	if n := len(page.Webhooks); n > 0 {
		first, last := page.Webhooks[0], page.Webhooks[n-1]
		prev.bound = store.Bound{CreatedAt: first.CreatedAt(), ID: first.ID()}
		next.bound = store.Bound{CreatedAt: last.CreatedAt(), ID: last.ID(), After: true}
	}
	others := make(url.Values, len(requested)+1)
	maps.Copy(others, requested)
	delete(others, h.listing.CursorParameter)
	others.Set(h.listing.SizeParameter, strconv.Itoa(query.Limit))
	begin := h.baseURL + h.listing.PathOf(query.OrganizationID) + "?" + h.listing.CursorParameter + "="
	end := "&" + others.Encode()
	link := func(exists bool, c cursor) *string {
		if !exists {
			return nil
		}
		text := begin + c.format(query.OrganizationID) + end
		return &text
	}
	return serverapi.PageLinks{Prev: link(page.HasPrev, prev), Next: link(page.HasNext, next)}
}

// linkHeader returns the links as a Link header (RFC 8288), or nil if there are none.
func linkHeader(links serverapi.PageLinks) *string {
	var parts []string
	if links.Prev != nil {
		parts = append(parts, "<"+*links.Prev+`>; rel="prev"`)
	}
	if links.Next != nil {
		parts = append(parts, "<"+*links.Next+`>; rel="next"`)
	}
	if len(parts) == 0 {
		return nil
	}
	header := strings.Join(parts, ", ")
	return &header
}
