package packhooks

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/packhooks/packhooks/client/internal/clientapi"
)

// A wirePage is the envelope of every listing.
type wirePage[T any] struct {
	Data  []T                  `json:"data"`
	Links *clientapi.PageLinks `json:"links"`
	Meta  clientapi.PageMeta   `json:"meta"`
}

// decodePage reads a page of T. What is wrong with a page is looked for only once it has not been read: the
// error is ErrMalformedPage and names the place, never a value, which may be a secret.
func decodePage[T any](body []byte) (*wirePage[T], error) {
	page := wirePage[T]{Data: make([]T, 0, usualItems)} // a slice that grows from nothing costs a tenth of the time
	if err := json.Unmarshal(body, &page); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformedPage, diagnose[T](body, err))
	}
	if page.Links == nil || len(page.Data) == 0 && !hasData(body) {
		return nil, fmt.Errorf("%w: data or links is missing or null; %s", ErrMalformedPage, keys(body))
	}
	return &page, nil
}

// usualItems is the most that a page holds by contract.
const usualItems = 100

func hasData(body []byte) bool {
	var page struct {
		Data *json.RawMessage `json:"data"`
	}
	return json.Unmarshal(body, &page) == nil && page.Data != nil
}

// diagnose says where body is not a page of T. decoding is what encoding/json said of it.
func diagnose[T any](body []byte, decoding error) error {
	var syntax *json.SyntaxError
	if errors.As(decoding, &syntax) {
		return fmt.Errorf("invalid JSON at byte %d of %d", syntax.Offset, len(body))
	}
	var page struct {
		Data []json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &page); err == nil {
		for i, item := range page.Data {
			if err := faultyMember[T](fmt.Sprintf("data[%d]", i), item); err != nil {
				return err
			}
		}
	}
	if err := faultyMember[wirePage[T]]("the page", body); err != nil {
		return err
	}
	return errors.New("a key comes twice")
}

// faultyMember returns what is wrong with the first member of the JSON object raw, called place, that no T takes.
func faultyMember[T any](place string, raw []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return fmt.Errorf("%s is not an object", place)
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		one, err := json.Marshal(map[string]json.RawMessage{name: members[name]})
		if err == nil {
			err = json.Unmarshal(one, new(T))
		}
		if err != nil {
			return fmt.Errorf("%s of %s %w", printable(name), place, reason(err))
		}
	}
	return nil
}

// reason says what is wrong with a value without repeating it.
func reason(err error) error {
	var wrongType *json.UnmarshalTypeError
	var notTime *time.ParseError
	switch {
	case errors.Is(err, ErrMaskedSecret):
		return fmt.Errorf("is no secret: %w", ErrMaskedSecret)
	case errors.As(err, &wrongType):
		kind, _, _ := strings.Cut(wrongType.Value, " ") // a number's literal follows
		return fmt.Errorf("cannot be a JSON %s", kind)
	case errors.As(err, &notTime):
		return errors.New("is not an RFC 3339 time")
	}
	return errors.New("has the wrong type or value")
}

// keys lists the members of body, to tell which other API answered.
func keys(body []byte) string {
	const most = 10
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil || len(members) == 0 {
		return "it has no keys"
	}
	names := slices.Sorted(maps.Keys(members))
	return "its keys are " + printable(strings.Join(names[:min(len(names), most)], ", "))
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
