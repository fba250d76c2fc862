package server_test

import (
	"bytes"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/packhooks/packhooks/gen/serverapi"
	"github.com/packhooks/packhooks/server"
	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/keyset"
)

// Every kind of caller, organization and request, each with its exact answer in the documented precedence:
// 404 and 405, then 401, then 400, then 403.
func TestAccessMatrix(t *testing.T) {
	f := newFixture(t)
	f.seed("acme", 1)
	f.seed("other", 1)
	revoked := f.newToken(store.Token{Organizations: []string{"acme"}, Name: "revoked"})
	tokens, err := f.db.ListTokens(t.Context())
	check(t, err)
	check(t, f.db.RevokeToken(t.Context(), tokens[len(tokens)-1].ID))

	callers := map[string]struct {
		authorization []string
		challenge     string // the 401 that it gets, if it gets one
	}{
		"no token":           {nil, realm},
		"empty header":       {[]string{""}, realm},
		"other scheme":       {[]string{"Basic YTpi"}, realm},
		"no space":           {[]string{"Bearer"}, realm},
		"two headers":        {[]string{"Bearer " + f.token, "Bearer " + f.token}, realm},
		"malformed":          {[]string{"Bearer hello"}, invalid},
		"bad checksum":       {[]string{"Bearer " + flip(f.token, 20)}, invalid},
		"unknown":            {[]string{"Bearer " + store.NewToken()}, invalid},
		"expired":            {[]string{"Bearer " + f.newToken(store.Token{Organizations: []string{"acme"}, ExpiresAt: time.Now().Add(-time.Second)})}, invalid},
		"revoked":            {[]string{"Bearer " + revoked}, invalid},
		"other organization": {[]string{"Bearer " + f.newToken(tokenFor("other"))}, ""},
		"right":              {[]string{"Bearer " + f.token}, ""},
		"right, lower case":  {[]string{"bearer " + f.token}, ""},
		"right, of two":      {[]string{"Bearer " + f.newToken(tokenFor("third", "acme"))}, ""},
	}
	for name, caller := range callers {
		for _, organization := range []string{"acme", "nobody", ".bad"} {
			for _, method := range []string{"GET", "POST", "OPTIONS"} {
				for _, tail := range []string{"/webhooks", "/nothing"} {
					path := "/v1/organizations/" + organization + tail
					t.Run(name+" "+method+" "+path, func(t *testing.T) {
						want := expectation(method, path, organization, tail, caller.challenge, strings.HasPrefix(name, "right"))
						a := f.do(method, path, http.Header{"Authorization": caller.authorization}, nil)
						want.assert(t, a)
					})
				}
			}
		}
	}
}

// A grant may be remembered, but never for longer than the token is as it was: the first request after a change is
// answered by what the token allows then, whatever kind of request it is.
func TestRememberedGrants(t *testing.T) {
	status := func(f *fixture, path, token string, want int) {
		t.Helper()
		a := f.do("GET", "/v1/organizations/"+path, http.Header{"Authorization": {"Bearer " + token}}, nil)
		if a.StatusCode != want || want == 401 && a.Header.Get("WWW-Authenticate") != invalid {
			t.Errorf("%s: status %d, want %d", path, a.StatusCode, want)
		}
	}
	for path, before := range map[string]int{
		"acme/webhooks": 200, "acme/webhooks?per_page=0": 400, "acme/webhooks?cursor=x": 400, "other/webhooks": 403,
	} {
		t.Run(path, func(t *testing.T) {
			f := newFixture(t)
			f.seed("acme", 3)
			other := f.newToken(tokenFor("acme"))
			for range 3 {
				status(f, path, f.token, before)
			}
			tokens, err := f.db.ListTokens(t.Context())
			check(t, err)
			check(t, f.db.RevokeToken(t.Context(), tokens[0].ID))
			for range 2 {
				status(f, path, f.token, 401)
			}
			status(f, path, other, before)
		})
	}
	t.Run("a token that expires", func(t *testing.T) {
		f := newFixture(t)
		f.seed("acme", 3)
		expires := time.Now().Add(time.Second)
		brief := f.newToken(store.Token{Organizations: []string{"acme"}, ExpiresAt: expires})
		status(f, "acme/webhooks", brief, 200)
		time.Sleep(time.Until(expires))
		status(f, "acme/webhooks", brief, 401)
	})
	t.Run("a token that is sealed again", func(t *testing.T) {
		f := newFixture(t)
		f.seed("acme", 3)
		f.list("")
		id, err := keyset.Add(f.keyFile)
		check(t, err)
		check(t, keyset.Promote(f.keyFile, id))
		check(t, f.keys.Reload())
		check(t, f.db.Reencrypt(t.Context(), nil))
		for range 2 {
			status(f, "acme/webhooks", f.token, 200)
		}
	})
}

const (
	realm   = `Bearer realm="packhooks"`
	invalid = realm + `, error="invalid_token"`
)

type expected struct {
	problem serverapi.Problem
	header  map[string]string
}

func expectation(method, path, organization, tail, challenge string, right bool) expected {
	refuse := func(status int, detail string, header map[string]string) expected {
		return expected{serverapi.Problem{Type: "about:blank", Title: http.StatusText(status), Status: int32(status), Detail: detail, Instance: path}, header}
	}
	switch {
	case tail != "/webhooks":
		return refuse(404, "no such path", nil)
	case method != "GET":
		return refuse(405, "this path supports only GET", map[string]string{"Allow": "GET"})
	case challenge == realm:
		return refuse(401, `send a token as "Authorization: Bearer TOKEN"`, map[string]string{"Www-Authenticate": realm})
	case challenge == invalid:
		return refuse(401, "the token is malformed, unknown, expired or revoked; ask for a new one", map[string]string{"Www-Authenticate": invalid})
	case organization == ".bad":
		e := refuse(400, `invalid parameter "organizationId"`, nil)
		e.problem.Errors = &[]serverapi.ParameterError{{Parameter: "organizationId", Detail: `string doesn't match the regular expression "^[A-Za-z0-9_~-][A-Za-z0-9._~-]*$"`}}
		return e
	case !right || organization != "acme":
		return refuse(403, "the token does not cover this organization", nil)
	}
	return expected{}
}

func (e expected) assert(t *testing.T, a *answer) {
	t.Helper()
	for _, name := range []string{"Allow", "Www-Authenticate", "Retry-After"} {
		if got := a.Header.Get(name); got != e.header[name] {
			t.Errorf("%s is %q, want %q", name, got, e.header[name])
		}
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if e.problem.Status == 0 {
		a.page(t)
		return
	}
	e.problem.RequestID = a.Header.Get("X-Request-Id")
	if got := a.problem(t); a.StatusCode != int(e.problem.Status) || !reflect.DeepEqual(got, e.problem) {
		t.Errorf("%d %+v, want %+v", a.StatusCode, got, e.problem)
	}
}

// A caller learns nothing from a 403 about whether the organization exists.
func TestForbiddenIsTheSameForWhatIsNotThere(t *testing.T) {
	f := newFixture(t)
	f.seed("exists", 1)
	bodies := map[string][]byte{}
	for _, organization := range []string{"exists", "absent"} {
		header := http.Header{"Authorization": {"Bearer " + f.token}, "X-Request-Id": {"same"}}
		a := f.do(http.MethodGet, "/v1/organizations/"+organization+"/webhooks", header, nil)
		bodies[organization] = bytes.ReplaceAll(a.body, []byte(organization), []byte("ORG"))
	}
	if !bytes.Equal(bodies["exists"], bodies["absent"]) {
		t.Errorf("%s differs from %s", bodies["exists"], bodies["absent"])
	}
}

// Every operation needs a test here: it returns only data of the organizations that the token covers.
func TestEveryOperationKeepsOrganizationsApart(t *testing.T) {
	tests := map[string]func(*fixture){
		"listWebhooks": func(f *fixture) {
			f.put("acme", f.seed("other", 2)[0])
			if got := ids(f.list("").page(f)); len(got) != 1 {
				f.Errorf("acme sees %v", got)
			}
			bearer := http.Header{"Authorization": {"Bearer " + f.token}}
			if a := f.do(http.MethodGet, "/v1/organizations/other/webhooks", bearer, nil); a.StatusCode != 403 {
				f.Errorf("other's list is answered %d", a.StatusCode)
			}
		},
	}
	for _, item := range contract.Spec.Paths.Map() {
		for _, operation := range item.Operations() {
			t.Run(operation.OperationID, func(t *testing.T) {
				test, ok := tests[operation.OperationID]
				if !ok {
					t.Fatal("no test: show that the operation returns nothing of another organization")
				}
				test(newFixture(t))
			})
		}
	}
}

func TestRateLimit(t *testing.T) {
	f := newFixture(t, func(c *server.Config) { c.RatePerSecond, c.RateBurst = 0.5, 3 })
	other := http.Header{"Authorization": {"Bearer " + f.newToken(tokenFor("acme"))}}
	for range 3 {
		f.list("").page(t)
	}
	a := f.list("?per_page=none") // over the rate comes before bad parameters
	if a.StatusCode != 429 || a.Header.Get("Retry-After") != "2" {
		t.Errorf("%d, Retry-After %q: %s", a.StatusCode, a.Header.Get("Retry-After"), a.body)
	}
	if a := f.do(http.MethodGet, "/v1/organizations/acme/webhooks", other, nil); a.StatusCode != 200 {
		t.Errorf("another token's request: %d %s", a.StatusCode, a.body)
	}
}

// Nothing that a request carries, nor any secret that it is shown, gets into the log.
func TestLogHoldsNoSecret(t *testing.T) {
	f := newFixture(t)
	seeded := f.seed("acme", 3)
	bearer := http.Header{"Authorization": {"Bearer " + f.token}, "X-Request-Id": {f.token}}
	a := f.do(http.MethodGet, "/v1/organizations/acme/webhooks", bearer, nil)
	if strings.Contains(a.Header.Get("X-Request-Id"), f.token) {
		t.Error("a token was taken over as request id")
	}
	f.do(http.MethodGet, "/v1/organizations/"+f.token+"/webhooks?token="+f.token, bearer, nil)
	f.do(http.MethodGet, "/v1/organizations/"+f.token+"/webhooks", bearer, nil)
	f.do(http.MethodGet, "/v1/"+f.token, bearer, nil)
	f.do(http.MethodGet, "/v1/organizations/acme/webhooks", http.Header{"User-Agent": {f.token}, "X-Forwarded-For": {f.token}}, nil)
	f.do("EVIL", "/v1/organizations/acme/webhooks", http.Header{"Authorization": {f.token}, "X-Request-Id": {"a\tb"}}, nil)
	if !strings.Contains(f.log.String(), `"organization":"acme"`) {
		t.Fatalf("log names no organization: %s", f.log)
	}
	for _, text := range []string{f.token, f.token[4:20], seeded[0].Secret, "EVIL"} {
		if strings.Contains(f.log.String(), text) {
			t.Errorf("log holds %q", text)
		}
	}
}
