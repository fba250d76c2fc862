package packhooks

import (
	"cmp"
	"context"
	"net"
	"net/url"
	"strings"

	"github.com/packhooks/packhooks/client/internal/clientapi"
)

// DefaultBaseURL is the first server of the contract. A Client talks to it unless WithBaseURL names another.
const DefaultBaseURL = clientapi.ServerURLPackCloud

// A Client reads from the API. Make it with New. It is safe for concurrent use.
type Client struct {
	// A function hides the transport, whose buffers hold the token, from printing by reflection.
	sender func() *sender
}

// New returns a Client that authenticates with token. It makes no request. A token that a header cannot carry and
// invalid options are errors ([ErrInvalidArgument]). The token has to be empty with [WithTokenSource].
func New(token string, opts ...Option) (*Client, error) {
	cfg := defaults()
	err := apply(&cfg, opts)
	switch {
	case err != nil:
	case cfg.token == nil:
		err = checkToken(token)
		fixed := NewSecret(token)
		cfg.token = func(context.Context) (string, error) { return fixed.Reveal(), nil }
	case token != "":
		err = invalid("there are a token and a token source")
	}
	if err != nil {
		return nil, &callError{"creating client", err}
	}
	s := &sender{config: cfg, client: *cfg.http}
	return &Client{func() *sender { return s }}, nil
}

// CloseIdleConnections closes connections that wait for a further request. Clients without WithHTTPClient share
// theirs. Tests that look for leaked goroutines call it.
func (c *Client) CloseIdleConnections() {
	if c != nil && c.sender != nil {
		c.sender().client.CloseIdleConnections()
	}
}

func checkToken(token string) error {
	return cmp.Or(check(token != "", "the token is empty"), check(visible(token) && !strings.Contains(token, " "),
		"the token holds a space, a line break or another character that a header cannot carry"))
}

// visible reports whether text is printable ASCII.
func visible(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// parseBaseURL returns text with its path cleaned and ended by a slash. Its errors do not repeat text, which may
// hold a password.
func parseBaseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, invalid("the base URL is not a URL")
	}
	_, err = net.LookupPort("tcp", portOf(u))
	switch {
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, invalid("the base URL needs http:// or https:// and a host")
	case err != nil || portOf(u) == "0":
		return nil, invalid("the base URL has a port that does not exist")
	case u.User != nil:
		return nil, invalid("the base URL has a user or password; the token authenticates")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return nil, invalid("the base URL has a query or a fragment")
	}
	return u.JoinPath("/"), nil
}

// origin returns u's scheme, host and port (RFC 6454), the port also where it is the scheme's own.
func origin(u *url.URL) string {
	return u.Scheme + "://" + net.JoinHostPort(u.Hostname(), portOf(u))
}

func portOf(u *url.URL) string {
	return cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}
