package clienttest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"

	packhooks "github.com/packhooks/packhooks/client"
)

// list serves a page. A cursor is the number of the webhooks before it.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	webhooks, known := s.webhooks[r.PathValue("organization")]
	s.mu.Unlock()
	switch {
	case r.Method != http.MethodGet:
		s.fail(w, r, http.StatusNotFound, "no such path")
	case bearer(r) == s.Token && known:
		s.page(w, r, webhooks)
	case bearer(r) == s.Token:
		s.fail(w, r, http.StatusForbidden, "the token does not cover this organization")
	case s.laravel:
		http.Redirect(w, r, "/login", http.StatusFound)
	default:
		w.Header().Set("WWW-Authenticate", "Bearer")
		s.fail(w, r, http.StatusUnauthorized, "the token is not valid")
	}
}

func (s *Server) page(w http.ResponseWriter, r *http.Request, webhooks []packhooks.Webhook) {
	query, usual := r.URL.Query(), "25"
	if s.laravel {
		usual = "15"
	}
	size, _ := strconv.Atoi(cmp.Or(query.Get("per_page"), usual))
	from, err := strconv.Atoi(cmp.Or(query.Get("cursor"), "0"))
	var fault packhooks.ParameterError
	switch {
	case size < 1 || size > 100:
		fault = packhooks.ParameterError{Parameter: "per_page", Detail: "want 1 to 100"}
	case err != nil && !s.laravel:
		fault = packhooks.ParameterError{Parameter: "cursor", Detail: "is not a cursor of this list"}
	}
	if fault.Parameter != "" {
		s.fail(w, r, http.StatusBadRequest, "a parameter is not valid", fault)
		return
	}
	from = min(max(from, 0), len(webhooks))
	end := min(from+size, len(webhooks))
	data := []json.RawMessage{}
	for _, webhook := range webhooks[from:end] {
		text, err := webhook.RevealJSON()
		if err != nil {
			panic(err) // a time beyond the year 9999: the test's own data
		}
		data = append(data, text)
	}
	links := map[string]any{"prev": nil, "next": nil}
	if from > 0 {
		links["prev"] = s.link(r, max(from-size, 0), size)
	}
	if end < len(webhooks) {
		links["next"] = s.link(r, end, size)
	}
	var meta any = map[string]any{"per_page": size}
	if s.laravel {
		links["first"], links["last"] = nil, nil
		meta = map[string]any{"per_page": strconv.Itoa(size), "current_page": from/size + 1, "path": s.URL}
		if len(data) == 0 {
			meta = []any{}
		}
	}
	writeJSON(w, http.StatusOK, "application/json", map[string]any{"data": data, "links": links, "meta": meta})
}

func (s *Server) link(r *http.Request, from, size int) string {
	link := s.http.URL + r.URL.EscapedPath() + "?cursor=" + strconv.Itoa(from)
	if s.laravel {
		return link
	}
	return link + "&per_page=" + strconv.Itoa(size)
}

// fail writes an error in the style of the server.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, status int, detail string, faults ...packhooks.ParameterError) {
	if !s.laravel {
		problem(w, r, status, detail, faults...)
		return
	}
	errors := map[string][]string{}
	for _, f := range faults {
		errors[f.Parameter] = append(errors[f.Parameter], f.Detail)
	}
	writeJSON(w, status, "application/json", map[string]any{"message": detail, "errors": errors})
}

func problem(w http.ResponseWriter, r *http.Request, status int, detail string, faults ...packhooks.ParameterError) {
	p := packhooks.Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: int32(status), Detail: detail,
		Instance: r.URL.EscapedPath(), RequestID: w.Header().Get("X-Request-Id"),
	}
	if len(faults) > 0 {
		p.Errors = &faults
	}
	writeJSON(w, status, "application/problem+json", p)
}

func writeJSON(w http.ResponseWriter, status int, contentType string, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	write(w, status, contentType, text)
}

func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
