package document_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/packhooks/packhooks/api"
	"github.com/packhooks/packhooks/client/secret"
	"github.com/packhooks/packhooks/gen/serverapi"
	"github.com/packhooks/packhooks/server/document"
	"github.com/packhooks/packhooks/server/store/keyset"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func embedded(t testing.TB) *document.Contract {
	t.Helper()
	c, err := document.Embedded()
	check(t, err)
	return c
}

// edited is the contract with before, which it has once, replaced by after.
func edited(t testing.TB, before, after string) *document.Contract {
	t.Helper()
	if n := strings.Count(string(api.Spec), before); n != 1 {
		t.Fatalf("the contract has %q %d times, want once", before, n)
	}
	c, err := document.Load([]byte(strings.Replace(string(api.Spec), before, after, 1)))
	check(t, err)
	return c
}

const canonical = `{"id":"wh_1","event_code":"orders.created","endpoint":"https://e/?a=1&b=<2>","secret":"s","enabled":true,` +
	`"created_at":"2024-08-02T09:30:00.000001Z","updated_at":"2024-08-02T09:30:00Z"}`

func TestCanonicalForm(t *testing.T) {
	for name, text := range map[string]string{
		"itself":        canonical,
		"other order":   `{"updated_at":"2024-08-02T09:30:00Z","created_at":"2024-08-02T09:30:00.000001Z","enabled":true,"secret":"s","endpoint":"https://e/?a=1&b=<2>","event_code":"orders.created","id":"wh_1"}`,
		"white space":   strings.ReplaceAll(canonical, `,"`, " ,\n\t\""),
		"other zone":    strings.Replace(canonical, "09:30:00.000001Z", "11:30:00.000001999+02:00", 1),
		"escapes":       strings.Replace(canonical, "https://e/?a=1&b=<2>", `\u0068ttps:\/\/e\/?a=1\u0026b=\u003c2>`, 1),
		"unknown names": strings.Replace(canonical, `{`, `{"more":{"a":[1,null]},`, 1),
	} {
		d, _, err := embedded(t).Parse([]byte(text))
		if err != nil || string(d.JSON()) != canonical {
			t.Errorf("%s: %v\n%s", name, err, d.JSON())
		}
		if d.ID() != "wh_1" || d.CreatedAt() != time.Date(2024, 8, 2, 9, 30, 0, 1000, time.UTC) {
			t.Errorf("%s: %s of %v", name, d.ID(), d.CreatedAt())
		}
	}
	absent := strings.Replace(canonical, `"event_code":"orders.created",`, "", 1)
	d, _, err := embedded(t).Parse([]byte(strings.Replace(canonical, `"orders.created"`, "null", 1)))
	if err != nil || string(d.JSON()) != absent {
		t.Errorf("null: %v\n%s", err, d.JSON())
	}
}

func TestParseRejectsWhatWouldChange(t *testing.T) {
	for name, test := range map[string]struct{ old, new, want string }{
		"a missing property":   {`"id":"wh_1",`, ``, "id"},
		"a name twice":         {`"id":"wh_1"`, `"id":"wh_1","id":"wh_2"`, "id: duplicate name"},
		"another case":         {`"secret"`, `"Secret":"x","secret"`, `Secret: the property is named "secret"`},
		"half a surrogate":     {`"s"`, `"\ud800"`, "secret: \\ud800 is an unpaired surrogate"},
		"invalid UTF-8":        {`"s"`, "\"\xff\"", "secret: invalid UTF-8"},
		"NUL":                  {`"s"`, `"\u0000"`, "secret"},
		"a masked secret":      {`"s"`, `"` + secret.Mask + `"`, "secret"},
		"a day that is not":    {"2024-08-02T09:30:00Z", "2024-02-30T09:30:00Z", "updated_at"},
		"the zero time":        {"2024-08-02T09:30:00Z", "0001-01-01T00:00:00.0000001Z", "updated_at"},
		"a year in UTC":        {"2024-08-02T09:30:00Z", "9999-12-31T23:30:00-01:00", "updated_at"},
		"a string for boolean": {`true`, `"true"`, "enabled"},
		"a null secret":        {`"s"`, `null`, "secret"},
		"more than an object":  {`{`, `{}{`, ""},
		"an array":             {`{`, `[{`, "object"},
	} {
		_, _, err := embedded(t).Parse([]byte(strings.Replace(canonical, test.old, test.new, 1)))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

func TestNumbersKeepTheirDigits(t *testing.T) {
	// The generated type of this program does not have the property, so the number would be lost as a whole.
	c := edited(t, "        enabled:\n          type: boolean\n", "        weight:\n          type: number\n          description: x\n        enabled:\n          type: boolean\n")
	if _, _, err := c.Parse([]byte(strings.Replace(canonical, `{`, `{"weight":16777217,`, 1))); err == nil || !strings.HasPrefix(err.Error(), "weight: ") {
		t.Errorf("a number that is not kept: %v", err)
	}
}

func TestNestedPropertiesAreHeldToTheSameRules(t *testing.T) {
	c := edited(t, "        enabled:\n          type: boolean\n", `        owners:
          type: array
          items:
            type: object
            properties:
              key: {type: string, format: password}
        enabled:
          type: boolean
`)
	for text, want := range map[string]string{
		`"owners":[{},{"key":"[redacted]"}],`: "owners: key: ",
		`"owners":[{"Key":"k"}],`:             `owners: Key: the property is named "key"`,
	} {
		if _, _, err := c.Parse([]byte(strings.Replace(canonical, `{`, `{`+text, 1))); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestNewValidates(t *testing.T) {
	at := time.Now()
	ok := serverapi.Webhook{ID: "wh_1", Endpoint: "https://e", Secret: "s", CreatedAt: at, UpdatedAt: at}
	d, err := document.New(ok)
	check(t, err)
	if w, err := d.Webhook(); err != nil || w.ID != "wh_1" || !w.CreatedAt.Equal(at.Truncate(time.Microsecond)) {
		t.Errorf("%+v %v", w, err)
	}
	bad := ok
	bad.Secret = ""
	if _, err := document.New(bad); err == nil || !strings.Contains(err.Error(), "secret") {
		t.Errorf("an empty secret: %v", err)
	}
	for _, text := range []string{fmt.Sprint(d), fmt.Sprintf("%+v %#v %s %q", d, d, d, d), fmt.Sprint([]document.Document{d})} {
		if strings.Contains(text, "https://e") {
			t.Errorf("a document prints itself: %s", text)
		}
	}
	if text, err := json.Marshal(d); err != nil || string(text) != "{}" { //nolint:staticcheck // that it shows nothing is the point
		t.Errorf("%s %v", text, err)
	}
}

func TestFingerprint(t *testing.T) {
	own := embedded(t).Fingerprint()
	for name, edit := range map[string][2]string{
		"a description":               {"Whether events are sent.", "Whether events go out."},
		"an example":                  {"          example: q9NhjkjV9o\n", "          example: other\n"},
		"an extension":                {"          description: Whether events are sent.\n          x-provenance:\n", "          description: Whether events are sent.\n          x-other: 1\n          x-provenance:\n"},
		"the order of keys":           {"          minLength: 1\n          maxLength: 8192\n", "          maxLength: 8192\n          minLength: 1\n"},
		"the order of required":       {"required: [id, endpoint, secret,", "required: [endpoint, id, secret,"},
		"another schema":              {"required: [parameter, detail]", "required: [parameter]"},
		"the description of a schema": {"description: A webhook subscription.", "description: A subscription."},
	} {
		if got := edited(t, edit[0], edit[1]).Fingerprint(); got != own {
			t.Errorf("%s changes the fingerprint", name)
		}
	}
	seen := map[string]string{own: "nothing"}
	for name, edit := range map[string][2]string{
		"a bound":           {"maxLength: 8192", "maxLength: 8191"},
		"a pattern":         {"pattern: '^[ -~]+$'", "pattern: '^[!-~]+$'"},
		"a type":            {"          type: boolean\n", "          type: string\n"},
		"a default":         {"          type: boolean\n", "          type: boolean\n          default: true\n"},
		"required":          {"required: [id, endpoint, secret, enabled,", "required: [id, endpoint, secret,"},
		"a property":        {"        enabled:\n          type: boolean\n", "        example:\n          type: string\n        enabled:\n          type: boolean\n"},
		"a name":            {"        event_code:\n", "        event_name:\n"},
		"a bound in a $ref": {"          type: boolean\n", "          $ref: '#/components/schemas/PageMeta'\n"},
		"a format":          {"          format: password\n", ""},
		"nullable":          {"          type: boolean\n", "          type: boolean\n          nullable: true\n"},
	} {
		got := edited(t, edit[0], edit[1]).Fingerprint()
		if was, ok := seen[got]; ok {
			t.Errorf("%s has the fingerprint of %s", name, was)
		}
		seen[got] = name
	}
}

// A sealed document opens in its place alone, for the organization as for the columns.
func TestSealedDocumentsStayInPlace(t *testing.T) {
	keys, err := keyset.Create(filepath.Join(t.TempDir(), "keyset"))
	check(t, err)
	d, _, err := embedded(t).Parse([]byte(canonical))
	check(t, err)
	ctx, at := context.Background(), d.Place("acme")
	sealed, err := d.Seal(ctx, keys, "acme")
	check(t, err)
	opened, err := document.Open(ctx, keys, at, sealed)
	if err != nil || !opened.Equal(d) || opened.ID() != d.ID() || opened.CreatedAt() != d.CreatedAt() {
		t.Errorf("%v %v", opened, err)
	}
	for _, other := range []document.Place{
		{OrganizationID: "acme2", CreatedAt: at.CreatedAt, ID: at.ID},
		{OrganizationID: "acme", CreatedAt: at.CreatedAt + 1, ID: at.ID},
		{OrganizationID: "acme", CreatedAt: at.CreatedAt, ID: at.ID + "x"},
		{OrganizationID: "", CreatedAt: at.CreatedAt, ID: at.ID},
	} {
		if _, err := document.Open(ctx, keys, other, sealed); err == nil {
			t.Errorf("opens at %+v", other)
		}
	}
}
