package conformance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

var (
	errNoWalk  = errors.New("the walk to the end did not succeed")
	errOnePage = errors.New("all webhooks are on one page: choose an organization that has more")
)

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
	return nil, errOnePage
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
	least := s.contract.least
	err := s.pageOf(ctx, s.sizeQuery(least), least)
	if err == nil {
		err = s.pageOf(ctx, s.sizeQuery(least+1), least+1)
	}
	return err
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
		if before := w.webhooks[i]; s.contract.compare(before, after) > 0 {
			return failed(w.pages[0], "webhook %q comes before %q", s.contract.id(before), s.contract.id(after))
		}
	}
	return nil
}

// compare orders webhooks by the properties that x-paging names: times as times, all else as text.
func (k *contract) compare(a, b map[string]any) int {
	order := 0
	for _, name := range k.paging.Order {
		x, y := fmt.Sprint(a[name]), fmt.Sprint(b[name])
		at, err := time.Parse(time.RFC3339Nano, x)
		then, err2 := time.Parse(time.RFC3339Nano, y)
		if err == nil && err2 == nil {
			order = cmp.Or(order, at.Compare(then))
		} else {
			order = cmp.Or(order, strings.Compare(x, y))
		}
	}
	return order
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
