package main_test

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
)

const goodRow = `{"id":"wh_1","endpoint":"https://a.example/","secret":"q9NhjkjV9o","enabled":true,"created_at":"2024-08-02T09:30:00Z","updated_at":"2024-08-02T09:30:00Z"}`

// bad is goodRow with a part replaced.
func bad(old, replacement string) string {
	if !strings.Contains(goodRow, old) {
		panic("no " + old)
	}
	return strings.Replace(goodRow, old, replacement, 1)
}

func TestImportRefuses(t *testing.T) {
	p := newPlace(t)
	second := bad("wh_1", "wh_2")
	tests := []struct {
		name, input string
		want        []string
	}{
		{"nothing", "", []string{"empty"}},
		{"white space", " \n\n", []string{"empty"}},
		{"no JSON", "id,endpoint\n1,2\n", []string{"line 1"}},
		{"a scalar", "17", []string{"line 1"}},
		{"a problem instead of a page", `{"type":"about:blank","status":401}`, []string{`"data"`}},
		{"an array cut in a row", "[" + goodRow + "," + second[:40], []string{"[1]", "unexpected end of input"}},
		{"an array cut after a row", "[" + goodRow, []string{"[1]", "unexpected end of input"}},
		{"an array cut after a comma", "[" + goodRow + ",", []string{"[1]", "unexpected end of input"}},
		{"an array with garbage behind", "[" + goodRow + "] x", []string{"unexpected data"}},
		{"two arrays", "[" + goodRow + "][" + second + "]", []string{"unexpected data"}},
		{"an array of something else", `[17]`, []string{"[0]", "object is expected"}},
		{"null in an array", "[" + goodRow + ",null]", []string{"[1]"}},
		{"a page cut in its data", `{"data":[` + goodRow + `,`, []string{"data: [1]", "unexpected end of input"}},
		{"a page cut after its data", `{"data":[` + goodRow + `],`, []string{"unexpected end of input"}},
		{"a page with garbage behind", `{"data":[` + goodRow + `]}{}`, []string{"unexpected data"}},
		{"a page without an array", `{"data":null}`, []string{"data", `"[" expected`}},
		{"a page with data twice", `{"data":[` + goodRow + `],"data":[]}`, []string{"data", "duplicate name"}},
		{"a bad row in a page", `{"links":{},"data":[` + goodRow + `,{}]}`, []string{"data: [1]: id"}},
		{"lines cut in a row", goodRow + "\n" + second[:50], []string{"line 2", "unexpected end of input"}},
		{"two rows in a line", goodRow + second, []string{"line 1", "unexpected data"}},
		{"an indented object", strings.ReplaceAll(goodRow, ",", ",\n"), []string{"line 1"}},
		{"a missing field", goodRow + "\n" + bad(`"secret":"q9NhjkjV9o",`, ""), []string{"line 2", "secret", "missing"}},
		{"a name in another case", bad(`"secret"`, `"Secret"`), []string{"line 1", "secret", "missing"}},
		{"a name in two cases", bad(`"secret"`, `"ſecret":"x","secret"`), []string{"line 1", "ſecret", `"secret"`}},
		{"a string for a boolean", bad("true", `"true"`), []string{"line 1", "enabled", "boolean"}},
		{"a number for a string", bad(`"wh_1"`, `1`), []string{"line 1", "id", "string"}},
		{"null", bad(`"wh_1"`, `null`), []string{"line 1", "id", "nullable"}},
		{"null under a name in another case", bad(`"enabled"`, `"Event_Code":null,"enabled"`), []string{"line 1", "Event_Code", `"event_code"`}},
		{"an empty string", bad(`https://a.example/`, ``), []string{"line 1", "endpoint", "length"}},
		{"a long id", bad(`wh_1`, strings.Repeat("x", 129)), []string{"line 1", "id", "length"}},
		{"a long endpoint", bad(`https://a.example/`, strings.Repeat("x", 8193)), []string{"line 1", "endpoint", "length"}},
		{"an id that is not ASCII", bad(`wh_1`, "wh_ü"), []string{"line 1", "id"}},
		{"a time without zone", bad(`2024-08-02T09:30:00Z`, `2024-08-02T09:30:00`), []string{"line 1", "created_at", "RFC 3339"}},
		{"30 February", bad(`2024-08-02T09:30:00Z`, `2024-02-30T09:30:00Z`), []string{"line 1", "created_at", "RFC 3339"}},
		{"a leap second", bad(`2024-08-02T09:30:00Z`, `2016-12-31T23:59:60Z`), []string{"line 1", "created_at", "RFC 3339"}},
		{"a time that readers take for none", bad(`2024-08-02T09:30:00Z`, `0001-01-01T00:00:00Z`), []string{"line 1", "created_at", "range"}},
		{"a year of five digits in UTC", bad(`2024-08-02T09:30:00Z`, `9999-12-31T23:59:59-01:00`), []string{"line 1", "created_at", "range"}},
		{"a raw NUL", bad(`a.example`, "a\x00b"), []string{"line 1", "endpoint"}},
		{"an escaped NUL", bad(`a.example`, `a\u0000b`), []string{"line 1", "endpoint"}},
		{"invalid UTF-8", bad(`a.example`, "a\xffb"), []string{"line 1", "endpoint", "UTF-8"}},
		{"a high surrogate alone", bad(`q9NhjkjV9o`, `a\uD83Db`), []string{"line 1", "secret", "surrogate"}},
		{"a low surrogate alone", bad(`q9NhjkjV9o`, `a\udE00b`), []string{"line 1", "secret", "surrogate"}},
		{"a pair the wrong way round", bad(`q9NhjkjV9o`, `\ude00\ud83d`), []string{"line 1", "secret", "surrogate"}},
		{"a name twice", bad(`"id":"wh_1"`, `"id":"wh_1","id":"wh_9"`), []string{"line 1", "id", "duplicate name"}},
		{"an id twice", goodRow + "\n\n" + second + "\n" + goodRow, []string{"line 4", "id", "duplicate", "wh_1", "line 1"}},
		{"an id twice in an array", "[" + goodRow + "," + goodRow + "]", []string{"[1]", "id", "duplicate", "[0]"}},
		{"a masked secret", bad(`q9NhjkjV9o`, `[redacted]`), []string{"line 1", "secret", "masked"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := p
			p.t = t
			p.fails(1, tt.input, []string{"import", "--org", "acme", "-"}, append(tt.want, "standard input")...)
		})
	}
	if got := p.must("", "import", "--org", "acme", "--replace", "--allow-empty", p.write("none.json", "[]")); !strings.Contains(got, "0 removed") {
		t.Errorf("something was written: %s", got)
	}
}

func TestImportBoundsARow(t *testing.T) {
	p := newPlace(t)
	for head, size := range map[string]int{"": 100 << 20, "[": 100 << 20, `{"data":[`: 3 << 20, `{"links":`: 3 << 20} {
		huge := goodRow[:len(goodRow)-1] + `,"x":"` + strings.Repeat("x", size)
		p.fails(1, head+huge, []string{"import", "--org", "acme", "-"}, "longer than 1048576 bytes")
		p.fails(1, head+strings.Repeat(" ", 3<<20), []string{"import", "--org", "acme", "-"})
	}
}

func TestImportTakesEveryFormat(t *testing.T) {
	p := newPlace(t)
	second := bad("wh_1", "wh_2")
	import_ := func(input string, flags ...string) string {
		t.Helper()
		return strings.TrimSpace(p.must(input, append([]string{"import", "--org", "acme", "-"}, flags...)...))
	}
	expect := func(got, want string) {
		t.Helper()
		if got != "acme: "+want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	expect(import_(goodRow+"\r\n\n"+second), "2 created, 0 updated, 0 unchanged, 0 removed")
	expect(import_("\n [ "+goodRow+" ]"), "0 created, 0 updated, 1 unchanged, 0 removed")
	expect(import_(`{"meta":{},"data":[`+bad("true", "false")+`],"links":{"prev":null,"next":"x"}}`), "0 created, 1 updated, 0 unchanged, 0 removed")
	expect(import_(`{"data":[`+second+`],"links":{"prev":null,"next":null}}`, "--replace"), "0 created, 0 updated, 1 unchanged, 1 removed")
	expect(import_(bad(`"enabled"`, `"extra":{"id":"x"},"enabled"`)), "1 created, 0 updated, 0 unchanged, 0 removed")
	expect(import_(bad(`{"id"`, `{"x":{"data":[]},"object":"webhook","id"`)+"\n"+second), "0 created, 0 updated, 2 unchanged, 0 removed")
	expect(import_(`{"x":{"id":1},"object":"list","meta":{},"data":[`+second+`]}`), "0 created, 0 updated, 1 unchanged, 0 removed")
	expect(import_(bad(`"enabled"`, `"event_code":null,"x":null,"enabled"`)), "0 created, 0 updated, 1 unchanged, 0 removed")
	expect(import_("[]", "--replace", "--allow-empty"), "0 created, 0 updated, 0 unchanged, 2 removed")
	expect(import_(bad("q9NhjkjV9o", `\\ud800 \ud83d\ude00 �`)), "1 created, 0 updated, 0 unchanged, 0 removed")

	replace := []string{"import", "--org", "acme", "--replace", "-"}
	p.fails(1, goodRow, replace, "NDJSON")
	p.fails(1, `{"data":[],"links":{"prev":null,"next":"https://a.example"}}`, replace, "not the whole list")
	p.fails(1, `{"links":{"prev":"https://a.example","next":null},"data":[]}`, replace, "not the whole list")
	p.fails(1, `{"data":[]}`, replace, "not the whole list")
	expect(import_(bad("q9NhjkjV9o", `\\ud800 \ud83d\ude00 �`)), "0 created, 0 updated, 1 unchanged, 0 removed")
}

func TestImportDryRun(t *testing.T) {
	p := newPlace(t)
	p.must("["+goodRow+","+bad("wh_1", "wh_2")+","+bad("wh_1", "wh_3")+"]", "import", "--org", "acme", "-")
	before := p.must("", "export", "--org", "acme", "--db", "packhooks.db")
	input := "[" + goodRow + "," + bad(`wh_1","endpoint":"https:`, `wh_2","endpoint":"http:`) + "," + bad("wh_1", "wh_4") + "]"
	got := p.must(input, "import", "--org", "acme", "--replace", "--dry-run", "-")
	want := "would update wh_2\nwould remove wh_3\nwould create wh_4\nacme: 1 created, 1 updated, 1 unchanged, 1 removed (dry run: nothing was written)\n"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if after := p.must("", "export", "--org", "acme", "--db", "packhooks.db"); after != before || strings.Count(after, "\n") != 3 {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	if got := p.must(input, "import", "--org", "acme", "--replace", "-"); got != "acme: 1 created, 1 updated, 1 unchanged, 1 removed\n" {
		t.Error(got)
	}
}

func TestImportOfNothingRemovesNothing(t *testing.T) {
	p := newPlace(t)
	p.must(goodRow, "import", "--org", "acme", "-")
	for _, empty := range []string{"[]", `{"data":[],"links":{"prev":null,"next":null}}`} {
		p.fails(1, empty, []string{"import", "--org", "acme", "--replace", "-"}, "would remove all", "nothing was written")
	}
	if got := p.must("[]", "import", "--org", "acme", "--replace", "--allow-empty", "-"); !strings.Contains(got, "1 removed") {
		t.Error(got)
	}
}

func TestImportNamesPropertiesThatItLeavesOut(t *testing.T) {
	p := newPlace(t)
	misspelt := bad(`"enabled"`, `"event_cod":"orders.created","enabled"`)
	p.fails(1, goodRow+"\n"+misspelt, []string{"import", "--org", "acme", "--strict", "-"}, "line 2", "event_cod: unknown property", "nothing was written")
	got := p.run(misspelt+"\n"+strings.Replace(misspelt, "wh_1", "wh_2", 1), "import", "--org", "acme", "-")
	if got.code != 0 || !strings.Contains(got.err, `warning: ignored property "event_cod" of 2 webhooks`) || !strings.Contains(got.out, "2 created") {
		t.Errorf("exit %d: %s%s", got.code, got.out, got.err)
	}
}

func TestImportOfWhatWindowsWrites(t *testing.T) {
	p := newPlace(t)
	p.must("\ufeff["+goodRow+"]", "import", "--org", "acme", "-")
	p.must("\ufeff"+goodRow, "import", "--org", "acme", "-")
	p.fails(1, "\xff\xfe[\x00]\x00", []string{"import", "--org", "acme", "-"}, "UTF-16")
}

func TestImportIsInterrupted(t *testing.T) {
	p := newPlace(t)
	cmd := p.command("import", "--org", "acme", "-")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if _, err := fmt.Fprintln(stdin, bad("wh_1", rand.Text())); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || errs.String() != "packhooks: interrupted\n" {
		t.Errorf("%v: %q", err, errs.String())
	}
	if got := p.must("[]", "import", "--org", "acme", "--replace", "--allow-empty", "-"); !strings.Contains(got, " 0 removed") {
		t.Errorf("something was written: %s", got)
	}
}

func TestImportSaysWhetherAnythingWasWritten(t *testing.T) {
	p := newPlace(t)
	p.must("[]", "import", "--org", "acme", "-")
	db, err := sql.Open("sqlite", filepath.Join(p.dir, "packhooks.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	execute := func(statements string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statements); err != nil {
			t.Fatal(err)
		}
	}
	p.fails(1, "{}", []string{"import", "--org", "acme", "-"}, "nothing was written")
	execute("CREATE TRIGGER broken BEFORE INSERT ON webhooks BEGIN SELECT RAISE(ABORT, 'broken'); END")
	p.fails(1, goodRow, []string{"import", "--org", "acme", "-"}, "broken", "nothing was written")

	// A reference that is looked at by the COMMIT alone.
	execute("DROP TRIGGER broken; CREATE TABLE referred (id TEXT PRIMARY KEY); CREATE TABLE referring (id TEXT REFERENCES referred DEFERRABLE INITIALLY DEFERRED);" +
		"CREATE TRIGGER dangling AFTER INSERT ON webhooks BEGIN INSERT INTO referring VALUES ('x'); END")
	got := p.run(goodRow, "import", "--org", "acme", "-")
	if got.code != 1 || !strings.Contains(got.err, "did not confirm") || !strings.Contains(got.err, "run it again") || strings.Contains(got.err, "nothing was written") {
		t.Errorf("exit %d: %s", got.code, got.err)
	}
}

func TestImportNamesWhatIsWrongWithTheCommand(t *testing.T) {
	p := newPlace(t)
	p.fails(2, "", []string{"import", "--org", "acme"}, "FILE", "--from")
	p.fails(2, "", []string{"import", "--org", "acme", "x", "--from", "http://127.0.0.1:1/v1"}, "FILE", "--from")
	p.fails(2, "", []string{"import", "x"}, "--org")
	p.fails(1, "", []string{"import", "--org", "acme", p.write("bad.json", "[{}]")}, "bad.json", "[0]", "id", "missing")
	p.fails(1, "", []string{"import", "--org", "acme", "not-there.json"}, "not-there.json", "no such file")
	for _, org := range []string{"..", "a/b", "ä", strings.Repeat("x", 129)} {
		p.fails(1, "[]", []string{"import", "--org", org, "-"}, "organization", fmt.Sprintf("%q", org))
	}
}
