package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"unicode/utf8"
)

// read decodes an object. It rejects what encoding/json would silently change: duplicate names, invalid UTF-8, and
// unpaired surrogates. Numbers stay text.
func read(data []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	token, err := decoder.Token()
	if err != nil || token != json.Delim('{') {
		return nil, errors.New("a JSON object is expected")
	}
	fields, err := readObject(decoder, data)
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("unexpected data after the object")
	}
	return fields, nil
}

// readObject reads an object after its opening brace.
func readObject(decoder *json.Decoder, data []byte) (map[string]any, error) {
	fields := map[string]any{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, atEnd(err)
		}
		name, _ := token.(string)
		if _, ok := fields[name]; ok {
			return nil, fmt.Errorf("%s: duplicate name", name)
		}
		if fields[name], err = readValue(decoder, data); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	_, err := decoder.Token()
	return fields, atEnd(err)
}

func readValue(decoder *json.Decoder, data []byte) (any, error) {
	begin := decoder.InputOffset()
	token, err := decoder.Token()
	if err != nil {
		return nil, atEnd(err)
	}
	switch token {
	case json.Delim('{'):
		return readObject(decoder, data)
	case json.Delim('['):
		list := []any{}
		for decoder.More() {
			element, err := readValue(decoder, data)
			if err != nil {
				return nil, fmt.Errorf("%d: %w", len(list), err)
			}
			list = append(list, element)
		}
		_, err := decoder.Token()
		return list, atEnd(err)
	}
	if _, ok := token.(string); ok {
		return token, checkText(data[begin:decoder.InputOffset()])
	}
	return token, nil
}

// checkText rejects a JSON string in which encoding/json would replace invalid text by U+FFFD.
func checkText(raw []byte) error {
	if !utf8.Valid(raw) {
		return errors.New("invalid UTF-8")
	}
	for _, match := range escapes.FindAllSubmatch(raw, -1) {
		if match[1] != nil {
			return fmt.Errorf(`\%s is an unpaired surrogate`, match[1])
		}
	}
	return nil
}

// escapes matches the escapes of a JSON string. It captures an unpaired surrogate.
var escapes = regexp.MustCompile(`\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)`)

// atEnd replaces io.EOF within a value.
func atEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("unexpected end of input")
	}
	return err
}

// checkNumbers rejects a number that the generated type cannot represent: 16777217 as a float32.
func (c *Contract) checkNumbers(fields map[string]any, d Document) error {
	for name, value := range fields {
		if !c.IsWebhook(name) {
			continue
		}
		switch value.(type) {
		case json.Number, map[string]any, []any:
			kept, _ := read(d.json) // encoded a moment ago
			if !sameNumbers(value, kept[name]) {
				return fmt.Errorf("%s: the number cannot be stored exactly", name)
			}
		}
	}
	return nil
}

// sameNumbers compares the numbers of two values of the same shape.
func sameNumbers(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, _ := b.(json.Number)
		x, errX := a.Float64()
		y, errY := b.Float64()
		return errX == nil && errY == nil && x == y
	case map[string]any:
		b, _ := b.(map[string]any)
		for name, value := range a {
			if other, ok := b[name]; ok && !sameNumbers(value, other) {
				return false
			}
		}
	case []any:
		b, _ := b.([]any)
		for i, value := range a {
			if i < len(b) && !sameNumbers(value, b[i]) {
				return false
			}
		}
	}
	return true
}
