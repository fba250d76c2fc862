package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/keyset"
)

type keysCmd struct {
	Init      keysInitCmd      `cmd:"" help:"Make a keyset of one key."`
	Add       keysAddCmd       `cmd:"" help:"Add a decrypt-only key. Then give the file to every server."`
	Promote   keysPromoteCmd   `cmd:"" help:"Make a key the one that seals, once every server has it."`
	Reencrypt keysReencryptCmd `cmd:"" help:"Seal every secret under the primary key, while servers run. May be interrupted and repeated."`
	List      keysListCmd      `cmd:"" help:"List the keys of a keyset, without their material."`
}

// keysetFile is the keyset of a command that works on the file alone.
type keysetFile struct {
	location
}

// AfterApply is called by kong once the flags are there.
func (k *keysetFile) AfterApply() error {
	if err := k.location.AfterApply(); err != nil {
		return err
	}
	if k.KeysetFile == "" && (k.postgres() || os.Getenv(keysetVariable) != "") {
		return errors.New("--keyset-file is needed: keys commands work on a file")
	}
	k.KeysetFile = cmp.Or(k.KeysetFile, k.keysetBeside())
	return nil
}

type keysInitCmd struct{ keysetFile }

func (c *keysInitCmd) Run(t *terminal) error {
	if _, err := keyset.Create(c.KeysetFile); err != nil {
		return err
	}
	_, err := fmt.Fprintf(t.Out, "%s: created; back it up with the database, neither is of use without the other\n", c.KeysetFile)
	return err
}

type keysAddCmd struct{ keysetFile }

func (c *keysAddCmd) Run(t *terminal) error {
	id, err := keyset.Add(c.KeysetFile)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(t.Out, id)
	return err
}

type keysPromoteCmd struct {
	ID uint32 `arg:"" help:"Key to promote, by its id in packhooks keys list."`
	keysetFile
}

func (c *keysPromoteCmd) Run(t *terminal) error {
	if err := keyset.Promote(c.KeysetFile, c.ID); err != nil {
		return err
	}
	_, err := fmt.Fprintf(t.Out, "%d: primary; packhooks keys reencrypt seals the rest under it\n", c.ID)
	return err
}

type keysListCmd struct {
	JSON bool `name:"json" env:"-" help:"Print JSON instead of a table."`
	keysetFile
}

func (c *keysListCmd) Run(t *terminal) error {
	k, err := keyset.Open(c.KeysetFile)
	if err != nil {
		return err
	}
	rows := [][]string{{"ID", "PRIMARY", "ENABLED"}}
	keys := []keyJSON{}
	for _, key := range k.Keys() {
		keys = append(keys, keyJSON(key))
		rows = append(rows, []string{fmt.Sprint(key.ID), strconv.FormatBool(key.Primary), strconv.FormatBool(key.Enabled)})
	}
	if c.JSON {
		return printJSON(t.Out, keys)
	}
	return writeColumns(t.Out, rows)
}

// keyJSON is a keyset.Key as keys list --json prints it.
type keyJSON struct {
	ID      uint32 `json:"id"`
	Primary bool   `json:"primary"`
	Enabled bool   `json:"enabled"`
}

type keysReencryptCmd struct{ database }

func (c *keysReencryptCmd) Run(ctx context.Context, t *terminal) error {
	return c.useExisting(ctx, func(db store.Store) error {
		bar := t.progress(-1, false)
		total := 0
		err := db.Reencrypt(ctx, func(webhooks int) {
			total = webhooks
			_ = bar.Set(webhooks)
		})
		_ = bar.Finish()
		if err != nil {
			return fmt.Errorf("re-encrypting, stopped after %s: %w", count(total, "webhook"), err)
		}
		_, err = fmt.Fprintf(t.Out, "%s sealed under the primary key\n", count(total, "webhook"))
		return err
	})
}
