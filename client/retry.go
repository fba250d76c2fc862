package packhooks

import (
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// transientStatuses are retried. CDNs send 520 to 524 if the origin fails; 529 means overload.
var transientStatuses = []int{408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529}

func transient(status int) bool { return slices.Contains(transientStatuses, status) }

// retry reports whether to send req again after n attempts, the last of which failed with err, and how long to wait.
func (s *sender) retry(req *http.Request, err error, n int) (wait time.Duration, again bool) {
	if n >= s.maxAttempts || req.Method != http.MethodGet {
		return 0, false
	}
	left := time.Duration(math.MaxInt64)
	if deadline, ok := req.Context().Deadline(); ok {
		left = time.Until(deadline)
	}
	var connection *connectionError
	var status *Error
	switch {
	case errors.As(err, &connection) && !permanent(connection.cause()):
	case errors.As(err, &status) && transient(status.StatusCode):
		if status.RetryAfter > s.maxRetryAfter || status.RetryAfter >= left {
			return 0, false
		}
		wait = status.RetryAfter
		wait += random(min(wait, (left-wait)/2)) // or all rejected clients would return at once
	default:
		return 0, false
	}
	wait = max(wait, s.backoff(n))
	return wait, wait < left
}

// backoff is the wait after the nth failure: see WithBackoff.
func (s *sender) backoff(n int) time.Duration {
	wait := s.minWait
	for ; n > 1 && wait < s.maxWait; n-- {
		wait += min(wait, s.maxWait-wait)
	}
	return wait - random(wait/2)
}

func random(below time.Duration) time.Duration {
	return rand.N(below + 1) //nolint:gosec // spreads load, guards nothing
}

// retryAfter reads the longest Retry-After: seconds, or an HTTP-date, which is taken relative to the server's own
// Date so that a wrong clock on one side does not matter. What is neither, or lies in the past, is 0; more seconds
// than a Duration holds are the longest Duration.
func retryAfter(h http.Header) (longest time.Duration) {
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	for _, text := range h.Values("Retry-After") {
		text = strings.TrimSpace(text)
		if at, err := http.ParseTime(text); err == nil {
			longest = max(longest, at.Sub(now))
		} else if text != "" && strings.Trim(text, "0123456789") == "" {
			seconds, err := strconv.ParseInt(text, 10, 64)
			if err != nil || seconds > int64(math.MaxInt64/time.Second) {
				return math.MaxInt64
			}
			longest = max(longest, time.Duration(seconds)*time.Second)
		}
	}
	return longest
}
