package packhooks

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/packhooks/packhooks/client/internal/clientapi"
)

// DefaultBaseURL is the service that a Client talks to unless WithBaseURL names another.
const DefaultBaseURL = clientapi.ServerURLPackCloud

// A Client reads from the API with one token. It is safe for concurrent use; make it with New.
type Client struct {
	api  *clientapi.Client
	base *url.URL
}

// New returns a Client that sends token. It makes no request; it refuses a token that no header can carry and
// options that make no sense.
func New(token string, opts ...Option) (*Client, error) {
	if token == "" {
		return nil, errors.New("creating client: the token is empty")
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("creating client: the token holds a space, a line break or another character that a header cannot carry")
	}
	cfg := defaults()
	for _, opt := range opts {
		if err := opt(cfg); err != nil {
			return nil, fmt.Errorf("creating client: %w", err)
		}
	}
	api, err := clientapi.NewClient(cfg.baseURL.String(), clientapi.WithHTTPClient(newDoer(NewSecret(token), cfg)))
	if err != nil {
		return nil, fmt.Errorf("creating client: %w", err)
	}
	return &Client{api: api, base: cfg.baseURL}, nil
}

// parseBaseURL returns text with its path cleaned and ended by a slash. Its errors never repeat text, which may
// hold a password.
func parseBaseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("base URL: not a URL")
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, errors.New("base URL: want http:// or https:// and a host")
	case u.User != nil:
		return nil, errors.New("base URL: user and password are not allowed in it; the token authenticates")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return nil, errors.New("base URL: a query or fragment is not allowed in it")
	}
	return u.JoinPath("/"), nil
}

// checkSegment refuses the ids that would make a request for another path than the operation's.
func checkSegment(id string) error {
	if id == "" || id == "." || id == ".." {
		return errors.New(`the organization id must not be empty, "." or ".."`)
	}
	return nil
}

// sameOperationOnly is the redirect policy: the token goes nowhere but to base's scheme, host and port, and what is
// answered there is the list that was asked for, not another organization's.
func sameOperationOnly(base *url.URL, next func(*http.Request, []*http.Request) error) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		if !strings.EqualFold(origin(req.URL), origin(base)) {
			return fmt.Errorf("%w: from %s to %s", ErrCrossOrigin, origin(base), origin(req.URL))
		}
		if operation := operationOf(via[0], base); !endsIn(req.URL.EscapedPath(), operation) {
			return fmt.Errorf("%w: a redirect does not lead to %q", ErrMalformedPage, operation)
		}
		if next != nil {
			return next(req, via)
		}
		if len(via) >= maxRedirects {
			return errRedirects
		}
		return nil
	}
}

const maxRedirects = 10

var errRedirects = fmt.Errorf("stopped after %d redirects", maxRedirects)

// origin returns u's scheme, host and port, the port also where it is the scheme's own.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + net.JoinHostPort(u.Hostname(), port)
}
