package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rivo/uniseg"
	"golang.org/x/term"
)

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
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell)
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]+2-uniseg.StringWidth(cell)))
			}
		}
		if text := line.String(); n == 0 {
			b.WriteString(styled(out, bold, text) + "\n")
		} else {
			b.WriteString(text + "\n")
		}
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
