package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/packhooks/packhooks/server/store"
)

func tokenFor(organizations ...string) store.Token { return store.Token{Organizations: organizations} }

func TestQueryIsStrict(t *testing.T) {
	f := newFixture(t)
	f.seed("acme", 3)
	const fine = "no fault"
	tests := []struct {
		query string
		fault string // the parameter that the problem names
	}{
		{"", fine},
		{"?", fine},
		{"?per_page=1", fine},
		{"?per_page=100", fine},
		{"?%70er_page=2", fine},
		{"?per_page=0", "per_page"},
		{"?per_page=101", "per_page"},
		{"?per_page=-1", "per_page"},
		{"?per_page=", "per_page"},
		{"?per_page", "per_page"},
		{"?per_page=%2B5", "per_page"},
		{"?per_page=+5", "per_page"},
		{"?per_page=010", "per_page"},
		{"?per_page=1.0", "per_page"},
		{"?per_page=1e1", "per_page"},
		{"?per_page=abc", "per_page"},
		{"?per_page=%zz", "per_page"},
		{"?per_page=99999999999999999999", "per_page"},
		{"?per_page=5&per_page=5", "per_page"},
		{"?per_page=5;cursor=x", "per_page"},
		{"?cursor=", "cursor"},
		{"?cursor=a%00b", "cursor"},
		{"?page=2", "page"},
		{"?Per_Page=2", "Per_Page"},
		{"?%zz=1", "%zz"},
		{"?&per_page=5", ""},
		{"?=5", ""},
	}
	for _, test := range tests {
		t.Run(test.query, func(t *testing.T) {
			a := f.list(test.query)
			if test.fault == fine {
				a.page(t)
				return
			}
			p := a.problem(t)
			if a.StatusCode != 400 || p.Errors == nil || (*p.Errors)[0].Parameter != test.fault || (*p.Errors)[0].Detail == "" {
				t.Errorf("%d %s", a.StatusCode, a.body)
			}
		})
	}
	t.Run("all faults at once", func(t *testing.T) {
		p := f.list("?per_page=x&page=2&cursor=").problem(t)
		if len(*p.Errors) != 3 || !strings.Contains((*p.Errors)[1].Detail, `"cursor", "per_page"`) {
			t.Errorf("%+v", *p.Errors)
		}
	})
	t.Run("all contract faults at once", func(t *testing.T) {
		if p := f.list("?per_page=101&cursor=.").problem(t); len(*p.Errors) != 2 {
			t.Errorf("%+v", *p.Errors)
		}
	})
	t.Run("body", func(t *testing.T) {
		a := f.do(http.MethodGet, "/v1/organizations/acme/webhooks", http.Header{"Authorization": {"Bearer " + f.token}}, strings.NewReader("{}"))
		if a.StatusCode != 400 {
			t.Errorf("%d %s", a.StatusCode, a.body)
		}
	})
}

func TestPathsAndMethods(t *testing.T) {
	f := newFixture(t)
	bearer := http.Header{"Authorization": {"Bearer " + f.token}}
	tests := []struct {
		method, path string
		want         int
	}{
		{"GET", "/v1/organizations/acme/webhooks", 200},
		{"GET", "/v1/organizations/acm%65/webhooks", 200},
		{"GET", "/v1/organizations/acme/webhooks/", 404},
		{"GET", "/v1/organizations/acme/webhook", 404},
		{"GET", "/v1/organizations//webhooks", 404},
		{"GET", "/organizations/acme/webhooks", 404},
		{"GET", "/v2/organizations/acme/webhooks", 404},
		{"GET", "//v1/organizations/acme/webhooks", 404},
		{"GET", "/v1/organizations/a%2Fb/webhooks", 400},
		{"GET", "/v1/organizations/%2e%2e/webhooks", 400},
		{"GET", "/v1/organizations/../webhooks", 400},
		{"GET", "/v1/organizations/.acme/webhooks", 400},
		{"GET", "/v1/organizations/a%00b/webhooks", 400},
		{"GET", "/v1/organizations/%ff/webhooks", 400},
		{"GET", "/v1/organizations/a%25b/webhooks", 400},
		{"GET", "/v1/organizations/" + strings.Repeat("a", 129) + "/webhooks", 400},
		{"GET", "/v1/organizations/" + strings.Repeat("a", 128) + "/webhooks", 403},
		{"HEAD", "/v1/organizations/acme/webhooks", 405},
		{"OPTIONS", "/v1/organizations/acme/webhooks", 405},
		{"POST", "/v1/organizations/acme/webhooks", 405},
		{"PUT", "/v1/organizations/acme/webhooks", 405},
		{"PATCH", "/v1/organizations/acme/webhooks", 405},
		{"DELETE", "/v1/organizations/acme/webhooks", 405},
		{"TRACE", "/v1/organizations/acme/webhooks", 405},
		{"PROPFIND", "/v1/organizations/acme/webhooks", 405},
		{"MADEUP", "/v1/organizations/acme/webhooks", 405},
		{"POST", "/v1/organizations/acme", 404},
	}
	for _, test := range tests {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			a := f.do(test.method, test.path, bearer, nil)
			if a.StatusCode != test.want {
				t.Errorf("%d, want %d: %s", a.StatusCode, test.want, a.body)
			}
			if test.want == 405 && a.Header.Get("Allow") != "GET" {
				t.Errorf("Allow is %q", a.Header.Get("Allow"))
			}
		})
	}
}
