package main

import (
	"context"
	"iter"

	client "github.com/packhooks/packhooks/client"
	"github.com/packhooks/packhooks/server/store"
)

type exportCmd struct {
	Output string `enum:"ndjson,json" default:"ndjson" env:"-" help:"One of ${enum}."`
	FromDB string `name:"db" env:"-" placeholder:"DB" help:"Read from this SQLite file or postgres:// URL instead of a server."`
	Keyset string `name:"keyset-file" placeholder:"FILE" help:"Keyset of --db. Default: next to the SQLite database."`
	remote
	pool
}

func (c *exportCmd) Run(ctx context.Context, t *terminal) error {
	if c.FromDB != "" {
		return c.exportDatabase(ctx, t)
	}
	reader, err := c.client(c.URL)
	if err != nil {
		return err
	}
	webhooks := reader.Webhooks(ctx, c.Org, client.PerPage(c.PerPage))
	return explain(writeJSON(t.Out, inJSON(webhooks, true), c.Output == "json"), c.URL)
}

func (c *exportCmd) exportDatabase(ctx context.Context, t *terminal) error {
	d := database{location: location{DB: c.FromDB, KeysetFile: c.Keyset}, Migrate: store.MigrateCheck, pool: c.pool}
	if err := d.AfterApply(); err != nil {
		return err
	}
	return d.useExisting(ctx, func(db store.Store) error {
		return writeJSON(t.Out, storedWebhooks(ctx, db, c.Org), c.Output == "json")
	})
}

func storedWebhooks(ctx context.Context, db store.Lister, organization string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		q := store.PageQuery{OrganizationID: organization, Limit: 500}
		for {
			page, err := db.ListWebhooks(ctx, q)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, d := range page.Webhooks {
				if !yield(d.JSON(), nil) {
					return
				}
				q.Bound = store.Bound{CreatedAt: d.CreatedAt(), ID: d.ID(), After: true}
			}
			if !page.HasNext {
				return
			}
		}
	}
}
