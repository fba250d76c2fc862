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
	Init      keysInitCmd      `cmd:"" help:"Create a keyset with one key."`
	Add       keysAddCmd       `cmd:"" help:"Add a decrypt-only key. Then distribute the file to every server."`
	Promote   keysPromoteCmd   `cmd:"" help:"Make a key primary, once every server has it."`
	Reencrypt keysReencryptCmd `cmd:"" help:"Re-encrypt everything with the primary key while servers run. Can be interrupted and repeated."`
	Disable   keysDisableCmd   `cmd:"" help:"Disable a key for decryption. Can be undone."`
	Enable    keysEnableCmd    `cmd:"" help:"Enable a disabled key."`
	Remove    keysRemoveCmd    `cmd:"" help:"Delete a key that nothing in the database is encrypted with."`
	List      keysListCmd      `cmd:"" help:"List the keys of a keyset, without key material."`
}

// keysetFile is embedded in commands that need only the keyset file.
type keysetFile struct{ location }

// AfterApply is called by kong once the flags are there.
func (k *keysetFile) AfterApply() error { return cmp.Or(k.location.AfterApply(), k.needKeysetFile()) }

func (l *location) needKeysetFile() error {
	if l.KeysetFile == "" && (l.postgres() || os.Getenv(keysetVariable) != "") {
		return errors.New("--keyset-file is required: keys commands work on a file")
	}
	l.KeysetFile = cmp.Or(l.KeysetFile, l.keysetBeside())
	return nil
}

type keysInitCmd struct{ keysetFile }

func (c *keysInitCmd) Run(t *terminal) error {
	t.note("keyset", c.KeysetFile)
	if _, err := keyset.Create(c.KeysetFile); err != nil {
		return err
	}
	_, err := fmt.Fprintf(t.Out, "%s: created; back it up: without it the database cannot be decrypted\n", c.KeysetFile)
	return err
}

type keysAddCmd struct{ keysetFile }

func (c *keysAddCmd) Run(t *terminal) error {
	id, err := keyset.Add(c.KeysetFile)
	t.note("keyset", c.KeysetFile, "key", id)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(t.Out, id)
	return err
}

// keyChange is a command that changes one key of a file.
type keyChange struct {
	ID uint32 `arg:"" help:"Key ID, as shown by packhooks keys list."`
	keysetFile
}

func (c *keyChange) run(t *terminal, change func(path string, keyID uint32) error, done string) error {
	t.note("keyset", c.KeysetFile, "key", c.ID)
	if err := change(c.KeysetFile, c.ID); err != nil {
		return err
	}
	_, err := fmt.Fprintf(t.Out, "%d: %s\n", c.ID, done)
	return err
}

type keysPromoteCmd struct{ keyChange }

func (c *keysPromoteCmd) Run(t *terminal) error {
	return c.run(t, keyset.Promote, "primary; packhooks keys reencrypt re-encrypts existing data with it")
}

type keysDisableCmd struct{ keyChange }

func (c *keysDisableCmd) Run(t *terminal) error {
	return c.run(t, keyset.Disable, "disabled; packhooks keys enable undoes that, packhooks keys remove deletes it")
}

type keysEnableCmd struct{ keyChange }

func (c *keysEnableCmd) Run(t *terminal) error { return c.run(t, keyset.Enable, "enabled") }

type keysRemoveCmd struct {
	ID uint32 `arg:"" help:"Key ID, as shown by packhooks keys list."`
	database
}

func (c *keysRemoveCmd) Run(ctx context.Context, t *terminal) error {
	if err := c.needKeysetFile(); err != nil {
		return err
	}
	t.note("keyset", c.KeysetFile, "key", c.ID)
	return c.useExisting(ctx, func(db store.Store) error {
		n, err := db.CountSealed(ctx, keyset.SealedUnder(c.ID))
		if err == nil && n > 0 {
			err = hint(fmt.Errorf("key %d is still in use by %s of this database", c.ID, count(n, "ciphertext")), "run packhooks keys reencrypt first")
		}
		if err == nil {
			err = keyset.Remove(c.KeysetFile, c.ID)
		}
		if err == nil {
			_, err = fmt.Fprintf(t.Out, "%d: removed; distribute the file, then restart every server or send it SIGHUP\n", c.ID)
		}
		return err
	})
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
		t.note("webhooks", total)
		if err != nil {
			return fmt.Errorf("re-encrypting, stopped after %s: %w", count(total, "webhook"), err)
		}
		_, err = fmt.Fprintf(t.Out, "%s encrypted with the primary key\n", count(total, "webhook"))
		return err
	})
}
