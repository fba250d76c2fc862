package conformance

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

const (
	nowhere = "/conformance-no-such-path"
	unknown = "conformance"
)

// expect sends r and fails unless the response has the first of the statuses that the contract declares.
func (s *session) expect(ctx context.Context, r *http.Request, statuses ...int) (*response, error) {
	a, err := s.send(ctx, r)
	if err != nil {
		return nil, err
	}
	status, err := s.contract.declared(statuses...)
	if err == nil && a.status != status {
		err = unexpected(a, "%s %s: status %d, not %d", r.Method, a.request.URL.RequestURI(), a.status, status)
	}
	return a, err
}

// rejects fails unless each query is rejected as a bad request.
func (s *session) rejects(ctx context.Context, queries ...string) error {
	for _, query := range queries {
		if _, err := s.expect(ctx, s.list(query), http.StatusBadRequest, http.StatusUnprocessableEntity); err != nil {
			return err
		}
	}
	return nil
}

var (
	errNoSize   = errors.New("the contract has no parameter for the page size")
	errNoCursor = errors.New("the contract has no parameter for a cursor")
)

// badCursor tries what no server makes and, where the server's own links hold a cursor, that one reversed.
func badCursor(ctx context.Context, s *session) error {
	if s.contract.cursor == nil {
		return errNoCursor
	}
	name := s.contract.cursor.Name
	queries := []string{name + "=", name + "=%21", name + "=AAAA"}
	if most := s.contract.cursor.Schema.Value.MaxLength; most != nil {
		queries = append(queries, name+"="+strings.Repeat("A", int(*most)+1))
	}
	if len(s.small.pages) > 1 {
		next, _ := url.Parse(s.small.pages[0].next) // the walk has followed it
		if own := []byte(next.Query().Get(name)); len(own) > 1 {
			slices.Reverse(own)
			queries = append(queries, url.Values{name: {string(own)}}.Encode())
		}
	}
	return s.rejects(ctx, queries...)
}

func badPageSize(ctx context.Context, s *session) error {
	if s.contract.size == nil {
		return errNoSize
	}
	least, most, _ := s.contract.bounds()
	queries := []string{s.sizeQuery(most + 1), s.sizeQuery(least - 1), s.sizeQuery(-1)}
	for _, bad := range []string{"", "ten", "1.5", "%2B5", "010"} {
		queries = append(queries, s.contract.size.Name+"="+bad)
	}
	return s.rejects(ctx, queries...)
}

func badOrganization(ctx context.Context, s *session) error {
	bounds := s.contract.organization.Schema.Value
	var bad []string
	if pattern, err := regexp.Compile(bounds.Pattern); err == nil {
		bad = slices.DeleteFunc([]string{".conformance", "con formance", "con%formance"}, pattern.MatchString)
	}
	if bounds.MaxLength != nil {
		bad = append(bad, strings.Repeat("a", int(*bounds.MaxLength)+1))
	}
	for _, organization := range bad {
		r := s.get("", "")
		r.URL = s.base.JoinPath(s.contract.listPath(organization))
		if _, err := s.expect(ctx, r, http.StatusBadRequest, http.StatusUnprocessableEntity); err != nil {
			return err
		}
	}
	return nil
}

func undeclaredParameter(ctx context.Context, s *session) error {
	return s.rejects(ctx, unknown+"=1", unknown+"=1&"+unknown+"=2")
}

func repeatedParameter(ctx context.Context, s *session) error {
	if s.contract.size == nil {
		return errNoSize
	}
	one, two := s.sizeQuery(1), s.sizeQuery(2)
	return s.rejects(ctx, one+"&"+one, one+"&"+two)
}

func malformedQuery(ctx context.Context, s *session) error {
	return s.rejects(ctx, unknown+"=%zz", "%zz=1", "a=1;b=2")
}

// parameterNamed looks for the name anywhere in the body, as a key or as a value.
func parameterNamed(ctx context.Context, s *session) error {
	for _, p := range s.contract.listing.Parameters {
		if p.Value.In != "query" {
			continue
		}
		name := p.Value.Name
		a, err := s.expect(ctx, s.list(url.QueryEscape(name)+"=%21"), http.StatusBadRequest, http.StatusUnprocessableEntity)
		if err != nil {
			return err
		}
		var body any
		_ = json.Unmarshal(a.body, &body) // what is not JSON names nothing
		if !strings.Contains(encode(body), fmt.Sprintf("%q", name)) {
			return failed(a, "the response to a bad %q does not name it", name)
		}
	}
	return nil
}

// otherMethods keeps to the safe ones: any other could change something on a live server.
func otherMethods(ctx context.Context, s *session) error {
	for _, method := range []string{http.MethodHead, http.MethodOptions} {
		if slices.Contains(s.contract.methods, method) {
			continue
		}
		r := s.list("")
		r.Method = method
		a, err := s.expect(ctx, r, http.StatusMethodNotAllowed)
		if err != nil {
			return err
		}
		allow := slices.Sorted(strings.FieldsFuncSeq(a.header.Get("Allow"), func(c rune) bool { return c == ',' || c == ' ' }))
		if !slices.Equal(allow, s.contract.methods) {
			return failed(a, "%s: Allow is %q, and the contract has %q", method, allow, s.contract.methods)
		}
	}
	return nil
}

func unknownPath(ctx context.Context, s *session) error {
	_, err := s.expect(ctx, s.get(nowhere, ""), http.StatusNotFound)
	return err
}

// unauthorized fails unless the list is refused with each of the credentials. SCHEME stands for the contract's own.
func unauthorized(credentials ...string) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		if s.contract.security == nil {
			return errors.New("the contract asks for no token")
		}
		for _, credential := range credentials {
			if _, err := s.expect(ctx, s.withCredential(s.list(""), credential), http.StatusUnauthorized); err != nil {
				return err
			}
		}
		return nil
	}
}

func (s *session) withCredential(r *http.Request, credential string) *http.Request {
	header, scheme := s.contract.credential()
	if r.Header.Del(header); credential != "" {
		r.Header.Set(header, strings.Replace(credential, "SCHEME ", scheme, 1))
	}
	return r
}

func foreignOrganization(ctx context.Context, s *session) error {
	_, err := s.expect(ctx, s.get(s.contract.listPath(s.cfg.ForeignOrganization), ""), http.StatusForbidden)
	return err
}

// precedence sends requests that are wrong in two ways at once.
func precedence(ctx context.Context, s *session) error {
	const bad = unknown + "=1"
	head := s.list("")
	head.Method = http.MethodHead
	for _, tc := range []struct {
		request *http.Request
		status  int
	}{
		{s.withCredential(s.get(nowhere, ""), ""), http.StatusNotFound},
		{s.withCredential(head, ""), http.StatusMethodNotAllowed},
		{s.withCredential(s.list(bad), ""), http.StatusUnauthorized},
		{s.get(s.contract.listPath(s.cfg.ForeignOrganization), bad), http.StatusBadRequest},
	} {
		if _, err := s.expect(ctx, tc.request, tc.status); err != nil {
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
		err = failed(a, "the response has another X-Request-Id")
	}
	return err
}
