package server

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/packhooks/packhooks/server/store"
)

const realm = `Bearer realm="packhooks"`

// authenticate looks up the bearer token of a request (RFC 6750). The grant of a token that was looked up a moment ago is
// remembered: then it is checked as the page is read or, if none is read, before the error is returned.
func authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		s := stateOf(c.Request().Context())
		if s.token == "" {
			return unauthorized("no_token", realm, `send a token as "Authorization: Bearer TOKEN"`)
		}
		if s.remember(); !s.unproven {
			err = s.prove()
		}
		if err == nil {
			err = s.limitRate()
		}
		if err != nil {
			return err
		}
		if err = next(c); err != nil && s.unproven {
			if invalid := s.prove(); invalid != nil {
				return invalid
			}
		}
		return err
	}
}

// prove looks up the token.
func (s *requestState) prove() (err error) {
	s.grant, err = s.lookUp(s)
	s.unproven = false
	if errors.Is(err, store.ErrUnauthorized) {
		return unauthorized(invalidToken(err), realm+`, error="invalid_token"`, "the token is malformed, unknown, expired or revoked; ask for a new one")
	}
	return err
}

// invalidToken gives the reason to log and metrics only.
func invalidToken(err error) string {
	switch {
	case errors.Is(err, store.ErrExpired):
		return "expired_token"
	case errors.Is(err, store.ErrRevoked):
		return "revoked_token"
	default:
		return "unknown_token"
	}
}

func bearerToken(authorization []string) (string, bool) {
	if len(authorization) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(authorization[0], " ")
	token = strings.TrimLeft(token, " ")
	return token, strings.EqualFold(scheme, "Bearer") && token != ""
}

// authorize checks that the token covers the organization in the path.
func authorize(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := stateOf(c.Request().Context()).authorize(); err != nil {
			return err
		}
		return next(c)
	}
}

func (s *requestState) authorize() error {
	if !slices.Contains(s.grant.Organizations, s.requested) {
		return &problem{status: http.StatusForbidden, detail: "the token does not cover this organization"}
	}
	s.organization = s.requested
	return nil
}
