package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"iter"
	"maps"
	"os"
	"slices"

	"github.com/schollz/progressbar/v3"

	"github.com/packhooks/packhooks/api"
	client "github.com/packhooks/packhooks/client"
	"github.com/packhooks/packhooks/client/secret"
	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store"
)

type importCmd struct {
	Org     string `required:"" env:"-" help:"Organization to import into."`
	File    string `arg:"" optional:"" help:"Webhooks in the API's format: a JSON array, a page of the API, or NDJSON; - is standard input."`
	From    string `placeholder:"URL" env:"-" help:"Read the webhooks from the API at this URL instead."`
	FromOrg string `placeholder:"ORG" env:"-" help:"Organization to read from that server. Default: --org."`
	Replace bool   `env:"-" help:"Also remove webhooks that are not in the input. Not for NDJSON, where truncated input looks complete."`
	Empty   bool   `name:"allow-empty" env:"-" help:"Allow --replace to remove all webhooks if the input is empty."`
	DryRun  bool   `env:"-" help:"Print the ids of webhooks that would change, and write nothing."`
	Strict  bool   `help:"Reject unknown properties instead of ignoring them."`
	Max     int    `name:"max-webhooks" default:"10000000" help:"Maximum number of webhooks; larger input is rejected as a whole."`
	credentials
	database
}

func (c *importCmd) Run(ctx context.Context, t *terminal) error {
	if c.DryRun && !c.postgres() && !exists(c.DB) { // leave no files behind
		remove, err := c.useThrowAway()
		if err != nil {
			return err
		}
		defer remove()
	}
	if (c.File == "") == (c.From == "") {
		return usage(errors.New("give either FILE or --from"), "packhooks import --org %s webhooks.json", c.Org)
	}
	contract, err := loadContract(c.Org)
	if err != nil {
		return err
	}
	if c.From != "" {
		return c.fetch(ctx, t, contract)
	}
	return c.read(ctx, t, contract)
}

// fetch imports from another server, with the same validation as for a file.
func (c *importCmd) fetch(ctx context.Context, t *terminal, contract *document.Contract) error {
	reader, err := c.client(c.From)
	if err != nil {
		return err
	}
	listing, err := api.LoadListing()
	if err != nil {
		return err
	}
	bar := t.progress(-1, false)
	return c.write(ctx, t, contract, c.From, bar, func(emit func(row) error) error {
		r := row{places: "[%d]"}
		for webhook, err := range reader.Webhooks(ctx, cmp.Or(c.FromOrg, c.Org), client.PerPage(int(*listing.Size.Max))) {
			if err != nil {
				return err
			}
			if r.data, err = webhook.RevealJSON(); err != nil {
				return err
			}
			if err := emit(r); err != nil {
				return err
			}
			r.number++
			_ = bar.Add(1)
		}
		return nil
	})
}

// read imports a file or standard input.
func (c *importCmd) read(ctx context.Context, t *terminal, contract *document.Contract) error {
	name, input, size := "standard input", t.In, int64(-1)
	if c.File != "-" {
		file, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
		name, input = c.File, file
	}
	bar := t.progress(size, true)
	rows, err := readRows(contract, io.TeeReader(interruptible(ctx, input), bar), c.Replace)
	if err != nil {
		return fmt.Errorf("%s: %w; nothing was written", name, err)
	}
	return c.write(ctx, t, contract, name, bar, rows)
}

// interruptible lets the context end a read that blocks on a terminal or pipe.
func interruptible(ctx context.Context, input io.Reader) io.Reader {
	reader, writer := io.Pipe()
	context.AfterFunc(ctx, func() { _ = writer.CloseWithError(ctx.Err()) })
	go func() {
		_, err := io.Copy(writer, input)
		_ = writer.CloseWithError(err)
	}()
	return reader
}

// write imports rows. An error names the row.
func (c *importCmd) write(ctx context.Context, t *terminal, contract *document.Contract, name string, bar *progressbar.ProgressBar, rows feed) error {
	reader := rowReader{importCmd: c, contract: contract, seed: maphash.MakeSeed(), seen: map[uint64]uint32{}, unknown: map[string]int{}}
	var result store.ImportResult
	opts := store.ImportOptions{Replace: c.Replace}
	out := bufio.NewWriter(t.Out)
	if c.DryRun {
		opts.Preview = func(change store.Change, id string) { _, _ = fmt.Fprintf(out, "would %s %s\n", change, printable(id)) }
	}
	err := c.use(ctx, func(db store.Store) (err error) {
		result, err = db.ImportWebhooks(ctx, c.Org, reader.webhooks(rows), opts)
		err = cmp.Or(reader.failed, err) // without what the store says of it
		t.note("organization", c.Org, "source", name, "replace", c.Replace, "dry_run", c.DryRun,
			"created", result.Created, "updated", result.Updated, "unchanged", result.Unchanged, "removed", result.Removed)
		switch {
		case errors.Is(err, store.ErrOutcomeUnknown): // not wrapped: exitCode would report an interruption only
			return hint(errors.New(err.Error()), "run it again: an import can be repeated")
		case errors.Is(err, store.ErrOtherContract):
			return hint(fmt.Errorf("%s: %w; nothing was written", name, err), "import with the program that the servers run; if it is this one, run serve or migrate --documents first")
		case err != nil:
			return fmt.Errorf("%s: %w; nothing was written", name, err)
		}
		return nil
	})
	_ = bar.Finish()
	if err != nil {
		return err
	}
	reader.warn(t)
	_, _ = fmt.Fprintf(out, "%s: %d created, %d updated, %d unchanged, %d removed", c.Org, result.Created, result.Updated, result.Unchanged, result.Removed)
	if c.DryRun {
		_, _ = out.WriteString(" (dry run: nothing was written)")
	}
	_, _ = out.WriteString("\n")
	return out.Flush()
}

// rowReader parses rows. It remembers each id by its hash only: a million ids would take a hundred megabytes.
type rowReader struct {
	*importCmd
	contract *document.Contract
	unknown  map[string]int // number of webhooks by unknown property
	seed     maphash.Seed
	seen     map[uint64]uint32
	failed   error
}

// webhooks stops at the first invalid row. It reads ahead while the database works.
func (rr *rowReader) webhooks(rows feed) iter.Seq2[document.Document, error] {
	return func(yield func(document.Document, error) bool) {
		ready, stop := make(chan document.Document, 1000), make(chan struct{})
		defer close(stop)
		var failed error // set before ready is closed
		go func() {
			defer close(ready)
			failed = rows(func(r row) error {
				d, err := rr.parse(r)
				if err != nil {
					return err
				}
				select {
				case ready <- d:
					return nil
				case <-stop:
					return errStopped
				}
			})
			if failed == nil && len(rr.seen) == 0 && rr.Replace && !rr.Empty {
				failed = hint(errors.New("the input has no webhooks: --replace would remove all"), "pass --allow-empty to remove them")
			}
		}()
		for d := range ready {
			if !yield(d, nil) {
				return
			}
		}
		if rr.failed = failed; failed != nil {
			yield(document.Document{}, failed)
		}
	}
}

var errStopped = errors.New("the import has ended")

func (rr *rowReader) parse(r row) (document.Document, error) {
	if len(rr.seen) >= rr.Max {
		return document.Document{}, hint(fmt.Errorf("more than %d webhooks", rr.Max), "--max-webhooks allows more")
	}
	d, unknown, err := rr.contract.Parse(r.data)
	if errors.Is(err, secret.ErrMasked) {
		err = hint(err, "this is what packhooks list prints; packhooks export writes the secrets")
	} else if err != nil && len(unknown) > 0 {
		err = fmt.Errorf("%w; the contract has no %q", err, unknown)
	}
	if err == nil && rr.Strict && len(unknown) > 0 {
		err = fmt.Errorf("%s: unknown property", unknown[0])
	}
	if err != nil {
		return d, fmt.Errorf("%s: %w", r.place(r.number), err)
	}
	for _, name := range unknown {
		if _, ok := rr.unknown[name]; ok || len(rr.unknown) < 20 { // bounded
			rr.unknown[name]++
		}
	}
	hash := maphash.String(rr.seed, d.ID())
	if first, ok := rr.seen[hash]; ok {
		return d, fmt.Errorf("%s: id: %w %q, first used by %s", r.place(r.number), store.ErrDuplicateID, d.ID(), r.place(int(first)))
	}
	rr.seen[hash] = uint32(r.number)
	return d, nil
}

// warn reports ignored properties, which may be misspelt.
func (rr *rowReader) warn(t *terminal) {
	for _, name := range slices.Sorted(maps.Keys(rr.unknown)) {
		_, _ = fmt.Fprintf(t.Err, "%s ignored property %q of %s: not in the contract (--strict rejects it)\n",
			styled(t.Err, yellow, "packhooks: warning:"), name, count(rr.unknown[name], "webhook"))
	}
}
