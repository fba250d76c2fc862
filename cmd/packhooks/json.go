package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"unicode/utf8"
)

// expect reads one delimiter.
func expect(decoder *json.Decoder, delimiter json.Delim) error {
	token, err := decoder.Token()
	if err != nil {
		return plainEOF(err)
	}
	if token != delimiter {
		return fmt.Errorf("%q expected", delimiter)
	}
	return nil
}

// expectEnd makes sure that nothing follows.
func expectEnd(decoder *json.Decoder) error {
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the end")
	}
	return nil
}

// plainEOF says in words what an end of file means inside of a value.
func plainEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the input ends in the middle")
	}
	return err
}

// readObject reads an object; visit reads the value of each name. A name that comes twice, of which encoding/json
// would take the last, is an error.
func readObject(decoder *json.Decoder, visit func(name string) error) error {
	if err := expect(decoder, '{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return plainEOF(err)
		}
		name := token.(string) // inside of an object a Decoder yields nothing else here
		if seen[name] {
			return fmt.Errorf("%s: comes twice", name)
		}
		if err := visit(name); err != nil {
			return fmt.Errorf("%s: %w", name, plainEOF(err))
		}
		seen[name] = true
	}
	return expect(decoder, '}')
}

// parseObject reads an object and refuses text that encoding/json would quietly change.
func parseObject(data []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	fields := map[string]any{}
	err := readObject(decoder, func(name string) error {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return err
		}
		if !utf8.Valid(raw) {
			return errors.New("invalid UTF-8")
		}
		for _, match := range escapes.FindAllSubmatch(raw, -1) {
			if match[1] != nil {
				return fmt.Errorf("%s is half of a surrogate pair", match[1])
			}
		}
		var value any
		err := json.Unmarshal(raw, &value)
		fields[name] = value
		return err
	})
	if err != nil {
		return nil, err
	}
	return fields, expectEnd(decoder)
}

// escapes finds the escapes of a JSON string; the one that it captures is a surrogate without its other half.
var escapes = regexp.MustCompile(`\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)`)
