package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"strconv"
	"time"

	client "github.com/packhooks/packhooks/client"
	"github.com/packhooks/packhooks/server/store"
)

type listCmd struct {
	Output      string `enum:"table,json,ndjson" default:"table" env:"-" help:"One of ${enum}."`
	ShowSecrets bool   `env:"-" help:"Print the signing secrets instead of a mask."`
	Limit       int    `env:"-" help:"Maximum number of webhooks."`
	remote
}

func (c *listCmd) Run(ctx context.Context, t *terminal) error {
	reader, err := c.client(c.URL)
	if err != nil {
		return err
	}
	if c.Limit > 0 {
		c.PerPage = min(c.PerPage, c.Limit)
	}
	webhooks := firstOf(reader.Webhooks(ctx, c.Org, client.PerPage(c.PerPage)), c.Limit)
	if c.Output == "table" {
		return explain(writeTable(t.Out, webhooks, c.ShowSecrets), c.URL)
	}
	return explain(writeJSON(t.Out, inJSON(webhooks, c.ShowSecrets), c.Output == "json"), c.URL)
}

// firstOf stops after n webhooks, if n is more than 0.
func firstOf(webhooks iter.Seq2[client.Webhook, error], n int) iter.Seq2[client.Webhook, error] {
	return func(yield func(client.Webhook, error) bool) {
		i := 0
		for w, err := range webhooks {
			if i++; !yield(w, err) || i == n {
				return
			}
		}
	}
}

// writeTable prints all rows at once, to align the columns. It truncates long cells on a terminal only.
func writeTable(out io.Writer, webhooks iter.Seq2[client.Webhook, error], secrets bool) error {
	cut := shorten
	if !isTerminal(out) {
		cut = func(s string, _ int) string { return s }
	}
	rows := [][]string{{"ID", "EVENT", "ENABLED", "CREATED", "SECRET", "ENDPOINT"}}
	var failed error
	for w, err := range webhooks {
		if err != nil {
			failed = err
			break
		}
		secret := w.Secret.String()
		if secrets {
			secret = w.Secret.Reveal()
		}
		rows = append(rows, []string{
			printable(w.ID), printable(cut(w.EventCode, 40)), strconv.FormatBool(w.Enabled), w.CreatedAt.UTC().Format(time.DateTime),
			printable(secret), printable(cut(w.Endpoint, 80)),
		})
	}
	if failed != nil && len(rows) == 1 {
		return failed
	}
	return errors.Join(failed, writeColumns(out, rows))
}

func inJSON(webhooks iter.Seq2[client.Webhook, error], secrets bool) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for w, err := range webhooks {
			marshal := func() ([]byte, error) { return json.Marshal(w) }
			if secrets {
				marshal = w.RevealJSON
			}
			data, marshalling := marshal()
			if !yield(data, cmp.Or(err, marshalling)) {
				return
			}
		}
	}
}

// writeJSON streams an array or NDJSON. After an error it leaves the array unclosed, so that it does not parse.
func writeJSON(out io.Writer, webhooks iter.Seq2[[]byte, error], array bool) error {
	buffered := bufio.NewWriterSize(out, 64<<10)
	before, after, end := "", "\n", ""
	if array {
		before, after, end = "[\n", "", "[]\n"
	}
	for data, err := range webhooks {
		if err != nil {
			return errors.Join(err, buffered.Flush())
		}
		_, _ = buffered.WriteString(before)
		_, _ = buffered.Write(data)
		if _, err := buffered.WriteString(after); err != nil {
			return err
		}
		if array {
			before, end = ",\n", "\n]\n"
		}
	}
	_, _ = buffered.WriteString(end)
	return buffered.Flush()
}

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
