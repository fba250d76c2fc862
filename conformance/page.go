package conformance

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// page is a page that was read leniently: webhooks are found in any envelope by their required properties, even with
// invalid fields.
type page struct {
	webhooks   []map[string]any
	ids        []string // of the webhooks that are objects
	prev, next string   // empty if null or absent
	size       int      // 0 if absent
	keys       string   // describes an envelope other than the contract's; else empty
	whole      any      // the page, moved into the contract's envelope
}

// readPage finds the webhooks, the links and the page size in a response.
func (k *contract) readPage(a *response) (p page, err error) {
	if !a.isJSON {
		return p, errors.New("the body is not JSON")
	}
	p.whole = a.value
	items, standard := get(a.value, k.paging.Items).([]any)
	links := k.paging.Next[:max(0, strings.LastIndexByte(k.paging.Next, '.'))]
	if !standard {
		items = k.search(a.value)
	}
	if _, ok := get(a.value, links).(map[string]any); !standard || !ok {
		p.keys = "no keys, as it is no object"
		if object, ok := a.value.(map[string]any); ok {
			p.keys = "keys " + strings.Join(slices.Sorted(maps.Keys(object)), ", ")
		}
		if items == nil {
			return p, fmt.Errorf("the body holds no list of webhooks: %s", p.keys)
		}
		p.whole = k.rearrange(a.value, items, a.header)
	}
	for _, item := range items {
		w, _ := item.(map[string]any) // anything but an object stays nil: it counts, but has no id
		if p.webhooks = append(p.webhooks, w); w != nil {
			p.ids = append(p.ids, k.id(w))
		}
	}
	p.prev, _ = get(p.whole, k.paging.Prev).(string)
	p.next, _ = get(p.whole, k.paging.Next).(string)
	size, _ := get(p.whole, k.paging.Size).(float64)
	p.size = int(size)
	return p, nil
}

// id is the last of the properties that the list is ordered by or, where a webhook has none, all of it.
func (k *contract) id(webhook map[string]any) string {
	if id := webhook[k.paging.Order[len(k.paging.Order)-1]]; id != nil {
		return fmt.Sprint(id)
	}
	return encode(webhook)
}

// order is what a webhook is ordered by: times in one notation, so that they compare as text, and all else as it is.
func (k *contract) order(webhook map[string]any) (keys []string) {
	for _, name := range k.paging.Order {
		key := fmt.Sprint(webhook[name])
		if at, err := time.Parse(time.RFC3339Nano, key); err == nil {
			key = at.UTC().Format("2006-01-02T15:04:05.000000000")
		}
		keys = append(keys, key)
	}
	return keys
}

// search finds the list of webhooks anywhere in a value, or an empty list; nil if there is neither.
func (k *contract) search(value any) (found []any) {
	switch v := value.(type) {
	case []any:
		if len(v) == 0 || slices.ContainsFunc(v, k.resembles) {
			return v
		}
		for _, item := range v {
			found = append(found, k.search(item)...)
		}
	case map[string]any:
		if k.resembles(v) {
			return []any{v}
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if list := k.search(v[name]); list != nil && len(list) >= len(found) {
				found = list
			}
		}
	}
	return found
}

// resembles reports whether a value has at least half of the properties that a webhook must have.
func (k *contract) resembles(value any) bool {
	n := 0
	for _, name := range k.webhook.Required {
		if child(value, name) != nil {
			n++
		}
	}
	return n > 0 && 2*n >= len(k.webhook.Required)
}

// rearrange moves the parts of a page into the contract's envelope. Where the body has no links, those of the Link
// header take their place.
func (k *contract) rearrange(value any, items []any, header http.Header) any {
	page := map[string]any{}
	set(page, k.paging.Items, items)
	for _, place := range []string{k.paging.Prev, k.paging.Next, k.paging.Size} {
		name := place[strings.LastIndexByte(place, '.')+1:]
		if part, ok := searchKey(value, name); ok {
			set(page, place, part)
		} else if link := linkHeader(header)[name]; link != "" {
			set(page, place, link)
		}
	}
	return page
}

// searchKey finds a member by its name, the outermost first, in any object but those in a list.
func searchKey(value any, name string) (part any, ok bool) {
	object, _ := value.(map[string]any)
	part, ok = object[name]
	for _, member := range slices.Sorted(maps.Keys(object)) {
		if !ok {
			part, ok = searchKey(object[member], name)
		}
	}
	return part, ok
}

// get returns the value at a dotted path, or nil.
func get(value any, place string) any {
	for name := range strings.FieldsFuncSeq(place, func(c rune) bool { return c == '.' }) {
		value = child(value, name)
	}
	return value
}

func set(object map[string]any, place string, value any) {
	name, below, nested := strings.Cut(place, ".")
	if nested {
		inner, ok := object[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
		}
		set(inner, below, value)
		value = inner
	}
	object[name] = value
}

var linkValue = regexp.MustCompile(`<([^>]*)>\s*;\s*rel="?([a-z]+)"?`)

// linkHeader parses the paging links of a Link header (RFC 8288).
func linkHeader(header http.Header) map[string]string {
	links := map[string]string{}
	for _, m := range linkValue.FindAllStringSubmatch(strings.Join(header.Values("Link"), ", "), -1) {
		links[m[2]] = m[1]
	}
	return links
}
