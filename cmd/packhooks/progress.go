package main

import (
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress returns a bar on standard error, or one that shows nothing where that is no terminal. A size of -1 is
// unknown.
func (t *terminal) progress(size int64, bytes bool) *progressbar.ProgressBar {
	file, ok := t.Err.(*os.File)
	return progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(t.Err),
		progressbar.OptionSetVisibility(ok && term.IsTerminal(int(file.Fd()))),
		progressbar.OptionShowBytes(bytes),
		progressbar.OptionShowCount(),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetSpinnerChangeInterval(0), // its goroutine reads without a lock
		progressbar.OptionClearOnFinish(),
	)
}
