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

// A trail is a linked list of the page queries of a walk in one direction, last page first. Walks that branched from the
// same page share a tail.
type trail struct {
	query  string
	n      int // pages up to this one
	before *trail
	seen   *sync.Map // queries of this trail and of those that share a part with it
}

// step returns t extended by query, or ErrPageLoop if that is one of t's.
func (t *trail) step(query string) (*trail, error) {
	next := &trail{query: query, n: 1, before: t, seen: &sync.Map{}}
	if t != nil {
		next.n, next.seen = t.n+1, t.seen
	}
	for _, seen := next.seen.LoadOrStore(query, true); seen && t != nil; t = t.before {
		if t.query == query {
			return nil, fmt.Errorf("%w: the link of page %d was followed before", ErrPageLoop, next.n-1)
		}
	}
	return next, nil
}

// follow makes req, which asks for the first page, ask for that of link. The link's query is all that is taken from
// it, so that no link can send a request, and the token, anywhere else. Parameters that the caller gave and the link
// lacks are added: without them, the next pages would be of another list, or of another size.
func follow(req *http.Request, link string, base *url.URL) error {
	u, err := req.URL.Parse(link)
	if err != nil || len(link) > maxLink || !visible(u.RawQuery) || strings.Contains(u.RawQuery, " ") {
		return fmt.Errorf("%w: a link is not a URL of at most %d bytes", ErrMalformedPage, maxLink)
	}
	if err := checkPath("a link", u, req.URL, base); err != nil {
		return err
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

// checkPath returns an error unless u, which what came with, ends in the path that list has below base, however its
// segments are escaped.
func checkPath(what string, u, list, base *url.URL) error {
	operation := strings.TrimPrefix(list.EscapedPath(), base.EscapedPath())
	have, want := segments(u.EscapedPath()), segments(operation)
	if len(have) < len(want) || !slices.Equal(have[len(have)-len(want):], want) {
		return fmt.Errorf("%w: %s does not lead to %q", ErrMalformedPage, what, operation)
	}
	return nil
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
