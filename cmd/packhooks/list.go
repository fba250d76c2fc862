package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"text/tabwriter"
	"time"

	"github.com/packhooks/packhooks/client"
)

type listCmd struct {
	Output      string `enum:"table,json,ndjson" default:"table" env:"-" help:"One of ${enum}."`
	ShowSecrets bool   `env:"-" help:"Print the signing secrets instead of a mask."`
	Limit       int    `env:"-" help:"Stop after this many webhooks."`
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
		return explain(writeTable(t.Out, webhooks, c.PerPage, c.ShowSecrets), c.URL)
	}
	return explain(writeJSON(t.Out, webhooks, c.Output == "json", c.ShowSecrets), c.URL)
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

// writeTable lines up a block of rows at a time, so that the first ones show while the rest is still fetched.
func writeTable(out io.Writer, webhooks iter.Seq2[client.Webhook, error], block int, secrets bool) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ID\tEVENT\tENABLED\tCREATED\tSECRET\tENDPOINT")
	i := 0
	for w, err := range webhooks {
		if err != nil {
			if i > 0 {
				_ = table.Flush()
			}
			return err
		}
		secret := w.Secret.String()
		if secrets {
			secret = w.Secret.Reveal()
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%t\t%s\t%s\t%s\n", printable(w.ID), printable(shorten(w.EventCode, 40)), w.Enabled,
			w.CreatedAt.UTC().Format(time.DateTime), printable(secret), printable(shorten(w.Endpoint, 80)))
		if i++; i%block == 0 {
			if err := table.Flush(); err != nil {
				return err
			}
		}
	}
	return table.Flush()
}

// writeJSON streams an array or lines. An array that an error cuts short is left without its end.
func writeJSON(out io.Writer, webhooks iter.Seq2[client.Webhook, error], array, secrets bool) error {
	buffered := bufio.NewWriterSize(out, 64<<10)
	opening := "[\n"
	for w, err := range webhooks {
		if err != nil {
			return errors.Join(err, buffered.Flush())
		}
		var value any = w
		if secrets {
			value = reveal(w)
		}
		data, err := json.Marshal(value)
		if err != nil {
			return err
		}
		if array {
			_, _ = buffered.WriteString(opening)
			opening = ",\n"
		} else {
			data = append(data, '\n')
		}
		if _, err := buffered.Write(data); err != nil {
			return err
		}
	}
	if array && opening == "[\n" {
		_, _ = buffered.WriteString("[]\n")
	} else if array {
		_, _ = buffered.WriteString("\n]\n")
	}
	return buffered.Flush()
}
