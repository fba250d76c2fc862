package packhooks_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	packhooks "github.com/packhooks/packhooks/client"
	"github.com/packhooks/packhooks/client/clienttest"
)

func TestSentinels(t *testing.T) {
	all := []error{packhooks.ErrUnauthorized, packhooks.ErrForbidden, packhooks.ErrNotFound, packhooks.ErrRateLimited, packhooks.ErrUnavailable}
	for status, want := range map[int]error{
		400: nil, 401: packhooks.ErrUnauthorized, 403: packhooks.ErrForbidden, 404: packhooks.ErrNotFound,
		429: packhooks.ErrRateLimited, 500: nil, 502: packhooks.ErrUnavailable, 503: packhooks.ErrUnavailable, 504: packhooks.ErrUnavailable,
	} {
		for _, sentinel := range all {
			if got := errors.Is(&packhooks.Error{Response: packhooks.Response{StatusCode: status}}, sentinel); got != errors.Is(want, sentinel) {
				t.Errorf("%d is %v: %t", status, sentinel, got)
			}
		}
	}
}

func TestErrorTexts(t *testing.T) {
	const problem = `{"type": "about:blank", "title": "Forbidden", "status": 403,
		"detail": "the token does not cover this organization", "instance": "/x", "request_id": "req-1"}`
	for name, try := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"problem":        {always(403, problem), "403 Forbidden: the token does not cover this organization (request id req-1)"},
		"header first":   {always(403, problem, "X-Request-Id", "req-2"), "403 Forbidden: the token does not cover this organization (request id req-2)"},
		"parameters":     {always(400, `{"detail": "invalid", "errors": [{"parameter": "per_page", "detail": "too large"}]}`), "400 Bad Request: invalid; per_page: too large"},
		"title alone":    {always(400, `{"title": "No"}`), "400 Bad Request: No"},
		"plain message":  {always(401, `{"message": "Unauthenticated."}`), "401 Unauthorized: Unauthenticated."},
		"no body":        {always(404, ""), "404 Not Found"},
		"not an object":  {always(404, `"x"`), "404 Not Found (got text/plain)"},
		"HTML":           {always(404, "<html>"), "404 Not Found (got text/html)"},
		"plain text":     {always(404, "no route matched"), "404 Not Found: no route matched"},
		"OAuth":          {always(401, `{"error": "invalid_token", "error_description": "expired"}`), "401 Unauthorized: expired"},
		"error alone":    {always(401, `{"error": "invalid_token"}`), "401 Unauthorized: invalid_token"},
		"nested error":   {always(401, `{"error": {"code": 3, "message": "expired"}}`), "401 Unauthorized: expired"},
		"Laravel":        {always(422, `{"message": "invalid", "errors": {"per_page": ["too large", "odd"], "a": ["b"]}}`), "422 Unprocessable Entity: invalid; a: b; per_page: too large, odd"},
		"unknown status": {always(499, ""), "499"},
		"retry after":    {always(429, "", "Retry-After", "90"), "429 Too Many Requests; try again in 1m30s"},
		"terminal codes": {always(400, `{"detail": "a\u001b[31m\nb\u202ec"}`), "400 Bad Request: a [31m b c"},
		"long": {always(400, `{"detail": "`+strings.Repeat("é", 1000)+`"}`),
			"400 Bad Request: " + strings.Repeat("é", 300) + "…"},
	} {
		_, err := newClientOf(t, testToken, serve(t, try.answer)).ListWebhooks(t.Context(), "acme")
		if want := `listing webhooks of "acme": ` + try.want; err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", name, err, want)
		}
	}
}

func TestErrorFields(t *testing.T) {
	srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme"))
	srv.Inject(clienttest.RateLimited(2 * time.Minute))
	_, err := newClient(t, srv).ListWebhooks(t.Context(), "acme")
	var e *packhooks.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	if e.StatusCode != 429 || e.Method != "GET" || e.Path != "/v1/organizations/acme/webhooks" || e.RequestID != "clienttest-1" ||
		e.RetryAfter != 2*time.Minute || e.Attempts != 1 {
		t.Errorf("got %+v of %s %s, %d attempts", e, e.Method, e.Path, e.Attempts)
	}
	if e.Problem == nil || e.Problem.Title != "Too Many Requests" || !strings.Contains(string(e.Body), e.Problem.Title) {
		t.Errorf("the problem is %+v", e.Problem)
	}
	if got := e.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type: %s", got)
	}
}

func TestAnErrorKeepsALimitedBody(t *testing.T) {
	url := serve(t, always(400, strings.Repeat("x", 1<<20)))
	_, err := newClientOf(t, testToken, url).ListWebhooks(t.Context(), "acme")
	var e *packhooks.Error
	if !errors.As(err, &e) || len(e.Body) != 64<<10 {
		t.Errorf("got %v with %d bytes, want 64 KiB", err, len(e.Body))
	}
}
