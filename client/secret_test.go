package packhooks_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	packhooks "github.com/packhooks/packhooks/client"
)

const text = "q9NhjkjV9o"

func TestRevealIsTheOneWayOut(t *testing.T) {
	s := packhooks.NewSecret(text)
	if s.Reveal() != text {
		t.Error("Reveal does not return the text")
	}
	var out bytes.Buffer
	for _, v := range []any{s, &s, []packhooks.Secret{s}, struct{ S packhooks.Secret }{s}, struct{ s packhooks.Secret }{s}, map[string]packhooks.Secret{"a": s}} {
		for _, verb := range "vTtbcoOqxXUeEfFgGspd" {
			fmt.Fprintf(&out, "%"+string(verb)+"%+"+string(verb)+"%#"+string(verb), v, v, v)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("", "v", v)
		_ = json.NewEncoder(&out).Encode(v)
		_ = xml.NewEncoder(&out).Encode(v)
		if err := gob.NewEncoder(&out).Encode(v); err == nil {
			t.Errorf("gob encodes a %T", v)
		}
	}
	for _, spelling := range []string{text, fmt.Sprintf("%x", text), fmt.Sprintf("%X", text), strings.Trim(fmt.Sprintf("%d", []byte(text)), "[]")} {
		if strings.Contains(out.String(), spelling) {
			t.Error("the text was printed")
		}
	}
	if n := strings.Count(out.String(), packhooks.SecretMask); n < 100 {
		t.Errorf("the mask was printed %d times", n)
	}
}

func TestEqual(t *testing.T) {
	for _, try := range []struct {
		a, b packhooks.Secret
		want bool
	}{
		{packhooks.NewSecret(text), packhooks.NewSecret(text), true},
		{packhooks.NewSecret(text), packhooks.NewSecret(text + "x"), false},
		{packhooks.NewSecret(text), packhooks.NewSecret("q9NhjkjV9O"), false},
		{packhooks.NewSecret(text), packhooks.Secret{}, false},
		{packhooks.NewSecret(""), packhooks.Secret{}, true},
	} {
		if got := try.a.Equal(try.b); got != try.want {
			t.Errorf("equal: %t, want %t", got, try.want)
		}
		if got := reflect.DeepEqual(try.a, try.b); got != try.want {
			t.Errorf("deeply equal: %t, want %t", got, try.want)
		}
	}
	if reflect.TypeFor[packhooks.Secret]().Comparable() {
		t.Error("== compiles, and would compare pointers")
	}
}

func TestRoundTrips(t *testing.T) {
	type document struct {
		Secret packhooks.Secret `json:"secret"`
	}
	for text, want := range map[string]string{
		`{"secret": "q9NhjkjV9o"}`:    "q9NhjkjV9o",
		`{"secret": "a\"\u00e9\n\/"}`: "a\"é\n/",
		`{"secret": ""}`:              "",
		`{"secret": null}`:            "",
		`{}`:                          "",
	} {
		var d document
		if err := json.Unmarshal([]byte(text), &d); err != nil || d.Secret.Reveal() != want || d.Secret.IsZero() != (want == "") {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{`{"secret": 12}`, `{"secret": ["a"]}`, `{"secret": true}`} {
		if err := json.Unmarshal([]byte(text), new(document)); err == nil {
			t.Errorf("%s is read as a secret", text)
		}
	}

	d := document{packhooks.NewSecret(text)}
	masked, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(masked, &d); !errors.Is(err, packhooks.ErrMaskedSecret) {
		t.Errorf("reading what was marshalled: %v, want ErrMasked", err)
	}
	if d.Secret.Reveal() != text {
		t.Error("the mask has replaced the secret")
	}
}
