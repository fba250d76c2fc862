package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/packhooks/packhooks/server/store"
)

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Create a token and print it once."`
	List   tokenListCmd   `cmd:"" help:"List all tokens, without the tokens themselves."`
	Revoke tokenRevokeCmd `cmd:"" help:"Revoke a token for good, from the next request on."`
}

type tokenCreateCmd struct {
	Org     []string `required:"" env:"-" help:"Organizations that the token may read."`
	Name    string   `env:"-" help:"What the token is for."`
	Expires lifetime `env:"-" default:"90d" help:"Lifetime of the token, in d, h, m or s; or never."`
	JSON    bool     `name:"json" env:"-" help:"Print the token and its id as JSON."`
	database
}

func (c *tokenCreateCmd) Run(ctx context.Context, t *terminal) error {
	if _, err := loadContract(c.Org...); err != nil {
		return err
	}
	return c.use(ctx, func(db store.Store) error {
		text, token, err := createToken(ctx, db, store.Token{Name: c.Name, Organizations: c.Org, ExpiresAt: c.Expires.from(time.Now())})
		if err != nil {
			return err
		}
		t.note("token", token.ID, "organizations", c.Org, "name", c.Name, "expires_at", date(token.ExpiresAt))
		for _, org := range c.Org {
			if page, err := db.ListWebhooks(ctx, store.PageQuery{OrganizationID: org, Limit: 1}); err == nil && len(page.Webhooks) == 0 {
				_, _ = fmt.Fprintf(t.Err, "packhooks: warning: %s has no webhooks in this database yet\n", org)
			}
		}
		signal.Ignore(syscall.SIGPIPE) // so that writing to a closed pipe is an error
		if err := c.print(t, text, token); err != nil {
			return fmt.Errorf("printing token: %w; %s", err, takeBack(ctx, db, token.ID))
		}
		return nil
	})
}

func (c *tokenCreateCmd) print(t *terminal, text string, token store.Token) error {
	if c.JSON {
		return printJSON(t.Out, struct {
			tokenJSON
			Token string `json:"token"`
		}{describeToken(token), text})
	}
	if _, err := fmt.Fprintln(t.Out, text); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(t.Err, "packhooks: created token %s; it is not shown again\n", token.ID)
	return nil
}

// takeBack revokes a token that could not be printed, and describes the outcome.
func takeBack(ctx context.Context, db store.Store, id string) string {
	if err := db.RevokeToken(context.WithoutCancel(ctx), id); err != nil {
		return fmt.Sprintf("token %s could not be revoked and is still active: %v", id, err)
	}
	return fmt.Sprintf("token %s was revoked", id)
}

func createToken(ctx context.Context, db store.Store, token store.Token) (string, store.Token, error) {
	text := store.NewToken()
	hash, _ := store.HashToken(text)
	token, err := db.CreateToken(ctx, hash, token)
	return text, token, err
}

// tokenJSON is a token as --json prints it. A time that is not set is null.
type tokenJSON struct {
	ID            string     `json:"id"`
	Status        string     `json:"status"`
	Name          string     `json:"name"`
	Organizations []string   `json:"organizations"`
	CreatedAt     time.Time  `json:"created_at"`
	ExpiresAt     *time.Time `json:"expires_at"`
	RevokedAt     *time.Time `json:"revoked_at"`
	LastUsedAt    *time.Time `json:"last_used_at"`
}

func describeToken(t store.Token) tokenJSON {
	optional := func(at time.Time) *time.Time {
		if at.IsZero() {
			return nil
		}
		return &at
	}
	return tokenJSON{t.ID, tokenStatus(t, time.Now()), t.Name, t.Organizations, t.CreatedAt, optional(t.ExpiresAt), optional(t.RevokedAt), optional(t.LastUsedAt)}
}

func printJSON(out io.Writer, value any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(value)
}

type tokenListCmd struct {
	JSON bool `name:"json" env:"-" help:"Print JSON instead of a table."`
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
	described := []tokenJSON{}
	rows := [][]string{{"ID", "STATUS", "CREATED", "EXPIRES", "LAST USED", "ORGANIZATIONS", "NAME"}}
	for _, token := range tokens {
		described = append(described, describeToken(token))
		rows = append(rows, []string{token.ID, tokenStatus(token, time.Now()), date(token.CreatedAt), date(token.ExpiresAt), date(token.LastUsedAt),
			printable(strings.Join(token.Organizations, ",")), printable(token.Name)})
	}
	if c.JSON {
		return printJSON(t.Out, described)
	}
	return writeColumns(t.Out, rows)
}

func tokenStatus(token store.Token, now time.Time) string {
	switch {
	case token.Altered:
		return "altered"
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
	ID string `arg:"" help:"Token ID, as shown by packhooks token list."`
	database
}

func (c *tokenRevokeCmd) Run(ctx context.Context, t *terminal) error {
	return c.useExisting(ctx, func(db store.Store) error {
		tokens, err := db.ListTokens(ctx)
		if err != nil {
			return err
		}
		t.note("token", c.ID)
		if err := db.RevokeToken(ctx, c.ID); err != nil {
			return err
		}
		did := "revoked"
		for _, token := range tokens {
			if token.ID == c.ID && !token.Altered && !token.RevokedAt.IsZero() {
				did = "already revoked at " + date(token.RevokedAt)
			}
		}
		_, err = fmt.Fprintf(t.Out, "%s: %s\n", c.ID, did)
		return err
	})
}

// lifetime is a duration that may also be given in days of 24 hours.
type lifetime time.Duration

// UnmarshalText reads 90d, 36h or 1h30m.
func (l *lifetime) UnmarshalText(text []byte) error {
	if string(text) == "never" {
		*l = 0
		return nil
	}
	d, err := time.ParseDuration(string(text))
	if days, ok := strings.CutSuffix(string(text), "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is not a lifetime such as 90d, 12h or never", text)
	}
	*l = lifetime(d)
	return nil
}

// from returns the expiry; zero for never.
func (l lifetime) from(now time.Time) time.Time {
	if l == 0 {
		return time.Time{}
	}
	return now.Add(time.Duration(l))
}
