package packhooks_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	packhooks "github.com/packhooks/packhooks/client"
)

func redirecting(status int) hostile {
	return hostile{
		name: fmt.Sprintf("redirect to another origin with %d", status),
		serve: func(_, elsewhere string) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere+operation, status) }
		},
		want: packhooks.ErrCrossOrigin,
	}
}

// redirectedTo sends a request along these paths, the last of which answers with a page that is not acme's.
func redirectedTo(name string, paths ...string) hostile {
	next := map[string]string{"/v1" + operation: paths[0]}
	for i, path := range paths[1:] {
		next[paths[i]] = path
	}
	return hostile{
		name: name, want: packhooks.ErrMalformedPage, text: "redirect", requests: len(paths),
		serve: fixed(func(w http.ResponseWriter, r *http.Request) {
			if to, ok := next[r.URL.Path]; ok {
				http.Redirect(w, r, to, http.StatusTemporaryRedirect)
				return
			}
			_, _ = io.WriteString(w, body("", item("wh_1", nil)))
		}),
	}
}

func hostileAnswers() []hostile {
	return []hostile{
		redirecting(301), redirecting(302), redirecting(303), redirecting(307), redirecting(308),
		{
			name: "redirect from https to http", tls: true, want: packhooks.ErrCrossOrigin,
			serve: func(self, _ string) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) {
					http.Redirect(w, r, strings.Replace(self, "https:", "http:", 1)+operation, http.StatusFound)
				}
			},
		},
		{
			name: "redirect that echoes the token", want: packhooks.ErrCrossOrigin,
			serve: func(_, elsewhere string) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) {
					http.Redirect(w, r, elsewhere+"?"+r.Header.Get("Authorization"), http.StatusFound)
				}
			},
		},
		{
			name: "redirect within the origin", webhooks: 1, requests: 2,
			serve: fixed(func(w http.ResponseWriter, r *http.Request) {
				if moved := "/api/v1" + operation; r.URL.Path != moved {
					http.Redirect(w, r, moved, http.StatusTemporaryRedirect)
				} else if r.Header.Get("Authorization") == "Bearer "+testToken {
					_, _ = io.WriteString(w, body("", item("wh_1", nil)))
				}
			}),
		},
		redirectedTo("redirect to another organization", "/v1/organizations/other/webhooks"),
		redirectedTo("redirect to another path", "/moved"),
		redirectedTo("redirect to another organization by way of a path that fits", "/api/v1"+operation, "/v1/organizations/other/webhooks"),
		{
			name: "redirect to itself", want: packhooks.ErrUnavailable, text: "stopped after 10 redirects", requests: 10,
			serve: fixed(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }),
		},

		{
			name: "429 with an absurd Retry-After", want: packhooks.ErrRateLimited, status: 429,
			serve: fixed(always(429, "", "Retry-After", "99999999999999999999")),
		},
		{
			name: "429 with a far date", want: packhooks.ErrRateLimited, status: 429,
			serve: fixed(always(429, "", "Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT")),
		},
		{
			name: "429 with a negative Retry-After", want: packhooks.ErrRateLimited, status: 429, requests: 8,
			serve: fixed(always(429, "", "Retry-After", "-1")),
		},
		{
			name: "502 HTML", want: packhooks.ErrUnavailable, status: 502, text: "502 Bad Gateway", requests: 8,
			serve: fixed(always(502, "<html>upstream sent nothing</html>", "Content-Type", "text/html")),
		},
		{
			name: "500 with broken JSON", status: 500, text: "500 Internal Server Error", requests: 8,
			serve: fixed(always(500, `{"detail": "x`, "Content-Type", "application/problem+json")),
		},
		{
			name: "418 with a message", status: 418, text: "418 I'm a teapot: short and stout",
			serve: fixed(always(418, `{"message": "short\nand stout", "title": 7}`)),
		},
		{
			name: "401 with an endless body", want: packhooks.ErrUnauthorized, status: 401,
			serve: fixed(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusUnauthorized)
				endless(w)
			}),
		},

		{
			name: "endless body", want: packhooks.ErrResponseTooLarge, text: "more than 1000000 bytes",
			opts:  []packhooks.Option{packhooks.WithMaxResponseBytes(1e6)},
			serve: fixed(func(w http.ResponseWriter, _ *http.Request) { endless(w) }),
		},
		{
			name: "announced large body", want: packhooks.ErrResponseTooLarge,
			serve: fixed(always(200, "", "Content-Length", "99999999999")),
		},
		{
			name: "gzip bomb", want: packhooks.ErrResponseTooLarge,
			opts: []packhooks.Option{packhooks.WithMaxResponseBytes(1e6)},
			serve: fixed(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				zip := gzip.NewWriter(w)
				_, _ = io.CopyN(zip, zeros{}, 1e8)
			}),
		},
		{
			name: "slow-loris body", want: packhooks.ErrUnavailable, text: "no complete response within 500ms", requests: 2,
			opts: []packhooks.Option{packhooks.WithAttemptTimeout(500 * time.Millisecond), packhooks.WithMaxAttempts(2)},
			serve: fixed(func(w http.ResponseWriter, r *http.Request) {
				for r.Context().Err() == nil {
					_, _ = io.WriteString(w, " ")
					_ = http.NewResponseController(w).Flush()
					time.Sleep(5 * time.Millisecond)
				}
			}),
		},
		{
			name: "connection reset mid-body", want: packhooks.ErrUnavailable, text: "(8 attempts)", requests: 8,
			serve: fixed(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "1000")
				_, _ = io.WriteString(w, `{"data": [`)
				_ = http.NewResponseController(w).Flush()
				reset(w)
			}),
		},
		{
			name: "orderly end mid-body", want: packhooks.ErrUnavailable, text: "unexpected EOF", requests: 8,
			serve: fixed(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "1000")
				_, _ = io.WriteString(w, `{"data": [`)
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}),
		},
		{
			name: "no HTTP at all", want: packhooks.ErrUnavailable, requests: 8,
			serve: fixed(func(w http.ResponseWriter, _ *http.Request) { reset(w) }),
		},
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func endless(w http.ResponseWriter) { _, _ = io.Copy(w, zeros{}) }

// reset closes the connection so that the other side sees it broken.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}
