package server

import (
	"context"

	"github.com/packhooks/packhooks/gen/serverapi"
	"github.com/packhooks/packhooks/server/store"
)

// handler translates between the generated types and the store, and does nothing else.
type handler struct {
	webhooks store.Lister
	baseURL  string
}

var _ serverapi.StrictServerInterface = (*handler)(nil)

// ListWebhooks answers GET /organizations/{organizationId}/webhooks.
func (h *handler) ListWebhooks(ctx context.Context, request serverapi.ListWebhooksRequestObject) (serverapi.ListWebhooksResponseObject, error) {
	query, err := pageQuery(request)
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
			Data:  []serverapi.Webhook{}, // the documents take its place
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

// pageQuery is what a request asks of the store. Its page size is there: the contract has a default.
func pageQuery(request serverapi.ListWebhooksRequestObject) (store.PageQuery, error) {
	query := store.PageQuery{OrganizationID: request.OrganizationID, Limit: int(*request.Params.PerPage)}
	if request.Params.Cursor == nil {
		return query, nil
	}
	c, err := parseCursor(*request.Params.Cursor, request.OrganizationID)
	if err != nil {
		return query, badParameters(serverapi.ParameterError{Parameter: "cursor", Detail: err.Error()})
	}
	query.Bound, query.Backward = c.bound, c.backward
	return query, nil
}
