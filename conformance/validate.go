package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// validate checks a response against everything that the contract says of every response, and notes each violation
// under the check that names it.
//
// It visits the schemas itself: openapi3filter.ValidateResponse stops at the first error, reads only the first of
// repeated headers, accepts text behind the JSON and does not say which field's promise was broken.
func (s *session) validate(a *response) {
	listing := a.request.Method == http.MethodGet && a.request.URL.Path == s.list("").URL.Path
	p, err := s.contract.parse(a)
	s.validateSafety(a, p)
	for _, name := range []string{"Deprecation", "Sunset"} {
		if value := a.header.Get(name); value != "" {
			s.violation("deprecation", a, "%s: %s", name, value)
		}
	}
	declared := s.contract.listing.Responses.Status(a.status)
	if declared == nil {
		s.violation("status", a, "status %d is not declared", a.status)
		return
	}
	if a.status == http.StatusInternalServerError {
		s.violation("status", a, "status 500 is a fault of the server")
	}
	s.validateHeaders(a, declared.Value)
	switch {
	case a.request.Method == http.MethodHead: // it has no body, by definition
	case a.status >= http.StatusBadRequest:
		s.validateError(a, declared.Value)
	case !listing:
		s.violation("status", a, "status %d for what is not the list", a.status)
	case err != nil:
		s.violation("envelope", a, "%v", err)
	default:
		s.validatePage(a, p)
	}
}

// validateHeaders checks a response against the headers of its status. Each has a check of the header's own name.
func (s *session) validateHeaders(a *response, declared *openapi3.Response) {
	for name, ref := range declared.Headers {
		check, values := strings.ToLower(name), a.header.Values(name)
		if len(values) == 0 && ref.Value.Required {
			s.violation(check, a, "status %d without it", a.status)
		}
		for _, value := range values {
			for _, e := range schemaErrors(ref.Value.Schema.Value.VisitJSON(value, openapi3.MultiErrors())) {
				s.violation(check, a, "status %d with %q: %s", a.status, value, e.Reason)
			}
		}
	}
}

// validateError checks an error's body against its schema and against the request that it belongs to.
func (s *session) validateError(a *response, declared *openapi3.Response) {
	mediaType, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	content := declared.Content[mediaType]
	var value any
	if content == nil || json.Unmarshal(a.body, &value) != nil {
		s.violation("problem", a, "status %d with Content-Type %q, or a body that is not JSON", a.status, a.header.Get("Content-Type"))
		return
	}
	for _, e := range schemaErrors(content.Schema.Value.VisitJSON(value, openapi3.MultiErrors(), openapi3.VisitAsResponse())) {
		s.violation("problem", a, "status %d, /%s: %s", a.status, strings.Join(e.JSONPointer(), "/"), e.Reason)
	}
	for name, want := range map[string]any{
		"status": float64(a.status), "request_id": a.header.Get("X-Request-Id"), "instance": a.request.URL.EscapedPath(),
	} {
		if has := get(value, name); has != nil && has != want {
			s.violation("problem", a, "status %d, /%s is %v, not %v", a.status, name, has, want)
		}
	}
}

// validatePage checks a page against its schema, wherever its parts are, and against what no schema says.
func (s *session) validatePage(a *response, p *page) {
	if mediaType, _, _ := mime.ParseMediaType(a.header.Get("Content-Type")); mediaType != s.contract.mediaType {
		s.violation("page-media-type", a, "Content-Type is %q", a.header.Get("Content-Type"))
	}
	if p.keys != "" {
		s.violation("envelope", a, "envelope: %s", p.keys)
	}
	for _, e := range schemaErrors(s.contract.page.VisitJSON(p.value, openapi3.MultiErrors(), openapi3.VisitAsResponse(),
		openapi3.WithStringFormatValidator("date-time", utc))) {
		s.violation(checkOf(e), a, "/%s: %s", strings.Join(e.JSONPointer(), "/"), e.Reason)
	}
	if places := undeclared(s.contract.page, p.value, ""); len(places) > 0 {
		slices.Sort(places)
		s.violation("extra-fields", a, "the contract does not know %s", strings.Join(slices.Compact(places), ", "))
	}
	if places := duplicateKeys(json.NewDecoder(bytes.NewReader(a.body)), ""); len(places) > 0 {
		s.violation("duplicate-keys", a, "twice in one object: %s", strings.Join(slices.Compact(places), ", "))
	}
	s.learn(a, p)
	if p.size > 0 && len(p.webhooks) > p.size {
		s.violation("per-page-reported", a, "a page of %d webhooks reports %d", len(p.webhooks), p.size)
	}
	s.validateLinks(a, p)
}

func (s *session) validateLinks(a *response, p *page) {
	for rel, link := range map[string]string{"prev": p.prev, "next": p.next} {
		u, err := url.Parse(link)
		switch {
		case link == "":
		case err != nil || !strings.HasSuffix(u.EscapedPath(), s.contract.listPath(s.cfg.Organization)):
			s.violation("links-path", a, "%s is %q", rel, link)
		case u.Scheme != "https" && u.Scheme != "http":
			s.violation("links-absolute", a, "%s is %q", rel, link)
		}
	}
	if inHeader := linkHeader(a.header); s.contract.listing.Responses.Status(a.status).Value.Headers["Link"] != nil &&
		(inHeader["prev"] != p.prev || inHeader["next"] != p.next) {
		s.violation("link", a, "it holds %d links, which are not those of the body", len(inHeader))
	}
}

// learn counts the webhooks, so that no promise about them is called kept when none was seen, and looks at their secrets.
func (s *session) learn(a *response, p *page) {
	for i, w := range p.webhooks {
		for _, name := range s.contract.passwords {
			secret, _ := w[name].(string)
			if masks.MatchString(secret) {
				s.violation("secret-in-clear", a, "webhook %d: %s is masked", i, name)
				continue
			}
			s.mu.Lock()
			s.keepSecret(secret)
			s.mu.Unlock()
		}
	}
	s.mu.Lock()
	s.webhooks += len(p.webhooks)
	s.mu.Unlock()
}

// masks is what stands in the place of a secret that a server does not tell.
var masks = regexp.MustCompile(`(?i)[*•●]{3}|^[x.…]{3,}$|…|^\W*(redacted|hidden|masked|filtered|secret)\W*$`)

// utc is stricter than the format's own validator: the contract's times are in UTC, to the microsecond.
var utc = openapi3.NewCallbackValidator(func(value string) error {
	at, err := time.Parse(time.RFC3339Nano, value)
	if err != nil {
		return err
	}
	if _, offset := at.Zone(); offset != 0 {
		return errors.New("the time is not in UTC")
	}
	if _, fraction, _ := strings.Cut(value, "."); len(fraction) > len("000000Z") && !strings.ContainsAny(fraction, "+-") {
		return errors.New("the time is finer than a microsecond")
	}
	return nil
})

// checkOf names the check that a violation in a page belongs to.
func checkOf(e *openapi3.SchemaError) string {
	facet := facets[e.SchemaField]
	extension := e.Schema.Extensions["x-provenance"]
	if path := e.JSONPointer(); e.SchemaField == "required" && len(path) > 0 {
		if property := e.Schema.Properties[path[len(path)-1]]; property != nil {
			extension = property.Value.Extensions["x-provenance"]
		}
	}
	switch {
	case e.SchemaField == "format" && e.Schema.Format == "date-time":
		return "time-format"
	case facet == "":
		return "bounds"
	case provenance(extension, facet) == Decided:
		return "envelope"
	case facet == "required":
		return "required-fields"
	}
	return "field-types"
}

// facets are the words of a schema that a printed list of fields states, by what the contract calls them. Whatever
// else a schema holds (formats, lengths, patterns) is a decision, also on a field that was published.
var facets = map[string]string{"type": "type", "nullable": "type", "required": "required"}

// provenance says whose a facet of a part is, or the part itself. The extension x-provenance is either one word for
// all of the part, or has what was published under that name, by facet.
func provenance(extension any, facet string) Class {
	if object, ok := extension.(map[string]any); ok {
		published, _ := object[string(Published)].(map[string]any)
		if value, ok := published[facet]; facet != "" && (!ok || value == false) || len(published) == 0 {
			return Decided
		}
		return Published
	}
	if extension == string(Published) {
		return Published
	}
	return Decided
}

// undeclared returns the places in value that the schema does not declare.
func undeclared(schema *openapi3.Schema, value any, at string) (places []string) {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if property := schema.Properties[name]; property != nil {
				places = append(places, undeclared(property.Value, member, at+"/"+name)...)
			} else {
				places = append(places, at+"/"+name)
			}
		}
	case []any:
		for _, item := range v {
			if schema.Items != nil {
				places = append(places, undeclared(schema.Items.Value, item, at+"/*")...)
			}
		}
	}
	return places
}

func schemaErrors(err error) []*openapi3.SchemaError {
	var many openapi3.MultiError
	if errors.As(err, &many) {
		var all []*openapi3.SchemaError
		for _, e := range many {
			all = append(all, schemaErrors(e)...)
		}
		return all
	}
	var one *openapi3.SchemaError
	if errors.As(err, &one) {
		return []*openapi3.SchemaError{one}
	}
	return nil
}
