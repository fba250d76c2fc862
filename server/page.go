package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

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

// noData is how the generated type encodes an empty page. It cannot occur within a JSON string, where quotes are escaped.
var (
	noData = []byte(`"data":[]`)
	comma  = []byte{','}
)

// VisitListWebhooksResponse lets the generated code write status and headers, and writes its own body. The body does not
// escape &, < and > in links: people copy links from a terminal.
func (r pageResponse) VisitListWebhooksResponse(w http.ResponseWriter) (err error) {
	var page bytes.Buffer
	encoder := json.NewEncoder(&page)
	encoder.SetEscapeHTML(false)
	if err = encoder.Encode(r.Body); err != nil {
		return err
	}
	head, tail, ok := bytes.Cut(page.Bytes(), noData)
	if !ok {
		return errors.New("encoding page: the generated type has no data")
	}
	size := page.Len() + max(0, len(r.documents)-1)
	for _, d := range r.documents {
		if len(d.JSON()) == 0 {
			return errors.New("encoding page: an empty document")
		}
		size += len(d.JSON())
	}
	if r.state.known != nil {
		r.state.known.pageBytes.Store(int64(size))
	}
	if err := r.state.hold(int64(size)); err != nil { // instead of the bytes of the last page
		return err
	}
	w.Header().Set("Content-Length", strconv.Itoa(size))
	if echo, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		controller := http.NewResponseController(echo.Unwrap())
		_ = controller.SetWriteDeadline(time.Now().Add(writeTime(size))) // where the connection can
		defer func() {                                                   // what is not written yet counts as in hand
			if failed := controller.Flush(); err == nil && !errors.Is(failed, http.ErrNotSupported) {
				err = failed
			}
		}()
	}
	return r.ListWebhooks200JSONResponse.VisitListWebhooksResponse(bodyWriter{w, func() error {
		return r.writeBody(w, head, tail)
	}})
}

// writeTime is the write timeout: five seconds, plus one for each 128 KiB.
func writeTime(size int) time.Duration {
	return 5*time.Second + time.Duration(size)*time.Second/(128<<10)
}

func (r pageResponse) writeBody(w http.ResponseWriter, head, tail []byte) error {
	pieces := make([][]byte, 0, 2*len(r.documents)+4)
	pieces = append(pieces, head, noData[:len(noData)-1])
	for i, d := range r.documents {
		if i > 0 {
			pieces = append(pieces, comma)
		}
		pieces = append(pieces, d.JSON())
	}
	for _, piece := range append(pieces, noData[len(noData)-1:], tail) {
		if _, err := w.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// bodyWriter replaces the body that the generated code writes.
type bodyWriter struct {
	http.ResponseWriter
	write func() error
}

func (w bodyWriter) Write(instead []byte) (int, error) { return len(instead), w.write() }
