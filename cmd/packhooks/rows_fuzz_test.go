package main_test

import (
	"bytes"
	"encoding/json"
	"testing"

	packhooks "github.com/packhooks/packhooks/cmd/packhooks"
)

// FuzzImportRows holds the reader, which never sees its input as a whole, to encoding/json, which does.
func FuzzImportRows(f *testing.F) {
	for _, seed := range []string{
		goodRow, goodRow + "\n\n" + goodRow, "[" + goodRow + "]", "[" + goodRow + "," + goodRow + "]", "[]", "[,]", "[" + goodRow + "}", "{", `{"":`, `{1:2}`, `{"a":1,}`,
		`{"data":[` + goodRow + `],"links":{"prev":null,"next":null},"meta":{}}`, `{"data":[` + goodRow + `]]`, `{"x":1,"data":[]`, `{"id"}`, `[{"id":1}{}]`, "\ufeff[]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		n, err := packhooks.ReadRows(input, true)
		if err != nil {
			return
		}
		var page struct {
			Data []json.RawMessage `json:"data"`
		}
		input = bytes.TrimPrefix(input, []byte("\ufeff"))
		target := any(&page)
		if bytes.HasPrefix(bytes.TrimSpace(input), []byte("[")) {
			target = &page.Data
		}
		if err := json.Unmarshal(input, target); err != nil || len(page.Data) != n {
			t.Errorf("read %d webhooks, encoding/json %d, %v: %q", n, len(page.Data), err, input)
		}
	})
}
