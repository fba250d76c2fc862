package conformance

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

const nowhere = "/conformance-no-such-path"

var (
	errNoSize  = errors.New("the contract has no parameter for the page size")
	badRequest = []int{http.StatusBadRequest, http.StatusUnprocessableEntity}
)

// rejects fails unless each request (see request) gets the first of the statuses that the contract declares.
func rejects(statuses []int, requests ...string) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		_, err := s.expect(ctx, statuses, requests...)
		return err
	}
}

// expect is rejects, and returns the last response.
func (s *session) expect(ctx context.Context, statuses []int, requests ...string) (a *response, err error) {
	declared := func(status int) bool { return s.contract.listing.Responses.Status(status) != nil }
	for _, text := range requests {
		r, err := s.request(text)
		if err == nil {
			a, err = s.send(ctx, r)
		}
		if err != nil {
			return nil, err
		}
		first := slices.IndexFunc(statuses, declared)
		if first < 0 {
			return nil, fmt.Errorf("the contract declares no status %v", statuses)
		}
		if a.status != statuses[first] {
			return nil, failed(a, "%s %s: status %d, not %d", r.Method, r.URL.RequestURI(), a.status, statuses[first])
		}
	}
	return a, nil
}

// request makes a request of "METHOD path?query credential". Without a credential it has that of the run. {list} and
// {foreign} stand for the paths of the organizations, {size} and {cursor} for the names of the parameters, {under} and
// {over} for page sizes out of bounds, {long} for a cursor that is too long, and {turned} for one of the server's own,
// reversed.
func (s *session) request(text string) (*http.Request, error) {
	k := s.contract
	pairs := []string{
		"{list}", k.listPath(s.cfg.Organization), "{foreign}", k.listPath(s.cfg.ForeignOrganization),
		"{scheme} ", k.scheme, "{none}", "",
	}
	if k.size != nil {
		pairs = append(pairs, "{size}", k.size.Name, "{under}", fmt.Sprint(k.least-1), "{over}", fmt.Sprint(k.most+1))
	}
	if k.cursor != nil {
		pairs = append(pairs, "{cursor}", k.cursor.Name, "{long}", tooLong(k.cursor), "{turned}", s.turnedCursor())
	}
	text = strings.NewReplacer(pairs...).Replace(text)
	if strings.Contains(text, "{") {
		return nil, errNoSize
	}
	method, text, _ := strings.Cut(text, " ")
	target, credential, changed := strings.Cut(text, " ")
	path, query, _ := strings.Cut(target, "?")
	r := s.get(path, query)
	r.Method = method
	if changed && k.header != "" {
		r.Header[http.CanonicalHeaderKey(k.header)] = slices.DeleteFunc([]string{credential}, func(c string) bool { return c == "" })
	}
	return r, nil
}

// turnedCursor is empty if the server's links have no cursor.
func (s *session) turnedCursor() string {
	if len(s.small.pages) < 2 {
		return ""
	}
	next, _ := url.Parse(s.small.pages[0].next) // the walk has followed it
	own := []byte(next.Query().Get(s.contract.cursor.Name))
	slices.Reverse(own)
	return url.QueryEscape(string(own))
}

// tooLong is empty if the URL would be too long for servers.
func tooLong(p *openapi3.Parameter) string {
	if most := p.Schema.Value.MaxLength; most != nil && *most < 4000 {
		return strings.Repeat("A", int(*most)+1)
	}
	return ""
}

func badOrganization(ctx context.Context, s *session) (err error) {
	bad := []string{}
	if pattern, err := regexp.Compile(s.contract.organization.Schema.Value.Pattern); err == nil {
		bad = slices.DeleteFunc([]string{".conformance", "con formance", "con%formance"}, pattern.MatchString)
	}
	for _, organization := range append(bad, tooLong(s.contract.organization)) {
		if organization != "" && err == nil {
			_, err = s.expect(ctx, badRequest, "GET "+s.contract.listPath(organization))
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
		a, err := s.expect(ctx, badRequest, "GET {list}?"+url.QueryEscape(p.Value.Name)+"=%21")
		if err != nil {
			return err
		}
		if !strings.Contains(encode(a.value), fmt.Sprintf("%q", p.Value.Name)) {
			return failed(a, "the response to a bad %q does not name it", p.Value.Name)
		}
	}
	return nil
}

// otherMethods uses only safe methods: others could change data on a live server.
func otherMethods(ctx context.Context, s *session) error {
	for _, method := range []string{http.MethodHead, http.MethodOptions} {
		if slices.Contains(s.contract.methods, method) {
			continue
		}
		a, err := s.expect(ctx, []int{http.StatusMethodNotAllowed}, method+" {list}")
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

// precedence sends requests with two errors each.
func precedence(ctx context.Context, s *session) error {
	return cmp.Or(
		rejects([]int{404}, "GET "+nowhere+" {none}")(ctx, s),
		rejects([]int{405}, "HEAD {list} {none}")(ctx, s),
		rejects([]int{401}, "GET {list}?conformance=1 {none}")(ctx, s),
		rejects(badRequest, "GET {foreign}?conformance=1")(ctx, s),
	)
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
