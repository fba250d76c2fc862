package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/packhooks/packhooks/server/store"
)

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Create a token and print it, this once."`
	List   tokenListCmd   `cmd:"" help:"List all tokens, without their text."`
	Revoke tokenRevokeCmd `cmd:"" help:"Revoke a token for good, within a second on every running server."`
}

type tokenCreateCmd struct {
	Org     []string `required:"" env:"-" help:"Organizations that the token may read."`
	Name    string   `env:"-" help:"What the token is for."`
	Expires lifetime `env:"-" placeholder:"90d" help:"How long the token is good for, in d, h, m or s. Default: for ever."`
	database
}

func (c *tokenCreateCmd) Run(ctx context.Context, t *terminal) error {
	if _, err := loadContract(c.Org...); err != nil {
		return err
	}
	return c.use(ctx, func(db store.Store) error {
		text, err := createToken(ctx, db, store.Token{Name: c.Name, Organizations: c.Org, ExpiresAt: c.Expires.from(time.Now())})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(t.Out, text)
		return err
	})
}

func createToken(ctx context.Context, db store.Store, token store.Token) (string, error) {
	text := store.NewToken()
	hash, _ := store.HashToken(text)
	_, err := db.CreateToken(ctx, hash, token)
	return text, err
}

type tokenListCmd struct {
	database
}

func (c *tokenListCmd) Run(ctx context.Context, t *terminal) error {
	var tokens []store.Token
	err := c.useExisting(ctx, func(db store.Store) (err error) {
		tokens, err = db.ListTokens(ctx)
		return err
	})
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(t.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ID\tSTATUS\tCREATED\tEXPIRES\tORGANIZATIONS\tNAME")
	for _, token := range tokens {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", token.ID, tokenStatus(token, time.Now()), date(token.CreatedAt),
			date(token.ExpiresAt), printable(strings.Join(token.Organizations, ",")), printable(token.Name))
	}
	return table.Flush()
}

func tokenStatus(token store.Token, now time.Time) string {
	switch {
	case !token.RevokedAt.IsZero():
		return "revoked"
	case !token.ExpiresAt.IsZero() && !now.Before(token.ExpiresAt):
		return "expired"
	}
	return "active"
}

func date(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}

type tokenRevokeCmd struct {
	ID string `arg:"" help:"Token to revoke, by its id in packhooks token list."`
	database
}

func (c *tokenRevokeCmd) Run(ctx context.Context) error {
	return c.useExisting(ctx, func(db store.Store) error { return db.RevokeToken(ctx, c.ID) })
}

// lifetime is a duration that may also be counted in days, which are 24 hours.
type lifetime time.Duration

// UnmarshalText reads 90d, 36h or 1h30m.
func (l *lifetime) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if days, ok := strings.CutSuffix(string(text), "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is not a lifetime such as 90d or 12h", text)
	}
	*l = lifetime(d)
	return nil
}

// from is when it ends: never, if there is none.
func (l lifetime) from(now time.Time) time.Time {
	if l == 0 {
		return time.Time{}
	}
	return now.Add(time.Duration(l))
}
