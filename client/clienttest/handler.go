package clienttest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	packhooks "github.com/packhooks/packhooks/client"
	"github.com/packhooks/packhooks/client/internal/clientapi"
)

var (
	requestID      = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)
	organizationID = regexp.MustCompile(`^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,127}$`)
)

// answer serves the one operation, checking in the contract's order: path and method, token, parameters,
// authorization.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("X-Request-Id")
	if !requestID.MatchString(id) {
		id = s.nextID()
	}
	w.Header().Set("X-Request-Id", id)
	w.Header().Set("Cache-Control", "no-store")

	organization, ok := route(r.URL)
	if !ok {
		problem(w, r, http.StatusNotFound, "there is no such path")
		return
	}
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		problem(w, r, http.StatusMethodNotAllowed, "this path answers GET only")
		return
	}
	known, covered := s.covers(bearer(r), organization)
	if !known {
		w.Header().Set("WWW-Authenticate", `Bearer realm="clienttest"`)
		problem(w, r, http.StatusUnauthorized, `send a valid token as "Authorization: Bearer TOKEN"`)
		return
	}
	query, faults := parse(r.URL.RawQuery, organization)
	if len(faults) > 0 {
		problem(w, r, http.StatusBadRequest, "a parameter is not valid", faults...)
		return
	}
	if !covered {
		problem(w, r, http.StatusForbidden, "the token does not cover this organization")
		return
	}
	s.list(w, organization, query)
}

func route(u *url.URL) (organization string, ok bool) {
	segments := strings.Split(strings.TrimPrefix(u.EscapedPath(), basePath+"/"), "/")
	if len(segments) != 3 || segments[0] != "organizations" || segments[1] == "" || segments[2] != "webhooks" {
		return "", false
	}
	organization, err := url.PathUnescape(segments[1])
	return organization, err == nil
}

// list writes a page. The links begin with the server's own address: whatever Host the client sent does not count.
func (s *Server) list(w http.ResponseWriter, organization string, q query) {
	s.mu.Lock()
	page, prev, next := q.page(s.webhooks[organization])
	s.mu.Unlock()

	var header []string
	link := func(c *cursor, rel string) *string {
		if c == nil {
			return nil
		}
		text := fmt.Sprintf("%s/organizations/%s/webhooks?cursor=%s&per_page=%d", s.URL, organization, c.encode(organization), q.perPage)
		header = append(header, fmt.Sprintf("<%s>; rel=%q", text, rel))
		return &text
	}
	body := wirePage{
		Data:  reveal(page),
		Links: clientapi.PageLinks{Prev: link(prev, "prev"), Next: link(next, "next")},
		Meta:  clientapi.PageMeta{PerPage: &q.perPage},
	}
	if len(header) > 0 {
		w.Header().Set("Link", strings.Join(header, ", "))
	}
	write(w, http.StatusOK, "application/json", body)
}

type wirePage struct {
	Data  []wireWebhook       `json:"data"`
	Links clientapi.PageLinks `json:"links"`
	Meta  clientapi.PageMeta  `json:"meta"`
}

// A wireWebhook shows its secret, which the client's type would mask.
type wireWebhook struct {
	packhooks.Webhook
	Secret string `json:"secret"`
}

func reveal(webhooks []packhooks.Webhook) []wireWebhook {
	list := make([]wireWebhook, len(webhooks))
	for i, w := range webhooks {
		list[i] = wireWebhook{w, w.Secret.Reveal()}
	}
	return list
}

func problem(w http.ResponseWriter, r *http.Request, status int, detail string, faults ...clientapi.ParameterError) {
	p := clientapi.Problem{
		Type:      "about:blank",
		Title:     http.StatusText(status),
		Status:    int32(status),
		Detail:    detail,
		Instance:  r.URL.EscapedPath(),
		RequestID: w.Header().Get("X-Request-Id"),
	}
	if len(faults) > 0 {
		p.Errors = &faults
	}
	write(w, status, "application/problem+json", p)
}

func write(w http.ResponseWriter, status int, contentType string, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // a time beyond the year 9999: the test's own data
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(text)
}
