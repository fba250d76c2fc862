package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

const (
	maxBody       = 10 << 20 // bytes of an answer; a page of 100 webhooks with 8 kB endpoints has under 1 MB
	maxWait       = time.Minute
	parallelReads = 20
)

// session is one run: it sends the requests, judges every answer and keeps what it learnt.
type session struct {
	cfg      Config
	base     *url.URL
	contract *contract
	client   *http.Client
	limiter  *rate.Limiter

	first    *page // the first page, without parameters
	firstErr error
	whole    walk // the walk without parameters
	wholeErr error
	small    walk // a walk with pages so small that there are several
	smallErr error

	requests atomic.Int64
	mu       sync.Mutex // guards what is below: one check reads in parallel
	webhooks int
	secrets  map[string]bool    // the token and the signing secrets that were met
	breaches map[string]*breach // by the name of the check
}

// breach is what every answer together showed against one check: the first case in words, and how many more.
type breach struct {
	detail string
	more   int
	shown  *Exchange
}

type request struct {
	method        string
	path          string // below the base, escaped
	query         string // as it is sent, malformed or not
	authorization string
	requestID     string
}

// answer is what came back, read whole.
type answer struct {
	request *http.Request
	status  int
	header  http.Header
	body    []byte
}

func newSession(cfg Config) (*session, error) {
	cfg = cfg.withDefaults()
	base, err := cfg.baseURL()
	if err != nil {
		return nil, err
	}
	k, err := loadContract()
	if err != nil {
		return nil, err
	}
	client := *cfg.HTTPClient
	client.Jar = nil
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s := &session{
		cfg: cfg, base: base, contract: k, client: &client,
		limiter:  rate.NewLimiter(rate.Limit(cfg.Rate), parallelReads),
		secrets:  map[string]bool{},
		breaches: map[string]*breach{},
	}
	s.keepSecret(cfg.Token)
	return s, nil
}

// list is a request for a page of the organization.
func (s *session) list(query string) request {
	r := request{method: http.MethodGet, path: s.listPath(s.cfg.Organization), query: query}
	if s.cfg.Token != "" {
		r.authorization = "Bearer " + s.cfg.Token
	}
	return r
}

// listPath is the operation's path, below the base, for an organization.
func (s *session) listPath(organization string) string {
	return strings.Replace(s.contract.path, "{organizationId}", url.PathEscape(organization), 1)
}

// send sends r, and once more where the server asks to come back within a bearable time.
func (s *session) send(ctx context.Context, r request) (*answer, error) {
	a, err := s.once(ctx, r)
	if err != nil || a.status != http.StatusTooManyRequests {
		return a, err
	}
	wait, ok := retryAfter(a.header.Get("Retry-After"))
	if !ok || wait > maxWait {
		return a, nil
	}
	select {
	case <-time.After(wait):
		return s.once(ctx, r)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *session) once(ctx context.Context, r request) (*answer, error) {
	if err := s.admit(ctx); err != nil {
		return nil, err
	}
	target := *s.base
	target.RawQuery = r.query
	req, err := http.NewRequestWithContext(ctx, r.method, target.JoinPath(r.path).String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json, application/problem+json")
	req.Header.Set("User-Agent", "packhooks-conformance")
	if r.authorization != "" {
		req.Header.Set("Authorization", r.authorization)
	}
	if r.requestID != "" {
		req.Header.Set("X-Request-Id", r.requestID)
	}
	req.Close = true // net/http logs what a broken server sends on an idle connection, and that may be a secret
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer to %s %s: %w", r.method, req.URL, err)
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("reading the answer to %s %s: over %d bytes", r.method, req.URL, maxBody)
	}
	a := &answer{request: req, status: resp.StatusCode, header: resp.Header, body: body}
	s.judge(a)
	return a, nil
}

// admit keeps the run to its rate and its number of requests.
func (s *session) admit(ctx context.Context) error {
	if s.requests.Add(1) > int64(s.cfg.MaxRequests) {
		s.requests.Add(-1)
		return fmt.Errorf("the limit of %d requests is reached", s.cfg.MaxRequests)
	}
	if err := s.limiter.Wait(ctx); err != nil {
		return errors.New("the time for the run is over")
	}
	return nil
}

// retryAfter reads seconds or an HTTP-date (RFC 9110, section 10.2.3).
func retryAfter(value string) (time.Duration, bool) {
	if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 && seconds < 1<<20 {
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(value)
	return max(0, time.Until(at)), err == nil
}

// breach notes that an answer broke the promise of a check.
func (s *session) breach(check string, a *answer, format string, args ...any) {
	s.mu.Lock()
	b, known := s.breaches[check]
	if known {
		b.more++
	} else {
		b = &breach{}
		s.breaches[check] = b
	}
	s.mu.Unlock()
	if !known {
		b.detail, b.shown = s.hide(fmt.Sprintf(format, args...)), s.exchange(a)
	}
}
