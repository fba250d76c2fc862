package packhooks_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	packhooks "github.com/packhooks/packhooks/client"
	"github.com/packhooks/packhooks/client/clienttest"
)

func ids(webhooks []packhooks.Webhook) []string {
	list := make([]string, len(webhooks))
	for i, w := range webhooks {
		list[i] = w.ID
	}
	return list
}

func TestPagesBothWays(t *testing.T) {
	all := clienttest.Webhooks(60)
	srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme", all...))
	page, err := newClient(t, srv).ListWebhooks(t.Context(), "acme", packhooks.PerPage(25))
	var forwards, backwards []string
	for ; err == nil; page, err = page.NextPage(t.Context()) {
		if page.PerPage != 25 {
			t.Errorf("per page %d, want 25", page.PerPage)
		}
		forwards = append(forwards, ids(page.Webhooks)...)
		if page.Next == "" {
			break
		}
	}
	for ; err == nil; page, err = page.PrevPage(t.Context()) {
		backwards = append(ids(page.Webhooks), backwards...)
		if page.Prev == "" {
			break
		}
	}
	if err != nil || !slices.Equal(forwards, ids(all)) || !slices.Equal(backwards, ids(all)) {
		t.Errorf("%v; forwards %v, backwards %v", err, forwards, backwards)
	}
	if _, err := page.PrevPage(t.Context()); !errors.Is(err, packhooks.ErrNoPage) {
		t.Errorf("before the first page: %v, want ErrNoPage", err)
	}
}

func TestToAndFroIsNoLoop(t *testing.T) {
	srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme", clienttest.Webhooks(3)...))
	page, err := newClient(t, srv).ListWebhooks(t.Context(), "acme", packhooks.PerPage(1))
	for range 5 {
		for _, turn := range []func(*packhooks.WebhookPage, context.Context) (*packhooks.WebhookPage, error){
			(*packhooks.WebhookPage).NextPage, (*packhooks.WebhookPage).NextPage, (*packhooks.WebhookPage).PrevPage, (*packhooks.WebhookPage).PrevPage,
		} {
			if err == nil {
				page, err = turn(page, t.Context())
			}
		}
	}
	if err != nil || page.Webhooks[0].ID != "wh_000001" {
		t.Errorf("%v; ended at %v", err, ids(page.Webhooks))
	}
}

func TestAStepThatFailedCanBeRepeated(t *testing.T) {
	srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme", clienttest.Webhooks(3)...))
	first, err := newClient(t, srv, packhooks.WithMaxAttempts(1)).ListWebhooks(t.Context(), "acme", packhooks.PerPage(1))
	if err != nil {
		t.Fatal(err)
	}
	srv.Inject(clienttest.Unavailable(0))
	if _, err := first.NextPage(t.Context()); !errors.Is(err, packhooks.ErrUnavailable) {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := first.NextPage(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestWalkByHandMeetsALoop(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		next := map[string]string{"": "?c=a", "c=a": "?c=b", "c=b": "?c=c", "c=c": "?c=a"}[r.URL.RawQuery]
		_, _ = w.Write([]byte(body(next)))
	})
	page, err := newClientOf(t, testToken, url).ListWebhooks(t.Context(), "acme")
	steps := 0
	for ; err == nil; steps++ {
		page, err = page.NextPage(t.Context())
	}
	if !errors.Is(err, packhooks.ErrPageLoop) || steps != 4 {
		t.Errorf("%v after %d steps, want ErrPageLoop at the 4th", err, steps)
	}
}

// A list may change while it is read: what the first walk passed in one order, the second may pass in another.
func TestTwoWalksFromOnePageAreNoLoop(t *testing.T) {
	links := map[string]string{"": "?c=a", "c=a": "?c=b", "c=b": "?c=c"}
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(body(links[r.URL.RawQuery]))) })
	first, err := newClientOf(t, testToken, url).ListWebhooks(t.Context(), "acme")
	for _, changed := range []map[string]string{links, {"c=a": "?c=c", "c=c": "?c=b"}} {
		links = changed
		for page := first; err == nil && page.Next != ""; {
			page, err = page.NextPage(t.Context())
		}
	}
	if err != nil {
		t.Error(err)
	}
}

func TestFromPageResumes(t *testing.T) {
	all := clienttest.Webhooks(10)
	srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme", all...), clienttest.WithWebhooks("other", all...))
	c := newClient(t, srv)
	page, err := c.ListWebhooks(t.Context(), "acme", packhooks.PerPage(4))
	if err != nil {
		t.Fatal(err)
	}
	stored := page.Next

	var rest []packhooks.Webhook
	for p, err := range c.WebhookPages(t.Context(), "acme", packhooks.FromPage(stored)) {
		if err != nil {
			t.Fatal(err)
		}
		rest = append(rest, p.Webhooks...)
	}
	if !slices.Equal(ids(rest), ids(all[4:])) {
		t.Errorf("resumed with %v", ids(rest))
	}

	before := len(srv.Requests())
	for name, try := range map[string]struct {
		organization string
		opts         []packhooks.ListOption
		want         error
	}{
		"another organization's link": {"other", []packhooks.ListOption{packhooks.FromPage(stored)}, packhooks.ErrMalformedPage},
		"no link":                     {"acme", []packhooks.ListOption{packhooks.FromPage("")}, packhooks.ErrNoPage},
		"per page 0":                  {"acme", []packhooks.ListOption{packhooks.PerPage(0)}, packhooks.ErrInvalidArgument},
		"per page beyond 32 bits":     {"acme", []packhooks.ListOption{packhooks.PerPage(1 << 31)}, packhooks.ErrInvalidArgument},
	} {
		_, err := c.ListWebhooks(t.Context(), try.organization, try.opts...)
		if err == nil || try.want != nil && !errors.Is(err, try.want) {
			t.Errorf("%s: got %v, want %v", name, err, try.want)
		}
	}
	if n := len(srv.Requests()) - before; n != 0 {
		t.Errorf("%d requests were made, want none", n)
	}
}

func TestIterators(t *testing.T) {
	srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme", clienttest.Webhooks(10)...))
	c := newClient(t, srv)

	t.Run("stopping early fetches no further page", func(t *testing.T) {
		before := len(srv.Requests())
		for _, err := range c.Webhooks(t.Context(), "acme", packhooks.PerPage(4)) {
			if err != nil {
				t.Error(err)
			}
			break
		}
		if n := len(srv.Requests()) - before; n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
	})
	t.Run("a second range starts over", func(t *testing.T) {
		walk := c.Webhooks(t.Context(), "acme", packhooks.PerPage(4))
		for range 2 {
			n := 0
			for _, err := range walk {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			if n != 10 {
				t.Errorf("%d webhooks, want 10", n)
			}
		}
	})
	t.Run("an error comes once, after what came before it", func(t *testing.T) {
		srv.Inject(nil, func(http.Handler) http.Handler { return always(403, "") })
		webhooks, failures := 0, 0
		for _, err := range c.Webhooks(t.Context(), "acme", packhooks.PerPage(4)) {
			if err == nil {
				webhooks++
			} else if failures++; !errors.Is(err, packhooks.ErrForbidden) {
				t.Error(err)
			}
		}
		if webhooks != 4 || failures != 1 {
			t.Errorf("%d webhooks and %d errors, want 4 and 1", webhooks, failures)
		}
	})
	t.Run("the caller's context ends the walk between pages", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		pages := 0
		for _, err := range c.WebhookPages(ctx, "acme", packhooks.PerPage(4)) {
			if pages++; pages == 2 && !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want context.Canceled", err)
			}
			cancel()
		}
		if pages != 2 {
			t.Errorf("%d turns, want a page and an error", pages)
		}
	})
}

func TestOrganizationIDs(t *testing.T) {
	var paths []string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.RequestURI)
		_, _ = w.Write([]byte(body("")))
	})
	c := newClientOf(t, testToken, url)
	for _, id := range []string{"", ".", ".."} {
		if _, err := c.ListWebhooks(t.Context(), id); err == nil {
			t.Errorf("%q was not refused", id)
		}
	}
	if len(paths) > 0 {
		t.Errorf("requests for %q", paths)
	}
	for _, id := range []string{"a/b", "../admin", "a?b=c", "a#b", "a b", "%2e%2e", "...", "ä", "a:b", "a;b", "a\r\nb"} {
		paths = nil
		if _, err := c.ListWebhooks(t.Context(), id); err != nil {
			t.Errorf("%q: %v", id, err)
			continue
		}
		if path, ok := strings.CutPrefix(paths[0], "/v1/organizations/"); !ok || strings.Count(path, "/") != 1 || !strings.HasSuffix(path, "/webhooks") {
			t.Errorf("%q asks for %q", id, paths[0])
		}
	}
}
