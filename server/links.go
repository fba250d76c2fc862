package server

import (
	"maps"
	"net/url"
	"strconv"
	"strings"

	"github.com/packhooks/packhooks/gen/serverapi"
	"github.com/packhooks/packhooks/server/store"
)

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
