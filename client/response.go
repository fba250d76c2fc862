package packhooks

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Response has status and headers of the response to a call.
//
// fmt, slog and encoding/json leave out Header: a server may have put anything there.
type Response struct {
	StatusCode int
	RequestID  string      // the server's name for the request (X-Request-Id); may be empty
	Header     http.Header `json:"-"`
	Attempts   int         // how many requests were sent, redirects not counted

	Deprecation time.Time // when the endpoint became or becomes deprecated (RFC 9745); zero when not said
	Sunset      time.Time // when the endpoint is expected to stop working (RFC 8594); zero when not said
}

// Format writes the status for every verb.
func (r Response) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, r.status()) }

// LogValue returns the status (log/slog).
func (r Response) LogValue() slog.Value { return slog.StringValue(r.status()) }

func (r Response) status() string { return fmt.Sprintf("%d (%d attempts)", r.StatusCode, r.Attempts) }

func newResponse(resp *http.Response, token string, attempts int) Response {
	r := Response{StatusCode: resp.StatusCode, Header: resp.Header.Clone(), Attempts: attempts}
	for _, values := range r.Header {
		for i := range values {
			values[i] = mask(values[i], token)
		}
	}
	r.RequestID = r.Header.Get(requestIDHeader)
	r.Sunset, _ = http.ParseTime(r.Header.Get("Sunset"))
	deprecation := r.Header.Get("Deprecation") // "@" and seconds; drafts of the RFC had an HTTP-date
	if seconds, err := strconv.ParseInt(strings.TrimPrefix(deprecation, "@"), 10, 64); err == nil {
		r.Deprecation = time.Unix(seconds, 0).UTC()
	} else {
		r.Deprecation, _ = http.ParseTime(deprecation)
	}
	return r
}

const requestIDHeader = "X-Request-Id"

// mediaType is the body's media type, if it is the name of one.
func (r Response) mediaType() string {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || len(mediaType) > 60 {
		return ""
	}
	return mediaType
}

// received describes an unexpected body: "got 200 text/html, br".
func (r Response) received() string {
	text := "got " + strconv.Itoa(r.StatusCode)
	if mediaType := r.mediaType(); mediaType != "" {
		text += " " + mediaType
	}
	if encoding := r.Header.Get("Content-Encoding"); slices.Contains([]string{"gzip", "br", "deflate", "zstd", "compress"}, encoding) {
		text += ", " + encoding
	}
	return text
}

// ended reports whether resp marks the end of its body. A body that ends only with the connection may be truncated.
func ended(resp *http.Response) bool {
	return resp.ContentLength >= 0 || resp.Uncompressed || resp.ProtoMajor > 1 || len(resp.TransferEncoding) > 0
}

const (
	usualBytes = 32 << 10 // a page of 100 webhooks whose endpoints are short
	mostAtOnce = 1 << 20  // is set aside because of a Content-Length
)

// readBody returns the body of resp unless it is larger than limit.
func (r Response) readBody(resp *http.Response, limit int64) ([]byte, error) {
	tooLarge := fmt.Errorf("%w: more than %d bytes", ErrResponseTooLarge, limit)
	if resp.ContentLength > limit {
		return nil, tooLarge
	}
	size := resp.ContentLength
	if size < 0 {
		size = min(usualBytes, limit)
	}
	var b bytes.Buffer
	b.Grow(int(min(size, mostAtOnce)) + bytes.MinRead)
	_, err := b.ReadFrom(io.LimitReader(resp.Body, limit+1))
	if badEncoding(err) {
		err = fmt.Errorf("%w: the body is not valid gzip (%s)", ErrMalformedPage, r.received())
	} else if err == nil && int64(b.Len()) > limit {
		err = tooLarge
	}
	return b.Bytes(), err
}

// mask hides the token in what came from the server, which may echo a request. A short token is not masked: it could be any word.
func mask(text, token string) string {
	if len(token) < 8 {
		return text
	}
	return strings.ReplaceAll(text, token, SecretMask)
}
