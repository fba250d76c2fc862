package server

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/packhooks/packhooks/gen/serverapi"
	"github.com/packhooks/packhooks/server/store"
)

// pageLinks makes the links of a page. On an empty one they turn round at the position that it was sought from,
// so that the position itself is on exactly one of the two sides.
func (h *handler) pageLinks(query store.PageQuery, page store.Page) serverapi.PageLinks {
	prev := cursor{seek: turned[query.Seek], position: query.Position}
	next := prev
	if n := len(page.Webhooks); n > 0 {
		prev = cursor{seek: store.Before, position: positionOf(page.Webhooks[0])}
		next = cursor{seek: store.After, position: positionOf(page.Webhooks[n-1])}
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

// turned is the seek that looks the other way from the same position and finds what the first one leaves out.
var turned = map[store.Seek]store.Seek{
	store.After:  store.UpTo,
	store.From:   store.Before,
	store.Before: store.From,
	store.UpTo:   store.After,
}

func positionOf(w store.Webhook) store.Position {
	return store.Position{CreatedAt: w.CreatedAt, ID: w.ID}
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
