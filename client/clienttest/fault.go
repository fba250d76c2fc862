package clienttest

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"
)

// A Fault wraps the server's handler for one request. Tests may write their own.
type Fault func(next http.Handler) http.Handler

// Inject applies these faults to the next requests, one each, in order. A nil one lets its request through.
func (s *Server) Inject(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// RateLimited responds 429 with a Retry-After of whole seconds, rounded up.
func RateLimited(retryAfter time.Duration) Fault {
	return refuse(http.StatusTooManyRequests, retryAfter, "too many requests; wait for the seconds in Retry-After")
}

// Unavailable responds 503 with a Retry-After of whole seconds, rounded up.
func Unavailable(retryAfter time.Duration) Fault {
	return refuse(http.StatusServiceUnavailable, retryAfter, "the server cannot answer now; wait for the seconds in Retry-After")
}

func refuse(status int, retryAfter time.Duration, detail string) Fault {
	return handle(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.Header().Set("Retry-After", strconv.Itoa(int((retryAfter+time.Second-1)/time.Second)))
		problem(w, r, status, detail)
	})
}

// Respond sends this status, media type and body.
func Respond(status int, contentType, body string) Fault {
	return handle(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		write(w, status, contentType, []byte(body))
	})
}

// Slow delays the proper response by d, or until the client disconnects.
func Slow(d time.Duration) Fault {
	return handle(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		select {
		case <-time.After(d):
			next.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	})
}

// Truncated sends half of the announced body and closes the connection.
func Truncated() Fault {
	return handle(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		whole := httptest.NewRecorder()
		next.ServeHTTP(whole, r)
		maps.Copy(w.Header(), whole.Header())
		w.Header().Set("Content-Length", strconv.Itoa(whole.Body.Len()))
		w.WriteHeader(whole.Code)
		_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
}

// Cut closes the connection within the response's header. (Before its first byte, net/http's client would send the
// request again by itself if the connection had served one before.)
func Cut() Fault {
	return handle(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\n"))
		_ = conn.Close()
	})
}

func handle(serve func(w http.ResponseWriter, r *http.Request, next http.Handler)) Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(w, r, next) })
	}
}
