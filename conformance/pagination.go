package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

var (
	errNoWalk  = errors.New("the walk to the end did not succeed")
	errOnePage = errors.New("all webhooks are on one page: choose an organization that has more")
)

func firstPage(ctx context.Context, s *session) error {
	a, err := s.send(ctx, s.list(""))
	if err != nil {
		return fmt.Errorf("the server cannot be reached: %w", err)
	}
	s.first, s.firstErr = parsePage(a)
	switch {
	case a.status == http.StatusOK:
		return nil
	case a.status/100 == 2:
		return failed(a, "the list is answered %d", a.status)
	}
	return &failure{outcome: Inconclusive, detail: fmt.Sprintf("the list is answered %d; are the URL, the organization and the token right?", a.status), answer: a}
}

func walkForwards(_ context.Context, s *session) error { return s.wholeErr }

// walkBack reads the list from its end. The pages may be cut differently, so it compares the webhooks.
func walkBack(ctx context.Context, s *session) error {
	if s.smallErr != nil {
		return errNoWalk
	}
	p := s.small[len(s.small)-1]
	ids := p.ids()
	for n := 0; p.prev != ""; n++ {
		if n > len(s.small) {
			return failed(p.answer, "following prev does not reach the first page")
		}
		var err error
		if p, err = s.neighbour(ctx, p, p.prev); err != nil {
			return err
		}
		ids = append(p.ids(), ids...)
	}
	if !slices.Equal(ids, s.small.ids()) {
		return failed(p.answer, "forwards there are %d webhooks, backwards %d, or in another order", len(s.small.ids()), len(ids))
	}
	return nil
}

// prevOfPage2 asks for a page size only where the list would fit on one page, as that parameter is a decision.
func prevOfPage2(ctx context.Context, s *session) error {
	one, err := s.first, s.firstErr
	if err == nil && one.next == "" {
		one, err = s.page(ctx, "per_page=1")
	}
	if err != nil || one.next == "" {
		return errOnePage
	}
	two, err := s.neighbour(ctx, one, one.next)
	if err != nil {
		return err
	}
	if two.prev == "" {
		return failed(two.answer, "page 2 has no prev")
	}
	back, err := s.neighbour(ctx, two, two.prev)
	if err != nil {
		return err
	}
	if !slices.Equal(back.ids(), one.ids()) {
		return failed(back.answer, "prev of page 2 has other webhooks than page 1")
	}
	return nil
}

func exactEnds(_ context.Context, s *session) error {
	if s.smallErr != nil {
		return errNoWalk
	}
	for i, p := range s.small {
		switch {
		case (p.prev == "") != (i == 0):
			return failed(p.answer, "prev of page %d is %q", i+1, p.prev)
		case len(p.webhooks) == 0 && len(s.small) > 1:
			return failed(p.answer, "page %d is empty, and yet a link led to it", i+1)
		}
	}
	return nil
}

// pageSizes fails unless each size is kept to and, where the page says, reported; 0 is the default.
func pageSizes(sizes ...int) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		for _, size := range sizes {
			query := fmt.Sprintf("per_page=%d", size)
			if size == 0 {
				query, size = "", s.contract.pageDefault
			}
			p, err := s.page(ctx, query)
			if err != nil {
				return err
			}
			if len(p.webhooks) > size || p.perPage != 0 && p.perPage != size {
				return failed(p.answer, "?%s returns %d webhooks and reports %d, not %d", query, len(p.webhooks), p.perPage, size)
			}
		}
		return nil
	}
}

func anyPageSize(ctx context.Context, s *session) error {
	if s.wholeErr != nil {
		return errNoWalk
	}
	if s.smallErr != nil {
		return s.smallErr
	}
	large, err := s.walk(ctx, fmt.Sprintf("per_page=%d", s.contract.pageMax))
	if err != nil {
		return err
	}
	for _, w := range []walk{s.small, large} {
		if !slices.Equal(w.ids(), s.whole.ids()) {
			return failed(w[0].answer, "the list has %d webhooks, with another page size %d, or in another order",
				len(s.whole.ids()), len(w.ids()))
		}
	}
	return nil
}

func inOrder(_ context.Context, s *session) error {
	if s.wholeErr != nil {
		return errNoWalk
	}
	all := s.whole.webhooks()
	for i, w := range all[min(1, len(all)):] {
		if before := all[i]; createdAt(before).Compare(createdAt(w)) > 0 ||
			createdAt(before).Equal(createdAt(w)) && fmt.Sprint(before["id"]) > fmt.Sprint(w["id"]) {
			return failed(s.whole[0].answer, "webhook %q comes before %q", before["id"], w["id"])
		}
	}
	return nil
}

// createdAt is zero for what is no time; the check of the format tells so.
func createdAt(webhook map[string]any) time.Time {
	at, _ := time.Parse(time.RFC3339Nano, fmt.Sprint(webhook["created_at"]))
	return at
}

func repeatable(ctx context.Context, s *session) error {
	if s.firstErr != nil {
		return s.firstErr
	}
	p, err := s.page(ctx, "")
	if err == nil && !slices.Equal(p.ids(), s.first.ids()) {
		err = failed(p.answer, "the page is not what it was at first")
	}
	return err
}

func parallel(ctx context.Context, s *session) error {
	outcomes := make(chan error, parallelReads)
	for range parallelReads {
		go func() { outcomes <- repeatable(ctx, s) }()
	}
	var first error
	for range parallelReads {
		if err := <-outcomes; err != nil {
			first = err
		}
	}
	return first
}
