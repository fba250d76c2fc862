package conformance

import (
	"context"
	"crypto/rand"
	"net/http"
)

// unauthorized fails unless each Authorization is 401.
func unauthorized(authorizations ...string) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		for _, authorization := range authorizations {
			r := s.list("")
			r.authorization = authorization
			if _, err := s.answered(ctx, r, http.StatusUnauthorized); err != nil {
				return err
			}
		}
		return nil
	}
}

func foreignOrganization(ctx context.Context, s *session) error {
	r := s.list("")
	r.path = s.listPath(s.cfg.ForeignOrganization)
	_, err := s.answered(ctx, r, http.StatusForbidden)
	return err
}

// precedence sends requests that are wrong in two ways at once.
func precedence(ctx context.Context, s *session) error {
	const bad = "conformance=1"
	list, foreign := s.listPath(s.cfg.Organization), s.listPath(s.cfg.ForeignOrganization)
	for _, tc := range []struct {
		request request
		status  int
	}{
		{request{method: http.MethodGet, path: "/conformance-no-such-path"}, http.StatusNotFound},
		{request{method: http.MethodHead, path: list}, http.StatusMethodNotAllowed},
		{request{method: http.MethodGet, path: list, query: bad}, http.StatusUnauthorized},
		{request{method: http.MethodGet, path: foreign, query: bad, authorization: s.list("").authorization}, http.StatusBadRequest},
	} {
		if _, err := s.answered(ctx, tc.request, tc.status); err != nil {
			return err
		}
	}
	return nil
}

func requestIDKept(ctx context.Context, s *session) error {
	r := s.list("")
	r.requestID = "conformance-" + rand.Text()
	a, err := s.send(ctx, r)
	if err == nil && a.header.Get("X-Request-Id") != r.requestID {
		err = failed(a, "the answer has another X-Request-Id")
	}
	return err
}
