package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
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
	Config
	granted   store.GrantLister // nil where the look-up is always a step of its own
	unwritten budget            // bytes
	places    budget            // calls of the storage
	unknown   chan struct{}     // calls of the storage for unknown tokens
	peers     *lru.Cache[string, *rate.Limiter]
	accounts  sync.Map // key of a token that was valid to *account
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

func newAdmission(c Config) *admission {
	granted, _ := c.Webhooks.(store.GrantLister)
	peers, _ := lru.New[string, *rate.Limiter](rememberedPeers) // fails only for a size that is not positive
	return &admission{
		Config: c, granted: granted, peers: peers,
		unwritten: budget{
			size: c.MaxBytesInHand, held: map[string]int64{}, allTaken: "bytes_all", shareTaken: "bytes_share",
			detail: "too many responses of this token or address are unread; read them, and wait for the seconds in Retry-After",
		},
		places: budget{
			size: int64(c.MaxInFlight), held: map[string]int64{}, allTaken: "places_all", shareTaken: "places_share",
			detail: "the token has as many requests in flight as it may; wait for the seconds in Retry-After",
		},
		unknown: make(chan struct{}, max(1, c.MaxInFlight/unknownPlaces)),
	}
}

// admit counts a request from its arrival until its last byte is written, and sets the timeout of the store.
func (a *admission) admit(c echo.Context, s *requestState, next echo.HandlerFunc) error {
	s.admission, s.holder = a, s.peer
	var cancel context.CancelFunc
	s.Context, cancel = context.WithTimeout(s.Context, a.RequestTimeout)
	defer cancel()
	if s.token = bearerToken(c.Request().Header.Values(echo.HeaderAuthorization)); s.token != "" {
		hash := sha256.Sum256([]byte(s.token))
		s.key = string(hash[:])
		if s.known = a.knownAccount(s.key); s.known != nil {
			s.holder = s.key
		}
	}
	defer func() { a.unwritten.give(s.unwritten, s.holder) }()
	if err := s.hold(0); err != nil {
		return err
	}
	return next(c)
}

// hold makes the request count for a response of so many bytes, instead of what it counted for so far.
func (s *requestState) hold(response int64) error {
	more := requestCost + response - s.unwritten
	if more <= 0 {
		s.admission.unwritten.give(-more, s.holder)
	} else if err := s.admission.unwritten.take(more, s.holder); err != nil {
		return err
	}
	s.unwritten += more
	return nil
}

// ListWebhooks makes admission the store.Lister of the handler. Before the storage reads a page, it reserves as many bytes
// as the token's last page had.
func (a *admission) ListWebhooks(ctx context.Context, q store.PageQuery) (store.Page, error) {
	s := stateOf(ctx)
	if s.known != nil {
		if err := s.hold(s.known.pageBytes.Load()); err != nil {
			return store.Page{}, err
		}
	}
	page, err := a.list(ctx, s, q)
	if s.unproven && errors.Is(err, store.ErrUnauthorized) {
		// The token was changed: revoked, say, or sealed under another key.
		if err = s.prove(); err == nil {
			err = s.authorize()
		}
		if err == nil {
			page, err = a.list(ctx, s, q)
		}
	}
	s.unproven = false
	return page, err
}

// list calls the storage in a place of the token.
func (a *admission) list(ctx context.Context, s *requestState, q store.PageQuery) (store.Page, error) {
	if err := a.places.take(1, s.key); err != nil {
		return store.Page{}, err
	}
	defer a.places.give(1, s.key)
	if s.unproven {
		return a.granted.ListGranted(ctx, s.grant, q)
	}
	return a.Webhooks.ListWebhooks(ctx, q)
}

// lookUp calls the storage in a place of the token or, if it is unknown, in one that all such tokens share.
func (a *admission) lookUp(s *requestState) (store.Grant, error) {
	if s.known != nil {
		if err := a.places.take(1, s.key); err != nil {
			return store.Grant{}, err
		}
		defer a.places.give(1, s.key)
		return a.Tokens.Authenticate(s, s.token)
	}
	if a.peer(s.peer).Tokens() < 1 {
		return store.Grant{}, tooMany("failed_authentications",
			"this address has sent too many invalid tokens; wait for the seconds in Retry-After")
	}
	select {
	case a.unknown <- struct{}{}:
		defer func() { <-a.unknown }()
		return a.Tokens.Authenticate(s, s.token)
	case <-time.After(unknownWait):
		return store.Grant{}, tooBusy("unknown_tokens")
	case <-s.Done():
		return store.Grant{}, s.Err()
	}
}

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
		loaded, _ = a.accounts.LoadOrStore(key, &account{rate: rate.NewLimiter(rate.Limit(a.RatePerSecond), a.RateBurst)})
	}
	return loaded.(*account)
}

// knownAccount returns nil for a token that was not valid of late.
func (a *admission) knownAccount(key string) *account {
	loaded, ok := a.accounts.Load(key)
	if !ok || time.Since(time.Unix(loaded.(*account).lastValid.Load(), 0)) > knownFor {
		return nil
	}
	return loaded.(*account)
}

// limitRate counts a request of a valid token.
func (s *requestState) limitRate() error {
	account := s.admission.account(s.key)
	account.lastValid.Store(time.Now().Unix())
	reservation := account.rate.Reserve()
	if wait := reservation.Delay(); wait > 0 {
		reservation.Cancel()
		return tryLater(http.StatusTooManyRequests, "rate", wait.Round(time.Millisecond),
			"the token is over its rate; wait for the seconds in Retry-After")
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

// remoteOf returns the client address, behind proxies the one that the outermost trusted proxy saw. The peer is the same
// address or, for IPv6, its /64, as one customer has a whole /64.
func remoteOf(r *http.Request, proxies int) (ip, peer string) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	if proxies > 0 {
		hops := strings.Split(strings.Join(r.Header.Values(echo.HeaderXForwardedFor), ","), ",")
		if len(hops) >= proxies {
			host = strings.TrimSpace(hops[len(hops)-proxies])
		}
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return "unknown", "unknown"
	}
	address = address.Unmap().WithZone("")
	ip = address.String()
	if address.Is6() {
		network, _ := address.Prefix(64)
		return ip, network.String()
	}
	return ip, ip
}

// budget is an amount of which each holder may have half of what the others leave free.
type budget struct {
	size       int64
	allTaken   string // reason of a 503: nothing is left
	shareTaken string // reason of a 429: the holder has used up its share
	detail     string // of the same 429

	mutex sync.Mutex
	used  int64
	held  map[string]int64
}

func (b *budget) take(n int64, holder string) error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	free, held := b.size-b.used, b.held[holder]
	switch {
	case n > free:
		return tooBusy(b.allTaken)
	case held > 0 && held+n > free/2:
		return tooMany(b.shareTaken, b.detail)
	}
	b.used += n
	b.held[holder] += n
	return nil
}

func (b *budget) give(n int64, holder string) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.used -= n
	if b.held[holder] -= n; b.held[holder] <= 0 {
		delete(b.held, holder)
	}
}
