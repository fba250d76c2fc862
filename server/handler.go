package server

import (
	"context"
	"encoding/json"
	"net/http"

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
	perPage := *request.Params.PerPage
	links := h.pageLinks(query, page)
	return plainJSON{serverapi.WebhookListJSONResponse{
		Body: serverapi.WebhookPage{
			Data:  apiWebhooks(page.Webhooks),
			Links: links,
			Meta:  &serverapi.PageMeta{PerPage: &perPage},
		},
		Headers: serverapi.WebhookListResponseHeaders{
			CacheControl: noStore,
			Link:         linkHeader(links),
			XRequestID:   exchangeOf(ctx).requestID,
		},
	}}, nil
}

// plainJSON leaves &, < and > in links and endpoints as they are, where the generated response writes \u0026: people
// copy links from a terminal.
type plainJSON struct {
	serverapi.WebhookListJSONResponse
}

func (r plainJSON) VisitListWebhooksResponse(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", r.Headers.CacheControl)
	w.Header().Set("X-Request-Id", r.Headers.XRequestID)
	if r.Headers.Link != nil {
		w.Header().Set("Link", *r.Headers.Link)
	}
	encoder := json.NewEncoder(w) // which writes nothing before it has encoded all
	encoder.SetEscapeHTML(false)
	return encoder.Encode(r.Body)
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
	query.Seek, query.Position = c.seek, c.position
	return query, nil
}

// StoreWebhook is the store's form of a webhook as the API shows it.
func StoreWebhook(w serverapi.Webhook) store.Webhook {
	return store.Webhook{
		ID:        w.ID,
		EventCode: w.EventCode,
		Endpoint:  w.Endpoint,
		Secret:    w.Secret,
		Enabled:   w.Enabled,
		CreatedAt: w.CreatedAt,
		UpdatedAt: w.UpdatedAt,
	}
}

// apiWebhooks is the API's form of webhooks as the store keeps them; never nil, which JSON would make null.
func apiWebhooks(webhooks []store.Webhook) []serverapi.Webhook {
	out := make([]serverapi.Webhook, len(webhooks))
	for i, w := range webhooks {
		out[i] = serverapi.Webhook{
			ID:        w.ID,
			EventCode: w.EventCode,
			Endpoint:  w.Endpoint,
			Secret:    w.Secret,
			Enabled:   w.Enabled,
			CreatedAt: w.CreatedAt.UTC(),
			UpdatedAt: w.UpdatedAt.UTC(),
		}
	}
	return out
}
