package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
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

var errNoWalk = errors.New("the walk to the end did not succeed")

// firstPage is inconclusive if it fails: the URL, the organization or the token may be wrong.
func firstPage(ctx context.Context, s *session) error {
	a, err := s.send(ctx, s.list(""))
	if err != nil {
		return fmt.Errorf("the server cannot be reached: %w", err)
	}
	contentType := a.header.Get("Content-Type")
	html := strings.HasPrefix(contentType, "text/html")
	switch {
	case a.status/100 != 2 || html:
		detail := fmt.Sprintf("status %d, %q: are the URL, the organization and the token right?", a.status, contentType)
		if html || a.status == http.StatusNotFound || a.status == http.StatusGone {
			detail += " The vendor has deprecated its REST API: this endpoint may have been removed"
		}
		return &violation{outcome: Inconclusive, detail: detail, response: a}
	case !a.isJSON:
		return failed(a, "%v", a.noPage)
	case a.noPage != nil:
		return &violation{outcome: Inconclusive, detail: a.noPage.Error(), response: a}
	}
	if s.first = a; a.status != http.StatusOK {
		return failed(a, "status %d", a.status)
	}
	return nil
}

func walkForwards(_ context.Context, s *session) error {
	for _, w := range []*walk{s.plain, s.large, s.small} {
		if w.err != nil && (len(w.pages) > 0 || w == s.plain) { // no more than a page size is refused otherwise
			return w.err
		}
	}
	if !s.plain.ended && !s.large.ended {
		return fmt.Errorf("the list has more than the limit of %d pages", s.cfg.MaxPages)
	}
	return nil
}

// paged returns a walk of more than one page. That of small pages needs a parameter which is a decision.
func (s *session) paged() (*walk, error) {
	for _, w := range []*walk{s.small, s.plain} {
		if len(w.pages) > 1 && w.err == nil {
			return w, nil
		}
	}
	return nil, errors.New("all webhooks are on one page: choose an organization that has more")
}

// walkBack reads a walk from its end. The pages may be cut differently, so it compares the webhooks. A server need not
// have prev at all, as the field is not required.
func walkBack(ctx context.Context, s *session) error {
	w, err := s.paged()
	if err != nil {
		return err
	}
	p := w.pages[len(w.pages)-1]
	back, all := p.ids, w.ids
	for n := 0; p.prev != "" && len(back) < len(all); n++ {
		if n > len(w.pages) {
			return failed(p, "following prev does not reach the first page")
		}
		if p, err = s.follow(ctx, p, p.prev); err != nil {
			return err
		}
		back = slices.Concat(p.ids, back)
		if len(back) > len(all) || !slices.Equal(back, all[len(all)-len(back):]) {
			return failed(p, "prev of the page after has other webhooks than come before it")
		}
	}
	return nil
}

func exactEnds(_ context.Context, s *session) error {
	w, err := s.paged()
	if err != nil {
		return err
	}
	for i, p := range w.pages {
		switch {
		case (p.prev == "") != (i == 0):
			return failed(p, "prev of page %d is %q", i+1, p.prev)
		case len(p.webhooks) == 0:
			return failed(p, "page %d is empty, and yet a link led to it", i+1)
		}
	}
	return nil
}

func smallPages(ctx context.Context, s *session) error {
	for _, size := range []int{s.contract.least, s.contract.least + 1} {
		if err := s.pageOf(ctx, s.sizeQuery(size), size); err != nil {
			return err
		}
	}
	return nil
}

func defaultPage(ctx context.Context, s *session) error {
	return s.pageOf(ctx, "", s.contract.usual)
}

// pageOf fails unless the page has at most size webhooks and reports that size, if any.
func (s *session) pageOf(ctx context.Context, query string, size int) error {
	p, err := s.page(ctx, query)
	if err == nil && (len(p.webhooks) > size || p.size != 0 && p.size != size) {
		err = failed(p, "?%s returns %d webhooks and reports %d, not %d", query, len(p.webhooks), p.size, size)
	}
	return err
}

// sameOrder compares the common length of two walks.
func sameOrder(_ context.Context, s *session) error {
	if s.plain.err != nil {
		return errNoWalk
	}
	for _, w := range []*walk{s.small, s.large} {
		if w.err != nil {
			return w.err
		}
		if n := min(len(w.ids), len(s.plain.ids)); !slices.Equal(w.ids[:n], s.plain.ids[:n]) {
			return failed(w.pages[0], "with ?%s the list is in another order", w.query)
		}
	}
	return nil
}

func inOrder(_ context.Context, s *session) error {
	w := s.plain
	if s.large.ended {
		w = s.large
	}
	if w.err != nil {
		return errNoWalk
	}
	for i, after := range w.webhooks[min(1, len(w.webhooks)):] {
		if before := w.webhooks[i]; slices.Compare(s.contract.order(before), s.contract.order(after)) > 0 {
			return failed(w.pages[0], "webhook %q comes before %q", s.contract.id(before), s.contract.id(after))
		}
	}
	return nil
}

func repeatable(ctx context.Context, s *session) error {
	p, err := s.page(ctx, "")
	if err == nil && (s.first == nil || !slices.Equal(p.ids, s.first.ids)) {
		err = failed(p, "the page is not what it was at first")
	}
	return err
}

func parallel(ctx context.Context, s *session) error {
	var reads errgroup.Group
	for range parallelReads {
		reads.Go(func() error { return repeatable(ctx, s) })
	}
	return reads.Wait()
}
