package main

import (
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress returns a bar on standard error, or one that shows nothing where that is no terminal. A size of -1 is
// unknown.
func (t *terminal) progress(size int64, bytes bool) *progressbar.ProgressBar {
	file, ok := t.Err.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return progressbar.DefaultSilent(size)
	}
	return progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(file),
		progressbar.OptionShowBytes(bytes),
		progressbar.OptionShowCount(),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(100_000_000),
		progressbar.OptionClearOnFinish(),
	)
}
