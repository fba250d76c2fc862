package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"golang.org/x/term"
)

// printable escapes control characters and the like: text from a server or file could manipulate the terminal.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// shorten cuts text to at most n characters.
func shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// count is a number with its noun, such as "1 webhook" or "2 webhooks".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=~-]+$`)

// shellWord quotes a word of a printed command.
func shellWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// writeColumns aligns rows by display width: a character may take up two cells, or none (text/tabwriter counts each as
// one). The last column is not padded.
func writeColumns(out io.Writer, rows [][]string) error {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], uniseg.StringWidth(cell))
		}
	}
	var b strings.Builder
	for n, row := range rows {
		line := ""
		for i, cell := range row[:len(row)-1] {
			line += cell + strings.Repeat(" ", widths[i]+2-uniseg.StringWidth(cell))
		}
		line += row[len(row)-1]
		if n == 0 {
			line = styled(out, bold, line)
		}
		b.WriteString(line + "\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

const (
	bold   = "1"
	red    = "31"
	yellow = "33"
)

// styled colors text for a terminal, unless NO_COLOR (https://no-color.org) or a terminal without colors forbids it.
func styled(out io.Writer, style, text string) string {
	if !isTerminal(out) || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return text
	}
	return fmt.Sprintf("\x1b[%sm%s\x1b[0m", style, text)
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// failure is an error with a hint or an exit code.
type failure struct {
	error
	hint string
	code int
}

func (f *failure) Unwrap() error { return f.error }

// hint adds the next step to an error.
func hint(err error, format string, args ...any) error {
	return &failure{error: err, hint: fmt.Sprintf(format, args...), code: 1}
}

// usage is an error of the command line itself.
func usage(err error, format string, args ...any) error {
	return &failure{error: err, hint: fmt.Sprintf(format, args...), code: 2}
}

// exitCode prints an error and its hint, and returns the exit code: 1 for a failure, 2 for an invalid command line. A
// closed standard output never gets here: the Go runtime ends the process by SIGPIPE.
func exitCode(stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	f := &failure{code: 1}
	errors.As(err, &f)
	if errors.Is(err, context.Canceled) {
		_, _ = fmt.Fprintln(stderr, "packhooks: interrupted")
		return f.code
	}
	_, _ = fmt.Fprintf(stderr, "%s %s\n", styled(stderr, red, "packhooks:"), printable(err.Error()))
	if f.hint != "" {
		_, _ = fmt.Fprintf(stderr, "%s %s\n", styled(stderr, yellow, "packhooks: hint:"), f.hint)
	}
	return f.code
}
