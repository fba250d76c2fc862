package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// page is a page as far as paging needs it. It is read leniently: a webhook with a wrong field is still one.
type page struct {
	answer     *answer
	webhooks   []map[string]any
	prev, next string // empty for null or none
	perPage    int    // 0 where the page does not say
}

func parsePage(a *answer) (*page, error) {
	var body struct {
		Data  *[]json.RawMessage `json:"data"`
		Links *struct{ Prev, Next any }
		Meta  any
	}
	if err := json.Unmarshal(a.body, &body); err != nil || body.Data == nil || body.Links == nil {
		return nil, errors.New("a page is not of the shape that the contract gives it")
	}
	p := &page{answer: a, webhooks: make([]map[string]any, len(*body.Data))}
	for i, item := range *body.Data {
		_ = json.Unmarshal(item, &p.webhooks[i]) // what is no object stays nil: it counts, and has no id
	}
	p.prev, _ = body.Links.Prev.(string)
	p.next, _ = body.Links.Next.(string)
	meta, _ := body.Meta.(map[string]any)
	perPage, _ := meta["per_page"].(float64)
	p.perPage = int(perPage)
	return p, nil
}

// page reads one page of the organization.
func (s *session) page(ctx context.Context, query string) (*page, error) {
	a, err := s.send(ctx, s.list(query))
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, failed(a, "?%s is answered %d", query, a.status)
	}
	return parsePage(a)
}

// neighbour reads the page that a link of p leads to.
func (s *session) neighbour(ctx context.Context, p *page, link string) (*page, error) {
	query, err := s.follow(p, link)
	if err != nil {
		return nil, fmt.Errorf("a link cannot be followed: %w", err)
	}
	return s.page(ctx, query)
}

// follow returns the query of a link. Only the query is taken, and asked of our own base, as a server cannot know
// under which name it is reached; but the path must be that of the listing.
func (s *session) follow(p *page, link string) (query string, err error) {
	u, err := p.answer.request.URL.Parse(link)
	if err != nil {
		return "", fmt.Errorf("parsing link %q: malformed", link)
	}
	want, _ := url.PathUnescape(listPath(s.cfg.Organization)) // made by PathEscape
	if !strings.HasSuffix(u.Path, want) {
		return "", fmt.Errorf("link %q: its path does not end in %s", link, want)
	}
	return u.RawQuery, nil
}

// walk is the pages that following next from a first page to the last returned.
type walk []*page

func (s *session) walk(ctx context.Context, query string) (walk, error) {
	var w walk
	links, seen := map[string]bool{}, map[string]bool{}
	p, err := s.page(ctx, query)
	for err == nil {
		w = append(w, p)
		for _, id := range p.ids() {
			if seen[id] {
				return nil, failed(p.answer, "webhook %q comes a second time, on page %d", id, len(w))
			}
			seen[id] = true
		}
		switch {
		case p.next == "":
			return w, nil
		case links[p.next]:
			return nil, failed(p.answer, "the next of page %d was there before", len(w))
		case len(w) >= s.cfg.MaxPages:
			return nil, fmt.Errorf("the list has more than the limit of %d pages", s.cfg.MaxPages)
		}
		links[p.next] = true
		p, err = s.neighbour(ctx, p, p.next)
	}
	return nil, err
}

// walkTwice walks the list as the server serves it by itself and in pages so small that there are several, for all the
// checks that look at what a walk returned.
func (s *session) walkTwice(ctx context.Context) {
	s.whole, s.wholeErr = s.walk(ctx, "")
	if s.smallErr = errNoWalk; s.wholeErr == nil {
		size := min(max(1, len(s.whole.webhooks())/7), s.contract.pageMax)
		s.small, s.smallErr = s.walk(ctx, fmt.Sprintf("per_page=%d", size))
	}
}

func (w walk) webhooks() (all []map[string]any) {
	for _, p := range w {
		all = append(all, p.webhooks...)
	}
	return all
}

// ids returns what tells webhooks apart.
func ids(webhooks []map[string]any) []string {
	ids := make([]string, len(webhooks))
	for i, w := range webhooks {
		ids[i] = fmt.Sprint(w["id"])
	}
	return ids
}

func (p *page) ids() []string { return ids(p.webhooks) }

func (w walk) ids() []string { return ids(w.webhooks()) }
