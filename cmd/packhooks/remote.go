package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strings"
	"syscall"

	client "github.com/packhooks/packhooks/client"
)

// credentials are what a server of the API wants to see. A variable counts only when neither flag is there.
type credentials struct {
	Token     string `env:"-" xor:"token" help:"Token to read with. Other users of the machine see flags; PACKHOOKS_TOKEN they do not."`
	TokenFile string `env:"-" xor:"token" type:"existingfile" placeholder:"FILE" help:"File that holds the token to read with. Or PACKHOOKS_TOKEN_FILE."`
}

// remote is an organization's webhooks on a server of the API.
type remote struct {
	Org     string `required:"" help:"Organization to read."`
	URL     string `default:"http://127.0.0.1:8080/v1" help:"Server to read from, with its base path."`
	PerPage int    `default:"100" help:"Webhooks to ask for at a time."`
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
		return nil, hint(fmt.Errorf("--url %q has no scheme", url), "--url http://%s or https://%s", url, url)
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
		return hint(err, "--url names the server with its base path, such as %s/v1", strings.TrimSuffix(strings.TrimRight(url, "/"), "/v1"))
	case errors.Is(err, http.ErrSchemeMismatch):
		return hint(err, "the server speaks plain HTTP: --url http://%s", strings.TrimPrefix(url, "https://"))
	case errors.As(err, &response) && response.StatusCode == http.StatusBadRequest && strings.Contains(string(response.Body), "HTTPS server"):
		return hint(err, "the server speaks HTTPS: --url https://%s", strings.TrimPrefix(url, "http://"))
	case errors.Is(err, syscall.ECONNREFUSED):
		return hint(err, "nothing answers at %s: start packhooks serve, or name another server by --url", url)
	}
	return err
}

// reveal is a webhook that marshals with its secrets: every property that the contract calls a password.
func reveal(w client.Webhook) any {
	masked := reflect.ValueOf(w)
	fields := reflect.VisibleFields(masked.Type())
	for i := range fields {
		switch fields[i].Type {
		case reflect.TypeFor[client.Secret]():
			fields[i].Type = reflect.TypeFor[string]()
		case reflect.TypeFor[*client.Secret]():
			fields[i].Type = reflect.TypeFor[*string]()
		}
	}
	clear := reflect.New(reflect.StructOf(fields)).Elem()
	for i := range fields {
		switch value := masked.Field(i).Interface().(type) {
		case client.Secret:
			clear.Field(i).SetString(value.Reveal())
		case *client.Secret:
			if value != nil {
				text := value.Reveal()
				clear.Field(i).Set(reflect.ValueOf(&text))
			}
		default:
			clear.Field(i).Set(masked.Field(i))
		}
	}
	return clear.Interface()
}
