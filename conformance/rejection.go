package conformance

import (
	"cmp"
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

	"github.com/getkin/kin-openapi/openapi3"
)

const (
	nowhere = "/conformance-no-such-path"
	unknown = "conformance" // a parameter that no contract declares
)

// expect sends r and fails unless the response has the first of the statuses that the contract declares.
func (s *session) expect(ctx context.Context, r *http.Request, statuses ...int) (*response, error) {
	a, err := s.send(ctx, r)
	if err != nil {
		return nil, err
	}
	for _, status := range statuses {
		switch {
		case s.contract.listing.Responses.Status(status) == nil:
		case a.status != status:
			return a, unexpected(a, "%s %s: status %d, not %d", r.Method, a.request.URL.RequestURI(), a.status, status)
		default:
			return a, nil
		}
	}
	return a, fmt.Errorf("the contract declares no status %v", statuses)
}

func (s *session) reject(ctx context.Context, r *http.Request) (*response, error) {
	return s.expect(ctx, r, http.StatusBadRequest, http.StatusUnprocessableEntity)
}

// rejects fails unless each query is rejected as a bad request.
func rejects(queries func(s *session) ([]string, error)) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		all, err := queries(s)
		for _, query := range all {
			if err == nil {
				_, err = s.reject(ctx, s.list(query))
			}
		}
		return err
	}
}

// badCursors are what no server makes and, where the server's own links hold a cursor, that one reversed.
func badCursors(s *session) ([]string, error) {
	if s.contract.cursor == nil {
		return nil, errors.New("the contract has no parameter for a cursor")
	}
	name := s.contract.cursor.Name
	queries := []string{name + "=", name + "=%21", name + "=AAAA"}
	if long := tooLong(s.contract.cursor); long != "" {
		queries = append(queries, name+"="+long)
	}
	if len(s.small.pages) > 1 {
		next, _ := url.Parse(s.small.pages[0].next) // the walk has followed it
		if own := []byte(next.Query().Get(name)); len(own) > 1 {
			slices.Reverse(own)
			queries = append(queries, url.Values{name: {string(own)}}.Encode())
		}
	}
	return queries, nil
}

// tooLong is empty where a URL would be longer than servers take.
func tooLong(p *openapi3.Parameter) string {
	if most := p.Schema.Value.MaxLength; most != nil && *most < 4000 {
		return strings.Repeat("A", int(*most)+1)
	}
	return ""
}

func badPageSizes(s *session) (queries []string, err error) {
	if s.contract.size == nil {
		return nil, errNoSize
	}
	least, most, _ := s.contract.bounds()
	for _, bad := range []string{fmt.Sprint(most + 1), fmt.Sprint(least - 1), "-1", "", "ten", "1.5", "%2B5", "010"} {
		queries = append(queries, s.contract.size.Name+"="+bad)
	}
	return queries, nil
}

func repeatedParameters(s *session) ([]string, error) {
	if s.contract.size == nil {
		return nil, errNoSize
	}
	one, two := s.sizeQuery(1), s.sizeQuery(2)
	return []string{one + "&" + one, one + "&" + two}, nil
}

func undeclaredParameters(*session) ([]string, error) {
	return []string{unknown + "=1", unknown + "=1&" + unknown + "=2"}, nil
}

func malformedQueries(*session) ([]string, error) {
	return []string{unknown + "=%zz", "%zz=1", "a=1;b=2"}, nil
}

func badOrganization(ctx context.Context, s *session) (err error) {
	bounds, bad := s.contract.organization.Schema.Value, []string{}
	if pattern, err := regexp.Compile(bounds.Pattern); err == nil {
		bad = slices.DeleteFunc([]string{".conformance", "con formance", "con%formance"}, pattern.MatchString)
	}
	if long := tooLong(s.contract.organization); long != "" {
		bad = append(bad, long)
	}
	for _, organization := range bad {
		if err == nil {
			_, err = s.reject(ctx, s.get(s.contract.listPath(organization), ""))
		}
	}
	return err
}

// parameterNamed looks for the name anywhere in the body, as a key or as a value.
func parameterNamed(ctx context.Context, s *session) error {
	for _, p := range s.contract.listing.Parameters {
		if p.Value.In != "query" {
			continue
		}
		a, err := s.reject(ctx, s.list(url.QueryEscape(p.Value.Name)+"=%21"))
		if err != nil {
			return err
		}
		var body any
		_ = json.Unmarshal(a.body, &body) // what is not JSON names nothing
		if !strings.Contains(encode(body), fmt.Sprintf("%q", p.Value.Name)) {
			return failed(a, "the response to a bad %q does not name it", p.Value.Name)
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
	return func(ctx context.Context, s *session) (err error) {
		for _, credential := range credentials {
			if err == nil {
				_, err = s.expect(ctx, s.withCredential(s.list(""), credential), http.StatusUnauthorized)
			}
		}
		return err
	}
}

func (s *session) withCredential(r *http.Request, credential string) *http.Request {
	header, scheme := s.contract.credential()
	if r.Header.Del(header); header != "" && credential != "" {
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
	_, e1 := s.expect(ctx, s.withCredential(s.get(nowhere, ""), ""), http.StatusNotFound)
	_, e2 := s.expect(ctx, s.withCredential(head, ""), http.StatusMethodNotAllowed)
	_, e3 := s.expect(ctx, s.withCredential(s.list(bad), ""), http.StatusUnauthorized)
	_, e4 := s.reject(ctx, s.get(s.contract.listPath(s.cfg.ForeignOrganization), bad))
	return cmp.Or(e1, e2, e3, e4)
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
