//go:build bench && linux

package bench_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/packhooks/packhooks/gen/serverapi"
	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/keyset"
	"github.com/packhooks/packhooks/server/store/postgres"
	"github.com/packhooks/packhooks/server/store/postgres/postgrestest"
	"github.com/packhooks/packhooks/server/store/sqlite"
)

const (
	organizations    = 1000
	perOrganization  = 200
	perPage          = 25
	pagesEach        = perOrganization/perPage + (perOrganization-1)/perPage // see walk
	bulkOrganization = "bulk"
	bulkWebhooks     = 100_000
)

// bench is the programs and databases of a run.
type bench struct {
	dir, load              string
	packhooks, handwritten string // programs
	keyset                 string
	sqlite, postgres       string   // as --db
	plain                  string   // the webhooks as NDJSON, each with its organization
	tokens                 []string // by organization
	bulkToken              string
	cluster                *postgrestest.Cluster // nil where PostgreSQL is not installed
}

func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	b := &bench{dir: dir, load: loadAverage(), packhooks: path("packhooks"), handwritten: path("handwritten"),
		keyset: path("keyset"), sqlite: path("packhooks.db"), plain: path("plain.ndjson")}
	build(t, b.packhooks, "../../..", "./cmd/packhooks")
	build(t, b.handwritten, "../../../tools", "./handwritten")
	keys, err := keyset.Create(b.keyset)
	check(t, err)
	lite, err := sqlite.Open(t.Context(), b.sqlite, keys, sqlite.Options{})
	check(t, err)
	stores := []store.Store{lite}
	if postgrestest.Available() {
		b.cluster = postgrestest.Start(t)
		b.postgres = b.cluster.DSN(t)
		pg, err := postgres.Open(t.Context(), b.postgres, keys, postgres.Options{})
		check(t, err)
		stores = append(stores, pg)
	}
	b.seed(t, stores)
	return b
}

// build builds a program as make build does.
func build(t *testing.T, program, dir, pkg string) {
	t.Helper()
	cmd := command(t, "go", "-C", dir, "build", "-trimpath", "-ldflags", "-s -w", "-o", program, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", pkg, err, out)
	}
}

// seed gives every store the same webhooks and tokens, and closes it.
func (b *bench) seed(t *testing.T, stores []store.Store) {
	t.Helper()
	plain, err := os.Create(b.plain)
	check(t, err)
	out := bufio.NewWriter(plain)
	for n := range organizations {
		var documents []document.Document
		for d, err := range webhooks(perOrganization) {
			check(t, err)
			documents = append(documents, d)
			_, _ = fmt.Fprintf(out, "{\"organization_id\":%q,%s\n", organization(n), d.JSON()[1:])
		}
		b.tokens = append(b.tokens, store.NewToken())
		for _, s := range stores {
			_, err := s.ImportWebhooks(t.Context(), organization(n), func(yield func(document.Document, error) bool) {
				for _, d := range documents {
					if !yield(d, nil) {
						return
					}
				}
			}, store.ImportOptions{})
			check(t, err)
			createToken(t, s, b.tokens[n], organization(n))
		}
	}
	b.bulkToken = store.NewToken()
	for _, s := range stores {
		createToken(t, s, b.bulkToken, bulkOrganization)
		check(t, s.CheckDocuments(t.Context(), nil))
		check(t, s.Close())
	}
	check(t, out.Flush())
	check(t, plain.Close())
}

func organization(n int) string { return fmt.Sprintf("organization-%04d", n) }

func createToken(t *testing.T, s store.Store, token, organization string) {
	t.Helper()
	hash, _ := store.HashToken(token)
	_, err := s.CreateToken(t.Context(), hash, store.Token{Organizations: []string{organization}})
	check(t, err)
}

// webhooks are n of an organization, 25 of which are a page of about 6.1 kB.
func webhooks(n int) iter.Seq2[document.Document, error] {
	return func(yield func(document.Document, error) bool) {
		for i := range n {
			at := time.Date(2024, 8, 2, 9, 30, i, 0, time.UTC)
			d, err := document.New(serverapi.Webhook{
				ID: fmt.Sprintf("wh_%06d", i), EventCode: "orders.created", Secret: fmt.Sprintf("%016x", rand.Uint64()), Enabled: i%8 > 0,
				Endpoint: fmt.Sprintf("https://hooks.example.com/packcloud/orders/%06d", i), CreatedAt: at, UpdatedAt: at.Add(time.Hour),
			})
			if !yield(d, err) {
				return
			}
		}
	}
}

func (b *bench) writeBulk(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	for d, err := range webhooks(bulkWebhooks) {
		check(t, err)
		text.Write(d.JSON())
		text.WriteByte('\n')
	}
	file := filepath.Join(b.dir, "bulk.ndjson")
	check(t, os.WriteFile(file, []byte(text.String()), 0o600))
	return file
}

// lastLine is the last webhook of a file, with its newline.
func lastLine(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	check(t, err)
	lines := strings.SplitAfter(strings.TrimSuffix(string(data), "\n"), "\n")
	return lines[len(lines)-1] + "\n"
}

// page is a page that a server has been asked for: where it is, and the ids and secrets of its webhooks.
type page struct{ path, token, webhooks string }

// walk goes through every organization twice, in pages of 25: from its beginning, and from a place of its own within
// the first page, so that pages begin at every position. All are full.
func (b *bench) walk(t *testing.T, address string) []page {
	t.Helper()
	found := make([][]page, organizations)
	var workers errgroup.Group
	workers.SetLimit(connections / 2)
	for n := range organizations {
		workers.Go(func() (err error) {
			path := "/v1/organizations/" + organization(n) + "/webhooks"
			for _, first := range []int{perPage, 1 + n%(perPage-1)} {
				query := url.Values{}
				for size := first; query != nil && err == nil; size = perPage {
					query.Set("per_page", fmt.Sprint(size))
					p := page{path: path + "?" + query.Encode(), token: b.tokens[n]}
					var full bool
					if query, full, err = p.read(address); full {
						found[n] = append(found[n], p)
					}
				}
			}
			if err == nil && len(found[n]) != pagesEach {
				return fmt.Errorf("%s: %d full pages of %s, want %d", address, len(found[n]), organization(n), pagesEach)
			}
			return err
		})
	}
	check(t, workers.Wait())
	return slices.Concat(found...)
}

// read reads the page, and returns the query of the next one and whether this one is of full size.
func (p *page) read(address string) (next url.Values, full bool, err error) {
	body, err := get(address, *p)
	if err != nil {
		return nil, false, err
	}
	var content serverapi.WebhookPage
	if err := json.Unmarshal(body, &content); err != nil {
		return nil, false, err
	}
	for _, w := range content.Data {
		p.webhooks += w.ID + " " + w.Secret + "\n"
	}
	if content.Links.Next != nil {
		link, err := url.Parse(*content.Links.Next)
		if err != nil {
			return nil, false, err
		}
		next = link.Query()
	}
	return next, len(content.Data) == perPage, nil
}

func get(address string, p page) ([]byte, error) {
	req, err := http.NewRequest(http.MethodGet, "http://"+address+p.path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s\n%s", p.path, resp.Status, body)
	}
	return body, err
}

// pageBytes is a file of the bytes of a page.
func (b *bench) pageBytes(t *testing.T, tg target) string {
	t.Helper()
	body, err := get(tg.address, page{path: "/v1/organizations/" + organization(0) + "/webhooks", token: b.tokens[0]})
	check(t, err)
	t.Logf("a page is %d bytes", len(body))
	file := filepath.Join(b.dir, "page.json")
	check(t, os.WriteFile(file, body, 0o600))
	return file
}

// write writes pages for wrk.
func (b *bench) write(t *testing.T, name string, pages []page) string {
	t.Helper()
	var text strings.Builder
	for _, p := range pages {
		text.WriteString(p.path + " " + p.token + "\n")
	}
	file := filepath.Join(b.dir, name)
	check(t, os.WriteFile(file, []byte(text.String()), 0o600))
	return file
}

func shuffled(pages []page) []page {
	pages = slices.Clone(pages)
	rand.Shuffle(len(pages), func(i, j int) { pages[i], pages[j] = pages[j], pages[i] })
	return pages
}
