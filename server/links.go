package server

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/packhooks/packhooks/gen/serverapi"
	"github.com/packhooks/packhooks/server/store"
)

// pageLinks makes the links of a page. On an empty one they turn round at the bound that it was read from.
func (h *handler) pageLinks(query store.PageQuery, page store.Page) serverapi.PageLinks {
	prev, next := cursor{query.Bound, true}, cursor{query.Bound, false}
	if n := len(page.Webhooks); n > 0 {
		first, last := page.Webhooks[0], page.Webhooks[n-1]
		prev.bound = store.Bound{CreatedAt: first.CreatedAt(), ID: first.ID()}
		next.bound = store.Bound{CreatedAt: last.CreatedAt(), ID: last.ID(), After: true}
	}
	var links serverapi.PageLinks
	if page.HasPrev {
		links.Prev = h.link(query, prev)
	}
	if page.HasNext {
		links.Next = h.link(query, next)
	}
	return links
}

// link is the absolute URL of a neighbouring page of the same size.
func (h *handler) link(query store.PageQuery, c cursor) *string {
	values := url.Values{"cursor": {c.format(query.OrganizationID)}, "per_page": {strconv.Itoa(query.Limit)}}
	link := h.baseURL + "/organizations/" + url.PathEscape(query.OrganizationID) + "/webhooks?" + values.Encode()
	return &link
}

// linkHeader says the links once more as a Link header (RFC 8288), or nil where there is none.
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
