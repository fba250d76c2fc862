package packhooks

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// maxErrorBytes is how much of an error's body is kept: enough for a problem or the head of a proxy's page.
const maxErrorBytes = 64 << 10

// newError reads resp, whose status is not 2xx. A body that cannot be read or parsed does not hide the status.
func newError(req *http.Request, resp *http.Response, r Response, token string, limit int64) *Error {
	var body []byte
	if resp.StatusCode >= 200 { // the body of a 101 is the connection: reading it would not end
		body, _ = io.ReadAll(io.LimitReader(resp.Body, min(limit, maxErrorBytes)))
	}
	e := &Error{
		Response:   r,
		Method:     req.Method,
		Path:       req.URL.EscapedPath(),
		Body:       []byte(mask(string(body), token)),
		RetryAfter: retryAfter(resp.Header),
	}
	e.Problem = parseProblem(body)
	text := strings.TrimSpace(string(body))
	if e.Problem == nil && e.mediaType() == "text/plain" && !strings.ContainsAny(text[:min(1, len(text))], "{[\"<") {
		e.Problem = &Problem{Detail: text}
	}
	e.Problem = e.Problem.complete(resp.StatusCode, token)
	if e.RequestID == "" && e.Problem != nil {
		e.RequestID = e.Problem.RequestID
	}
	return e
}

// parseProblem reads a problem (RFC 9457), an OAuth error (RFC 6749, section 5.2), or the message and errors of
// common frameworks. A member of the wrong type does not hide the others. It returns nil when body is no object.
func parseProblem(body []byte) *Problem {
	var wire struct {
		Problem
		Message     string          `json:"message"`
		Error       json.RawMessage `json:"error"`
		Description string          `json:"error_description"`
		Errors      json.RawMessage `json:"errors"`
	}
	var wrongType *json.UnmarshalTypeError
	if err := json.Unmarshal(body, &wire); err != nil && !errors.As(err, &wrongType) {
		return nil
	}
	var text string
	var nested struct {
		Message string `json:"message"`
	}
	_, _ = json.Unmarshal(wire.Error, &text), json.Unmarshal(wire.Error, &nested)
	p := wire.Problem
	p.Detail = cmp.Or(p.Detail, wire.Message, wire.Description, nested.Message, text)
	if list := parameterErrors(wire.Errors); len(list) > 0 {
		p.Errors = &list
	}
	return &p
}

// parameterErrors reads the contract's list, or {"field": ["reason", …]}.
func parameterErrors(raw []byte) (list []ParameterError) {
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	var byField map[string][]string
	if json.Unmarshal(raw, &byField) != nil {
		return nil
	}
	list = nil
	for _, field := range slices.Sorted(maps.Keys(byField)) {
		list = append(list, ParameterError{Parameter: field, Detail: strings.Join(byField[field], ", ")})
	}
	return list
}

// complete returns p with its status and the token masked, or nil if p is empty. It masks here, after decoding, as JSON
// may escape any character.
func (p *Problem) complete(status int, token string) *Problem {
	if p == nil || p.Detail == "" && p.Title == "" && p.Errors == nil {
		return nil
	}
	texts := []*string{&p.Type, &p.Title, &p.Detail, &p.Instance, &p.RequestID}
	for i := range value(p.Errors) {
		texts = append(texts, &(*p.Errors)[i].Parameter, &(*p.Errors)[i].Detail)
	}
	for _, text := range texts {
		*text = mask(*text, token)
	}
	p.Status = cmp.Or(p.Status, int32(status))
	return p
}
