package conformance

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// validateSafety looks for what no server may do, whatever it was built to: tell the list to whoever asks, or repeat
// what only the two sides may know.
func (s *session) validateSafety(a *response, p *page) {
	header, scheme := s.contract.credential()
	sent := a.request.Header.Get(header)
	served := a.status/100 == 2 && p != nil && len(p.webhooks) > 0
	if header != "" && (s.cfg.Token == "" || sent != scheme+s.cfg.Token) {
		s.observe("token-required", a, served, "status %d with webhooks, without a valid token", a.status)
	} else if a.request.URL.Path == s.get(s.contract.listPath(s.cfg.ForeignOrganization), "").URL.Path {
		s.observe("organization-isolated", a, served, "status %d with webhooks for an organization that the token does not cover", a.status)
	}
	token := strings.TrimPrefix(sent, scheme)
	s.observe("token-echo", a, a.tells(token), "status %d with the token in it", a.status)
	leaks := func(secret string) bool { return secret != s.cfg.Token && a.tells(secret) }
	s.observe("secret-leak", a, (a.status/100 != 2 || p == nil) && slices.ContainsFunc(s.known(), leaks),
		"status %d with a signing secret in it", a.status)
}

// observe notes that a check had something to look at, and whether that was a violation.
func (s *session) observe(check string, a *response, bad bool, format string, args ...any) {
	s.mu.Lock()
	s.seen[check] = true
	s.mu.Unlock()
	if bad {
		s.violation(check, a, format, args...)
	}
}

// tells reports whether a secret is in the response: as it is, behind JSON's escapes, or as in a URL.
func (a *response) tells(secret string) bool {
	if len(secret) < minSecret {
		return false
	}
	var text strings.Builder
	_ = a.header.Write(&text) // a strings.Builder never fails
	text.Write(a.body)
	var value any
	if json.Unmarshal(a.body, &value) == nil {
		text.WriteString(encode(value))
	}
	return strings.Contains(text.String(), secret) || strings.Contains(text.String(), url.QueryEscape(secret))
}
