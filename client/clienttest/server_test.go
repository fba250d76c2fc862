package clienttest_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	packhooks "github.com/packhooks/packhooks/client"
	"github.com/packhooks/packhooks/client/clienttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newClient(t *testing.T, token, url string, opts ...packhooks.Option) *packhooks.Client {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	opts = append(opts, packhooks.WithBaseURL(url), packhooks.WithMaxAttempts(1), packhooks.WithHTTPClient(&http.Client{Transport: transport}))
	c, err := packhooks.New(token, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPagesAndErrors(t *testing.T) {
	all := clienttest.Webhooks(60)
	srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme", all...), clienttest.WithWebhooks("none"))
	c := newClient(t, srv.Token, srv.URL)
	got, err := packhooks.Collect(c.Webhooks(t.Context(), "acme", packhooks.PerPage(7)), len(all))
	if err != nil || len(got) != len(all) || got[59].ID != "wh_000060" || !got[59].Secret.Equal(all[59].Secret) {
		t.Errorf("%v, %d webhooks", err, len(got))
	}
	if got, err := packhooks.Collect(c.Webhooks(t.Context(), "none"), 1); err != nil || len(got) != 0 {
		t.Errorf("an organization without webhooks: %v, %d webhooks", err, len(got))
	}
	_, err = c.ListWebhooks(t.Context(), "unknown")
	if !errors.Is(err, packhooks.ErrForbidden) {
		t.Errorf("an unknown organization: %v", err)
	}
	if _, err = newClient(t, "another-token", srv.URL).ListWebhooks(t.Context(), "acme"); !errors.Is(err, packhooks.ErrUnauthorized) {
		t.Errorf("an unknown token: %v", err)
	}
	for _, opt := range []packhooks.ListOption{packhooks.PerPage(101), packhooks.FromPage("?cursor=x")} {
		var e *packhooks.Error
		if _, err = c.ListWebhooks(t.Context(), "acme", opt); !errors.As(err, &e) || e.StatusCode != 400 || e.Problem.Errors == nil {
			t.Errorf("a bad parameter: %v", err)
		}
	}
}

// A vendor that is not ours: each answer is used, or said to be what it is.
func TestLaravel(t *testing.T) {
	all := clienttest.Webhooks(60)
	srv := clienttest.NewServer(t, clienttest.Laravel(), clienttest.WithWebhooks("acme", all...), clienttest.WithWebhooks("none"))
	c := newClient(t, srv.Token, srv.URL)
	for _, size := range []int{0, 7, 100} {
		var opts []packhooks.ListOption
		want := 4
		if size > 0 {
			opts = append(opts, packhooks.PerPage(size))
			want = (len(all) + size - 1) / size
		}
		before := len(srv.Requests())
		got, err := packhooks.Collect(c.Webhooks(t.Context(), "acme", opts...), len(all))
		if n := len(srv.Requests()) - before; err != nil || len(got) != len(all) || n != want {
			t.Errorf("%d a page: %v, %d webhooks in %d requests, want %d in %d", size, err, len(got), n, len(all), want)
		}
	}
	if page, err := c.ListWebhooks(t.Context(), "none"); err != nil || len(page.Webhooks) != 0 {
		t.Errorf("meta as an empty list: %v", err)
	}
	if page, err := c.ListWebhooks(t.Context(), "acme", packhooks.FromPage("?cursor=changed")); err != nil || page.Webhooks[0].ID != all[0].ID {
		t.Errorf("a cursor that cannot be read: %v", err)
	}
	srv.Inject(clienttest.Respond(500, "application/json", `{"message": "Server Error"}`))
	for _, try := range []struct {
		name, token, want string
		opts              []packhooks.ListOption
	}{
		{"500 on a mangled cursor", srv.Token, "500 Internal Server Error: Server Error", nil},
		{"message and errors", srv.Token, "400 Bad Request: a parameter is not valid; per_page: want 1 to 100", []packhooks.ListOption{packhooks.PerPage(101)}},
		{"a redirect to a login page", "another-token", "malformed page: a redirect does not lead to", nil},
	} {
		_, err := newClient(t, try.token, srv.URL).ListWebhooks(t.Context(), "acme", try.opts...)
		if err == nil || !strings.Contains(err.Error(), try.want) {
			t.Errorf("%s: got %v, want %s", try.name, err, try.want)
		}
	}
}

func TestFaults(t *testing.T) {
	srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme", clienttest.Webhooks(2)...))
	for name, try := range map[string]struct {
		fault clienttest.Fault
		want  error
	}{
		"none":         {nil, nil},
		"rate limited": {clienttest.RateLimited(1500 * time.Millisecond), packhooks.ErrRateLimited},
		"unavailable":  {clienttest.Unavailable(time.Second), packhooks.ErrUnavailable},
		"a bit slow":   {clienttest.Slow(time.Millisecond), nil},
		"too slow":     {clienttest.Slow(time.Hour), packhooks.ErrUnavailable},
		"truncated":    {clienttest.Truncated(), io.ErrUnexpectedEOF},
		"cut":          {clienttest.Cut(), io.ErrUnexpectedEOF},
	} {
		c := newClient(t, srv.Token, srv.URL, packhooks.WithAttemptTimeout(2*time.Second))
		before := len(srv.Requests())
		srv.Inject(try.fault)
		_, err := c.ListWebhooks(t.Context(), "acme")
		if try.want == nil && err != nil || try.want != nil && !errors.Is(err, try.want) {
			t.Errorf("%s: got %v, want %v", name, err, try.want)
		}
		var answer *packhooks.Error
		if errors.As(err, &answer) && (answer.RetryAfter < time.Second || answer.RetryAfter%time.Second != 0) {
			t.Errorf("%s: Retry-After is %v", name, answer.RetryAfter)
		}
		if seen := srv.Requests()[before:]; len(seen) != 1 || seen[0].Method != "GET" || seen[0].Path != "/v1/organizations/acme/webhooks" ||
			seen[0].Token != srv.Token || seen[0].Header.Get("Authorization") != "" {
			t.Errorf("%s: the server saw %v", name, len(seen))
		}
		if _, err := c.ListWebhooks(t.Context(), "acme"); err != nil {
			t.Errorf("after %s: %v", name, err)
		}
	}
}
