package conformance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// contract is what the checks read from the document. No name, bound, path or status of the API is repeated in this
// package: the operation's x-paging says which of them paging works with.
type contract struct {
	tree         any    // the document as plain JSON, for pointers
	path         string // with the organization as its one parameter
	methods      []string
	listing      *openapi3.Operation
	mediaType    string // of a page
	page         *openapi3.Schema
	webhook      *openapi3.Schema
	paging       paging
	organization *openapi3.Parameter
	size         *openapi3.Parameter // nil when there is none, like those below
	cursor       *openapi3.Parameter
	security     *openapi3.SecurityScheme
	passwords    []string          // the names of the properties whose values are secret
	pointers     map[string]string // where the parts stand that checks are about
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
	if err != nil {
		return nil, fmt.Errorf("loading the contract: %w", err)
	}
	k := &contract{}
	text, err := doc.MarshalJSON()
	if err == nil {
		err = json.Unmarshal(text, &k.tree)
	}
	if err == nil {
		err = k.findListing(doc)
	}
	if err == nil {
		err = k.findSecurity(doc)
	}
	if err != nil {
		return nil, fmt.Errorf("loading the contract: %w", err)
	}
	return k, nil
}

// findListing finds the operation that has x-paging, and everything that x-paging names.
func (k *contract) findListing(doc *openapi3.T) error {
	for path, item := range doc.Paths.Map() {
		if item.Get == nil || item.Get.Extensions["x-paging"] == nil {
			continue
		}
		if k.listing != nil {
			return fmt.Errorf("both %s and %s have x-paging, and the checks are about one list", k.path, path)
		}
		k.path, k.listing = path, item.Get
		for method := range item.Operations() {
			k.methods = append(k.methods, method)
		}
		slices.Sort(k.methods)
	}
	if k.listing == nil {
		return fmt.Errorf("no GET operation has x-paging, which says how the pages of a list work")
	}
	if strings.Count(k.path, "{") != 1 {
		return fmt.Errorf("path %s has not exactly one parameter, the organization", k.path)
	}
	extension, _ := json.Marshal(k.listing.Extensions["x-paging"]) // it came from JSON
	if err := json.Unmarshal(extension, &k.paging); err != nil {
		return fmt.Errorf("reading x-paging: %w", err)
	}
	return k.findPage()
}

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
	operation := "/paths/" + escape(k.path) + "/get"
	page := operation + "/responses/200/content/" + escape(k.mediaType) + "/schema"
	k.pointers = map[string]string{"operation": operation, "page": page}
	for role, place := range map[string]string{"items": k.paging.Items, "prev": k.paging.Prev, "next": k.paging.Next, "size": k.paging.Size} {
		pointer, schema := page, k.page
		for name := range strings.SplitSeq(place, ".") {
			property := schema.Properties[name]
			if property == nil {
				return fmt.Errorf("x-paging says that %s is at %q, which a page does not have", role, place)
			}
			pointer, schema = pointer+"/properties/"+escape(name), property.Value
		}
		k.pointers[role] = pointer
		if role == "items" && schema.Items != nil {
			k.webhook = schema.Items.Value
			k.pointers["webhook"] = pointer + "/items"
		}
	}
	if k.webhook == nil {
		return fmt.Errorf("x-paging says that the items are at %q, which is no array", k.paging.Items)
	}
	for name, property := range k.webhook.Properties {
		if property.Value.Format == "password" {
			k.passwords = append(k.passwords, name)
			k.pointers["secret"] = k.pointers["webhook"] + "/properties/" + escape(name)
		}
	}
	for _, name := range k.paging.Order {
		if k.webhook.Properties[name] == nil {
			return fmt.Errorf("x-paging orders by %q, which a webhook does not have", name)
		}
	}
	if len(k.paging.Order) == 0 {
		return fmt.Errorf("x-paging does not say what the list is ordered by")
	}
	return k.findParameters(operation)
}

func (k *contract) findParameters(operation string) error {
	for i, ref := range k.listing.Parameters {
		pointer := operation + "/parameters/" + strconv.Itoa(i)
		switch p := ref.Value; {
		case p.In == openapi3.ParameterInPath:
			k.organization, k.pointers["organization"] = p, pointer
		case p.Name == k.paging.SizeParameter:
			k.size, k.pointers["sizeParameter"] = p, pointer
		case p.Name == k.paging.CursorParameter:
			k.cursor, k.pointers["cursorParameter"] = p, pointer
		}
	}
	if k.organization == nil {
		return fmt.Errorf("the parameter in path %s is not declared", k.path)
	}
	if k.paging.SizeParameter != "" && (k.size == nil || k.size.Schema.Value.Min == nil || k.size.Schema.Value.Max == nil) {
		return fmt.Errorf("x-paging names the parameter %q, which is not declared with a minimum and a maximum", k.paging.SizeParameter)
	}
	if k.paging.CursorParameter != "" && k.cursor == nil {
		return fmt.Errorf("x-paging names the parameter %q, which is not declared", k.paging.CursorParameter)
	}
	return nil
}

// findSecurity finds the scheme by which the token is sent.
func (k *contract) findSecurity(doc *openapi3.T) error {
	required := doc.Security
	if k.listing.Security != nil {
		required = *k.listing.Security
	}
	for _, requirement := range required {
		for name := range requirement {
			scheme := doc.Components.SecuritySchemes[name].Value
			if scheme.Type != "http" && (scheme.Type != "apiKey" || scheme.In != "header") {
				return fmt.Errorf("security scheme %q: the checks know http and an apiKey in a header", name)
			}
			k.security, k.pointers["security"] = scheme, "/components/securitySchemes/"+escape(name)
		}
	}
	return nil
}

// credential returns the header that the token is sent in, and what its value begins with.
func (k *contract) credential() (header, scheme string) {
	switch {
	case k.security == nil:
		return "", ""
	case k.security.Type == "apiKey":
		return k.security.Name, ""
	}
	return "Authorization", strings.ToUpper(k.security.Scheme[:1]) + k.security.Scheme[1:] + " "
}

// listPath is the list's path, below the base, for an organization.
func (k *contract) listPath(organization string) string {
	before, rest, _ := strings.Cut(k.path, "{")
	_, after, _ := strings.Cut(rest, "}")
	return before + url.PathEscape(organization) + after
}

// declared returns the first of the statuses that the contract declares.
func (k *contract) declared(statuses ...int) (int, error) {
	for _, status := range statuses {
		if k.listing.Responses.Status(status) != nil {
			return status, nil
		}
	}
	return 0, fmt.Errorf("the contract declares no status %v", statuses)
}

// bounds returns the least, the most and the default page size.
func (k *contract) bounds() (least, most, usual int) {
	schema := k.size.Schema.Value
	usual, _ = strconv.Atoi(fmt.Sprint(schema.Default))
	return int(*schema.Min), int(*schema.Max), usual
}

// promise is what the contract says in words under a name.
func (k *contract) promise(name string) string {
	promises, _ := k.listing.Extensions["x-promise"].(map[string]any)
	text, _ := promises[name].(string)
	return strings.Join(strings.Fields(text), " ")
}

// locate turns what a check is about, "next" or "webhook/required", into a JSON pointer (RFC 6901), and says whose
// that part is: the nearest x-provenance at or above it decides, and what nobody marked is decided. It reports false
// for what the contract does not have.
func (k *contract) locate(about string) (pointer string, class Class, ok bool) {
	role, below, _ := strings.Cut(about, "/")
	path := k.pointers[role]
	if below != "" {
		path += "/" + below
	}
	node, class, token := k.tree, Decided, ""
	for _, token = range strings.Split(strings.TrimPrefix(path, "/"), "/") {
		switch v := node.(type) {
		case map[string]any:
			node = v[strings.NewReplacer("~1", "/", "~0", "~").Replace(token)]
		case []any:
			i, _ := strconv.Atoi(token)
			node = v[i]
		}
		pointer += "/" + token
		node, pointer = k.resolve(node, pointer)
		if node == nil {
			return "", Decided, false
		}
		if m, _ := node.(map[string]any); m["x-provenance"] != nil {
			class = provenance(m["x-provenance"], "")
		}
	}
	return pointer, class, true
}

// resolve follows a reference.
func (k *contract) resolve(node any, pointer string) (any, string) {
	m, _ := node.(map[string]any)
	ref, _ := m["$ref"].(string)
	if ref == "" {
		return node, pointer
	}
	node = k.tree
	for token := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		node = node.(map[string]any)[token]
	}
	return node, ref[1:]
}

func escape(token string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(token)
}
