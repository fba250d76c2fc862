package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// contract is what the checks read from the document. This package hard-codes no name, bound, path or status of the API;
// the operation's x-paging names those of paging.
type contract struct {
	doc           *openapi3.T
	path          string // with the organization as its one parameter
	methods       []string
	listing       *openapi3.Operation
	mediaType     string // of a page
	page, webhook *openapi3.Schema
	paging        paging
	organization  *openapi3.Parameter
	size, cursor  *openapi3.Parameter // nil when there is none
	least, most   int                 // page size; 0 without a parameter for it
	usual         int                 // page size when none is asked for
	header        string              // that the token is sent in; empty when there is none
	scheme        string              // that the header's value begins with
	passwords     []string            // names of secret properties
	places        map[string]place    // what checks are about, by its role; the whole document has none
}

// place is a part of the document.
type place struct {
	node    any    // nil if there is none
	pointer string // a JSON pointer (RFC 6901)
	class   Class  // whose the part is: the nearest x-provenance at or above it decides
}

// paging is the extension x-paging: dotted places in a page, the names of parameters, and the properties that the
// webhooks are ordered by, of which the last tells them apart.
type paging struct {
	Items, Prev, Next, Size        string
	SizeParameter, CursorParameter string
	Order                          []string
}

func loadContract(spec []byte) (*contract, error) {
	doc, err := openapi3.NewLoader().LoadFromData(spec)
	k := &contract{doc: doc, places: map[string]place{}}
	for _, find := range []func() error{k.findListing, k.findPage, k.findParameters, k.findSecurity} {
		if err == nil {
			err = find()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("loading the contract: %w", err)
	}
	return k, nil
}

// findListing finds the operation that has x-paging.
func (k *contract) findListing() error {
	text, _ := k.doc.MarshalJSON() // a loaded document can be encoded
	var tree any
	_ = json.Unmarshal(text, &tree)
	k.places[""] = place{tree, "", Decided}
	for path, item := range k.doc.Paths.Map() {
		if item.Get != nil && item.Get.Extensions["x-paging"] != nil {
			k.path, k.listing = path, item.Get
			k.methods = slices.Sorted(maps.Keys(item.Operations()))
		}
	}
	switch {
	case k.listing == nil:
		return errors.New("no GET operation has x-paging, which says how the pages of a list work")
	case strings.Count(k.path, "{") != 1:
		return fmt.Errorf("path %s must have exactly one parameter, the organization", k.path)
	}
	k.places["operation"] = k.locate("/paths/" + escape(k.path) + "/get")
	extension, _ := json.Marshal(k.listing.Extensions["x-paging"])
	return json.Unmarshal(extension, &k.paging)
}

// findPage finds the schemas of a page and of a webhook, and every place in them that x-paging names.
func (k *contract) findPage() error {
	ok := k.listing.Responses.Status(http.StatusOK)
	if ok == nil {
		return fmt.Errorf("%s declares no status 200", k.path)
	}
	for mediaType, content := range ok.Value.Content {
		if strings.HasSuffix(mediaType, "json") && content.Schema != nil {
			k.mediaType, k.page = mediaType, content.Schema.Value
		}
	}
	if k.page == nil {
		return fmt.Errorf("a page of %s has no JSON schema", k.path)
	}
	k.places["page"] = k.locate("operation/responses/200/content/" + escape(k.mediaType) + "/schema")
	for role, place := range map[string]string{"items": k.paging.Items, "prev": k.paging.Prev, "next": k.paging.Next, "size": k.paging.Size} {
		k.places[role] = k.locate("page/properties/" + strings.ReplaceAll(escape(place), ".", "/properties/"))
		if k.places[role].node == nil {
			return fmt.Errorf("x-paging says that %s is at %q, which a page does not have", role, place)
		}
	}
	list := k.page
	for name := range strings.SplitSeq(k.paging.Items, ".") {
		list = list.Properties[name].Value
	}
	if list.Items == nil || len(k.paging.Order) == 0 {
		return errors.New("x-paging does not say where the array of items is, or what it is ordered by")
	}
	k.webhook, k.places["webhook"] = list.Items.Value, k.locate("items/items")
	for name, property := range k.webhook.Properties {
		if property.Value.Format == "password" {
			k.passwords = append(k.passwords, name)
			k.places["secret"] = k.locate("webhook/properties/" + escape(name))
		}
	}
	for _, name := range k.paging.Order {
		if k.webhook.Properties[name] == nil {
			return fmt.Errorf("x-paging orders by %q, which a webhook does not have", name)
		}
	}
	return nil
}

func (k *contract) findParameters() error {
	for i, ref := range k.listing.Parameters {
		p, at := ref.Value, k.locate(fmt.Sprintf("operation/parameters/%d", i))
		switch {
		case p.In == openapi3.ParameterInPath && strings.Contains(k.path, "{"+p.Name+"}"):
			k.organization, k.places["organization"] = p, at
		case p.Name == k.paging.SizeParameter:
			k.size, k.places["sizeParameter"] = p, at
		case p.Name == k.paging.CursorParameter:
			k.cursor, k.places["cursorParameter"] = p, at
		}
	}
	switch {
	case k.organization == nil:
		return fmt.Errorf("the parameter in path %s is not declared", k.path)
	case k.paging.CursorParameter != "" && k.cursor == nil:
		return fmt.Errorf("x-paging names the parameter %q, which is not declared", k.paging.CursorParameter)
	case k.paging.SizeParameter == "":
		return nil
	case k.size == nil || k.size.Schema.Value.Min == nil || k.size.Schema.Value.Max == nil:
		return fmt.Errorf("x-paging names the parameter %q, which is not declared with a minimum and a maximum", k.paging.SizeParameter)
	}
	schema := k.size.Schema.Value
	k.least, k.most = int(*schema.Min), int(*schema.Max)
	k.usual, _ = strconv.Atoi(fmt.Sprint(schema.Default))
	return nil
}

// findSecurity finds the header that the token is sent in; there may be none.
func (k *contract) findSecurity() error {
	required := k.doc.Security
	if k.listing.Security != nil {
		required = *k.listing.Security
	}
	for _, requirement := range required {
		for name := range requirement {
			k.places["security"] = k.locate("/components/securitySchemes/" + escape(name))
			switch ref := k.doc.Components.SecuritySchemes[name]; {
			case ref != nil && ref.Value.Type == "http":
				k.header, k.scheme = "Authorization", strings.ToUpper(ref.Value.Scheme[:1])+ref.Value.Scheme[1:]+" "
			case ref != nil && ref.Value.Type == "apiKey" && ref.Value.In == "header":
				k.header, k.scheme = ref.Value.Name, ""
			default:
				return fmt.Errorf("security scheme %q: only http and apiKey in a header are supported", name)
			}
		}
	}
	return nil
}

// listPath is the list's path, below the base, for an organization.
func (k *contract) listPath(organization string) string {
	return strings.Replace(k.path, "{"+k.organization.Name+"}", url.PathEscape(organization), 1)
}

// locate finds what a check is about: a role, or a path below one, such as "next" or "operation/responses/403".
func (k *contract) locate(about string) place {
	tokens := strings.Split(about, "/")
	return k.below(k.places[tokens[0]], tokens[1:])
}

// below follows a JSON pointer, and every reference on its way.
func (k *contract) below(p place, tokens []string) place {
	for _, token := range tokens {
		p.node, p.pointer = child(p.node, token), p.pointer+"/"+token
		if ref, _ := child(p.node, "$ref").(string); ref != "" {
			p = k.below(place{k.places[""].node, "", p.class}, strings.Split(ref, "/")[1:])
		}
		if extension := child(p.node, "x-provenance"); extension != nil {
			p.class = provenance(extension, "")
		}
	}
	return p
}

// child is a member of an object or an item of an array, by its token of a JSON pointer; nil when there is none.
func child(node any, token string) any {
	if list, ok := node.([]any); ok {
		if i, err := strconv.Atoi(token); err == nil && i < len(list) {
			return list[i]
		}
	}
	object, _ := node.(map[string]any)
	return object[strings.NewReplacer("~1", "/", "~0", "~").Replace(token)]
}

func escape(token string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(token) }
