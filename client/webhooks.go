package packhooks

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"math"
	"net/http"

	"github.com/packhooks/packhooks/client/internal/clientapi"
)

// A WebhookPage is one page of an organization's webhooks.
type WebhookPage struct {
	Webhooks []Webhook
	PerPage  int      // the most that the page may hold; 0 when the server did not say
	Prev     string   // link to the previous page; empty on the first
	Next     string   // link to the next page; empty on the last. Store it to resume: see FromPage
	Response Response // status, request id and headers

	walk walk
}

// A walk is the position of a page in a sequence of pages in one direction.
type walk struct {
	client       *Client // nil for a page that was not fetched
	organization string
	options      ListOptions
	trail        *trail
	backward     bool
	empty        int // pages in a row, up to this page
}

// ListOptions are the combined options of a call. A fake of Client gets them from NewListOptions.
type ListOptions struct {
	PerPage   int         // see PerPage; 0 when not given
	Link      string      // see FromPage; empty when not given
	RequestID string      // see WithRequestID; empty when not given
	Header    http.Header // see WithHeader; nil when not given
}

// A ListOption says how to list.
type ListOption func(*ListOptions) error

// NewListOptions applies opts. Invalid options are errors ([ErrInvalidArgument]).
func NewListOptions(opts ...ListOption) (o ListOptions, err error) {
	err = apply(&o, opts)
	return o, err
}

// PerPage asks for pages of at most n webhooks. The contract's default is 25 and its maximum 100. Without it, the
// server decides.
func PerPage(n int) ListOption {
	return option(n >= 1 && n <= math.MaxInt32, func(o *ListOptions) { o.PerPage = n }, "%d webhooks per page: want at least 1", n)
}

// FromPage begins at the page of link, which is the Prev or Next of an earlier page. The page size of the link
// overrides PerPage. An empty link is ErrNoPage, and one of another organization ErrMalformedPage.
func FromPage(link string) ListOption {
	return func(o *ListOptions) error {
		if o.Link = link; link == "" {
			return fmt.Errorf("%w: the link is empty", ErrNoPage)
		}
		return nil
	}
}

// WithRequestID sends id as X-Request-Id, for the server's log.
func WithRequestID(id string) ListOption {
	return option(id != "" && visible(id), func(o *ListOptions) { o.RequestID = id }, "the request id is not printable ASCII")
}

// WithHeader sends a further header with each request of the call. Headers that this package sets, or that change
// how the body is read, are rejected.
func WithHeader(name, value string) ListOption {
	return func(o *ListOptions) error {
		o.Header = maps.Clone(o.Header)
		if o.Header == nil {
			o.Header = http.Header{}
		}
		o.Header.Add(name, value)
		switch http.CanonicalHeaderKey(name) {
		case "", "Accept", "Accept-Encoding", "Authorization", "Connection", "Content-Length", "Host", "Range", "Transfer-Encoding", "User-Agent":
			return invalid("header %q cannot be set", name)
		}
		return check(visible(name) && visible(value), "header %q is not printable ASCII", name)
	}
}

// ListWebhooks returns one page of the organization's webhooks: the first, unless FromPage names another.
func (c *Client) ListWebhooks(ctx context.Context, organizationID string, opts ...ListOption) (*WebhookPage, error) {
	options, err := NewListOptions(opts...)
	if err != nil {
		return nil, listError(organizationID, err)
	}
	return walk{client: c, organization: organizationID, options: options}.fetch(ctx, options.Link)
}

// WebhookPages returns the organization's webhooks page by page, fetching each when the loop comes to it. Each range
// starts a new walk. On error it yields (nil, err) once and stops.
func (c *Client) WebhookPages(ctx context.Context, organizationID string, opts ...ListOption) iter.Seq2[*WebhookPage, error] {
	return func(yield func(*WebhookPage, error) bool) {
		page, err := c.ListWebhooks(ctx, organizationID, opts...)
		for yield(page, err) && err == nil && page.Next != "" {
			page, err = page.NextPage(ctx)
		}
	}
}

// Webhooks returns the organization's webhooks, fetching each page when the loop comes to it. Each range starts a
// new walk. On error it yields a zero Webhook and the error once and stops.
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

// NextPage fetches the page after p. After the last page it returns ErrNoPage.
func (p *WebhookPage) NextPage(ctx context.Context) (*WebhookPage, error) { return p.turn(ctx, false) }

// PrevPage fetches the page before p. Before the first page it returns ErrNoPage.
func (p *WebhookPage) PrevPage(ctx context.Context) (*WebhookPage, error) { return p.turn(ctx, true) }

func (p *WebhookPage) turn(ctx context.Context, backward bool) (*WebhookPage, error) {
	if p == nil || p.walk.client == nil {
		return nil, invalid("turning a page: the page was not fetched by a Client")
	}
	w, link := p.walk, p.Next
	if backward {
		link = p.Prev
	}
	if link == "" {
		return nil, listError(w.organization, ErrNoPage)
	}
	if w.backward != backward { // a new walk in the other direction
		w.trail, _ = (*trail)(nil).step(w.trail.query)
		w.backward, w.empty = backward, 0
	}
	return w.fetch(ctx, link)
}

// fetch returns the page of link, or the first one, that comes after that of w.
func (w walk) fetch(ctx context.Context, link string) (page *WebhookPage, err error) {
	defer func() { err = listError(w.organization, err) }()
	switch id := w.organization; {
	case w.client == nil || w.client.sender == nil:
		return nil, invalid("the client was not made by New")
	case ctx == nil:
		return nil, invalid("the context is nil")
	case id == "" || id == "." || id == "..": // the request would be for another path
		return nil, invalid(`the organization id is empty, "." or ".."`)
	}
	s := w.client.sender()
	req, err := w.request(ctx, s, link)
	if err != nil {
		return nil, err
	}
	if w.trail, err = w.trail.step(req.URL.RawQuery); err != nil {
		return nil, err
	}
	err = s.send(req, func(r Response, body []byte) (err error) {
		page, err = decodePage(ctx, r, body)
		return err
	})
	if err != nil {
		return nil, err
	}
	if w.empty++; len(page.Webhooks) > 0 {
		w.empty = 0
	}
	if w.empty > maxEmpty && page.Next != "" {
		return nil, fmt.Errorf("%w: %d pages in a row are empty", ErrMalformedPage, w.empty)
	}
	page.walk = w
	return page, nil
}

// request returns the request for the page of link, or for the first one.
func (w *walk) request(ctx context.Context, s *sender, link string) (*http.Request, error) {
	var params clientapi.ListWebhooksParams
	if w.options.PerPage > 0 {
		size := clientapi.PerPage(w.options.PerPage)
		params.PerPage = &size
	}
	req, err := clientapi.NewListWebhooksRequest(s.baseURL.String(), w.organization, &params)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidArgument, err)
	}
	if w.options.Header != nil {
		req.Header = w.options.Header.Clone()
	}
	if w.options.RequestID != "" {
		req.Header.Set(requestIDHeader, w.options.RequestID)
	}
	if link != "" {
		err = follow(req, link, s.baseURL)
	}
	return req.WithContext(ctx), err
}

func listError(organizationID string, err error) error {
	if err == nil {
		return nil
	}
	return &callError{fmt.Sprintf("listing webhooks of %q", organizationID), err}
}

// Collect returns the items of a walk, such as Client.Webhooks. On error it returns those before it. More than
// limit are ErrTooMany, with the first limit of them.
func Collect[T any](walk iter.Seq2[T, error], limit int) (items []T, err error) {
	for item, err := range walk {
		if err == nil && len(items) >= limit {
			err = fmt.Errorf("%w: more than %d", ErrTooMany, limit)
		}
		if err != nil {
			return items, err
		}
		items = append(items, item)
	}
	return items, nil
}
