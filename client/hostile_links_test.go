package packhooks_test

import (
	"io"
	"net/http"
	"strings"

	packhooks "github.com/packhooks/packhooks/client"
)

// linked serves two pages, the first with this next link.
func linked(next func(self, elsewhere string) string) func(self, elsewhere string) http.HandlerFunc {
	return func(self, elsewhere string) http.HandlerFunc {
		first := body(next(self, elsewhere), item("wh_1", nil))
		second := body("", item("wh_2", nil))
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery == "cursor=2" {
				_, _ = io.WriteString(w, second)
				return
			}
			_, _ = io.WriteString(w, first)
		}
	}
}

// walked is a link that is followed although it names another place; only its query counts.
func walked(name string, next func(self, elsewhere string) string) hostile {
	return hostile{name: name, serve: linked(next), webhooks: 2, requests: 2}
}

func malformedLink(name, link string) hostile {
	next := func(self, _ string) string { return strings.ReplaceAll(link, "SELF", self) }
	return hostile{name: name, serve: linked(next), want: packhooks.ErrMalformedPage, text: "link", webhooks: 1}
}

func hostileLinks() []hostile {
	return []hostile{
		walked("link to another host", func(_, elsewhere string) string { return elsewhere + operation + "?cursor=2" }),
		walked("user@host link", func(_, elsewhere string) string {
			return strings.Replace(elsewhere, "//", "//user:pw@", 1) + operation + "?cursor=2"
		}),
		walked("//host link", func(_, elsewhere string) string {
			return strings.TrimPrefix(elsewhere, "http:") + operation + "?cursor=2"
		}),
		walked("link below another base path", func(_, elsewhere string) string {
			return elsewhere + "/proxied/api/v9" + operation + "?cursor=2"
		}),
		walked("relative link, query alone", func(string, string) string { return "?cursor=2" }),
		walked("relative link, last segment", func(string, string) string { return "webhooks?cursor=2" }),
		walked("relative link, path", func(string, string) string { return "/v1" + operation + "?cursor=2" }),
		walked("link with a fragment", func(self, _ string) string { return self + operation + "?cursor=2#cursor=3" }),
		walked("link escaped otherwise", func(self, _ string) string { return self + "/organizations/%61cme/webhooks?cursor=2" }),
		{
			name: "http link from an https server", tls: true, webhooks: 2, requests: 2,
			serve: linked(func(self, _ string) string {
				return strings.Replace(self, "https:", "http:", 1) + operation + "?cursor=2"
			}),
		},
		malformedLink("link with another path", "SELF/organizations/acme/users?cursor=2"),
		malformedLink("link for another organization", "SELF/organizations/other/webhooks?cursor=2"),
		malformedLink("link with more path", "SELF/organizations/acme/webhooks/secrets?cursor=2"),
		malformedLink("link without a path", "javascript:alert(1)?cursor=2"),
		malformedLink("link with backslashes", `http:\\SELF\organizations\acme\webhooks?cursor=2`),
		malformedLink("link with a control character", "SELF/organizations/acme/webhooks?cursor=2\r\nX-Evil: 1"),
		malformedLink("link with a space", "SELF/organizations/acme/webhooks?cursor=2 HTTP/1.1"),
		{
			name: "repeated link", want: packhooks.ErrPageLoop, webhooks: 2, requests: 2,
			serve: fixed(always(200, body("?cursor=9", item("wh_1", nil)))),
		},
		{
			name: "link to the first page", want: packhooks.ErrPageLoop, webhooks: 1,
			serve: linked(func(self, _ string) string { return self + operation }),
		},
		{
			name: "cycle of two", want: packhooks.ErrPageLoop, webhooks: 3, requests: 3,
			serve: fixed(func(w http.ResponseWriter, r *http.Request) {
				next := map[string]string{"": "?cursor=a", "cursor=a": "?cursor=b", "cursor=b": "?cursor=a"}[r.URL.RawQuery]
				_, _ = io.WriteString(w, body(next, item("wh_1", nil)))
			}),
		},
		{
			name: "empty page with next", webhooks: 1, requests: 2,
			serve: fixed(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.RawQuery == "" {
					_, _ = io.WriteString(w, body("?cursor=2"))
					return
				}
				_, _ = io.WriteString(w, body("", item("wh_1", nil)))
			}),
		},
	}
}
