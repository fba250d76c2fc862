package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
)

// Listing is the operation that lists webhooks, and what its x-paging says: where items and links stand in a page, with
// dots, and which query parameters page.
type Listing struct {
	Path            string `json:"-"`
	Items, Next     string
	SizeParameter   string
	CursorParameter string
	Size, Cursor    *openapi3.Schema `json:"-"`
}

// LoadListing finds the listing in the contract. Its page size must have a default and a maximum.
var LoadListing = sync.OnceValues(func() (*Listing, error) {
	doc, err := Load()
	if err != nil {
		return nil, err
	}
	l := &Listing{}
	for path, item := range doc.Paths.Map() {
		if item.Get == nil || item.Get.Extensions["x-paging"] == nil {
			continue
		}
		text, _ := json.Marshal(item.Get.Extensions["x-paging"])
		if err := json.Unmarshal(text, l); err != nil {
			return nil, fmt.Errorf("loading contract: reading x-paging: %w", err)
		}
		l.Path, l.Size, l.Cursor = path, queryParameter(item, l.SizeParameter), queryParameter(item, l.CursorParameter)
	}
	switch {
	case l.Path == "":
		return nil, errors.New("loading contract: no GET operation has x-paging")
	case l.Size == nil || l.Size.Default == nil || l.Size.Max == nil:
		return nil, fmt.Errorf("loading contract: x-paging names the query parameter %q, which is not declared with a default and a maximum", l.SizeParameter)
	case l.Cursor == nil || l.Cursor.MaxLength == nil:
		return nil, fmt.Errorf("loading contract: x-paging names the query parameter %q, which is not declared with a maxLength", l.CursorParameter)
	}
	return l, nil
})

func queryParameter(item *openapi3.PathItem, name string) *openapi3.Schema {
	for _, params := range []openapi3.Parameters{item.Get.Parameters, item.Parameters} {
		if p := params.GetByInAndName(openapi3.ParameterInQuery, name); p != nil && p.Schema != nil {
			return p.Schema.Value
		}
	}
	return nil
}

// PathOf is the path of an organization's list.
func (l *Listing) PathOf(organization string) string {
	before, rest, _ := strings.Cut(l.Path, "{")
	_, after, _ := strings.Cut(rest, "}")
	return before + url.PathEscape(organization) + after
}
