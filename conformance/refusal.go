package conformance

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

const nowhere = "/conformance-no-such-path"

// answered sends r and fails unless the answer has the status.
func (s *session) answered(ctx context.Context, r *http.Request, status int) (*answer, error) {
	a, err := s.send(ctx, r)
	if err != nil {
		return nil, err
	}
	if a.status != status {
		return nil, failed(a, "%s %s is answered %d, not %d", r.Method, a.request.URL.RequestURI(), a.status, status)
	}
	return a, nil
}

// refuses fails unless each query is 400.
func refuses(queries ...string) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		for _, query := range queries {
			if _, err := s.answered(ctx, s.list(query), http.StatusBadRequest); err != nil {
				return err
			}
		}
		return nil
	}
}

// badCursor tries what no server makes and, where the server's own links hold a cursor, that one turned round.
func badCursor(ctx context.Context, s *session) error {
	queries := []string{"cursor=", "cursor=%21", "cursor=AAAA"}
	if s.smallErr == nil {
		next, _ := url.Parse(s.small[0].next) // the walk has followed it
		if own := []byte(next.Query().Get("cursor")); len(own) > 1 {
			slices.Reverse(own)
			queries = append(queries, url.Values{"cursor": {string(own)}}.Encode())
		}
	}
	return refuses(queries...)(ctx, s)
}

func badPerPage(ctx context.Context, s *session) error {
	over := fmt.Sprintf("per_page=%d", s.contract.pageMax+1)
	return refuses(over, "per_page=0", "per_page=-1", "per_page=", "per_page=ten", "per_page=1.5", "per_page=%2B5", "per_page=010")(ctx, s)
}

func parameterNamed(ctx context.Context, s *session) error {
	for _, name := range []string{"per_page", "cursor", "conformance"} {
		a, err := s.answered(ctx, s.list(name+"=%21"), http.StatusBadRequest)
		if err != nil {
			return err
		}
		var body struct {
			Errors []struct{ Parameter string }
		}
		_ = json.Unmarshal(a.body, &body) // a body that is not of this shape names nothing
		if len(body.Errors) != 1 || body.Errors[0].Parameter != name {
			return failed(a, "the answer to a bad %q does not name it in errors, and it alone", name)
		}
	}
	return nil
}

// otherMethods keeps to the safe ones: any other could change something on a live server.
func otherMethods(ctx context.Context, s *session) error {
	for _, method := range []string{http.MethodHead, http.MethodOptions} {
		r := s.list("")
		r.Method = method
		a, err := s.answered(ctx, r, http.StatusMethodNotAllowed)
		if err != nil {
			return err
		}
		if allow := a.header.Get("Allow"); allow != http.MethodGet {
			return failed(a, "%s is answered with Allow: %s", method, allow)
		}
	}
	return nil
}

func unknownPath(ctx context.Context, s *session) error {
	_, err := s.answered(ctx, s.get(nowhere, ""), http.StatusNotFound)
	return err
}

// unauthorized fails unless each Authorization is 401.
func unauthorized(authorizations ...string) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		for _, authorization := range authorizations {
			if _, err := s.answered(ctx, authorized(s.list(""), authorization), http.StatusUnauthorized); err != nil {
				return err
			}
		}
		return nil
	}
}

func authorized(r *http.Request, authorization string) *http.Request {
	r.Header.Del("Authorization")
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return r
}

func foreignOrganization(ctx context.Context, s *session) error {
	_, err := s.answered(ctx, s.get(listPath(s.cfg.ForeignOrganization), ""), http.StatusForbidden)
	return err
}

// precedence sends requests that are wrong in two ways at once.
func precedence(ctx context.Context, s *session) error {
	const bad = "conformance=1"
	head := s.list("")
	head.Method = http.MethodHead
	for _, tc := range []struct {
		request *http.Request
		status  int
	}{
		{authorized(s.get(nowhere, ""), ""), http.StatusNotFound},
		{authorized(head, ""), http.StatusMethodNotAllowed},
		{authorized(s.list(bad), ""), http.StatusUnauthorized},
		{s.get(listPath(s.cfg.ForeignOrganization), bad), http.StatusBadRequest},
	} {
		if _, err := s.answered(ctx, tc.request, tc.status); err != nil {
			return err
		}
	}
	return nil
}

func requestIDKept(ctx context.Context, s *session) error {
	r := s.list("")
	id := "conformance-" + rand.Text()
	r.Header.Set("X-Request-Id", id)
	a, err := s.send(ctx, r)
	if err == nil && a.header.Get("X-Request-Id") != id {
		err = failed(a, "the answer has another X-Request-Id")
	}
	return err
}
