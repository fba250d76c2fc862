package conformance

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// judge holds one answer to everything that the contract says of every answer, and notes each breach under the check
// that names it.
//
// It visits the schemas itself: openapi3filter.ValidateResponse stops at the first breach, reads only the first of
// repeated headers, accepts text behind the JSON and does not say which field's promise was broken.
func (s *session) judge(a *answer) {
	s.judgeSecrecy(a)
	ref := s.contract.listing.Responses.Status(a.status)
	if ref == nil {
		s.breach("status", a, "status %d is not declared", a.status)
		return
	}
	if a.status == http.StatusInternalServerError {
		s.breach("status", a, "status 500 is a fault of the server")
	}
	s.judgeHeaders(a, ref.Value)
	if a.request.Method == http.MethodHead {
		return // it has no body, by definition
	}
	value, schema, ok := s.decode(a, ref.Value)
	if !ok {
		return
	}
	breaches := schemaErrors(schema.VisitJSON(value, openapi3.MultiErrors(), openapi3.VisitAsResponse(),
		openapi3.WithStringFormatValidator("date-time", utc)))
	if a.status != http.StatusOK {
		s.judgeProblem(a, breaches, value)
		return
	}
	for _, e := range breaches {
		s.breach(checkOf(e), a, "/%s: %s", strings.Join(e.JSONPointer(), "/"), e.Reason)
	}
	if places := undeclared(schema, value, ""); len(places) > 0 {
		slices.Sort(places)
		s.breach("extra-fields", a, "the contract does not know %s", strings.Join(places, ", "))
	}
	s.judgePage(a)
}

// utc is stricter than the format's own validator: the contract's times are in UTC.
var utc = openapi3.NewCallbackValidator(func(value string) error {
	at, err := time.Parse(time.RFC3339Nano, value)
	if _, offset := at.Zone(); err == nil && offset != 0 {
		return errors.New("the time is not in UTC")
	}
	return err
})

// decode reads the body by the media type that the contract declares.
func (s *session) decode(a *answer, declared *openapi3.Response) (any, *openapi3.Schema, bool) {
	check := "page-media-type"
	if a.status != http.StatusOK {
		check = "problem"
	}
	mediaType, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	content := declared.Content[mediaType]
	if err != nil || content == nil {
		s.breach(check, a, "status %d with Content-Type %q", a.status, a.header.Get("Content-Type"))
		return nil, nil, false
	}
	var value any
	if err := json.Unmarshal(a.body, &value); err != nil {
		s.breach(check, a, "status %d with a body that is not JSON: %v", a.status, err)
		return nil, nil, false
	}
	return value, content.Schema.Value, true
}

// judgeHeaders holds an answer to the headers of its status. Each has a check of the header's own name.
func (s *session) judgeHeaders(a *answer, declared *openapi3.Response) {
	for name, ref := range declared.Headers {
		check, values := strings.ToLower(name), a.header.Values(name)
		if len(values) == 0 && ref.Value.Required {
			s.breach(check, a, "status %d without it", a.status)
		}
		for _, value := range values {
			for _, e := range schemaErrors(ref.Value.Schema.Value.VisitJSON(value, openapi3.MultiErrors())) {
				s.breach(check, a, "status %d with %q: %s", a.status, value, e.Reason)
			}
		}
	}
}

// judgeSecrecy looks for what the server knows and no answer but a page may tell. A token belongs in none at all.
func (s *session) judgeSecrecy(a *answer) {
	_, sent, _ := strings.Cut(a.request.Header.Get("Authorization"), " ")
	told := []string{sent}
	if a.status != http.StatusOK {
		told = append(told, s.known()...)
	}
	var text strings.Builder
	_ = a.header.Write(&text) // a strings.Builder never fails
	text.Write(a.body)
	var value any
	if json.Unmarshal(a.body, &value) == nil {
		text.WriteString(encode(value)) // once more, without the escapes that could hide one
	}
	for _, secret := range told {
		if len(secret) >= minSecret && strings.Contains(text.String(), secret) {
			s.breach("no-secrets", a, "status %d with a token or a signing secret in it", a.status)
			return
		}
	}
}

// judgeProblem holds an error body to its schema and to the exchange that it belongs to.
func (s *session) judgeProblem(a *answer, breaches []*openapi3.SchemaError, value any) {
	for _, e := range breaches {
		s.breach("problem", a, "status %d, /%s: %s", a.status, strings.Join(e.JSONPointer(), "/"), e.Reason)
	}
	body, _ := value.(map[string]any)
	if status, ok := body["status"].(float64); ok && int(status) != a.status {
		s.breach("problem", a, "/status is %v in an answer of status %d", status, a.status)
	}
	if id, ok := body["request_id"].(string); ok && id != a.header.Get("X-Request-Id") {
		s.breach("problem", a, "/request_id is not the X-Request-Id of the answer")
	}
	if path, ok := body["instance"].(string); ok && path != a.request.URL.Path {
		s.breach("problem", a, "/instance is %q in an answer for %q", path, a.request.URL.Path)
	}
}

// judgePage holds a page to what no schema says.
func (s *session) judgePage(a *answer) {
	p, err := parsePage(a)
	if err != nil {
		return // the check of the envelope has told so
	}
	s.learn(p)
	if p.perPage > 0 && len(p.webhooks) > p.perPage {
		s.breach("per-page-reported", a, "/meta/per_page is %d in a page of %d webhooks", p.perPage, len(p.webhooks))
	}
	for rel, link := range map[string]string{"prev": p.prev, "next": p.next} {
		if link == "" {
			continue
		}
		if _, err := s.follow(p, link); err != nil {
			s.breach("links-followable", a, "/links/%s: %v", rel, err)
		}
		if !strings.HasPrefix(link, "https://") && !strings.HasPrefix(link, "http://") {
			s.breach("links-absolute", a, "/links/%s is %q", rel, link)
		}
	}
	if inHeader := linkHeader(a.header); inHeader["prev"] != p.prev || inHeader["next"] != p.next {
		s.breach("link", a, "it holds %d links, which are not those of the body", len(inHeader))
	}
}

// learn counts the webhooks, so that no promise about them is called kept when none was seen, and notes their secrets.
func (s *session) learn(p *page) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.webhooks += len(p.webhooks)
	for _, w := range p.webhooks {
		for _, name := range s.contract.passwords {
			secret, _ := w[name].(string)
			s.keepSecret(secret)
		}
	}
}

var linkValue = regexp.MustCompile(`<([^>]*)>\s*;\s*rel="?([a-z]+)"?`)

// linkHeader reads the links of RFC 8288 as far as the contract uses them.
func linkHeader(header http.Header) map[string]string {
	links := map[string]string{}
	for _, m := range linkValue.FindAllStringSubmatch(strings.Join(header.Values("Link"), ", "), -1) {
		links[m[2]] = m[1]
	}
	return links
}

// checkOf names the check that a breach in a page belongs to.
func checkOf(e *openapi3.SchemaError) string {
	switch {
	case e.SchemaField == "format" && e.Schema.Format == "date-time":
		return "time-format"
	case !stated[e.SchemaField]:
		return "bounds"
	case breachProvenance(e) == Decided:
		return "envelope"
	case e.SchemaField == "required":
		return "required-fields"
	}
	return "field-types"
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
