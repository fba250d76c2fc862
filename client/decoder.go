package packhooks

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/packhooks/packhooks/client/internal/clientapi"
)

const (
	maxItems = 10_000  // of a page; the contract allows 100
	maxLink  = 8 << 10 // bytes
)

// A decoder reads a page in one pass. It stops at the first error and when ctx ends.
type decoder struct {
	scanner
	ctx      context.Context
	webhooks []Webhook
}

// A fieldError describes an error at a place in a page, without the value, which may be a secret.
type fieldError struct {
	place string
	cause error
}

func (e *fieldError) Error() string { return cmp.Or(e.place, "the body") + " " + e.cause.Error() }
func (e *fieldError) Unwrap() error { return e.cause }

func wrong(format string, args ...any) error { return &fieldError{cause: fmt.Errorf(format, args...)} }

// at prefixes the place of a fieldError with name.
func at(name string, err error) error {
	field, ok := err.(*fieldError) //nolint:errorlint // not wrapped yet
	if !ok {
		return err
	}
	if field.place != "" && field.place[0] != '[' {
		name += "."
	}
	field.place = name + field.place
	return field
}

// A field is what the contract says of a property, as its generated type has it.
type field struct {
	name     string
	optional bool // omitempty
	nullable bool // optional, or a pointer
}

func fieldsOf[T any]() (fields []field) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields = append(fields, field{name, options != "", options != "" || f.Type.Kind() == reflect.Pointer})
	}
	return fields
}

var (
	webhookFields = fieldsOf[Webhook]()
	pageFields    = fieldsOf[clientapi.WebhookPage]()
	linkFields    = fieldsOf[clientapi.PageLinks]()
	metaFields    = fieldsOf[clientapi.PageMeta]()
)

// decodePage reads a page. Its error is ErrMalformedPage and names the place, never a value.
func decodePage(ctx context.Context, r Response, body []byte) (*WebhookPage, error) {
	d := decoder{ctx: ctx, scanner: scanner{data: body}}
	var wire clientapi.WebhookPage
	err := d.object(&wire, pageFields)
	prev, next := value(wire.Links.Prev), value(wire.Links.Next)
	if err == nil && max(len(prev), len(next)) > maxLink {
		err = at("a link", wrong("has more than %d bytes", maxLink))
	}
	if d.peek(); err == nil && d.pos < len(d.data) {
		err = d.syntax()
	}
	var field *fieldError
	switch {
	case err == nil:
		perPage := int(value(value(wire.Meta).PerPage))
		return &WebhookPage{Webhooks: d.webhooks, PerPage: perPage, Prev: prev, Next: next, Response: r}, nil
	case errors.Is(err, ErrResponseTooLarge) || ctx.Err() != nil:
		return nil, err
	case errors.As(err, &field):
		return nil, fmt.Errorf("%w: %w", ErrMalformedPage, err)
	}
	return nil, fmt.Errorf("%w: %w (%s)", ErrMalformedPage, err, r.received())
}

// object reads an object into the struct that v points to.
func (d *decoder) object(v any, fields []field) error {
	if err := d.want("an object"); err != nil {
		return err
	}
	object := reflect.ValueOf(v).Elem()
	var seen uint64
	next := -1
	err := d.list('}', func(int) error {
		name, err := d.name()
		if err != nil {
			return err
		}
		if next++; next >= len(fields) || fields[next].name != string(name) { // usually in order
			next = slices.IndexFunc(fields, func(f field) bool { return strings.EqualFold(f.name, string(name)) })
		}
		if next < 0 {
			_, err = d.value()
			return err
		}
		switch f := fields[next]; {
		case f.name != string(name): // encoding/json ignores case
			return wrong("has the key %q in another case", f.name)
		case seen>>next&1 == 1:
			return at(f.name, wrong("comes twice"))
		default:
			seen |= 1 << next
			return at(f.name, d.member(object.Field(next).Addr().Interface(), f))
		}
	})
	for i, f := range fields {
		if err == nil && !f.nullable && seen>>i&1 == 0 {
			err = at(f.name, wrong("is missing"))
		}
	}
	return err
}

// member reads the value of f into *v. An optional value of the wrong type is dropped.
func (d *decoder) member(v any, f field) error {
	start := d.pos
	if d.kind() != "null" || !f.nullable {
		if err := d.set(v, f); err == nil || !f.optional {
			return err
		}
	}
	d.pos = start
	_, err := d.value()
	return err
}

func (d *decoder) set(v any, f field) error {
	switch v := v.(type) {
	case *string:
		text, err := d.string(f)
		*v = string(text)
		return err
	case **string:
		text, err := d.string(f)
		s := string(text)
		*v = &s
		return err
	case *Secret:
		text, err := d.string(f)
		if err == nil && v.UnmarshalText(text) != nil {
			err = wrong("is masked: %w", ErrMaskedSecret)
		}
		return err
	case *time.Time:
		text, err := d.string(f)
		if err == nil && v.UnmarshalText(text) != nil {
			err = wrong("is not an RFC 3339 time")
		}
		return err
	case *bool:
		if err := d.want("a boolean"); err != nil {
			return err
		}
		*v = d.data[d.pos] == 't'
		word := strconv.FormatBool(*v)
		if !bytes.HasPrefix(d.data[d.pos:], []byte(word)) {
			return d.syntax()
		}
		d.pos += len(word)
		return nil
	case *[]clientapi.Webhook:
		return d.array()
	case *clientapi.PageLinks:
		return d.object(v, linkFields)
	case **clientapi.PageMeta:
		*v = &clientapi.PageMeta{}
		return d.object(*v, metaFields)
	}
	raw, err := d.value()
	if err == nil && json.Unmarshal(raw, v) != nil {
		err = wrong("has the wrong type or value")
	}
	return err
}

func (d *decoder) string(f field) ([]byte, error) {
	if err := d.want("a string"); err != nil {
		return nil, err
	}
	text, err := d.text()
	if err == nil && len(text) == 0 && !f.nullable {
		err = wrong("is empty")
	}
	return text, err
}

// array reads the webhooks, whose secrets this package's own type hides.
func (d *decoder) array() error {
	if err := d.want("an array"); err != nil {
		return err
	}
	d.webhooks = make([]Webhook, 0, min(len(d.data)/100, 100))
	return d.list(']', func(i int) error {
		if i >= maxItems {
			return fmt.Errorf("%w: more than %d webhooks", ErrResponseTooLarge, maxItems)
		}
		if err := d.ctx.Err(); err != nil {
			return err
		}
		d.webhooks = append(d.webhooks, Webhook{})
		err := d.object(&d.webhooks[i], webhookFields)
		if err != nil {
			err = at(fmt.Sprintf("[%d]", i), err)
		}
		return err
	})
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
