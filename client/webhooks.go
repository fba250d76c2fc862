package packhooks

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/packhooks/packhooks/client/internal/clientapi"
)

// A WebhookPage is one page of an organization's webhooks.
type WebhookPage struct {
	Webhooks []Webhook
	PerPage  int    // the most that the page may hold; 0 when the server did not say
	Prev     string // link to the page before; empty on the first
	Next     string // link to the page after; empty on the last. Store it to resume: see FromPage

	client       *Client
	organization string
	walk         *walk
}

// A ListOption says where and how to begin listing.
type ListOption func(*listing) error

type listing struct {
	params clientapi.ListWebhooksParams
	link   string
}

// PerPage asks for pages of at most n items. The server's default is 25 and its maximum 100.
func PerPage(n int) ListOption {
	return func(l *listing) error {
		if n < 1 || n > math.MaxInt32 {
			return fmt.Errorf("%d items per page: want at least 1", n)
		}
		size := clientapi.PerPage(n)
		l.params.PerPage = &size
		return nil
	}
}

// FromPage begins at the page of link, which is the Prev or Next of an earlier page. An empty link is ErrNoPage;
// one of another organization is ErrMalformedPage. It cannot be combined with PerPage: the link has its own.
func FromPage(link string) ListOption {
	return func(l *listing) error {
		if link == "" {
			return fmt.Errorf("%w: the link is empty", ErrNoPage)
		}
		l.link = link
		return nil
	}
}

// ListWebhooks returns one page of the organization's webhooks: the first, unless FromPage names another.
func (c *Client) ListWebhooks(ctx context.Context, organizationID string, opts ...ListOption) (*WebhookPage, error) {
	var l listing
	for _, opt := range opts {
		if err := opt(&l); err != nil {
			return nil, listError(organizationID, err)
		}
	}
	if l.link != "" && l.params.PerPage != nil {
		return nil, listError(organizationID, errors.New("FromPage and PerPage exclude each other"))
	}
	return c.webhookPage(ctx, organizationID, &l.params, l.link, nil, forward)
}

// WebhookPages returns the organization's webhooks page by page. The walk begins anew each time that it is ranged
// over; an error comes once, with a nil page, and ends it.
func (c *Client) WebhookPages(ctx context.Context, organizationID string, opts ...ListOption) iter.Seq2[*WebhookPage, error] {
	return func(yield func(*WebhookPage, error) bool) {
		page, err := c.ListWebhooks(ctx, organizationID, opts...)
		for yield(page, err) && err == nil && page.Next != "" {
			page, err = page.NextPage(ctx)
		}
	}
}

// Webhooks returns the organization's webhooks, fetching each page when the loop comes to it. The walk begins anew
// each time that it is ranged over; an error comes once, with a zero Webhook, and ends it.
func (c *Client) Webhooks(ctx context.Context, organizationID string, opts ...ListOption) iter.Seq2[Webhook, error] {
	return func(yield func(Webhook, error) bool) {
		for page, err := range c.WebhookPages(ctx, organizationID, opts...) {
			if err != nil {
				yield(Webhook{}, err)
				return
			}
			for _, w := range page.Webhooks {
				if !yield(w, nil) {
					return
				}
			}
		}
	}
}

// NextPage fetches the page after p. After the last page it is ErrNoPage.
func (p *WebhookPage) NextPage(ctx context.Context) (*WebhookPage, error) {
	return p.turn(ctx, forward, p.Next)
}

// PrevPage fetches the page before p. Before the first page it is ErrNoPage.
func (p *WebhookPage) PrevPage(ctx context.Context) (*WebhookPage, error) {
	return p.turn(ctx, backward, p.Prev)
}

func (p *WebhookPage) turn(ctx context.Context, d direction, link string) (*WebhookPage, error) {
	if link == "" || p.client == nil {
		return nil, listError(p.organization, ErrNoPage)
	}
	return p.client.webhookPage(ctx, p.organization, nil, link, p.walk, d)
}

// webhookPage fetches the page of link, or the first one by params, that lies in direction d of from.
func (c *Client) webhookPage(ctx context.Context, organizationID string, params *clientapi.ListWebhooksParams, link string, from *walk, d direction) (*WebhookPage, error) {
	if err := checkSegment(organizationID); err != nil {
		return nil, listError(organizationID, err)
	}
	var at *walk
	resp, err := c.api.ListWebhooks(ctx, organizationID, params, c.follow(link), from.arrive(d, &at))
	if err != nil {
		return nil, listError(organizationID, err)
	}
	page, err := decodeWebhookPage(content(resp))
	if err != nil {
		return nil, listError(organizationID, err)
	}
	page.client, page.organization, page.walk = c, organizationID, at
	return page, nil
}

func listError(organizationID string, err error) error {
	return &callError{fmt.Sprintf("listing webhooks of %q", organizationID), err}
}

// A wireWebhook tells an enabled that is false from one that is missing. It is an any because a pointer would be
// one more allocation a webhook; the other required fields have no valid zero value.
type wireWebhook struct {
	Webhook
	Enabled any `json:"enabled"`
}

// missing names a required field that w has not, or returns "".
func (w *wireWebhook) missing() string {
	switch {
	case w.ID == "":
		return "id"
	case w.Endpoint == "":
		return "endpoint"
	case w.Secret.IsZero():
		return "secret"
	case w.CreatedAt.IsZero():
		return "created_at"
	case w.UpdatedAt.IsZero():
		return "updated_at"
	}
	return ""
}

func decodeWebhookPage(body []byte) (*WebhookPage, error) {
	wire, err := decodePage[wireWebhook](body)
	if err != nil {
		return nil, err
	}
	page := &WebhookPage{
		Webhooks: make([]Webhook, len(wire.Data)),
		PerPage:  int(value(wire.Meta.PerPage)),
		Prev:     value(wire.Links.Prev),
		Next:     value(wire.Links.Next),
	}
	for i := range wire.Data {
		item := &wire.Data[i]
		enabled, ok := item.Enabled.(bool)
		if field := item.missing(); field != "" {
			return nil, fmt.Errorf("%w: data[%d] has no %s", ErrMalformedPage, i, field)
		} else if !ok {
			return nil, fmt.Errorf("%w: data[%d] has no boolean enabled", ErrMalformedPage, i)
		}
		page.Webhooks[i] = item.Webhook
		page.Webhooks[i].Enabled = enabled
	}
	return page, nil
}
