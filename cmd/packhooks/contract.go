package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/packhooks/packhooks/api"
	"github.com/packhooks/packhooks/client/secret"
	"github.com/packhooks/packhooks/gen/serverapi"
	"github.com/packhooks/packhooks/server"
	"github.com/packhooks/packhooks/server/store"
)

// contract holds what enters the database to the schemas of the API, so that the server can answer with it.
type contract struct {
	webhook, page *openapi3.Schema
}

// loadContract also refuses organizations that no request could ever name.
func loadContract(organizations ...string) (*contract, error) {
	doc, err := openapi3.NewLoader().LoadFromData(api.Spec)
	if err != nil {
		return nil, fmt.Errorf("loading contract: %w", err)
	}
	schema := doc.Components.Parameters["OrganizationId"].Value.Schema.Value
	for _, id := range organizations {
		if err := schema.VisitJSON(id); err != nil {
			return nil, fmt.Errorf("organization %q: %w", id, reason(err))
		}
	}
	schemas := doc.Components.Schemas
	return &contract{webhook: schemas["Webhook"].Value, page: schemas["WebhookPage"].Value}, nil
}

// storeWebhook reads a webhook as the API prints them.
func (c *contract) storeWebhook(data []byte) (store.Webhook, error) {
	fields, err := parseObject(data)
	if err != nil {
		return store.Webhook{}, err
	}
	maps.DeleteFunc(fields, func(name string, value any) bool { // a vendor may write null for what is absent
		return value == nil && c.webhook.Properties[name] != nil && !slices.Contains(c.webhook.Required, name)
	})
	if err := c.webhook.VisitJSON(fields, openapi3.WithStringFormatValidator("date-time", openapi3.NewCallbackValidator(checkTime))); err != nil {
		return store.Webhook{}, reason(err)
	}
	for name, property := range c.webhook.Properties {
		if property.Value.Format == "password" && fields[name] == secret.Mask {
			return store.Webhook{}, fmt.Errorf("%s: %w", name, secret.ErrMasked)
		}
		for other := range fields { // encoding/json would take it for name, unvalidated
			if other != name && strings.EqualFold(other, name) {
				return store.Webhook{}, fmt.Errorf("%s: the name is %q", other, name)
			}
		}
	}
	var w serverapi.Webhook
	err = json.Unmarshal(data, &w)
	return server.StoreWebhook(w), err
}

// checkTime refuses what matches the format and still could not be answered with: a day that does not exist, a year
// that leaves four digits in UTC, and the zero time, which readers take for a missing one.
func checkTime(text string) error {
	var t time.Time
	if err := t.UnmarshalText([]byte(text)); err != nil {
		return errors.New("not an RFC 3339 time")
	}
	if t = t.UTC().Truncate(time.Microsecond); t.IsZero() || t.Year() < 0 || t.Year() > 9999 {
		return errors.New("out of range")
	}
	return nil
}

// reason names field and reason of a schema error; its own text would quote the value, which may be a secret.
func reason(err error) error {
	var schemaErr *openapi3.SchemaError
	if !errors.As(err, &schemaErr) {
		return err
	}
	if path := schemaErr.JSONPointer(); len(path) > 0 {
		return fmt.Errorf("%s: %s", strings.Join(path, "."), schemaErr.Reason)
	}
	return errors.New(schemaErr.Reason)
}
