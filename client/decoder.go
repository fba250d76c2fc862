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
	ctx   context.Context
	texts []byte // the strings of the object that is being read
	parts []part // their fields
}

// A fieldError says what is wrong at a place of a page. It holds no value: that may be a secret.
type fieldError struct {
	place string
	cause error
}

func (e *fieldError) Error() string { return cmp.Or(e.place, "the body") + " " + e.cause.Error() }
func (e *fieldError) Unwrap() error { return e.cause }

// at puts name before the place of err, if it is the error of a place.
func at(name string, err error) error {
	if err == nil {
		return nil
	}
	field, ok := err.(*fieldError) //nolint:errorlint // not wrapped yet
	switch {
	case !ok && err != errText: //nolint:errorlint // not wrapped yet
		return err
	case !ok:
		field = &fieldError{name, err}
	case field.place == "" || field.place[0] == '[':
		field.place = name + field.place
	default:
		field.place = name + "." + field.place
	}
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
		_, err := d.value() // the contract has come to have more than this package reads
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

// members reads an object, and has read take each value that may be one of its field's.
func (d *decoder) members(fields []field, read func(*field) error) error {
	if kind := d.kind(); kind != "an object" {
		return d.unfit(kind)
	}
	var seen uint64
	next := 0
	err := d.list('}', func(int) error {
		name, err := d.name()
		if err != nil {
			return err
		}
		i := find(fields, name, next)
		if i < 0 {
			return d.unknown(fields, name)
		}
		if next = i + 1; seen>>i&1 == 1 {
			return at(fields[i].name, wrong("comes twice"))
		}
		seen |= 1 << i
		return at(fields[i].name, d.member(&fields[i], read))
	})
	for i := range fields {
		if f := &fields[i]; err == nil && f.required && !f.nullable && seen>>i&1 == 0 {
			err = at(f.name, wrong("is missing"))
		}
	}
	return err
}

// find returns the index of the field called name, -1 if there is none. Most often it is the one at next.
func find(fields []field, name []byte, next int) int {
	if next < len(fields) && string(name) == fields[next].name {
		return next
	}
	return slices.IndexFunc(fields, func(f field) bool { return string(name) == f.name })
}

// unknown skips a member that the contract does not have. In another case, encoding/json would take it for one.
func (d *decoder) unknown(fields []field, name []byte) error {
	for i := range fields {
		if strings.EqualFold(string(name), fields[i].name) {
			return wrong("has the key %q in another case", fields[i].name)
		}
	}
	_, err := d.value()
	return err
}

// member reads the value of f. What is optional and has the wrong shape is left out.
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

// into reads an object into *v. Its strings become parts of one.
func (d *decoder) into(v any, fields []field) error {
	d.texts, d.parts = d.texts[:0], d.parts[:0]
	object := reflect.ValueOf(v).Elem()
	err := d.members(fields, func(f *field) error { return d.set(object.Field(f.index).Addr().Interface(), f) })
	all := string(d.texts)
	for _, p := range d.parts {
		*p.to = all[p.from:p.end]
	}
	return err
}

// A part of decoder.texts belongs to a string of the object.
type part struct {
	to        *string
	from, end int
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
		word := strconv.FormatBool(d.data[d.pos] == 't')
		if !bytes.HasPrefix(d.data[d.pos:], []byte(word)) {
			return d.syntax()
		}
		*v = word == "true"
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
		from := len(d.texts)
		d.texts = append(d.texts, text...)
		d.parts = append(d.parts, part{v, from, len(d.texts)})
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

// unfit is the error of a value of the wrong kind, or of none.
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
