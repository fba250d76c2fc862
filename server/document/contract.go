package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/packhooks/packhooks/api"
	"github.com/packhooks/packhooks/client/secret"
	"github.com/packhooks/packhooks/gen/serverapi"
)

// Contract validates webhooks against the schemas of an OpenAPI document and brings them into canonical form. It is
// safe for concurrent use.
type Contract struct {
	webhook      *openapi3.Schema
	page         *openapi3.Schema
	organization *openapi3.Schema
	fingerprint  string
}

// Embedded returns the contract that this program was generated from.
var Embedded = sync.OnceValues(func() (*Contract, error) {
	doc, err := api.Load()
	if err != nil {
		return nil, err
	}
	return newContract(doc)
})

// Load parses another version of the contract.
func Load(spec []byte) (*Contract, error) {
	doc, err := openapi3.NewLoader().LoadFromData(spec)
	if err != nil {
		return nil, fmt.Errorf("loading contract: %w", err)
	}
	return newContract(doc)
}

func newContract(doc *openapi3.T) (*Contract, error) {
	webhook, page, organization := doc.Components.Schemas["Webhook"], doc.Components.Schemas["WebhookPage"], doc.Components.Parameters["OrganizationId"]
	if webhook == nil || page == nil || organization == nil {
		return nil, errors.New("loading contract: no schema Webhook or WebhookPage, or no parameter OrganizationId")
	}
	sum, err := fingerprint(doc, "Webhook")
	return &Contract{webhook: webhook.Value, page: page.Value, organization: organization.Value.Schema.Value, fingerprint: sum}, err
}

// Fingerprint identifies the schema Webhook. Descriptions, examples and extensions do not change it.
func (c *Contract) Fingerprint() string { return c.fingerprint }

// CheckOrganization rejects an invalid organization id.
func (c *Contract) CheckOrganization(id string) error {
	if err := c.organization.VisitJSON(id); err != nil {
		return fmt.Errorf("organization %q: %w", id, api.Reason(err))
	}
	return nil
}

// IsWebhook reports whether a property belongs to a webhook.
func (c *Contract) IsWebhook(property string) bool { return c.webhook.Properties[property] != nil }

// IsPage reports whether a property belongs to a page of webhooks.
func (c *Contract) IsPage(property string) bool { return c.page.Properties[property] != nil }

// Parse validates a webhook in JSON, as the API sends it, and returns its document. It rejects what encoding/json would
// silently change (see read), a masked secret, and a name that differs from a property's in case only. Null
// stands for an optional property that is absent. Unknown properties are dropped and returned.
func (c *Contract) Parse(data []byte) (d Document, unknown []string, err error) {
	fields, err := read(data)
	if err != nil {
		return Document{}, nil, err
	}
	unknown = slices.DeleteFunc(slices.Sorted(maps.Keys(fields)), c.IsWebhook)
	d, err = c.canonical(fields, data)
	return d, unknown, err
}

// Check reports whether a document, which another version of the contract may have made, fits this one.
func (c *Contract) Check(d Document) error {
	fields, err := read(d.json)
	if err != nil {
		return err
	}
	return c.validate(fields)
}

// Rewrite brings a document into this contract's canonical form. It fills in the defaults of missing properties, drops
// unknown ones, and returns how many of each. Anything else that does not fit is an error.
func (c *Contract) Rewrite(d Document) (rewritten Document, filled, dropped int, err error) {
	fields, err := read(d.json)
	if err != nil {
		return Document{}, 0, 0, err
	}
	for name, property := range c.webhook.Properties {
		if _, ok := fields[name]; !ok && property.Value.Default != nil {
			fields[name] = property.Value.Default
			filled++
		}
	}
	before := len(fields)
	maps.DeleteFunc(fields, func(name string, _ any) bool { return !c.IsWebhook(name) })
	dropped = before - len(fields)
	data, err := json.Marshal(fields)
	if err != nil {
		return Document{}, 0, 0, err
	}
	rewritten, err = c.canonical(fields, data)
	return rewritten, filled, dropped, err
}

// canonical validates a webhook, given both decoded and as JSON, and encodes it through the generated type.
func (c *Contract) canonical(fields map[string]any, data []byte) (Document, error) {
	maps.DeleteFunc(fields, func(name string, value any) bool {
		return value == nil && c.IsWebhook(name) && !slices.Contains(c.webhook.Required, name)
	})
	if err := c.validate(fields); err != nil {
		return Document{}, err
	}
	var w serverapi.Webhook
	if err := json.Unmarshal(data, &w); err != nil {
		return Document{}, fmt.Errorf("decoding webhook: %w", err)
	}
	normalizeTimes(reflect.ValueOf(&w).Elem())
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(w); err != nil { //nolint:gosec // the contract sends secrets; they are sealed at rest
		return Document{}, fmt.Errorf("encoding webhook: %w", err)
	}
	d := Document{w.ID, w.CreatedAt.UnixMicro(), bytes.TrimSuffix(out.Bytes(), []byte("\n"))}
	return d, c.checkNumbers(fields, d)
}

// formats hold a date-time to more than the pattern that kin-openapi knows.
var formats = openapi3.WithStringFormatValidator("date-time", openapi3.NewCallbackValidator(checkTime))

func (c *Contract) validate(fields map[string]any) error {
	if err := c.webhook.VisitJSON(fields, formats); err != nil {
		return api.Reason(err)
	}
	return checkUnchanged(c.webhook, fields)
}

// checkUnchanged rejects, at any depth, a masked secret and a name that encoding/json would match in another case.
func checkUnchanged(schema *openapi3.Schema, value any) error {
	switch value := value.(type) {
	case string:
		if schema.Format == "password" && value == secret.Mask {
			return secret.ErrMasked
		}
	case []any:
		for i := 0; i < len(value) && schema.Items != nil; i++ {
			if err := checkUnchanged(schema.Items.Value, value[i]); err != nil {
				return err
			}
		}
	case map[string]any:
		for name, value := range value {
			if property := schema.Properties[name]; property != nil {
				if err := checkUnchanged(property.Value, value); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				continue
			}
			for known := range schema.Properties {
				if strings.EqualFold(known, name) {
					return fmt.Errorf("%s: the property is named %q", name, known)
				}
			}
		}
	}
	return nil
}

// checkTime rejects times that match the pattern but are invalid: a day that does not exist, a year that has not four
// digits in UTC, and the zero time, which readers take for a missing one.
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

// normalizeTimes converts every time in v to UTC, to the microsecond.
func normalizeTimes(v reflect.Value) {
	if t, ok := v.Addr().Interface().(*time.Time); ok {
		*t = t.UTC().Truncate(time.Microsecond)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			normalizeTimes(v.Elem())
		}
	case reflect.Struct:
		for field, value := range v.Fields() {
			if field.IsExported() {
				normalizeTimes(value)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			normalizeTimes(v.Index(i))
		}
	}
}
