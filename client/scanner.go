package packhooks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// A scanner reads JSON (RFC 8259) in one pass. Unlike encoding/json it rejects text that would be silently changed:
// invalid UTF-8 and unpaired surrogates.
type scanner struct {
	data []byte
	pos  int
}

var errTruncated = fmt.Errorf("the JSON ends too early: %w", io.ErrUnexpectedEOF)

// syntax is the error of data that is no JSON at pos.
func (s *scanner) syntax() error {
	if s.pos >= len(s.data) {
		return errTruncated
	}
	return fmt.Errorf("invalid JSON at byte %d of %d", s.pos, len(s.data))
}

// peek skips white space and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for ; s.pos < len(s.data); s.pos++ {
		if c := s.data[s.pos]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c
		}
	}
	return 0
}

var kinds = [256]string{
	'"': "a string", '{': "an object", '[': "an array", 't': "a boolean", 'f': "a boolean", 'n': "null", '-': "a number",
	'0': "a number", '1': "a number", '2': "a number", '3': "a number", '4': "a number",
	'5': "a number", '6': "a number", '7': "a number", '8': "a number", '9': "a number",
}

// kind names the kind of the value that follows, or returns "" if none does.
func (s *scanner) kind() string { return kinds[s.peek()] }

// want returns an error unless a value of this kind follows.
func (s *scanner) want(kind string) error {
	switch got := s.kind(); got {
	case kind:
		return nil
	case "":
		return s.syntax()
	default:
		return wrong("is %s", got)
	}
}

// list reads an object or array up to last; each must read one member or item.
func (s *scanner) list(last byte, each func(i int) error) error {
	s.pos++ // the bracket
	if s.peek() == last {
		s.pos++
		return nil
	}
	for i := 0; ; i++ {
		if err := each(i); err != nil {
			return err
		}
		c := s.peek()
		if c != last && c != ',' {
			return s.syntax()
		}
		if s.pos++; c == last {
			return nil
		}
	}
}

// name reads the name of a member, and the colon.
func (s *scanner) name() ([]byte, error) {
	if s.peek() != '"' {
		return nil, s.syntax()
	}
	name, err := s.text()
	if err == nil && s.peek() != ':' {
		err = s.syntax()
	}
	s.pos++
	return name, err
}

// quoted reads a string, without interpreting its escapes.
func (s *scanner) quoted() (text []byte, escaped bool, err error) {
	s.pos++ // the quote
	start, ascii := s.pos, true
	for ; s.pos < len(s.data); s.pos++ {
		switch c := s.data[s.pos]; {
		case c == '"':
			text = s.data[start:s.pos]
			if s.pos++; !ascii && !utf8.Valid(text) {
				err = wrong("has text that is not valid UTF-8")
			}
			return text, escaped, err
		case c == '\\':
			escaped = true
			s.pos++
		case c < ' ':
			return nil, false, s.syntax()
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return nil, false, errTruncated
}

// text reads a string. Without escapes the result is a part of the data.
func (s *scanner) text() ([]byte, error) {
	text, escaped, err := s.quoted()
	if err != nil || !escaped {
		return text, err
	}
	var plain string
	if json.Unmarshal(s.data[s.pos-len(text)-2:s.pos], &plain) != nil {
		s.pos -= len(text) + 1
		return nil, s.syntax()
	}
	const replacement = "\uFFFD" // encoding/json puts it for an unpaired surrogate
	if bytes.Count([]byte(plain), []byte(replacement)) > bytes.Count(text, []byte(replacement)) {
		return nil, wrong("has text that is not valid UTF-8")
	}
	return []byte(plain), nil
}

// value skips a value of any kind.
func (s *scanner) value() ([]byte, error) {
	s.peek()
	start, depth := s.pos, 0
	for ; s.pos < len(s.data) && (depth > 0 || strings.IndexByte(",]} \n\t\r", s.data[s.pos]) < 0); s.pos++ {
		switch s.data[s.pos] {
		case '"':
			if _, _, err := s.quoted(); err != nil {
				return nil, err
			}
			s.pos--
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
	}
	if raw := s.data[start:s.pos]; json.Valid(raw) {
		return raw, nil
	}
	return nil, s.syntax()
}
