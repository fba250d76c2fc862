package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/packhooks/packhooks/api"
	"github.com/packhooks/packhooks/gen/serverapi"
	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
)

const demoOrganization = "demo"

// useThrowAway selects a temporary database.
func (d *database) useThrowAway() (remove func(), err error) {
	dir, err := os.MkdirTemp("", "packhooks-")
	if err != nil {
		return nil, err
	}
	d.location, d.create = location{DB: filepath.Join(dir, "packhooks.db")}, true
	return func() { _ = os.RemoveAll(dir) }, nil
}

// greetDemo fills the demo's database and prints what to try.
func (c *serveCmd) greetDemo(ctx context.Context, t *terminal, db store.Store) error {
	if _, err := db.ImportWebhooks(ctx, demoOrganization, demoWebhooks(time.Now()), store.ImportOptions{}); err != nil {
		return err
	}
	token, _, err := createToken(ctx, db, store.Token{Name: "demo", Organizations: []string{demoOrganization}})
	if err != nil {
		return err
	}
	listing, err := api.LoadListing()
	if err != nil {
		return err
	}
	url, docs := c.apiURL(), ""
	if !c.NoDocs {
		docs = "\n  Docs    " + strings.TrimRight(c.PublicURL, "/") + "/docs"
	}
	_, err = fmt.Fprintf(t.Out, `Organization %q with 60 webhooks. They are deleted when you stop the server with Ctrl-C.
%s
  API     %s
  Token   %s

In another terminal:

  curl -H 'Authorization: Bearer %s' '%s%s?%s=1'

  PACKHOOKS_TOKEN=%s %s list --org %s --url %s

`, demoOrganization, docs, url, token, token, url, listing.PathOf(demoOrganization), listing.SizeParameter, token, shellWord(t.Program), demoOrganization, shellWord(url))
	return err
}

var (
	demoEvents = []string{
		"orders.created", "orders.updated", "orders.cancelled", "shipments.created", "shipments.delivered", "returns.created",
		"products.updated", "products.deleted", "stock.changed", "invoices.paid", "customers.created", "",
	}
	demoHosts = []string{"shop.example.com/hooks", "erp.example.net/packcloud", "wms.example.org/in", "hooks.example.com/t/7f3a", "bi.example.net/collect"}
)

// demoWebhooks yields every event for every host, created over two years.
func demoWebhooks(now time.Time) iter.Seq2[document.Document, error] {
	return func(yield func(document.Document, error) bool) {
		for i := range len(demoEvents) * len(demoHosts) {
			event := demoEvents[i%len(demoEvents)]
			created := now.AddDate(-2, 0, 12*i).Add(time.Duration(i*7919%3600) * time.Second).Truncate(time.Second)
			w := serverapi.Webhook{
				ID: fmt.Sprintf("wh_%06d", i+1), EventCode: event, Endpoint: "https://" + demoHosts[i%len(demoHosts)] + "/" + event,
				Secret: rand.Text()[:20], Enabled: i%9 != 4, CreatedAt: created, UpdatedAt: created.Add(time.Duration(i%7) * 26 * time.Hour),
			}
			if !yield(document.New(w)) {
				return
			}
		}
	}
}
