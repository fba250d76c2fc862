package packhooks

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// maxEmpty is how many pages of a walk may be empty in a row. A walk goes on after one: its webhooks may have been
// deleted.
const maxEmpty = 100

// A trail is the queries of the pages of one walk in one direction. It only grows, so that walks share what they
// have in common: a page stands at an index of its trail, and one that is not the last forks it.
type trail struct {
	mu      sync.Mutex
	queries []string
	index   map[string]int
}

// passed reports whether query is among the first n.
func (t *trail) passed(query string, n int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, ok := t.index[query]
	return ok && i < n
}

// step returns a trail of the first n queries, and query behind them.
func (t *trail) step(query string, n int) *trail {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n < len(t.queries) {
		fork := &trail{}
		for i, q := range t.queries[:n] {
			fork.step(q, i)
		}
		t = fork
	}
	if t.index == nil {
		t.index = map[string]int{}
	}
	t.queries = append(t.queries, query)
	t.index[query] = n
	return t
}

// follow makes req, which asks for the first page, ask for that of link. The link's query is all that is taken from
// it, so that no link can send a request, and the token, anywhere else. Parameters that the caller gave and the link
// lacks are added: without them, the next pages would be of another list, or of another size.
func follow(req *http.Request, link string, base *url.URL) error {
	u, err := req.URL.Parse(link)
	if err != nil || len(link) > maxLink || !visible(u.RawQuery) || strings.Contains(u.RawQuery, " ") {
		return fmt.Errorf("%w: a link is not a URL of at most %d bytes", ErrMalformedPage, maxLink)
	}
	if operation := operationOf(req.URL, base); !endsIn(u.EscapedPath(), operation) {
		return fmt.Errorf("%w: a link does not lead to %q", ErrMalformedPage, operation)
	}
	query, given := u.RawQuery, strings.Split(u.RawQuery, "&")
	for own := range strings.SplitSeq(req.URL.RawQuery, "&") {
		if !slices.ContainsFunc(given, func(p string) bool { return parameter(p) == parameter(own) }) && own != "" {
			query = strings.TrimPrefix(query+"&"+own, "&")
		}
	}
	req.URL.RawQuery = query
	return nil
}

func parameter(pair string) string {
	name, _, _ := strings.Cut(pair, "=")
	return unescaped(name)
}

// operationOf returns the path that u, made by this package, has below base.
func operationOf(u, base *url.URL) string {
	return strings.TrimPrefix(u.EscapedPath(), base.EscapedPath())
}

// endsIn reports whether the last segments of path are those of tail, however they are escaped.
func endsIn(path, tail string) bool {
	have, want := segments(path), segments(tail)
	return len(have) >= len(want) && slices.Equal(have[len(have)-len(want):], want)
}

func segments(path string) []string {
	list := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i := range list {
		list[i] = unescaped(list[i])
	}
	return list
}

func unescaped(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}
