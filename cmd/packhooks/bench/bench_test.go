//go:build bench && linux

// Package bench_test measures the server against bare net/http and against the hand-written stack in
// tools/handwritten: separate processes on loopback, in turns, in one run.
//
//	make bench
//
// It needs wrk, and PostgreSQL for the rows of PostgreSQL. BENCH_ROUNDS and BENCH_SECONDS make it shorter or longer.
// Compare figures of one run only, and trust ratios more than absolute figures.
package bench_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	rounds  = variable("BENCH_ROUNDS", 5)
	seconds = variable("BENCH_SECONDS", 5)
)

func variable(name string, fallback int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return fallback
}

func TestMain(m *testing.M) {
	if page := os.Getenv(bareVariable); page != "" {
		serveBare(page)
		return
	}
	if _, err := exec.LookPath("wrk"); err != nil {
		fmt.Println("make bench needs wrk, the load generator (apt-get install wrk)")
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// target is a server and what is asked of it.
type target struct {
	process
	name     string
	pages    string               // file of pages for wrk: all of them, in random order
	onePage  string               // file of one page
	database func() time.Duration // CPU time of a database that is a process of its own
}

func TestBench(t *testing.T) {
	b := newBench(t)
	targets := b.targets(t)
	t.Logf("%d pages of %d webhooks, %d organizations, as many tokens", pagesEach*organizations, perPage, organizations)
	results := map[string][]result{} // of each round, by row
	for round := range rounds {
		for i := range targets {
			target := targets[(i+round)%len(targets)]
			if round == 0 {
				measure(t, target, target.pages, 1) // to warm up
			}
			for row, pages := range map[string]string{target.name: target.pages, target.name + samePage: target.onePage} {
				if pages != "" {
					r := measure(t, target, pages, seconds)
					t.Logf("round %d: %s: %v", round+1, row, r)
					results[row] = append(results[row], r)
				}
			}
		}
	}
	bulk := b.bulk(t, targets)
	fmt.Printf("\n%s\n%s\n%s\n", b.conditions(), table(results), bulk)
}

const (
	bare        = "bare net/http, the same bytes from memory"
	handwritten = "hand-written: echo, database/sql, SQLite, encoding/json"
	onSQLite    = "Packhooks on SQLite"
	onPostgres  = "Packhooks on PostgreSQL"
	samePage    = ", one page again and again"
)

// targets starts the servers. Every target lists the same webhooks, which is made sure of.
func (b *bench) targets(t *testing.T) (targets []target) {
	t.Helper()
	address := freeAddress(t)
	targets = append(targets, target{name: handwritten, process: start(t, address, b.handwritten, "-listen", address,
		"-db", filepath.Join(b.dir, "handwritten.db"), "-load", b.plain)})
	names := map[string]string{onSQLite: b.sqlite, onPostgres: b.postgres}
	for _, name := range []string{onSQLite, onPostgres} {
		if db := names[name]; db != "" {
			address := freeAddress(t)
			targets = append(targets, target{name: name, process: start(t, address, b.packhooks, "serve", "--listen", address,
				"--ops-listen=", "--rate=-1", "--db", db, "--keyset-file", b.keyset)})
		}
	}
	var first []page
	for i := range targets {
		pages := b.walk(t, targets[i].address)
		if i == 0 {
			first = pages
		}
		if !slices.EqualFunc(pages, first, func(a, b page) bool { return a.webhooks == b.webhooks }) {
			t.Fatalf("%s serves other webhooks than %s", targets[i].name, targets[0].name)
		}
		name := fmt.Sprint("pages-", i)
		targets[i].pages, targets[i].onePage = b.write(t, name, shuffled(pages)), b.write(t, name+"-one", pages[:1])
	}
	if b.cluster != nil {
		targets[2].database = func() time.Duration { return clusterCPU(t, b.cluster) }
	}
	address = freeAddress(t)
	return append(targets, target{name: bare, pages: targets[1].pages,
		process: start(t, address, os.Args[0], bareVariable+"="+b.pageBytes(t, targets[1]), address)})
}

// table compares the medians. Ratios are medians of the ratios of single rounds, so that a machine that gets slower or
// faster on the way does not count.
func table(results map[string][]result) string {
	var text strings.Builder
	fmt.Fprintf(&text, "| a page of %d webhooks | req/s | × | p50 | p99 | CPU a request | × |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n", perPage)
	for _, name := range []string{bare, handwritten, onSQLite, onPostgres, handwritten + samePage, onSQLite + samePage, onPostgres + samePage} {
		own, reference := results[name], results[handwritten]
		if strings.HasSuffix(name, samePage) {
			reference = results[handwritten+samePage]
		}
		if len(own) == 0 {
			continue
		}
		of := func(f func(r, reference result) float64) float64 {
			var values []float64
			for i := range own {
				values = append(values, f(own[i], reference[i]))
			}
			slices.Sort(values)
			return (values[len(values)/2] + values[(len(values)-1)/2]) / 2
		}
		cpu := fmt.Sprintf("%.0f µs", of(func(r, _ result) float64 { return r.cpu }))
		if own[0].database > 0 {
			cpu += fmt.Sprintf(" + %.0f µs of the database", of(func(r, _ result) float64 { return r.database }))
		}
		fmt.Fprintf(&text, "| %s | %.0f | %.2f | %.2f ms | %.2f ms | %s | %.2f |\n", name,
			of(func(r, _ result) float64 { return r.perSecond }), of(func(r, h result) float64 { return r.perSecond / h.perSecond }),
			of(func(r, _ result) float64 { return r.p50 }), of(func(r, _ result) float64 { return r.p99 }),
			cpu, of(func(r, h result) float64 { return r.cpu / h.cpu }))
	}
	return text.String()
}

func (b *bench) conditions() string {
	text := fmt.Sprintf("Medians of %d rounds in turns, %d s each; `wrk -t1 -c%d` on the same machine: %d cores, load %s before and %s after; %s. "+
		"× is against the hand-written stack. %d pages of %d organizations, each with a token of its own, or one page. Rate limit off, log to /dev/null.\n",
		rounds, seconds, connections, runtime.NumCPU(), b.load, loadAverage(), runtime.Version(), pagesEach*organizations, organizations)
	if b.cluster == nil {
		text += "PostgreSQL is not installed: its rows are left out.\n"
	}
	return text
}

// bulk is import and export by the command line, beside a server that has nothing else to do.
func (b *bench) bulk(t *testing.T, targets []target) string {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "| %d webhooks by the command line | import, all new | import, the same again | export |\n| --- | ---: | ---: | ---: |\n", bulkWebhooks)
	file := b.writeBulk(t)
	for _, tg := range targets {
		db := map[string]string{onSQLite: b.sqlite, onPostgres: b.postgres}[tg.name]
		if db == "" {
			continue
		}
		fmt.Fprintf(&text, "| %s |", tg.name)
		imports := []string{"import", "--org", bulkOrganization, "--db", db, "--keyset-file", b.keyset, file}
		exports := []string{"export", "--org", bulkOrganization, "--url", "http://" + tg.address + "/v1"}
		for _, run := range []struct {
			args []string
			want string // at the end of what it prints
		}{
			{imports, fmt.Sprintf("%d created, 0 updated, 0 unchanged, 0 removed\n", bulkWebhooks)},
			{imports, fmt.Sprintf("0 created, 0 updated, %d unchanged, 0 removed\n", bulkWebhooks)},
			{exports, lastLine(t, file)},
		} {
			out, took, peak := b.command(t, run.args...)
			if !strings.HasSuffix(out, run.want) {
				t.Fatalf("packhooks %s printed something else than %q", run.args[0], run.want)
			}
			fmt.Fprintf(&text, " %.0f rows/s, %d MiB |", bulkWebhooks/took.Seconds(), peak)
		}
		text.WriteString("\n")
	}
	return text.String()
}
