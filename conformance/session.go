package conformance

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

const (
	maxBody       = 10 << 20 // bytes; a page of 100 webhooks with 8 kB endpoints has under 1 MB
	maxWait       = time.Minute
	attempts      = 3 // for a busy server
	parallelReads = 20
)

// session is one run: it sends the requests, validates the responses and records the results.
type session struct {
	cfg      Config
	base     *url.URL
	contract *contract
	client   *http.Client
	limiter  *rate.Limiter
	requests atomic.Int64
	webhooks atomic.Int64 // that were seen

	first               *response // the first page, without parameters
	plain, small, large *walk

	mu      sync.Mutex            // guards what is below: one check reads in parallel
	secrets map[string]bool       // the token and the signing secrets that were met
	noted   map[string]*violation // what the responses showed, by the id of the check; nil when nothing is wrong
}

// response is what came back, read whole, with the page that was found in it.
type response struct {
	request *http.Request
	status  int
	header  http.Header
	body    []byte
	isJSON  bool
	value   any // the body, decoded
	page
	noPage error // why no page was found
}

func newSession(cfg Config) (*session, error) {
	cfg = cfg.withDefaults()
	base, err := cfg.baseURL()
	if err != nil {
		return nil, err
	}
	k, err := loadContract(cfg.Contract)
	if err != nil {
		return nil, err
	}
	s := &session{
		cfg: cfg, base: base, contract: k,
		client: &http.Client{
			Transport: cfg.HTTPClient.Transport, Timeout: cfg.HTTPClient.Timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		limiter: rate.NewLimiter(rate.Limit(cfg.Rate), parallelReads),
		secrets: map[string]bool{}, noted: map[string]*violation{},
	}
	s.keepSecret(cfg.Token)
	return s, nil
}

func (s *session) list(query string) *http.Request {
	return s.get(s.contract.listPath(s.cfg.Organization), query)
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
	if s.contract.header != "" && s.cfg.Token != "" {
		r.Header.Set(s.contract.header, s.contract.scheme+s.cfg.Token)
	}
	return r
}

// send sends r, and again where the server is busy and asks to come back within a bearable time.
func (s *session) send(ctx context.Context, r *http.Request) (*response, error) {
	for attempt := 1; ; attempt++ {
		a, err := s.attempt(r.WithContext(ctx))
		if err != nil || !busy(a.status) || attempt == attempts {
			return a, err
		}
		wait := retryAfter(a.header.Get("Retry-After"))
		if wait > maxWait {
			return a, nil
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, errTimeout
		}
	}
}

func busy(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

var errTimeout = errors.New("the time for the run is over")

func (s *session) attempt(r *http.Request) (*response, error) {
	if s.requests.Add(1) > int64(s.cfg.MaxRequests) {
		s.requests.Add(-1)
		return nil, fmt.Errorf("the limit of %d requests is reached", s.cfg.MaxRequests)
	}
	if err := s.limiter.Wait(r.Context()); err != nil {
		return nil, errTimeout
	}
	resp, err := s.client.Do(r)
	if r.Context().Err() != nil {
		err = errTimeout
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = fmt.Errorf("over %d bytes", maxBody)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the response to %s %s: %w", r.Method, r.URL, err)
	}
	a := &response{request: r, status: resp.StatusCode, header: resp.Header, body: body}
	a.isJSON = json.Unmarshal(body, &a.value) == nil
	a.page, a.noPage = s.contract.readPage(a)
	s.validate(a)
	return a, nil
}

// retryAfter reads seconds or an HTTP-date (RFC 9110, section 10.2.3). What is neither is too long; no header is a second.
func retryAfter(value string) time.Duration {
	if seconds, err := strconv.ParseUint(cmp.Or(value, "1"), 10, 20); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return time.Until(at)
	}
	return maxWait + 1
}
