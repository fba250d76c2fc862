package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/packhooks/packhooks/gen/serverapi"
	"github.com/packhooks/packhooks/server/document"
)

// pageResponse is the generated response with documents for its data: they are the JSON of the contract already, and are
// neither decoded nor encoded again.
type pageResponse struct {
	state     *requestState
	documents []document.Document
	serverapi.ListWebhooks200JSONResponse
}

// VisitListWebhooksResponse lets the generated code write status and headers, and writes its own body. The body does not
// escape &, < and > in links: people copy links from a terminal.
func (r pageResponse) VisitListWebhooksResponse(w http.ResponseWriter) error {
	var page bytes.Buffer
	encoder := json.NewEncoder(&page)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r.Body); err != nil {
		return err
	}
	const data = `"data":[` // it cannot occur within a JSON string, where quotes are escaped
	at := bytes.Index(page.Bytes(), []byte(data+"]"))
	if at < 0 {
		return errors.New("encoding page: the generated type has no data")
	}
	head, tail := page.Bytes()[:at+len(data)], page.Bytes()[at+len(data):]
	comma, body := []byte{','}, append(make([][]byte, 0, 2*len(r.documents)+2), head)
	for i, d := range r.documents {
		if len(d.JSON()) == 0 {
			return errors.New("encoding page: an empty document")
		}
		if i > 0 {
			body = append(body, comma)
		}
		body = append(body, d.JSON())
	}
	body = append(body, tail)
	size := 0
	for _, piece := range body {
		size += len(piece)
	}
	if r.state.known != nil {
		r.state.known.pageBytes.Store(int64(size))
	}
	if err := r.state.hold(int64(size)); err != nil { // instead of the bytes of the last page
		return err
	}
	w.Header().Set("Content-Length", strconv.Itoa(size))
	controller := http.NewResponseController(w.(*echo.Response).Writer) // echo's panics where it cannot flush
	writeTime := 5*time.Second + time.Duration(size)*time.Second/(128<<10)
	_ = controller.SetWriteDeadline(time.Now().Add(writeTime)) // where the connection can
	err := r.ListWebhooks200JSONResponse.VisitListWebhooksResponse(bodyWriter{w, body})
	failed := controller.Flush() // until then the bytes count as in hand
	if err == nil && !errors.Is(failed, http.ErrNotSupported) {
		err = failed
	}
	return err
}

// bodyWriter replaces the body that the generated code writes.
type bodyWriter struct {
	http.ResponseWriter
	body [][]byte
}

func (w bodyWriter) Write(instead []byte) (int, error) {
	for _, piece := range w.body {
		if _, err := w.ResponseWriter.Write(piece); err != nil {
			return 0, err
		}
	}
	return len(instead), nil
}
