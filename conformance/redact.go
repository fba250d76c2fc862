package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

const (
	masked = "[redacted]"

	// minSecret is the minimum length of secrets to search for in other text: shorter ones match by chance.
	minSecret = 6

	maxShown = 2000
)

// show renders a response and its request for a report.
func (s *session) show(a *response) (request, response string) {
	sent := a.request.Header.Clone()
	sent.Del(s.contract.header)
	return s.hide(fmt.Sprintf("%s %s\n%s", a.request.Method, a.request.URL, headerText(sent))),
		s.hide(fmt.Sprintf("%d %s\n%s", a.status, http.StatusText(a.status), headerText(a.header))) + "\n" + s.hideBody(a)
}

func headerText(header http.Header) string {
	var b strings.Builder
	_ = header.WriteSubset(&b, map[string]bool{"Authorization": true, "Set-Cookie": true}) // a strings.Builder never fails
	return strings.ReplaceAll(b.String(), "\r\n", "\n")
}

// hide masks the token and every signing secret met so far.
func (s *session) hide(text string) string {
	for _, secret := range s.known() {
		text = strings.ReplaceAll(text, secret, masked)
	}
	return text
}

// known returns the token and the signing secrets that are long enough to be looked for, the longest first: one may be
// the beginning of another.
func (s *session) known() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := slices.Collect(maps.Keys(s.secrets))
	slices.SortFunc(known, func(a, b string) int { return len(b) - len(a) })
	return known
}

// hideBody masks secrets in JSON. Other bodies are shown only for errors: in a truncated page the secrets could not be
// found.
func (s *session) hideBody(a *response) string {
	text := s.hide(string(a.body))
	if a.isJSON {
		text = encode(s.maskValue(a.value))
	} else if a.status < 400 && text != "" {
		text = fmt.Sprintf("[%d bytes that are not JSON]", len(a.body))
	}
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + fmt.Sprintf("… [%d bytes]", len(text))
	}
	return text
}

// maskValue masks each member whose name holds that of a secret, also one that a server adds, such as signing_secret.
func (s *session) maskValue(value any) any {
	switch v := value.(type) {
	case map[string]any:
		shown := make(map[string]any, len(v))
		for name, member := range v {
			within := func(password string) bool { return strings.Contains(strings.ToLower(name), password) }
			if slices.ContainsFunc(s.contract.passwords, within) {
				member = masked
			}
			shown[s.hide(name)] = s.maskValue(member)
		}
		return shown
	case []any:
		shown := make([]any, len(v))
		for i := range v {
			shown[i] = s.maskValue(v[i])
		}
		return shown
	case string:
		return s.hide(v)
	}
	return value
}

// encode writes JSON without escaping more than it must.
func encode(value any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(value) // decoded values can be encoded
	return strings.TrimSpace(b.String())
}
