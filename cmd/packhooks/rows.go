package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/packhooks/packhooks/api"
	"github.com/packhooks/packhooks/gen/serverapi"
	"github.com/packhooks/packhooks/server/document"
)

// maxRow is the maximum size of a webhook in an import: far more than the contract allows.
const maxRow = 1 << 20

var errRowTooLong = fmt.Errorf("longer than %d bytes", maxRow)

// row is a webhook of an import and its position.
type row struct {
	places string // such as "line %d"
	number int
	data   []byte
}

func (r row) place(number int) string { return fmt.Sprintf(r.places, number) }

// feed calls emit for each row until the first error.
type feed func(emit func(row) error) error

// readRows detects an array, a page of the API, or NDJSON. With whole it rejects input that may be incomplete: a page
// with links to others, and NDJSON.
func readRows(contract *document.Contract, input io.Reader, whole bool) (feed, error) {
	start := bufio.NewReader(input)
	switch mark, _ := start.Peek(3); {
	case bytes.Equal(mark, []byte("\xef\xbb\xbf")): // UTF-8 byte order mark
		_, _ = start.Discard(3)
	case bytes.HasPrefix(mark, []byte("\xff\xfe")), bytes.HasPrefix(mark, []byte("\xfe\xff")), bytes.IndexByte(mark, 0) >= 0:
		return nil, hint(errors.New("the input is UTF-16"), "iconv -f UTF-16 -t UTF-8 converts it")
	}
	head := new(bytes.Buffer)
	peek := json.NewDecoder(io.TeeReader(io.LimitReader(start, maxRow), head))
	first, err := peek.Token()
	if errors.Is(err, io.EOF) {
		return nil, hint(errors.New("the input is empty"), "a list without webhooks is []")
	}
	page := first == json.Delim('{') && beginsPage(contract, peek)
	input = io.MultiReader(head, start)
	switch {
	case page || first == json.Delim('['):
		return func(emit func(row) error) error { return readValue(boundedDecoder(input), page, whole, emit) }, nil
	case whole:
		return nil, hint(errors.New("--replace does not accept NDJSON: truncated input would look complete"), "packhooks export --output json writes an array")
	}
	return func(emit func(row) error) error { return readLines(input, emit) }, nil
}

// beginsPage tells a page from a webhook by the first known property. Errors are left to the actual read, which reports
// their position.
func beginsPage(contract *document.Contract, decoder *json.Decoder) bool {
	for decoder.More() {
		token, _ := decoder.Token()
		if name, _ := token.(string); contract.IsWebhook(name) || contract.IsPage(name) {
			return !contract.IsWebhook(name)
		}
		if decoder.Decode(new(json.RawMessage)) != nil {
			break
		}
	}
	return true
}

// readLines reads NDJSON.
func readLines(input io.Reader, emit func(row) error) error {
	scanner := bufio.NewScanner(input)
	scanner.Buffer(nil, maxRow)
	r := row{places: "line %d", number: 1}
	for ; scanner.Scan() && scanner.Err() == nil; r.number++ { // after an error, Scan returns a partial line
		if r.data = scanner.Bytes(); len(bytes.TrimSpace(r.data)) == 0 {
			continue
		}
		if err := emit(r); err != nil {
			return err
		}
	}
	err := scanner.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		err = errRowTooLong
	}
	if err != nil {
		return fmt.Errorf("%s: %w", r.place(r.number), err)
	}
	return nil
}

var errEnd = errors.New("unexpected end of input")

// bounded limits what a json.Decoder buffers, so the size of one value. A Decoder reads more only if its buffer lacks the
// next token or value. The end is errEnd, which a Decoder passes on.
type bounded struct {
	io.Reader
	decoder *json.Decoder
	read    int64
}

func boundedDecoder(input io.Reader) *json.Decoder {
	b := &bounded{Reader: input}
	b.decoder = json.NewDecoder(b)
	return b.decoder
}

func (b *bounded) Read(p []byte) (int, error) {
	left := maxRow - (b.read - b.decoder.InputOffset())
	if left <= 0 {
		return 0, errRowTooLong
	}
	n, err := b.Reader.Read(p[:min(int64(len(p)), left)])
	b.read += int64(n)
	if errors.Is(err, io.EOF) {
		err = errEnd
	}
	return n, err
}

// readValue reads an array or a page, and nothing after it.
func readValue(decoder *json.Decoder, page, whole bool, emit func(row) error) (err error) {
	if page {
		err = readPage(decoder, whole, emit)
	} else {
		err = readArray(decoder, emit)
	}
	if err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, errEnd) {
		return errors.New("unexpected data after the value")
	}
	return nil
}

func readArray(decoder *json.Decoder, emit func(row) error) error {
	if start, err := decoder.Token(); err != nil || start != json.Delim('[') {
		return cmp.Or(err, errors.New(`"[" expected`))
	}
	r := row{places: "[%d]"}
	for ; decoder.More(); r.number++ {
		r.data = r.data[:0]
		if err := decoder.Decode((*json.RawMessage)(&r.data)); err != nil {
			return fmt.Errorf("%s: %w", r.place(r.number), err)
		}
		if err := emit(r); err != nil {
			return err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return fmt.Errorf("%s: %w", r.place(r.number), err)
	}
	return nil
}

// readPage reads a WebhookPage whose data may be of any length.
func readPage(decoder *json.Decoder, whole bool, emit func(row) error) error {
	listing, err := api.LoadListing()
	if err != nil {
		return err
	}
	linksName, _, _ := strings.Cut(listing.Next, ".")
	var links serverapi.PageLinks
	seen := map[string]bool{}
	_, _ = decoder.Token() // the brace that readRows has seen
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		switch {
		case seen[name]:
			err = errors.New("duplicate name")
		case name == listing.Items:
			err = readArray(decoder, emit)
		case name == linksName:
			err = decoder.Decode(&links)
		default:
			err = decoder.Decode(new(json.RawMessage))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		seen[name] = true
	}
	_, err = decoder.Token()
	switch {
	case err != nil:
		return err
	case !seen[listing.Items]:
		return fmt.Errorf("not an array, NDJSON or a page: it has no %q", listing.Items)
	case whole && !seen[linksName]:
		return errors.New("the page is not the whole list for all one can tell: it has no links")
	case whole && (links.Prev != nil || links.Next != nil):
		return errors.New("the page is not the whole list: it links to other pages")
	}
	return nil
}
