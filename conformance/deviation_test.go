package conformance_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// reply is a response that a deviation may change.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// edit changes the members of the body, where it is a JSON object.
func (a *reply) edit(change func(body map[string]any)) {
	var body map[string]any
	if json.Unmarshal(a.body, &body) == nil {
		change(body)
		a.body, _ = json.Marshal(body)
	}
}

type deviation = func(http.Handler) http.Handler

// spoil lets a function change every response before it is sent.
func spoil(change func(r *http.Request, a *reply)) deviation {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r.Clone(r.Context())) // the server's validation rewrites the query
			a := &reply{rec.Code, rec.Header(), rec.Body.Bytes()}
			change(r, a)
			a.header.Del("Content-Length")
			maps.Copy(w.Header(), a.header)
			w.WriteHeader(a.status)
			_, _ = w.Write(a.body)
		})
	}
}

// page changes every page, and webhook the third webhook of every page, so that it takes a look at all of them.
func page(change func(body map[string]any)) deviation {
	return spoil(func(_ *http.Request, a *reply) {
		if a.status == http.StatusOK {
			a.edit(change)
		}
	})
}

func webhook(change func(w map[string]any)) deviation {
	return page(func(body map[string]any) {
		if data := body["data"].([]any); len(data) > 2 {
			change(data[2].(map[string]any))
		}
	})
}

// third changes the same webhook wherever it comes.
func third(change func(w map[string]any)) deviation {
	return page(func(body map[string]any) {
		for _, w := range body["data"].([]any) {
			if w := w.(map[string]any); w["id"] == "wh_000002" {
				change(w)
			}
		}
	})
}

func links(change func(l map[string]any)) deviation {
	return page(func(body map[string]any) { change(body["links"].(map[string]any)) })
}

// status changes the responses of one status.
func status(code int, change func(r *http.Request, a *reply)) deviation {
	return spoil(func(r *http.Request, a *reply) {
		if a.status == code {
			change(r, a)
		}
	})
}

func header(code int, name, value string) deviation {
	return status(code, func(_ *http.Request, a *reply) { a.header.Set(name, value) })
}

func dropHeader(code int, name string) deviation {
	return status(code, func(_ *http.Request, a *reply) { a.header.Del(name) })
}

// before changes requests on their way in.
func before(change func(r *http.Request)) deviation {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			change(r)
			next.ServeHTTP(w, r)
		})
	}
}

// ignore drops the query where it says so, as a server does that looks at nothing it does not know.
func ignore(when func(query string) bool) deviation {
	return before(func(r *http.Request) {
		if when(r.URL.RawQuery) {
			r.URL.RawQuery = ""
		}
	})
}

// admit lets every request with such an Authorization in.
func admit(when func(authorization string) bool) deviation {
	return before(func(r *http.Request) {
		if when(r.Header.Get("Authorization")) {
			r.Header.Set("Authorization", "Bearer "+token)
		}
	})
}

func without(m map[string]any, name string) { delete(m, name) }

func selfPrev(next http.Handler) http.Handler {
	return spoil(func(r *http.Request, a *reply) {
		a.edit(func(b map[string]any) {
			if l, ok := b["links"].(map[string]any); ok && l["prev"] != nil {
				l["prev"] = "https://webhooks.example.com" + r.URL.RequestURI()
			}
		})
	})(next)
}

// emptyEnd has one more page than there are webhooks.
func emptyEnd(next http.Handler) http.Handler {
	return spoil(func(r *http.Request, a *reply) {
		over := r.URL.Query().Get("cursor") == "over"
		if over {
			rec := httptest.NewRecorder()
			r.URL.RawQuery = "per_page=1"
			next.ServeHTTP(rec, r)
			a.status, a.header, a.body = rec.Code, rec.Header(), rec.Body.Bytes()
		}
		a.edit(func(b map[string]any) {
			l, _ := b["links"].(map[string]any)
			if over {
				b["data"], l["next"] = []any{}, nil
			} else if l != nil && l["next"] == nil {
				l["next"] = "https://webhooks.example.com/v1/organizations/acme/webhooks?cursor=over"
			}
		})
	})(next)
}

func onlyFirst(n *atomic.Int64) deviation {
	return page(func(b map[string]any) {
		if n.Add(1) == 1 {
			slices.Reverse(b["data"].([]any))
		}
	})
}

// atMost holds every plain request a little, so that they overlap.
func atMost(limit int64, now *atomic.Int64) deviation {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer now.Add(-1)
			if now.Add(1) > limit {
				r.Header.Del("Authorization")
			}
			if r.URL.RawQuery == "" {
				time.Sleep(10 * time.Millisecond)
			}
			next.ServeHTTP(w, r)
		})
	}
}

// reversedCursor reports a cursor of ours turned round: they all begin with the same version byte.
func reversedCursor(query string) bool {
	values, _ := url.ParseQuery(query)
	cursor := values.Get("cursor")
	return len(cursor) > 20 && !strings.HasPrefix(cursor, "AQ")
}

// later changes every page but the first.
func later(change func(body map[string]any)) deviation {
	return status(200, func(r *http.Request, a *reply) {
		if strings.Contains(r.URL.RawQuery, "cursor=") {
			a.edit(change)
		}
	})
}

func mask(text string) deviation { return webhook(func(w map[string]any) { w["secret"] = text }) }

// array has the links in the Link header alone.
func array(next http.Handler) http.Handler {
	return status(200, func(_ *http.Request, a *reply) {
		var body struct{ Data json.RawMessage }
		if json.Unmarshal(a.body, &body) == nil {
			a.body = body.Data
		}
	})(next)
}

// flat takes the print of the vendor's page literally.
func flat(next http.Handler) http.Handler {
	return page(func(b map[string]any) {
		for _, name := range []string{"links", "meta"} {
			maps.Copy(b, b[name].(map[string]any))
			without(b, name)
		}
	})(next)
}
