package clienttest_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	packhooks "github.com/packhooks/packhooks/client"
	"github.com/packhooks/packhooks/client/clienttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// exchange sends one request, with the server's token unless header says otherwise.
func exchange(t *testing.T, srv *clienttest.Server, method, target string, header http.Header) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, strings.TrimSuffix(srv.URL, "/v1")+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+srv.Token)
	for name, values := range header {
		req.Header[name] = values
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func TestProblems(t *testing.T) {
	const path = "/v1/organizations/acme/webhooks"
	srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme", clienttest.Webhooks(3)...),
		clienttest.WithWebhooks("other", clienttest.Webhooks(3)...), clienttest.WithToken("narrow", "other"))
	other := linkOf(t, srv, "/v1/organizations/other/webhooks?per_page=1")
	_, cursor, _ := strings.Cut(linkOf(t, srv, path+"?per_page=1"), "cursor=")
	cursor, _, _ = strings.Cut(cursor, "&")
	_, foreign, _ := strings.Cut(other, "?")
	changed := "B" + cursor[1:]

	for _, try := range []struct {
		method, target string
		header         http.Header
		status         int
		parameters     string // at fault
	}{
		{"GET", path, nil, 200, ""},
		{"GET", path + "?cursor=" + cursor, nil, 200, ""},
		{"GET", path + "?per_page=100", nil, 200, ""},
		{"GET", path, http.Header{"Authorization": {"bearer " + srv.Token}}, 200, ""},

		{"GET", "/", nil, 404, ""},
		{"GET", "/v1/organizations/acme/webhooks/", nil, 404, ""},
		{"GET", "/v1/organizations//webhooks", nil, 404, ""},
		{"GET", "/v2/organizations/acme/webhooks", nil, 404, ""},
		{"GET", "/v1/organizations/acme/webhooks/1", http.Header{"Authorization": nil}, 404, ""},
		{"POST", path, http.Header{"Authorization": nil}, 405, ""},
		{"HEAD", path, nil, 405, ""},
		{"OPTIONS", path, nil, 405, ""},

		{"GET", path + "?x=1", http.Header{"Authorization": nil}, 401, ""},
		{"GET", path, http.Header{"Authorization": {"Bearer nobody"}}, 401, ""},
		{"GET", path, http.Header{"Authorization": {"Basic " + srv.Token}}, 401, ""},
		{"GET", path, http.Header{"Authorization": {srv.Token}}, 401, ""},

		{"GET", path, http.Header{"Authorization": {"Bearer narrow"}}, 403, ""},
		{"GET", "/v1/organizations/nobody/webhooks", nil, 403, ""},
		{"GET", "/v1/organizations/nobody/webhooks?per_page=0", nil, 400, "per_page"},

		{"GET", path + "?page=2", nil, 400, "page"},
		{"GET", path + "?per_page=", nil, 400, "per_page"},
		{"GET", path + "?per_page", nil, 400, "per_page"},
		{"GET", path + "?per_page=0", nil, 400, "per_page"},
		{"GET", path + "?per_page=101", nil, 400, "per_page"},
		{"GET", path + "?per_page=+5", nil, 400, "per_page"},
		{"GET", path + "?per_page=010", nil, 400, "per_page"},
		{"GET", path + "?per_page=%zz", nil, 400, "per_page"},
		{"GET", path + "?per_page=5;cursor=a", nil, 400, "per_page"},
		{"GET", path + "?per_page=5&per_page=5", nil, 400, "per_page"},
		{"GET", path + "?&", nil, 400, " "},
		{"GET", path + "?cursor=", nil, 400, "cursor"},
		{"GET", path + "?cursor=nonsense", nil, 400, "cursor"},
		{"GET", path + "?cursor=" + cursor + "A", nil, 400, "cursor"},
		{"GET", path + "?cursor=" + changed, nil, 400, "cursor"},
		{"GET", path + "?cursor=" + strings.Repeat("A", 300), nil, 400, "cursor"},
		{"GET", path + "?" + foreign, nil, 400, "cursor"},
		{"GET", path + "?b=1&a=1", nil, 400, "b a"},
		{"GET", "/v1/organizations/.hidden/webhooks", nil, 400, "organizationId"},
		{"GET", "/v1/organizations/a%2Fb/webhooks", nil, 400, "organizationId"},
		{"GET", "/v1/organizations/" + strings.Repeat("a", 129) + "/webhooks", nil, 400, "organizationId"},
	} {
		resp, text := exchange(t, srv, try.method, try.target, try.header)
		name := try.method + " " + try.target
		if resp.StatusCode != try.status {
			t.Errorf("%s: %d, want %d", name, resp.StatusCode, try.status)
			continue
		}
		h := resp.Header
		if h.Get("X-Request-Id") == "" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: headers %v", name, h)
		}
		if got := h.Get("Allow"); (try.status == 405) != (got == "GET") {
			t.Errorf("%s: Allow %q", name, got)
		}
		if got := h.Get("WWW-Authenticate"); (try.status == 401) != strings.HasPrefix(got, "Bearer") {
			t.Errorf("%s: WWW-Authenticate %q", name, got)
		}
		if try.status == 200 || try.method == "HEAD" {
			continue
		}
		var p packhooks.Problem
		if err := json.Unmarshal([]byte(text), &p); err != nil || h.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %v in %s", name, err, text)
			continue
		}
		if int(p.Status) != try.status || p.Title != http.StatusText(try.status) || p.Type == "" || p.Detail == "" || p.RequestID != h.Get("X-Request-Id") {
			t.Errorf("%s: %s", name, text)
		}
		var parameters []string
		if p.Errors != nil {
			for _, e := range *p.Errors {
				parameters = append(parameters, e.Parameter)
			}
		}
		if got := strings.Join(parameters, " "); got != try.parameters {
			t.Errorf("%s: at fault are %q, want %q", name, got, try.parameters)
		}
	}
}

type page struct {
	Data []struct {
		ID, Secret string
	}
	Links struct{ Prev, Next *string }
	Meta  struct {
		PerPage int `json:"per_page"`
	}
}

func get(t *testing.T, srv *clienttest.Server, target string) (p page, header http.Header) {
	t.Helper()
	resp, text := exchange(t, srv, http.MethodGet, strings.TrimPrefix(target, strings.TrimSuffix(srv.URL, "/v1")), nil)
	if err := json.Unmarshal([]byte(text), &p); err != nil || resp.StatusCode != http.StatusOK || p.Data == nil {
		t.Fatalf("%s: %v in %s", target, err, text)
	}
	return p, resp.Header
}

func linkOf(t *testing.T, srv *clienttest.Server, target string) string {
	t.Helper()
	p, _ := get(t, srv, target)
	return *p.Links.Next
}

func ids(p page) (list []string) {
	for _, w := range p.Data {
		list = append(list, w.ID)
	}
	return list
}

func TestPages(t *testing.T) {
	const path = "/v1/organizations/acme/webhooks"
	all := clienttest.Webhooks(8)
	for i := range all[:4] { // a tie is broken by the id
		all[i].CreatedAt = all[0].CreatedAt
	}
	shuffled := slices.Clone(all)
	slices.Reverse(shuffled)
	srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme", shuffled...))

	var got []string
	p, header := get(t, srv, path+"?per_page=3")
	if p.Links.Prev != nil || p.Meta.PerPage != 3 || p.Data[0].Secret != "clienttest-secret-000001" {
		t.Errorf("the first page is %+v", p)
	}
	if want := "<" + *p.Links.Next + `>; rel="next"`; header.Get("Link") != want {
		t.Errorf("Link: %s", header.Get("Link"))
	}
	for got = ids(p); p.Links.Next != nil; got = append(got, ids(p)...) {
		p, header = get(t, srv, *p.Links.Next)
		if !strings.Contains(header.Get("Link"), "<"+*p.Links.Prev+`>; rel="prev"`) {
			t.Errorf("Link: %s", header.Get("Link"))
		}
	}
	for back := ids(p); ; back = append(ids(p), back...) {
		if p.Links.Prev == nil {
			if !slices.Equal(back, got) {
				t.Errorf("backwards %v", back)
			}
			break
		}
		p, _ = get(t, srv, *p.Links.Prev)
	}
	for i, w := range all {
		if len(got) != len(all) || got[i] != w.ID {
			t.Fatalf("forwards %v", got)
		}
	}
}

func TestLinksStayExactWhenAPageEmpties(t *testing.T) {
	const path = "/v1/organizations/acme/webhooks"
	all := clienttest.Webhooks(6)
	srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme", all...))
	first, _ := get(t, srv, path+"?per_page=3")
	second, _ := get(t, srv, *first.Links.Next)

	srv.SetWebhooks("acme", all[:3]...) // all that came after the first page is gone
	p, _ := get(t, srv, *first.Links.Next)
	if len(p.Data) != 0 || p.Links.Next != nil || p.Links.Prev == nil {
		t.Fatalf("got %+v, want an empty page with prev alone", p)
	}
	if p, _ = get(t, srv, *p.Links.Prev); !slices.Equal(ids(p), ids(first)) {
		t.Errorf("its prev leads to %v", ids(p))
	}

	srv.SetWebhooks("acme", all[3:]...) // all that came before the second page is gone
	p, _ = get(t, srv, *second.Links.Prev)
	if len(p.Data) != 0 || p.Links.Prev != nil || p.Links.Next == nil {
		t.Fatalf("got %+v, want an empty page with next alone", p)
	}
	if p, _ = get(t, srv, *p.Links.Next); !slices.Equal(ids(p), ids(second)) {
		t.Errorf("its next leads to %v", ids(p))
	}

	srv.SetWebhooks("acme")
	for _, target := range []string{path, *first.Links.Next, *second.Links.Prev} {
		if p, _ = get(t, srv, target); len(p.Data) != 0 || p.Links.Prev != nil || p.Links.Next != nil {
			t.Errorf("without any webhook: %+v", p)
		}
	}
}

func TestRequestIDsOfTheClient(t *testing.T) {
	srv := clienttest.NewServer(t)
	for id, taken := range map[string]bool{"mine-1.a_B": true, "a b": false, "": false, strings.Repeat("a", 129): false} {
		resp, _ := exchange(t, srv, http.MethodGet, "/", http.Header{"X-Request-Id": {id}})
		if got := resp.Header.Get("X-Request-Id"); (got == id) != taken || got == "" {
			t.Errorf("%q became %q", id, got)
		}
	}
}

func TestFaults(t *testing.T) {
	srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme", clienttest.Webhooks(2)...))
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	c, err := packhooks.New(srv.Token, packhooks.WithBaseURL(srv.URL), packhooks.WithMaxAttempts(1),
		packhooks.WithAttemptTimeout(2*time.Second), packhooks.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
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

func TestTimesAreTheContracts(t *testing.T) {
	w := clienttest.Webhooks(1)[0]
	w.CreatedAt = time.Date(2024, 8, 2, 11, 30, 0, 123456789, time.FixedZone("", 2*60*60))
	srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme", w))
	_, text := exchange(t, srv, http.MethodGet, "/v1/organizations/acme/webhooks", nil)
	if !strings.Contains(text, `"created_at":"2024-08-02T09:30:00.123456Z"`) {
		t.Errorf("got %s", text)
	}
}
