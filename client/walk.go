package packhooks

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/packhooks/packhooks/client/internal/clientapi"
)

type direction bool

const (
	forward  direction = true
	backward direction = false
)

// A walk is where a page stands among those reached from link to link in one direction.
type walk struct {
	direction direction
	step      int
	query     string // that the page was asked for with
	trail     *trail
}

// A trail tells which step of a walk followed which query. Taking a step again is no loop: a caller may repeat
// one that failed.
type trail struct {
	mu    sync.Mutex
	steps map[string]int
}

// start begins a walk in d at the page that is asked for with query.
func start(d direction, query string) *walk {
	return &walk{direction: d, query: query, trail: &trail{steps: map[string]int{query: 0}}}
}

// next returns the walk at the page that query asks for.
func (w *walk) next(d direction, query string) (*walk, error) {
	if w.direction != d {
		w = start(d, w.query)
	}
	step := w.step + 1
	w.trail.mu.Lock()
	defer w.trail.mu.Unlock()
	if taken, ok := w.trail.steps[query]; ok && taken != step {
		return nil, fmt.Errorf("%w: the link of page %d was followed before", ErrPageLoop, step)
	}
	w.trail.steps[query] = step
	return &walk{direction: d, step: step, query: query, trail: w.trail}, nil
}

// follow returns an editor that asks for the page of link, or for the first one when link is empty. The link's
// query is all that is taken from it, so that no link can send a request, and the token, anywhere else.
func (c *Client) follow(link string) clientapi.RequestEditorFn {
	return func(_ context.Context, req *http.Request) error {
		if link == "" {
			return nil
		}
		u, err := req.URL.Parse(link)
		if err != nil || strings.ContainsFunc(u.RawQuery, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return fmt.Errorf("%w: a link is not a URL", ErrMalformedPage)
		}
		if operation := operationOf(req, c.base); !endsIn(u.EscapedPath(), operation) {
			return fmt.Errorf("%w: a link leads to %q, not to %q", ErrMalformedPage, printable(u.Path), operation)
		}
		req.URL.RawQuery = u.RawQuery
		return nil
	}
}

// arrive returns an editor that sets *at to where the request leads from w, the start of a walk if w is nil.
func (w *walk) arrive(d direction, at **walk) clientapi.RequestEditorFn {
	return func(_ context.Context, req *http.Request) (err error) {
		if w == nil {
			*at = start(d, req.URL.RawQuery)
			return nil
		}
		*at, err = w.next(d, req.URL.RawQuery)
		return err
	}
}

// operationOf returns the path that req, made by this package, asks for below base.
func operationOf(req *http.Request, base *url.URL) string {
	return strings.TrimPrefix(req.URL.EscapedPath(), base.EscapedPath())
}

// endsIn reports whether the last segments of path are those of tail, however they are escaped.
func endsIn(path, tail string) bool {
	have, want := segments(path), segments(tail)
	return len(have) >= len(want) && slices.Equal(have[len(have)-len(want):], want)
}

func segments(path string) []string {
	list := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, segment := range list {
		if plain, err := url.PathUnescape(segment); err == nil {
			list[i] = plain
		}
	}
	return list
}
