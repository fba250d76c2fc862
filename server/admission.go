package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"github.com/packhooks/packhooks/server/store"
)

// admission limits three things.
//
// Unwritten bytes: each request counts from its arrival until its last byte is written, with the bytes of its response.
// They count for the caller: a token that was valid recently or, for all other tokens, the peer address.
//
// Concurrent storage calls: a call holds a place until the storage returns, not while the response is written. Unknown
// tokens share a few places of their own.
//
// Rates: requests of each valid token; failed authentications, and large files of the docs page, of each peer. A peer over
// its rate gets 429 before its unknown tokens are looked up.
//
// Of bytes and of places, a caller may hold half of what the others leave free. So one greedy caller gets a third of
// everything, two get a quarter each, and there is always room for the next.
type admission struct {
	unwritten budget        // bytes
	places    budget        // calls of the storage
	unknown   chan struct{} // calls of the storage for unknown tokens
	peers     *lru.Cache[string, *rate.Limiter]
	accounts  sync.Map // key of a token that was valid to *account
	tokens    store.Authenticator
	granted   store.GrantLister // nil where the look-up is always a step of its own

	perSecond rate.Limit
	burst     int
	timeout   time.Duration
}

const (
	// requestCost is what a request counts for besides the bytes of its response: about the size of its goroutine and
	// buffers.
	requestCost = 16 << 10

	// unknownPlaces is the fraction of places for unknown tokens, and unknownWait how long they wait for one.
	unknownPlaces, unknownWait = 32, time.Second

	// knownFor is how long a token counts as known after it was valid.
	knownFor = time.Minute

	// Rate of a peer's failed authentications and of its docs files, and the number of rates tracked.
	peerPerSecond, peerBurst, rememberedPeers = 5, 200, 10_000
)

func newAdmission(c Config) (*admission, error) {
	peers, err := lru.New[string, *rate.Limiter](rememberedPeers)
	if err != nil {
		return nil, err
	}
	perSecond := rate.Limit(c.RatePerSecond)
	if c.RatePerSecond < 0 {
		perSecond = rate.Inf
	}
	granted, _ := c.Webhooks.(store.GrantLister)
	return &admission{
		tokens: c.Tokens, granted: granted,
		unwritten: budget{size: c.MaxBytesInHand, held: map[string]int64{}},
		places:    budget{size: int64(c.MaxInFlight), held: map[string]int64{}},
		unknown:   make(chan struct{}, max(1, c.MaxInFlight/unknownPlaces)),
		peers:     peers, perSecond: perSecond, burst: c.RateBurst, timeout: c.RequestTimeout,
	}, nil
}

// caller identifies who makes a request, before any look-up.
type caller struct {
	admission *admission
	token     string
	peer, key string   // the peer address, and a hash of the token
	known     *account // of a token that was valid a moment ago
	unwritten int64
	expected  int64 // bytes of the response, part of unwritten

	grant    store.Grant
	unproven bool // the grant is remembered, and the token may have been revoked since
}

// holder names the caller whose share the request counts for.
func (c *caller) holder() string {
	if c.known != nil {
		return c.key
	}
	return c.peer
}

// admit counts a request from its arrival until its last byte is written, and sets the timeout of the store.
func (a *admission) admit(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		s := stateOf(c.Request().Context())
		s.admission = a
		var cancel context.CancelFunc
		s.Context, cancel = context.WithTimeout(s.Context, a.timeout)
		defer cancel()
		if token, ok := bearerToken(c.Request().Header.Values(echo.HeaderAuthorization)); ok {
			hash := sha256.Sum256([]byte(token))
			s.token, s.key = token, string(hash[:])
			s.known = a.knownAccount(s.key)
		}
		holder := s.holder()
		defer func() { a.unwritten.give(s.unwritten, holder) }()
		if err := s.take(requestCost); err != nil {
			return err
		}
		return next(c)
	}
}

// take counts bytes as unwritten until the request ends.
func (c *caller) take(bytes int64) error {
	if c.admission == nil {
		return nil
	}
	switch c.admission.unwritten.take(bytes, c.holder()) {
	case shareTaken:
		return tryLater(http.StatusTooManyRequests, "bytes_share", time.Second, "too many responses of this token or address are unread; "+
			"read them, and wait for the seconds in Retry-After", nil)
	case allTaken:
		return tooBusy("bytes_all")
	}
	c.unwritten += bytes
	return nil
}

// expect reserves as many bytes as the token's last page had, before the storage reads the next.
func (c *caller) expect() error {
	if c.known == nil {
		return nil
	}
	expected := c.known.pageBytes.Load()
	err := c.take(expected)
	if err == nil {
		c.expected = expected
	}
	return err
}

// settle replaces the expected bytes of a page by the actual ones.
func (c *caller) settle(bytes int64) error {
	if c.known != nil {
		c.known.pageBytes.Store(bytes)
	}
	if more := bytes - c.expected; more > 0 {
		return c.take(more)
	} else if c.admission != nil {
		c.admission.unwritten.give(-more, c.holder())
		c.unwritten += more
	}
	return nil
}

// work makes a storage call for a known token.
func (c *caller) work(ctx context.Context, call func(context.Context) error) error {
	if c.admission == nil {
		return call(ctx)
	}
	switch c.admission.places.take(1, c.key) {
	case allTaken:
		return tooBusy("places_all")
	case shareTaken:
		return tryLater(http.StatusTooManyRequests, "places_share", time.Second,
			"the token has as many requests in flight as it may; wait for the seconds in Retry-After", nil)
	}
	defer c.admission.places.give(1, c.key)
	return call(ctx)
}

// workForUnknown makes a storage call for an unknown token.
func (c *caller) workForUnknown(ctx context.Context, call func(context.Context) error) error {
	if c.admission.peer(c.peer).Tokens() < 1 {
		return tryLater(http.StatusTooManyRequests, "failed_authentications", time.Second,
			"this address has sent too many invalid tokens; wait for the seconds in Retry-After", nil)
	}
	wait := time.NewTimer(unknownWait)
	defer wait.Stop()
	select {
	case c.admission.unknown <- struct{}{}:
		defer func() { <-c.admission.unknown }()
		return call(ctx)
	case <-wait.C:
		return tooBusy("unknown_tokens")
	case <-ctx.Done():
		return ctx.Err()
	}
}

func tooBusy(reason string) error {
	return tryLater(http.StatusServiceUnavailable, reason, time.Second,
		"the server is working on as many requests as it can; wait for the seconds in Retry-After", errTooBusy)
}

var errTooBusy = errors.New("too many requests in flight")

// account is kept for a token that was valid.
type account struct {
	rate      *rate.Limiter
	lastValid atomic.Int64 // Unix seconds
	pageBytes atomic.Int64 // of its last page
	last      atomic.Pointer[remembered]
}

// remembered is what the last look-up found.
type remembered struct {
	grant store.Grant
	at    time.Time
}

func (a *admission) account(key string) *account {
	loaded, ok := a.accounts.Load(key)
	if !ok {
		loaded, _ = a.accounts.LoadOrStore(key, &account{rate: rate.NewLimiter(a.perSecond, a.burst)})
	}
	return loaded.(*account)
}

// remember takes the grant from the last look-up of the token, if it is recent.
func (c *caller) remember() {
	if c.known == nil || c.admission.granted == nil {
		return
	}
	if last := c.known.last.Load(); last != nil && last.grant.Proof != (store.Proof{}) && time.Since(last.at) < knownFor {
		c.grant, c.unproven = last.grant, true
	}
}

func (a *admission) knownAccount(key string) *account {
	loaded, ok := a.accounts.Load(key)
	if !ok || time.Since(time.Unix(loaded.(*account).lastValid.Load(), 0)) > knownFor {
		return nil
	}
	return loaded.(*account)
}

// lookUp authenticates the token.
func (c *caller) lookUp(ctx context.Context) (grant store.Grant, err error) {
	a, work := c.admission, c.workForUnknown
	if c.known != nil {
		work = c.work
	}
	err = work(ctx, func(ctx context.Context) error {
		grant, err = a.tokens.Authenticate(ctx, c.token)
		return err
	})
	switch {
	case err == nil:
		a.account(c.key).last.Store(&remembered{grant, time.Now()})
	case errors.Is(err, store.ErrUnauthorized):
		a.accounts.Delete(c.key)
		a.peer(c.peer).Allow()
	}
	return grant, err
}

// limitRate counts a request of a valid token.
func (c *caller) limitRate() error {
	known := c.admission.account(c.key)
	known.lastValid.Store(time.Now().Unix())
	reservation := known.rate.Reserve()
	if wait := reservation.Delay(); wait > 0 {
		reservation.Cancel()
		return tryLater(http.StatusTooManyRequests, "rate", wait.Round(time.Millisecond),
			"the token is over its rate; wait for the seconds in Retry-After", nil)
	}
	return nil
}

// peer returns a rate of a peer.
func (a *admission) peer(key string) *rate.Limiter {
	limiter, ok := a.peers.Get(key)
	if !ok {
		limiter = rate.NewLimiter(peerPerSecond, peerBurst)
		a.peers.Add(key, limiter)
	}
	return limiter
}

// limitFiles counts a large file that needs no token.
func (c *caller) limitFiles() error {
	if c.admission.peer("files " + c.peer).Allow() {
		return nil
	}
	return tryLater(http.StatusTooManyRequests, "docs_files", time.Second,
		"this address has asked for too many files of the docs page; wait for the seconds in Retry-After", nil)
}

// admittedLister limits concurrent calls.
type admittedLister struct{ store.Lister }

func (l admittedLister) ListWebhooks(ctx context.Context, q store.PageQuery) (page store.Page, err error) {
	s := stateOf(ctx)
	if err := s.expect(); err != nil {
		return store.Page{}, err
	}
	if s.unproven {
		err = s.work(ctx, func(ctx context.Context) error {
			page, err = s.admission.granted.ListGranted(ctx, s.grant, q)
			return err
		})
		if !errors.Is(err, store.ErrUnauthorized) {
			s.unproven = false
			return page, err
		}
		// The token was changed: revoked, say, or sealed under another key.
		if err = s.prove(); err == nil {
			err = s.authorize()
		}
		if err != nil {
			return store.Page{}, err
		}
	}
	err = s.work(ctx, func(ctx context.Context) error {
		page, err = l.Lister.ListWebhooks(ctx, q)
		return err
	})
	return page, err
}

// budget is an amount of which each holder may have half of what the others leave free.
type budget struct {
	mutex sync.Mutex
	size  int64
	used  int64
	held  map[string]int64
}

// outcome says why a take was rejected.
type outcome int

const (
	taken      outcome = iota
	shareTaken         // the holder has used up its share
	allTaken           // nothing is left
)

func (b *budget) take(n int64, holder string) outcome {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	free, held := b.size-b.used, b.held[holder]
	switch {
	case n > free:
		return allTaken
	case held > 0 && held+n > free/2:
		return shareTaken
	}
	b.used += n
	b.held[holder] += n
	return taken
}

func (b *budget) give(n int64, holder string) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.used -= n
	if b.held[holder] -= n; b.held[holder] <= 0 {
		delete(b.held, holder)
	}
}
