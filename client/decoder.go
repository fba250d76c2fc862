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
	ctx context.Context
}

// A fieldError describes an error at a place in a page, without the value, which may be a secret.
type fieldError struct {
	place string
	cause error
}

func (e *fieldError) Error() string { return cmp.Or(e.place, "the body") + " " + e.cause.Error() }
func (e *fieldError) Unwrap() error { return e.cause }

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

// errMasked reads well after a place.
var errMasked = fmt.Errorf("is masked: %w", ErrMaskedSecret)

func wrong(format string, args ...any) error { return &fieldError{cause: fmt.Errorf(format, args...)} }

// A field is a property of a generated type: its name, and whether the contract requires it, are read from the type.
type field struct {
	name     string
	index    int
	required bool // no omitempty
	nullable bool // a pointer
}

func fieldsOf[T any]() (fields []field) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields = append(fields, field{name, f.Index[0], options == "", f.Type.Kind() == reflect.Pointer})
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
func decodePage(ctx context.Context, r *response) (*WebhookPage, error) {
	d := decoder{ctx: ctx, scanner: scanner{data: r.body}}
	page, err := d.page()
	if err == nil && (d.peek() != 0 || d.pos < len(d.data)) {
		err = d.syntax()
	}
	var field *fieldError
	switch {
	case err == nil:
		page.Response = r.Response
		return page, nil
	case errors.Is(err, ErrResponseTooLarge) || ctx.Err() != nil:
		return nil, err
	case errors.As(err, &field):
		return nil, fmt.Errorf("%w: %w", ErrMalformedPage, err)
	}
	return nil, fmt.Errorf("%w: %w (%s)", ErrMalformedPage, err, r.received())
}

func (d *decoder) page() (*WebhookPage, error) {
	page := &WebhookPage{}
	var wire clientapi.WebhookPage
	fields := reflect.ValueOf(&wire).Elem()
	err := d.members(pageFields, func(f *field) error {
		switch fields.Field(f.index).Addr().Interface() {
		case &wire.Data:
			return d.webhooks(page)
		case &wire.Links:
			return d.into(&wire.Links, linkFields)
		case &wire.Meta:
			var meta clientapi.PageMeta
			err := d.into(&meta, metaFields)
			page.PerPage = int(value(meta.PerPage))
			return err
		}
		_, err := d.value() // added to the contract, but unknown to this package
		return err
	})
	page.Prev, page.Next = value(wire.Links.Prev), value(wire.Links.Next)
	if err == nil && max(len(page.Prev), len(page.Next)) > maxLink {
		err = &fieldError{"a link", fmt.Errorf("has more than %d bytes", maxLink)}
	}
	return page, err
}

func (d *decoder) webhooks(page *WebhookPage) error {
	if kind := d.kind(); kind != "an array" {
		return d.unfit(kind)
	}
	page.Webhooks = make([]Webhook, 0, min(len(d.data)/100, 100))
	return d.list(']', func(i int) error {
		if i >= maxItems {
			return fmt.Errorf("%w: more than %d webhooks", ErrResponseTooLarge, maxItems)
		}
		if err := d.ctx.Err(); err != nil {
			return err
		}
		page.Webhooks = append(page.Webhooks, Webhook{})
		err := d.into(&page.Webhooks[i], webhookFields)
		if err != nil {
			err = at(fmt.Sprintf("[%d]", i), err)
		}
		return err
	})
}

// members reads an object and calls read for each known field.
func (d *decoder) members(fields []field, read func(*field) error) error {
	if kind := d.kind(); kind != "an object" {
		return d.unfit(kind)
	}
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
		switch f := &fields[next]; {
		case f.name != string(name): // encoding/json ignores case
			return wrong("has the key %q in another case", f.name)
		case seen>>next&1 == 1:
			return at(f.name, wrong("comes twice"))
		default:
			seen |= 1 << next
			return at(f.name, d.member(f, read))
		}
	})
	for i := range fields {
		if f := &fields[i]; err == nil && f.required && !f.nullable && seen>>i&1 == 0 {
			err = at(f.name, wrong("is missing"))
		}
	}
	return err
}

// member reads the value of f. An optional value of the wrong type is dropped.
func (d *decoder) member(f *field, read func(*field) error) error {
	start := d.pos
	var err error
	if d.kind() == "null" && (f.nullable || !f.required) {
		_, err = d.value()
	} else if err = read(f); err != nil && !f.required {
		d.pos = start
		_, err = d.value()
	}
	return err
}

// into reads an object into *v.
func (d *decoder) into(v any, fields []field) error {
	object := reflect.ValueOf(v).Elem()
	return d.members(fields, func(f *field) error { return d.set(object.Field(f.index).Addr().Interface(), f) })
}

// set reads a value into *v.
func (d *decoder) set(v any, f *field) error {
	kind := d.kind()
	switch v := v.(type) {
	case *string, **string, *Secret, *time.Time:
		if kind != "a string" {
			return d.unfit(kind)
		}
		text, err := d.text()
		if err == nil && len(text) == 0 && f.required && !f.nullable {
			err = wrong("is empty")
		}
		if err == nil {
			err = d.setText(v, text)
		}
		return err
	case *bool:
		if kind != "a boolean" {
			return d.unfit(kind)
		}
		*v = d.data[d.pos] == 't'
		word := strconv.FormatBool(*v)
		if !bytes.HasPrefix(d.data[d.pos:], []byte(word)) {
			return d.syntax()
		}
		d.pos += len(word)
		return nil
	}
	raw, err := d.value()
	if err == nil && json.Unmarshal(raw, v) != nil {
		err = wrong("has the wrong type or value")
	}
	return err
}

func (d *decoder) setText(v any, text []byte) error {
	switch v := v.(type) {
	case *string:
		*v = string(text)
	case **string:
		s := string(text)
		*v = &s
	case *Secret:
		if v.UnmarshalText(text) != nil {
			return &fieldError{cause: errMasked}
		}
	case *time.Time:
		if v.UnmarshalText(text) != nil {
			return wrong("is not an RFC 3339 time")
		}
	}
	return nil
}

// unfit is the error for a missing value or one of the wrong kind.
func (d *decoder) unfit(kind string) error {
	if kind == "" {
		return d.syntax()
	}
	return wrong("is %s", kind)
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
