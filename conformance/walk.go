package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// probePages is how many pages are read of each walk of a list that is long. The walk with the largest pages alone
// then goes to the end, so that a list of any size fits the limits.
const probePages = 20

// walk is the pages that following next from a first page returned.
type walk struct {
	query    string
	pages    []*response
	webhooks []map[string]any // of all pages
	ids      []string         // of all webhooks
	ended    bool             // next was null; otherwise a limit, or err, ended it
	err      error
}

// walkAll reads the list in three ways: as the server serves it by itself, in pages so small that there are several, and
// in the largest that the contract allows.
func (s *session) walkAll(ctx context.Context) {
	probe := min(probePages, s.cfg.MaxPages)
	s.plain = s.walk(ctx, "", probe)
	s.small, s.large = &walk{err: errNoSize}, &walk{err: errNoSize}
	if s.contract.size != nil {
		least, most := s.contract.least, s.contract.most
		s.large = s.walk(ctx, s.sizeQuery(most), s.cfg.MaxPages)
		size := min(max(least, len(s.plain.webhooks)/7), max(least, most-1))
		s.small = s.walk(ctx, s.sizeQuery(size), probe)
	}
	if s.plain.err == nil && !s.plain.ended && !s.large.ended {
		s.plain = s.walk(ctx, "", s.cfg.MaxPages) // the page size is not ours to choose
	}
}

func (s *session) sizeQuery(size int) string {
	return fmt.Sprintf("%s=%d", url.QueryEscape(s.contract.paging.SizeParameter), size)
}

func (s *session) walk(ctx context.Context, query string, maxPages int) *walk {
	w, followed := &walk{query: query}, map[string]bool{}
	p, err := s.page(ctx, query)
	for ; err == nil; p, err = s.follow(ctx, p, p.next) {
		w.pages, w.webhooks, w.ids = append(w.pages, p), append(w.webhooks, p.webhooks...), append(w.ids, p.ids...)
		w.ended = p.next == ""
		if followed[p.next] {
			w.err = failed(p, "the next of page %d was there before", len(w.pages))
		}
		if w.ended || w.err != nil || len(w.pages) >= maxPages {
			return w
		}
		followed[p.next] = true
	}
	w.err = err
	return w
}

// page reads one page of the organization.
func (s *session) page(ctx context.Context, query string) (*response, error) {
	a, err := s.send(ctx, s.list(query))
	switch {
	case err != nil:
		return nil, err
	case a.status != http.StatusOK:
		return nil, failed(a, "?%s: status %d", query, a.status)
	case a.noPage != nil:
		return nil, failed(a, "?%s: %v", query, a.noPage)
	}
	return a, nil
}

// follow reads the page that a link of p leads to. Only the query is taken, and asked of our own base, as a server
// cannot know under which name it is reached. A page size that was asked for and that the link lacks is added.
func (s *session) follow(ctx context.Context, p *response, link string) (*response, error) {
	u, err := p.request.URL.Parse(link)
	if err != nil {
		return nil, failed(p, "a link is not a URL")
	}
	query, size := u.RawQuery, s.contract.paging.SizeParameter
	if asked := p.request.URL.Query(); asked.Has(size) && !u.Query().Has(size) {
		s.note("links-keep-size", p, true, "a link of a page that was asked for with %s lacks it", size)
		query = strings.TrimPrefix(query+"&"+url.Values{size: asked[size]}.Encode(), "&")
	}
	return s.page(ctx, query)
}

// complete compares the walks: whatever was lost or came twice in one of them cannot be relied on in any.
func complete(ctx context.Context, s *session) (err error) {
	if s.plain.err != nil {
		return errNoWalk
	}
	for _, w := range []*walk{s.plain, s.small, s.large} {
		if err == nil && w.err == nil {
			err = s.compare(w)
		}
	}
	if err != nil && !slices.Equal(s.walk(ctx, "", len(s.plain.pages)).ids, s.plain.ids) {
		err = errors.New("the list changes while it is read: run the check again")
	}
	return err
}

// compare fails when a webhook comes twice in w, or when the walk without parameters and w have not the same.
func (s *session) compare(w *walk) error {
	seen := map[string]bool{}
	for _, id := range w.ids {
		if seen[id] {
			return failed(w.pages[0], "?%s: webhook %q comes twice", w.query, id)
		}
		seen[id] = true
	}
	ours, theirs := s.plain.ids, w.ids
	n := min(len(ours), len(theirs))
	if s.plain.ended && len(theirs) > n || w.ended && len(ours) > n {
		return failed(w.pages[len(w.pages)-1], "without parameters there are %d webhooks, with ?%s %d", len(ours), w.query, len(theirs))
	}
	ours, theirs = slices.Sorted(slices.Values(ours[:n])), slices.Sorted(slices.Values(theirs[:n]))
	if !slices.Equal(ours, theirs) {
		return failed(w.pages[0], "without parameters and with ?%s the webhooks are not the same", w.query)
	}
	return nil
}
