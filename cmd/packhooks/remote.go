package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"

	client "github.com/packhooks/packhooks/client"
	"github.com/packhooks/packhooks/server"
)

// credentials hold the API token. The environment counts only if neither flag is set.
type credentials struct {
	Token     string `env:"-" xor:"token" help:"API token. Other users of the machine can see flags; prefer PACKHOOKS_TOKEN."`
	TokenFile string `env:"-" xor:"token" type:"existingfile" placeholder:"FILE" help:"File that contains the API token. Or PACKHOOKS_TOKEN_FILE."`
}

// remote has the flags of commands that read from a server.
type remote struct {
	Org     string `required:"" help:"Organization to read."`
	URL     string `default:"http://127.0.0.1:8080${base_path}" help:"URL of the server, including its base path."`
	PerPage int    `default:"${largest_page}" help:"Webhooks per request."`
	credentials
}

// read returns the token, which may be empty: check also works without one.
func (c credentials) read() (string, error) {
	if c.Token == "" && c.TokenFile == "" {
		c = credentials{Token: os.Getenv("PACKHOOKS_TOKEN"), TokenFile: os.Getenv("PACKHOOKS_TOKEN_FILE")}
	}
	if c.TokenFile == "" {
		return c.Token, nil
	}
	data, err := os.ReadFile(c.TokenFile)
	return strings.TrimSpace(string(data)), err
}

func (c credentials) client(url string) (*client.Client, error) {
	token, err := c.read()
	if err != nil {
		return nil, err
	}
	if token == "" {
		return nil, hint(errors.New("no token"), "set PACKHOOKS_TOKEN or --token-file; packhooks token create creates a token for your own server")
	}
	if !strings.Contains(url, "://") {
		return nil, hint(fmt.Errorf("--url %q has no scheme", url), "--url %s or %s", withBasePath("http://"+url), withBasePath("https://"+url))
	}
	return client.New(token, client.WithBaseURL(url))
}

// explain adds a hint to an error of the client.
func explain(err error, url string) error {
	var response *client.Error
	switch {
	case errors.Is(err, client.ErrUnauthorized):
		return hint(err, "PACKHOOKS_TOKEN or --token-file must contain a token that %s accepts", url)
	case errors.Is(err, client.ErrForbidden):
		return hint(err, "packhooks token create --org ORG creates a token for another organization")
	case errors.Is(err, client.ErrNotFound):
		return hint(err, "--url names a server of this API with its base path; perhaps %s", origin(url)+server.DefaultBasePath)
	case errors.Is(err, http.ErrSchemeMismatch):
		return hint(err, "the server speaks plain HTTP: --url http://%s", strings.TrimPrefix(url, "https://"))
	case errors.As(err, &response) && response.StatusCode == http.StatusBadRequest && strings.Contains(string(response.Body), "HTTPS server"):
		return hint(err, "the server speaks HTTPS: --url https://%s", strings.TrimPrefix(url, "http://"))
	case errors.Is(err, syscall.ECONNREFUSED):
		return hint(err, "nothing is listening at %s: start packhooks serve, or set --url", url)
	}
	return err
}

// withBasePath adds the default base path to a URL without a path.
func withBasePath(url string) string {
	if trimmed := strings.TrimRight(url, "/"); trimmed == origin(url) {
		return trimmed + server.DefaultBasePath
	}
	return url
}

func origin(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return text
	}
	return u.Scheme + "://" + u.Host
}
