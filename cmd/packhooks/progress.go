package main

import (
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress returns a bar on standard error, invisible unless that is a terminal. A size of -1 is unknown.
func (t *terminal) progress(size int64, bytes bool) *progressbar.ProgressBar {
	return progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(t.Err),
		progressbar.OptionSetVisibility(isTerminal(t.Err)),
		progressbar.OptionShowBytes(bytes),
		progressbar.OptionShowCount(),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetSpinnerChangeInterval(0), // its goroutine reads without a lock
		progressbar.OptionClearOnFinish(),
	)
}
