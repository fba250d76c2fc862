package packhooks_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	packhooks "github.com/packhooks/packhooks/client"
)

// offline returns a client whose requests go to answer and nowhere else.
func offline(f *testing.F, answer roundTrip) *packhooks.Client {
	f.Helper()
	c, err := packhooks.New(testToken,
		packhooks.WithBaseURL("https://api.example/v1"),
		packhooks.WithHTTPClient(&http.Client{Transport: answer}),
		packhooks.WithMaxAttempts(1))
	if err != nil {
		f.Fatal(err)
	}
	return c
}

func response(r *http.Request, status int, text string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), ContentLength: -1, Request: r}
}

// Whatever a link says, the request goes to the operation's own address.
func FuzzLink(f *testing.F) {
	var sent *url.URL
	c := offline(f, func(r *http.Request) (*http.Response, error) {
		sent = r.URL
		return response(r, 200, body("")), nil
	})
	for _, link := range []string{
		"https://api.example/v1/organizations/acme/webhooks?cursor=abc",
		"http://user:pw@evil.example/organizations/acme/webhooks?page=2",
		"//evil.example/v1/organizations/acme/webhooks?a=%zz;b",
		"?cursor=a&cursor=b", "webhooks?x", "../acme/webhooks?x", "/organizations/%61cme/webhooks", "#x", "::", "",
		"https://api.example/v1/organizations/acme%2Fwebhooks?x", "/organizations/other/webhooks?x", "?a b", "?a\r\nb: c", "javascript:x",
	} {
		f.Add(link)
	}
	f.Fuzz(func(t *testing.T, link string) {
		sent = nil
		_, err := c.ListWebhooks(t.Context(), "acme", packhooks.FromPage(link))
		if err != nil && !errors.Is(err, packhooks.ErrMalformedPage) && !errors.Is(err, packhooks.ErrNoPage) {
			t.Fatalf("%q: %v", link, err)
		}
		if (err == nil) != (sent != nil) {
			t.Fatalf("%q: %v, and a request for %v", link, err, sent)
		}
		if sent == nil {
			return
		}
		if sent.Scheme != "https" || sent.Host != "api.example" || sent.User != nil || sent.EscapedPath() != "/v1/organizations/acme/webhooks" || sent.Fragment != "" {
			t.Fatalf("%q led to %q", link, sent)
		}
		if strings.ContainsFunc(sent.RequestURI(), func(r rune) bool { return r <= ' ' || r > '~' }) || !strings.Contains(link, sent.RawQuery) {
			t.Fatalf("%q led to the query %q", link, sent.RawQuery)
		}
	})
}

// Whatever Retry-After and Date say, the wait is never negative, and whole seconds are read as they are.
func FuzzRetryAfter(f *testing.F) {
	var retryAfter, date string
	c := offline(f, func(r *http.Request) (*http.Response, error) {
		resp := response(r, 429, "")
		resp.Header["Retry-After"], resp.Header["Date"] = []string{retryAfter}, []string{date}
		return resp, nil
	})
	for _, text := range []string{"", "0", "1", "120", "-1", "+1", "1.5", "1e9", "99999999999999999999", "9223372036", "9223372037", " 7 ", "٣",
		"Fri, 02 Aug 2024 09:30:10 GMT", "Friday, 02-Aug-24 09:30:10 GMT", "Fri Aug  2 09:30:10 2024", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT"} {
		f.Add(text, "Fri, 02 Aug 2024 09:30:00 GMT")
		f.Add(text, "")
	}
	f.Fuzz(func(t *testing.T, a, d string) {
		retryAfter, date = a, d
		_, err := c.ListWebhooks(t.Context(), "acme")
		var e *packhooks.Error
		if !errors.As(err, &e) || e.RetryAfter < 0 || e.Attempts != 1 {
			t.Fatalf("Retry-After %q: %v", a, err)
		}
		if seconds, err := time.ParseDuration(a + "s"); err == nil && strings.Trim(a, "0123456789") == "" && e.RetryAfter != seconds {
			t.Fatalf("Retry-After %q is read as %v", a, e.RetryAfter)
		}
	})
}

// Whatever a body holds, it is what encoding/json reads from it, or an ErrMalformedPage that keeps to one line.
func FuzzPage(f *testing.F) {
	var text string
	c := offline(f, func(r *http.Request) (*http.Response, error) { return response(r, 200, text), nil })
	for _, h := range slices.Concat(hostilePages(), hostileLimits()) {
		if len(h.page) < 1<<12 {
			f.Add(h.page)
		}
	}
	f.Add(body("https://api.example/v1/organizations/acme/webhooks?cursor=abc", item("wh_1", nil), item("wh_2", map[string]any{"event_code": "orders.created"})))
	f.Add(`{"data":[{"\u0069d":"\ud83d\ude00","endpoint":"https:\/\/x","secret":"\"s","enabled":false,"created_at":"2024-08-02T09:30:00.1+02:00","updated_at":"2024-08-02T09:30:00Z","x":[1e5,{"y":null}]}],"links":{}}`)
	f.Fuzz(func(t *testing.T, s string) {
		text = s
		page, err := c.ListWebhooks(t.Context(), "acme")
		if err != nil {
			lost := errors.Is(err, packhooks.ErrUnavailable) && errors.Is(err, io.ErrUnexpectedEOF) // cut short without a length
			if page != nil || !errors.Is(err, packhooks.ErrMalformedPage) && !lost || strings.Contains(err.Error(), "\n") {
				t.Fatal(err)
			}
			return
		}
		var oracle struct {
			Data  []packhooks.Webhook
			Links struct{ Prev, Next string }
		}
		// What is optional never costs the page, so that encoding/json may dislike the type of some value.
		var wrongType *json.UnmarshalTypeError
		if err := json.Unmarshal([]byte(s), &oracle); err != nil && !errors.As(err, &wrongType) {
			t.Fatalf("encoding/json: %v", err)
		}
		if !slices.EqualFunc(page.Webhooks, oracle.Data, sameWebhook) || page.Prev != oracle.Links.Prev || page.Next != oracle.Links.Next {
			t.Fatalf("encoding/json reads another page")
		}
	})
}
