package main

import (
	"encoding/json"
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
func reveal(w client.Webhook) any { return revealed(reflect.ValueOf(w)).Interface() }

// revealed is a value of the same JSON, but for the secrets in it.
func revealed(v reflect.Value) reflect.Value {
	switch {
	case v.Type() == reflect.TypeFor[client.Secret]():
		return reflect.ValueOf(v.Interface().(client.Secret).Reveal())
	case v.Type().Implements(reflect.TypeFor[json.Marshaler]()):
	case v.Kind() == reflect.Pointer && !v.IsNil():
		plain := revealed(v.Elem())
		pointer := reflect.New(plain.Type())
		pointer.Elem().Set(plain)
		return pointer
	case v.Kind() == reflect.Slice && !v.IsNil() && v.Type().Elem().Kind() != reflect.Uint8:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = revealed(v.Index(i)).Interface()
		}
		return reflect.ValueOf(list)
	case v.Kind() == reflect.Struct:
		fields, values := reflect.VisibleFields(v.Type()), make([]reflect.Value, v.NumField())
		for i := range fields {
			values[i] = revealed(v.Field(i))
			fields[i].Type = values[i].Type()
		}
		plain := reflect.New(reflect.StructOf(fields)).Elem()
		for i := range values {
			plain.Field(i).Set(values[i])
		}
		return plain
	}
	return v
}
