//go:build specedits && unix

package specedits_test

import (
	"fmt"
	"maps"
	"strings"
	"time"
)

// carries takes properties that a webhook may have from import to export, while servers of the old and the new program
// have the same database, and back to the old program. In hidden they are as list prints them.
func carries(properties, hidden webhook, sealed ...string) func(*place) {
	return func(p *place) {
		a, b, c := newWebhook(1), newWebhook(2), newWebhook(3)
		p.fill(a, b)
		former := p.serve(p.old)
		next := p.serve(p.new)
		next.wantChecked(true)
		p.equal("webhooks of the old program", next.sends(), a, b)
		p.passes("old fills, new serves", "all webhooks checked, contract recorded")

		shown := maps.Clone(c)
		maps.Copy(c, properties)
		maps.Copy(shown, hidden)
		counts := p.must(p.new, []webhook{c}, "import", "--org=acme", "-")
		p.equal("API", next.sends(), a, b, c)
		p.equal("export", next.prints(p.new, "export", "acme"), a, b, c)
		p.equal("list", next.prints(p.new, "list", "acme")[2:], masked(shown))
		p.passes("import, API, list, export", counts)

		counts = p.must(p.new, next.prints(p.new, "export", "acme"), "import", "--org=acme", "-")
		if !strings.Contains(counts, "0 updated, 3 unchanged") {
			p.Errorf("importing the export again: %s", counts)
		}
		p.passes("import of the export", counts)
		p.must(p.new, nil, "import", "--org=copy", "--from-org=acme", "--from="+next.url())
		p.equal("from server to server", next.prints(p.new, "export", "copy"), a, b, c)
		p.must(p.new, []webhook{newWebhook(3)}, "import", "--org=copy", "-")
		p.equal("without the properties again", next.prints(p.new, "export", "copy"), a, b, newWebhook(3))
		p.unreadable(sealed...)
		p.passes("search of the files", fmt.Sprintf("none of %d texts", len(sealed)))

		message := p.fails(p.old, []webhook{newWebhook(4)}, []string{"import", "--org=acme", "-"}, "another version of the contract", "nothing was written", "hint: ")
		p.stops("import by the old program", message)
		p.equal("API of the old program", former.sends(), a, b, c)
		former.stop()
		p.equal("API of the new program", next.sends(), a, b, c)
		former = p.serve(p.old)
		former.wantChecked(true)
		p.equal("API of the old program", former.sends(), a, b, c)
		p.equal("list of the old program", former.prints(p.old, "list", "acme")[2:], masked(newWebhook(3)))
		next.stop()
		next = p.serve(p.new)
		next.wantChecked(true)
		p.equal("API of the new program", next.sends(), a, b, c)
		p.passes("replicas started in turns", "both serve all properties")

		// For the contract of the old program the properties are removed ones.
		former.stop()
		former = p.serve(p.old)
		p.must(p.old, []webhook{a}, "import", "--org=acme", "-")
		counts = p.must(p.old, nil, "migrate", "--documents", "--dry-run")
		want := fmt.Sprintf("6 webhooks, 1 to change: 0 defaults filled in, %d properties dropped\n", len(properties))
		if counts != want {
			p.Errorf("dry run: %q, want %q", counts, want)
		}
		p.passes("old migrate --documents --dry-run", counts)
		p.equal("API before the migration", former.sends(), a, b, c)
		counts = p.must(p.old, nil, "migrate", "--documents")
		p.equal("API after the migration", former.sends(), a, b, newWebhook(3))
		p.passes("old migrate --documents", counts)
	}
}

// masked is a webhook as list prints it.
func masked(w webhook) webhook {
	w = maps.Clone(w)
	w["secret"] = "[redacted]"
	return w
}

// many are enough webhooks for a check of them to be seen, and to be killed in its middle.
const many = 12_000

// mended is a required property with a default. The old program may go on serving throughout.
func mended(p *place) {
	p.fill(newWebhooks(many)...)
	former := p.serve(p.old)
	next := p.start(p.new)
	next.aliveButNotReady()
	p.passes("/healthz, /readyz meanwhile", "200, 503")
	count := fmt.Sprintf(`do not fit the contract: %d; "wh_00000" of organization "acme": .*label`, many)
	p.stops("new serve", next.refuses(count, "hint: .*migrate --documents.*--migrate off"))
	p.stops("new import", p.fails(p.new, []webhook{newWebhook(1, "label", "mine")}, []string{"import", "--org=acme", "-"}, "another version of the contract"))

	counts := p.must(p.new, nil, "migrate", "--documents", "--dry-run")
	if want := fmt.Sprintf("%d webhooks, %d to change: %d defaults filled in, 0 properties dropped\n", many, many, many); counts != want {
		p.Errorf("dry run: %q, want %q", counts, want)
	}
	p.passes("new migrate --documents --dry-run", counts)
	again := p.serve(p.old)
	again.wantChecked(false)
	p.equal("API of the old program", again.sends()[:2], newWebhook(0), newWebhook(1))
	again.stop()

	counts, kills := p.killed(p.new, func() { former.sends() }, "migrate", "--documents")
	if !strings.HasPrefix(counts, fmt.Sprint(many, " webhooks")) || strings.Contains(counts, fmt.Sprint(many, " changed")) {
		p.Errorf("after %d kills: %s", kills, counts)
	}
	p.passes(fmt.Sprintf("new migrate, killed %d times", kills), counts)
	filled := []webhook{newWebhook(0, "label", "none"), newWebhook(1, "label", "none")}
	next = p.serve(p.new)
	next.wantChecked(false)
	p.equal("API of the new program", next.sends()[:2], filled...)
	p.equal("export of the new program", next.prints(p.new, "export", "acme")[:2], filled...)
	p.equal("API of the old program", former.sends()[:2], filled...)
	p.passes("new serve", "every webhook has its default")
	p.stops("import by the old program", p.fails(p.old, []webhook{newWebhook(4)}, []string{"import", "--org=acme", "-"}, "another version of the contract"))

	// Rolled back, and forward again.
	former.stop()
	former = p.serve(p.old)
	former.wantChecked(true)
	kills = 0
	for delay := 5 * time.Millisecond; ; delay *= 2 {
		s := p.start(p.new)
		s.await(operating)
		time.Sleep(delay)
		ready := listening.MatchString(s.logged())
		if s.kill(); ready {
			break
		}
		kills++
	}
	p.equal("API of the old program", former.sends()[:2], filled...)
	next.stop()
	next = p.serve(p.new)
	p.equal("API of the new program", next.sends()[:2], filled...)
	p.passes(fmt.Sprintf("new serve, killed %d times", kills), "serves")
}

// refused is a property that no default can mend: old webhooks stay as they are, and others take their place.
func refused(old, repaired webhook, reason string) func(*place) {
	return func(p *place) {
		with := func(number int, properties webhook) webhook {
			w := newWebhook(number)
			maps.Copy(w, properties)
			return w
		}
		p.fill(with(1, old), with(2, old), with(3, old))
		pattern := `do not fit the contract: 3; "wh_00001" of organization "acme": ` + reason
		p.stops("new serve", p.start(p.new).refuses(pattern, "hint: "))
		p.stops("new migrate --documents --dry-run", p.fails(p.new, nil, []string{"migrate", "--documents", "--dry-run"}, pattern, "hint: .*--migrate off, or delete"))
		p.stops("new migrate --documents", p.fails(p.new, nil, []string{"migrate", "--documents"}, pattern, "3 webhooks, 0 changed", "hint: .*--migrate off, or delete"))
		former := p.serve(p.old)
		former.wantChecked(false)
		p.equal("API of the old program", former.sends(), with(1, old), with(2, old), with(3, old))
		former.stop()

		p.must(p.new, nil, "delete", "--org=acme", "wh_00003")
		counts := p.must(p.new, []webhook{with(1, repaired), with(2, repaired)}, "import", "--org=acme", "--migrate=off", "-")
		p.passes("new import --migrate off", counts)
		next := p.serve(p.new)
		next.wantChecked(true)
		p.equal("export", next.prints(p.new, "export", "acme"), with(1, repaired), with(2, repaired))
		counts = p.must(p.new, []webhook{with(1, repaired)}, "import", "--org=acme", "-")
		p.passes("new serve, new import", counts)
	}
}
