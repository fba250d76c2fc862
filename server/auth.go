package server

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/packhooks/packhooks/server/store"
)

const realm = `Bearer realm="packhooks"`

// authenticate looks up the bearer token of a request (RFC 6750). The grant of a token that was looked up a moment ago is
// remembered: then it is checked as the page is read or, if none is read, before the error is returned.
func authenticate(c echo.Context, s *requestState, next echo.HandlerFunc) error {
	if s.token == "" {
		return unauthorized("no_token", realm, `send a token as "Authorization: Bearer TOKEN"`)
	}
	if s.remember(); !s.unproven {
		if err := s.prove(); err != nil {
			return err
		}
	}
	if err := s.limitRate(); err != nil {
		return err
	}
	err := next(c)
	if err != nil && s.unproven {
		if invalid := s.prove(); invalid != nil {
			return invalid
		}
	}
	return err
}

// remember takes the grant from the last look-up of the token, if it is recent.
func (s *requestState) remember() {
	if s.known == nil || s.admission.granted == nil {
		return
	}
	if last := s.known.last.Load(); last != nil && last.grant.Proof != (store.Proof{}) && time.Since(last.at) < knownFor {
		s.grant, s.unproven = last.grant, true
	}
}

// prove looks up the token. The reason of a 401 is for log and metrics only.
func (s *requestState) prove() (err error) {
	s.unproven = false
	s.grant, err = s.admission.lookUp(s)
	reason := "unknown_token"
	switch {
	case err == nil:
		s.admission.account(s.key).last.Store(&remembered{s.grant, time.Now()})
		return nil
	case !errors.Is(err, store.ErrUnauthorized):
		return err
	case errors.Is(err, store.ErrExpired):
		reason = "expired_token"
	case errors.Is(err, store.ErrRevoked):
		reason = "revoked_token"
	}
	s.admission.accounts.Delete(s.key)
	s.admission.peer(s.peer).Allow()
	return unauthorized(reason, realm+`, error="invalid_token"`, "the token is malformed, unknown, expired or revoked; ask for a new one")
}

// bearerToken returns the token of an Authorization header, or nothing if there is none or another header.
func bearerToken(authorization []string) string {
	if len(authorization) != 1 {
		return ""
	}
	scheme, token, _ := strings.Cut(authorization[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimLeft(token, " ")
}

// authorize checks that the token covers the organization in the path.
func authorize(c echo.Context, s *requestState, next echo.HandlerFunc) error {
	if err := s.authorize(); err != nil {
		return err
	}
	return next(c)
}

func (s *requestState) authorize() error {
	if !slices.Contains(s.grant.Organizations, s.requested) {
		return &problem{status: http.StatusForbidden, detail: "the token does not cover this organization"}
	}
	s.organization = s.requested
	return nil
}
