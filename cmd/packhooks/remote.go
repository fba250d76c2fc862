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

// credentials are what a server of the API wants to see. A variable counts only when neither flag is there.
type credentials struct {
	Token     string `env:"-" xor:"token" help:"Token to read with. Other users of the machine see flags; PACKHOOKS_TOKEN they do not."`
	TokenFile string `env:"-" xor:"token" type:"existingfile" placeholder:"FILE" help:"File that holds the token to read with. Or PACKHOOKS_TOKEN_FILE."`
}

// remote is an organization's webhooks on a server of the API.
type remote struct {
	Org     string `required:"" help:"Organization to read."`
	URL     string `default:"http://127.0.0.1:8080${base_path}" help:"Server to read from, with its base path."`
	PerPage int    `default:"${largest_page}" help:"Webhooks to ask for at a time."`
	credentials
}

// read returns the token, or nothing: a server that asks for none can be checked without one.
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
		return nil, hint(errors.New("no token"), "set PACKHOOKS_TOKEN or --token-file; packhooks token create makes a token for your own server")
	}
	if !strings.Contains(url, "://") {
		return nil, hint(fmt.Errorf("--url %q has no scheme", url), "--url %s or %s", withBasePath("http://"+url), withBasePath("https://"+url))
	}
	return client.New(token, client.WithBaseURL(url))
}

// explain adds the next step to what a server of the API answered.
func explain(err error, url string) error {
	var response *client.Error
	switch {
	case errors.Is(err, client.ErrUnauthorized):
		return hint(err, "PACKHOOKS_TOKEN or --token-file must hold a token of %s", url)
	case errors.Is(err, client.ErrForbidden):
		return hint(err, "packhooks token create --org ORG makes a token that covers another organization")
	case errors.Is(err, client.ErrNotFound):
		return hint(err, "--url names a server of this API with its base path; perhaps %s", origin(url)+server.DefaultBasePath)
	case errors.Is(err, http.ErrSchemeMismatch):
		return hint(err, "the server speaks plain HTTP: --url http://%s", strings.TrimPrefix(url, "https://"))
	case errors.As(err, &response) && response.StatusCode == http.StatusBadRequest && strings.Contains(string(response.Body), "HTTPS server"):
		return hint(err, "the server speaks HTTPS: --url https://%s", strings.TrimPrefix(url, "http://"))
	case errors.Is(err, syscall.ECONNREFUSED):
		return hint(err, "nothing answers at %s: start packhooks serve, or name another server by --url", url)
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
