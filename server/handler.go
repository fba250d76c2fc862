package server

import (
	"context"
	"errors"

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

var _ serverapi.StrictServerInterface = (*handler)(nil)

// ListWebhooks returns a page of webhooks.
func (h *handler) ListWebhooks(ctx context.Context, request serverapi.ListWebhooksRequestObject) (serverapi.ListWebhooksResponseObject, error) {
	query, err := h.pageQuery(request)
	if err != nil {
		return nil, err
	}
	page, err := h.webhooks.ListWebhooks(ctx, query)
	if err != nil {
		return nil, err
	}
	links := h.pageLinks(stateOf(ctx).query, query, page)
	return pageResponse{stateOf(ctx), page.Webhooks, serverapi.ListWebhooks200JSONResponse{WebhookListJSONResponse: serverapi.WebhookListJSONResponse{
		Body: serverapi.WebhookPage{
			Data:  []serverapi.Webhook{}, // replaced by the documents
			Links: links,
			Meta:  &serverapi.PageMeta{PerPage: request.Params.PerPage},
		},
		Headers: serverapi.WebhookListResponseHeaders{
			CacheControl: noStore,
			Link:         linkHeader(links),
			XRequestID:   stateOf(ctx).requestID,
		},
	}}}, nil
}

// pageQuery converts a request. Its page size is set, as the contract has a default.
func (h *handler) pageQuery(request serverapi.ListWebhooksRequestObject) (store.PageQuery, error) {
	query := store.PageQuery{OrganizationID: request.OrganizationID, Limit: int(*request.Params.PerPage)}
	if request.Params.Cursor == nil {
		return query, nil
	}
	c, err := parseCursor(*request.Params.Cursor, request.OrganizationID, h.id)
	if err != nil {
		return query, badParameters(serverapi.ParameterError{Parameter: h.listing.CursorParameter, Detail: err.Error()})
	}
	query.Bound, query.Backward = c.bound, c.backward
	return query, nil
}
