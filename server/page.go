package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/packhooks/packhooks/gen/serverapi"
	"github.com/packhooks/packhooks/server/document"
)

// pageResponse is the generated response with documents for its data: they are the JSON of the contract already, and are
// neither decoded nor encoded again.
type pageResponse struct {
	documents []document.Document
	serverapi.ListWebhooks200JSONResponse
}

// VisitListWebhooksResponse lets the generated code write status and headers, and puts the body in the place of its own.
func (r pageResponse) VisitListWebhooksResponse(w http.ResponseWriter) error {
	body, err := r.encode()
	if err != nil {
		return err
	}
	return r.ListWebhooks200JSONResponse.VisitListWebhooksResponse(bodyWriter{w, body})
}

// noData is how the generated type encodes a page without webhooks. It stands in no string of JSON, where quotes are
// escaped.
var noData = []byte(`"data":[]`)

// encode leaves &, < and > in links as they are, where the generated response writes \u0026: people copy links from a
// terminal.
func (r pageResponse) encode() ([]byte, error) {
	size := 1024
	for _, d := range r.documents {
		size += len(d.JSON()) + 1
	}
	var page bytes.Buffer
	encoder := json.NewEncoder(&page)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r.Body); err != nil {
		return nil, err
	}
	head, tail, ok := bytes.Cut(page.Bytes(), noData)
	if !ok {
		return nil, errors.New("encoding page: the generated type has no data")
	}
	body := append(make([]byte, 0, size), head...)
	body = append(body, noData[:len(noData)-1]...)
	for i, d := range r.documents {
		if len(d.JSON()) == 0 {
			return nil, errors.New("encoding page: an empty document")
		}
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, d.JSON()...)
	}
	return append(append(body, ']'), tail...), nil
}

// bodyWriter writes its body in the place of what it is given.
type bodyWriter struct {
	http.ResponseWriter
	body []byte
}

func (w bodyWriter) Write(instead []byte) (int, error) {
	_, err := w.ResponseWriter.Write(w.body)
	return len(instead), err
}
