package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/packhooks/packhooks/gen/serverapi"
	"github.com/packhooks/packhooks/server/store"
)

const noStore = "no-store"

// problem is an error with its HTTP response.
type problem struct {
	status int
	detail string
	header map[string]string
	params *[]serverapi.ParameterError
	reason string // for log and metrics alone
}

func (p *problem) Error() string { return p.detail }

func badRequest(detail string) *problem {
	return &problem{status: http.StatusBadRequest, detail: detail}
}

func badParameters(params ...serverapi.ParameterError) *problem {
	names := make([]string, len(params))
	for i, p := range params {
		names[i] = p.Parameter
	}
	return &problem{status: http.StatusBadRequest, detail: "invalid parameter " + quoted(names), params: &params}
}

func quoted(names []string) string {
	for i, name := range names {
		names[i] = strconv.Quote(name)
	}
	return strings.Join(names, ", ")
}

func unauthorized(reason, challenge, detail string) *problem {
	return &problem{status: http.StatusUnauthorized, reason: reason, detail: detail, header: map[string]string{echo.HeaderWWWAuthenticate: challenge}}
}

func tooBusy(reason string) *problem {
	const detail = "the server is working on as many requests as it can; wait for the seconds in Retry-After"
	return tryLater(http.StatusServiceUnavailable, reason, time.Second, detail)
}

func tooMany(reason, detail string) *problem {
	return tryLater(http.StatusTooManyRequests, reason, time.Second, detail)
}

func tryLater(status int, reason string, wait time.Duration, detail string) *problem {
	seconds := strconv.Itoa(max(1, int((wait+time.Second-1)/time.Second)))
	return &problem{status: status, reason: reason, detail: detail, header: map[string]string{echo.HeaderRetryAfter: seconds}}
}

// problemOf maps an error to its response.
func problemOf(err error) *problem {
	if known, ok := errors.AsType[*problem](err); ok {
		return known
	}
	framework, _ := errors.AsType[*echo.HTTPError](err)
	switch {
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		const detail = "the storage cannot be reached or took too long; wait for the seconds in Retry-After"
		return tryLater(http.StatusServiceUnavailable, "storage", time.Second, detail)
	case framework != nil && framework.Code == http.StatusBadRequest:
		return badRequest("the request does not fit the contract")
	default:
		return &problem{status: http.StatusInternalServerError, detail: "internal error; quote the request ID when you report it"}
	}
}

// respondProblem writes err as a problem (RFC 9457).
func respondProblem(c echo.Context, s *requestState, err error) {
	p := problemOf(err)
	s.Reason = p.reason
	if p.status >= http.StatusInternalServerError {
		s.fault = err
	}
	body := serverapi.Problem{
		Type:      "about:blank",
		Title:     http.StatusText(p.status),
		Status:    int32(p.status), //nolint:gosec // three digits
		Detail:    p.detail,
		Instance:  c.Request().URL.EscapedPath(),
		RequestID: s.requestID,
		Errors:    p.params,
	}
	header := c.Response().Header()
	header.Del("Link") // set by a page that could not be sent
	header.Del("Content-Length")
	for name, value := range p.header {
		header.Set(name, value)
	}
	header.Set(echo.HeaderContentType, "application/problem+json")
	c.Response().WriteHeader(p.status)
	_ = json.NewEncoder(c.Response()).Encode(body) // fails only if the client is gone
}
