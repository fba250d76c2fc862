package packhooks

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// retry tells whether to send req again after its nth attempt failed with err, and how long to wait first.
func (d *doer) retry(req *http.Request, err error, n int) (wait time.Duration, again bool) {
	if n >= d.cfg.maxAttempts || req.Method != http.MethodGet {
		return 0, false
	}
	var connection *connectionError
	var status *Error
	switch {
	case errors.As(err, &connection):
	case errors.As(err, &status) && (errors.Is(status, ErrRateLimited) || errors.Is(status, ErrUnavailable)):
		if status.RetryAfter > d.cfg.maxWait {
			return 0, false
		}
		wait = status.RetryAfter + rand.N(d.cfg.minWait) //nolint:gosec // spreads load, guards nothing
	default:
		return 0, false
	}
	wait = max(wait, d.cfg.backoff(n))
	deadline, limited := req.Context().Deadline()
	return wait, !limited || time.Until(deadline) > wait
}

// backoff is the wait after the nth failure: see WithBackoff.
func (c *config) backoff(n int) time.Duration {
	const factor = 7
	wait := c.minWait
	for ; n > 1 && wait < c.maxWait; n-- {
		if wait > c.maxWait/factor {
			wait = c.maxWait
			break
		}
		wait *= factor
	}
	return wait - rand.N(wait/4+1) //nolint:gosec // spreads load, guards nothing
}

// pause waits for d, or returns ctx's error as soon as it has one.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retryAfter reads Retry-After: seconds, or an HTTP-date, which is taken relative to the server's own Date so that
// a clock that is wrong on one side does not matter. What is neither, or lies in the past, is 0; more seconds than
// a Duration holds are the longest Duration.
func retryAfter(h http.Header) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text != "" && strings.Trim(text, "0123456789") == "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil || seconds > int64(math.MaxInt64/time.Second) {
			return math.MaxInt64
		}
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return max(at.Sub(now), 0)
}
