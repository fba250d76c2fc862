package server_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/packhooks/packhooks/gen/serverapi"
)

func TestListPages(t *testing.T) {
	f := newFixture(t)
	seeded := f.seed("acme", 60)
	f.seed("other", 3)

	first := f.list("")
	page := first.page(t)
	if len(page.Data) != 25 || page.Links.Prev != nil || page.Links.Next == nil || *page.Meta.PerPage != 25 {
		t.Fatalf("first page: %d webhooks, links %v, meta %v", len(page.Data), page.Links, *page.Meta.PerPage)
	}
	for i, got := range page.Data {
		if got != seeded[i] {
			t.Errorf("webhook %d is %+v, seeded %+v", i, got, seeded[i])
		}
	}
	prefix := publicURL + "/v1/organizations/acme/webhooks?"
	if !strings.HasPrefix(*page.Links.Next, prefix) {
		t.Errorf("next is %q, not below the public URL", *page.Links.Next)
	}
	if got, want := first.Header.Get("Link"), "<"+*page.Links.Next+`>; rel="next"`; got != want {
		t.Errorf("Link is %q, want %q", got, want)
	}

	var ids []string
	var last serverapi.WebhookPage
	for query := "?per_page=7"; ; {
		last = f.list(query).page(t)
		for _, w := range last.Data {
			ids = append(ids, w.ID)
		}
		if last.Links.Next == nil {
			break
		}
		query = strings.TrimPrefix(*last.Links.Next, publicURL+"/v1/organizations/acme/webhooks")
	}
	if len(ids) != 60 || !slices.IsSorted(ids) || len(last.Data) != 4 {
		t.Errorf("walk of 60 by 7 gave %d webhooks, the last page %d", len(ids), len(last.Data))
	}
}

// An empty page still knows what lies on either side of it.
func TestLinksTurnRoundOnEmptyPages(t *testing.T) {
	f := newFixture(t)
	seeded := f.seed("acme", 4)
	second := f.list(query(t, f.list("?per_page=2").page(t).Links.Next)).page(t)
	back := query(t, second.Links.Prev) // the two before the third
	forth := query(t, f.list("?per_page=2").page(t).Links.Next)

	check(t, f.db.DeleteWebhooks(t.Context(), "acme", []string{seeded[2].ID, seeded[3].ID}))
	empty := f.list(forth).page(t)
	if len(empty.Data) != 0 || empty.Links.Next != nil || empty.Links.Prev == nil {
		t.Fatalf("page after the last: %+v", empty)
	}
	if got := ids(f.list(query(t, empty.Links.Prev)).page(t)); !slices.Equal(got, []string{"wh_000000", "wh_000001"}) {
		t.Errorf("prev of the empty page shows %v", got)
	}

	f.put("acme", seeded...)
	check(t, f.db.DeleteWebhooks(t.Context(), "acme", []string{seeded[0].ID, seeded[1].ID}))
	empty = f.list(back).page(t)
	if len(empty.Data) != 0 || empty.Links.Prev != nil || empty.Links.Next == nil {
		t.Fatalf("page before the first: %+v", empty)
	}
	if got := ids(f.list(query(t, empty.Links.Next)).page(t)); !slices.Equal(got, []string{"wh_000002", "wh_000003"}) {
		t.Errorf("next of the empty page shows %v", got)
	}
}

func TestAnOrganizationWithoutWebhooksIsAnEmptyList(t *testing.T) {
	f := newFixture(t)
	a := f.list("")
	if want := `{"data":[],"links":{"prev":null,"next":null},"meta":{"per_page":25}}` + "\n"; string(a.body) != want {
		t.Errorf("body is %s, want %s", a.body, want)
	}
	if a.Header.Get("Link") != "" {
		t.Errorf("Link is %q", a.Header.Get("Link"))
	}
}

func TestCursors(t *testing.T) {
	f := newFixture(t)
	f.seed("acme", 3)
	f.seed("other", 3)
	next := query(t, f.list("?per_page=1").page(t).Links.Next)
	cursor := strings.TrimPrefix(strings.Split(next, "&")[0], "?cursor=")
	other := f.newToken(tokenFor("other"))
	refused := map[string]string{
		"cut":           cursor[:len(cursor)-1],
		"longer":        cursor + "AAAA",
		"padded":        cursor + "=",
		"line break":    cursor[:8] + "%0A" + cursor[8:],
		"other version": "AgE" + cursor[3:],
		"no direction":  "AQA" + cursor[3:],
		"bad direction": "AQk" + cursor[3:],
		"flipped":       flip(cursor, 12),
		"empty id":      cursor[:24],
		"text":          "hello",
		"too long":      strings.Repeat("A", 257),
	}
	for name, bad := range refused {
		t.Run(name, func(t *testing.T) {
			a := f.list("?cursor=" + bad)
			if p := a.problem(t); a.StatusCode != 400 || p.Errors == nil || (*p.Errors)[0].Parameter != "cursor" {
				t.Errorf("%d %s", a.StatusCode, a.body)
			}
		})
	}
	t.Run("of another organization", func(t *testing.T) {
		a := f.do(http.MethodGet, "/v1/organizations/other/webhooks"+next, http.Header{"Authorization": {"Bearer " + other}}, nil)
		if a.StatusCode != 400 {
			t.Errorf("%d %s", a.StatusCode, a.body)
		}
	})
}

// Whoever knows the format can forge a cursor. All that comes of it is a 400, or a page of the organization itself.
func TestForgedCursors(t *testing.T) {
	f := newFixture(t)
	f.seed("acme", 3)
	for _, id := range []string{"wh_000001", "a\x00b", "\xff", "é", " ", strings.Repeat("z", 128), strings.Repeat("z", 129), "\n"} {
		for _, at := range []int64{math.MinInt64, -1, 0, 1722591001000000, math.MaxInt64} {
			for seek := range byte(6) {
				a := f.list("?cursor=" + forge("acme", seek, at, id))
				printable := regexp.MustCompile(`^[ -~]{1,128}$`).MatchString(id)
				if want := printable && seek >= 1 && seek <= 4; a.StatusCode != 200 && a.StatusCode != 400 || want != (a.StatusCode == 200) {
					t.Errorf("seek %d at %d id %q: %d %s", seek, at, id, a.StatusCode, a.body)
				}
			}
		}
	}
}

// forge makes a cursor as the server does.
func forge(organization string, seek byte, at int64, id string) string {
	tail := append(binary.BigEndian.AppendUint64(nil, uint64(at)), id...)
	sum := sha256.Sum256(append(append([]byte(organization), 0, 1, seek), tail...))
	return base64.RawURLEncoding.EncodeToString(append(append([]byte{1, seek}, sum[:8]...), tail...))
}

func query(t testing.TB, link *string) string {
	t.Helper()
	if link == nil {
		t.Fatal("no link")
	}
	_, query, _ := strings.Cut(*link, "?")
	return "?" + query
}

func ids(page serverapi.WebhookPage) []string {
	var ids []string
	for _, w := range page.Data {
		ids = append(ids, w.ID)
	}
	return ids
}

// flip changes the i-th character of a base64url text.
func flip(text string, i int) string {
	to := "A"
	if text[i] == 'A' {
		to = "B"
	}
	return fmt.Sprint(text[:i], to, text[i+1:])
}
