package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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
	s.validateSafety(a)
	for _, name := range []string{"Deprecation", "Sunset"} {
		s.note("deprecation", a, a.header.Get(name) != "", "%s: %s", name, a.header.Get(name))
	}
	declared := s.contract.listing.Responses.Status(a.status)
	if s.note("status", a, declared == nil, "status %d is not declared", a.status); declared == nil {
		return
	}
	s.note("status", a, a.status == http.StatusInternalServerError, "status 500 is a fault of the server")
	s.validateHeaders(a, declared.Value)
	switch {
	case a.request.Method == http.MethodHead: // it has no body, by definition
	case a.status >= http.StatusBadRequest:
		s.validateError(a, declared.Value)
	case a.request.Method != http.MethodGet || a.request.URL.Path != s.list("").URL.Path:
		s.note("status", a, true, "status %d for what is not the list", a.status)
	case a.noPage != nil:
		s.note("envelope", a, true, "%v", a.noPage)
	default:
		s.validatePage(a, declared.Value)
	}
}

// note records that a response was looked at for a check, and whether it breaks the promise.
func (s *session) note(check string, a *response, bad bool, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch v := s.noted[check]; {
	case v != nil && bad:
		v.more++
	case bad:
		s.noted[check] = &violation{outcome: Fail, detail: fmt.Sprintf(format, args...), response: a}
	case v == nil:
		s.noted[check] = nil
	}
}

// validateHeaders checks a response against the headers of its status. Each has a check of the header's own name.
func (s *session) validateHeaders(a *response, declared *openapi3.Response) {
	for name, ref := range declared.Headers {
		check, values := strings.ToLower(name), a.header.Values(name)
		s.note(check, a, ref.Value.Required && len(values) == 0, "status %d without it", a.status)
		for _, value := range values {
			for _, e := range mismatches(ref.Value.Schema.Value, value) {
				s.note(check, a, true, "status %d with %q: %s", a.status, value, e.Reason)
			}
		}
	}
}

// validateError checks an error's body against its schema and against the request that it belongs to.
func (s *session) validateError(a *response, declared *openapi3.Response) {
	mediaType, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	content := declared.Content[mediaType]
	if content == nil || !a.isJSON {
		s.note("problem", a, true, "status %d with Content-Type %q, or a body that is not JSON", a.status, a.header.Get("Content-Type"))
		return
	}
	for _, e := range mismatches(content.Schema.Value, a.value) {
		s.note("problem", a, true, "status %d, /%s: %s", a.status, strings.Join(e.JSONPointer(), "/"), e.Reason)
	}
	for name, want := range map[string]any{
		"status": float64(a.status), "request_id": a.header.Get("X-Request-Id"), "instance": a.request.URL.EscapedPath(),
	} {
		has := get(a.value, name)
		s.note("problem", a, has != nil && has != want, "status %d, /%s is %v, not %v", a.status, name, has, want)
	}
}

// validatePage checks a page against its schema, wherever its parts are, and against what no schema says.
func (s *session) validatePage(a *response, declared *openapi3.Response) {
	contentType := a.header.Get("Content-Type")
	mediaType, _, _ := mime.ParseMediaType(contentType)
	s.note("page-media-type", a, mediaType != s.contract.mediaType, "Content-Type is %q", contentType)
	s.note("envelope", a, a.keys != "", "envelope: %s", a.keys)
	for _, e := range mismatches(s.contract.page, a.whole) {
		s.note(checkOf(e), a, true, "/%s: %s", strings.Join(e.JSONPointer(), "/"), e.Reason)
	}
	extra := undeclared(s.contract.page.NewRef(), a.whole, "")
	slices.Sort(extra)
	s.note("extra-fields", a, len(extra) > 0, "the contract does not know %s", strings.Join(slices.Compact(extra), ", "))
	twice := duplicateKeys(json.NewDecoder(bytes.NewReader(a.body)), "")
	s.note("duplicate-keys", a, len(twice) > 0, "twice in one object: %s", strings.Join(slices.Compact(twice), ", "))
	s.webhooks.Add(int64(len(a.webhooks)))
	for i, w := range a.webhooks {
		for _, name := range s.contract.passwords {
			secret, _ := w[name].(string)
			mask := masks.MatchString(secret)
			if s.note("secret-in-clear", a, mask, "webhook %d: %s is masked", i, name); !mask {
				s.keepSecret(secret)
			}
		}
	}
	s.note("per-page-reported", a, a.size > 0 && len(a.webhooks) > a.size, "a page of %d webhooks reports %d", len(a.webhooks), a.size)
	for rel, link := range map[string]string{"prev": a.prev, "next": a.next} {
		u, err := url.Parse(link)
		away := err != nil || !strings.HasSuffix(u.EscapedPath(), s.contract.listPath(s.cfg.Organization))
		s.note("links-path", a, link != "" && away, "%s is %q", rel, link)
		s.note("links-absolute", a, link != "" && !away && u.Scheme != "https" && u.Scheme != "http", "%s is %q", rel, link)
	}
	inHeader := linkHeader(a.header)
	s.note("link", a, declared.Headers["Link"] != nil && (inHeader["prev"] != a.prev || inHeader["next"] != a.next),
		"it holds %d links, which are not those of the body", len(inHeader))
}

// validateSafety looks for what no server may do, whatever it was built to: tell the list to whoever asks, or repeat
// what only the two sides may know.
func (s *session) validateSafety(a *response) {
	sent := a.request.Header.Get(s.contract.header)
	served := a.status/100 == 2 && len(a.webhooks) > 0
	if s.contract.header != "" && (s.cfg.Token == "" || sent != s.contract.scheme+s.cfg.Token) {
		s.note("token-required", a, served, "status %d with webhooks, without a valid token", a.status)
	} else if a.request.URL.Path == s.get(s.contract.listPath(s.cfg.ForeignOrganization), "").URL.Path {
		s.note("organization-isolated", a, served, "status %d with webhooks for an organization that the token does not cover", a.status)
	}
	s.note("token-echo", a, a.tells(strings.TrimPrefix(sent, s.contract.scheme)), "status %d with the token in it", a.status)
	leaks := func(secret string) bool { return secret != s.cfg.Token && a.tells(secret) }
	s.note("secret-leak", a, (a.status/100 != 2 || a.noPage != nil) && slices.ContainsFunc(s.known(), leaks),
		"status %d with a signing secret in it", a.status)
}

// tells reports whether a secret is in the response: as it is, behind JSON's escapes, or as in a URL.
func (a *response) tells(secret string) bool {
	var header strings.Builder
	_ = a.header.Write(&header) // a strings.Builder never fails
	text := header.String() + string(a.body) + encode(a.value)
	return len(secret) >= minSecret && (strings.Contains(text, secret) || strings.Contains(text, url.QueryEscape(secret)))
}

var (
	finer = regexp.MustCompile(`\.\d{7}`) // than a microsecond

	// masks matches placeholders that servers send instead of a secret.
	masks = regexp.MustCompile(`(?i)[*•●]{3}|^[x.…]{3,}$|…|^\W*(redacted|hidden|masked|filtered|secret)\W*$`)
)

// utc is stricter than the format's own validator: the contract's times are in UTC, to the microsecond.
var utc = openapi3.NewCallbackValidator(func(value string) error {
	at, err := time.Parse(time.RFC3339Nano, value)
	switch _, offset := at.Zone(); {
	case err != nil:
	case offset != 0:
		err = errors.New("the time is not in UTC")
	case finer.MatchString(value):
		err = errors.New("the time is finer than a microsecond")
	}
	return err
})

// checkOf names the check that a violation in a page belongs to. A printed list of fields states types and what is
// required. Whatever else a schema holds (formats, lengths, patterns) is a decision, also on a field that was published.
func checkOf(e *openapi3.SchemaError) string {
	check, facet, part := "field-types", "type", e.Schema
	switch {
	case e.SchemaField == "format" && e.Schema.Format == "date-time":
		return "time-format"
	case e.SchemaField == "required":
		check, facet = "required-fields", "required"
		path := e.JSONPointer()
		if property := e.Schema.Properties[path[len(path)-1]]; property != nil {
			part = property.Value
		}
	case e.SchemaField != "type" && e.SchemaField != "nullable":
		return "bounds"
	}
	if provenance(part.Extensions["x-provenance"], facet) == Decided {
		return "envelope"
	}
	return check
}

// provenance says whose a facet of a part is, or the part itself. The extension x-provenance is either one word for
// all of the part, or has what was published under that name, by facet.
func provenance(extension any, facet string) Class {
	published, _ := child(extension, string(Published)).(map[string]any)
	value, stated := published[facet]
	if extension == string(Published) || len(published) > 0 && (facet == "" || stated && value != false) {
		return Published
	}
	return Decided
}

// undeclared returns the places in value that the schema does not declare.
func undeclared(schema *openapi3.SchemaRef, value any, at string) (places []string) {
	if schema == nil {
		return []string{at}
	}
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			places = append(places, undeclared(schema.Value.Properties[name], member, at+"/"+name)...)
		}
	case []any:
		for _, item := range v {
			if schema.Value.Items != nil {
				places = append(places, undeclared(schema.Value.Items, item, at+"/*")...)
			}
		}
	}
	return places
}

// mismatches are the ways in which a value of a response does not fit a schema.
func mismatches(schema *openapi3.Schema, value any) (all []*openapi3.SchemaError) {
	err := schema.VisitJSON(value, openapi3.MultiErrors(), openapi3.VisitAsResponse(), openapi3.WithStringFormatValidator("date-time", utc))
	many := openapi3.MultiError{err} // what err is when there is no more than one
	_ = errors.As(err, &many)
	for _, err := range many {
		var one *openapi3.SchemaError
		if errors.As(err, &one) {
			all = append(all, one)
		}
	}
	return all
}

// duplicateKeys returns where the next value of d has a name twice. The value is known to be valid JSON.
func duplicateKeys(d *json.Decoder, at string) (places []string) {
	start, _ := d.Token()
	if _, nested := start.(json.Delim); !nested {
		return nil
	}
	for seen := map[string]bool{}; d.More(); {
		member := at + "/*"
		if start == json.Delim('{') {
			name, _ := d.Token()
			if member = fmt.Sprintf("%s/%v", at, name); seen[member] {
				places = append(places, member)
			}
			seen[member] = true
		}
		places = append(places, duplicateKeys(d, member)...)
	}
	_, _ = d.Token() // the end
	return places
}
