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
	requests atomic.Int64

	first        *page // the first page, without parameters
	firstErr     error
	whole, small walk // without parameters, and with pages so small that there are several
	wholeErr     error
	smallErr     error

	mu       sync.Mutex // guards what is below: one check reads in parallel
	webhooks int
	secrets  map[string]bool     // the token and the signing secrets that were met
	breaches map[string]*failure // what an answer showed, by the name of the check
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
		breaches: map[string]*failure{},
	}
	s.keepSecret(cfg.Token)
	return s, nil
}

// list is a request for a page of the organization.
func (s *session) list(query string) *http.Request {
	return s.get(listPath(s.cfg.Organization), query)
}

// get is a request for a path below the base. The query is sent as it is, malformed or not.
func (s *session) get(path, query string) *http.Request {
	target := s.base.JoinPath(path)
	target.RawQuery = query
	r := &http.Request{Method: http.MethodGet, URL: target, Host: target.Host, Header: http.Header{
		"Accept":     {"application/json, application/problem+json"},
		"User-Agent": {"packhooks-conformance"},
	}}
	r.Close = true // net/http logs what a broken server sends on an idle connection, and that may be a secret
	if s.cfg.Token != "" {
		r.Header.Set("Authorization", "Bearer "+s.cfg.Token)
	}
	return r
}

// send sends r, and once more where the server asks to come back within a bearable time.
func (s *session) send(ctx context.Context, r *http.Request) (*answer, error) {
	a, err := s.once(r.WithContext(ctx))
	if err != nil || a.status != http.StatusTooManyRequests {
		return a, err
	}
	wait, ok := retryAfter(a.header.Get("Retry-After"))
	if !ok || wait > maxWait {
		return a, nil
	}
	select {
	case <-time.After(wait):
		return s.once(r.WithContext(ctx))
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *session) once(r *http.Request) (*answer, error) {
	if s.requests.Add(1) > int64(s.cfg.MaxRequests) {
		s.requests.Add(-1)
		return nil, fmt.Errorf("the limit of %d requests is reached", s.cfg.MaxRequests)
	}
	if err := s.limiter.Wait(r.Context()); err != nil {
		return nil, errors.New("the time for the run is over")
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = fmt.Errorf("over %d bytes", maxBody)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the answer to %s %s: %w", r.Method, r.URL, err)
	}
	a := &answer{request: r, status: resp.StatusCode, header: resp.Header, body: body}
	s.judge(a)
	return a, nil
}

// retryAfter reads seconds or an HTTP-date (RFC 9110, section 10.2.3).
func retryAfter(value string) (time.Duration, bool) {
	if seconds, err := strconv.ParseUint(value, 10, 20); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(value)
	return max(0, time.Until(at)), err == nil
}

// breach notes that an answer broke the promise of a check.
func (s *session) breach(check string, a *answer, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.breaches[check]; f != nil {
		f.more++
		return
	}
	s.breaches[check] = &failure{outcome: Fail, detail: fmt.Sprintf(format, args...), answer: a}
}

// keepSecret remembers what no report may show. The caller holds mu, or is alone.
func (s *session) keepSecret(secret string) {
	if len(secret) >= minSecret {
		s.secrets[secret] = true
	}
}

// listPath is the operation's path, below the base, for an organization.
func listPath(organization string) string {
	return strings.Replace(operationPath, "{organizationId}", url.PathEscape(organization), 1)
}
