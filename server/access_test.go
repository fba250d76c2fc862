package server_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/packhooks/packhooks/server"
	"github.com/packhooks/packhooks/server/store"
)

// lines are the records of a log.
type lines chan map[string]any

func (l lines) Write(p []byte) (int, error) {
	var line map[string]any
	err := json.Unmarshal(p, &line)
	l <- line
	return len(p), err
}

// observed is a server whose log and outcomes a test can wait for.
func observed(t *testing.T, change ...func(*server.Config)) (*fixture, lines, chan server.Outcome) {
	t.Helper()
	log, outcomes := make(lines, 100), make(chan server.Outcome, 100)
	return newFixture(t, append(change, func(c *server.Config) {
		c.Logger = slog.New(slog.NewJSONHandler(log, nil))
		c.Observe = func(_ context.Context, o server.Outcome) { outcomes <- o }
	})...), log, outcomes
}

func TestOutcomes(t *testing.T) {
	f, log, outcomes := observed(t, func(c *server.Config) { c.TrustedProxies, c.RatePerSecond, c.RateBurst = 1, 0.001, 2 })
	expired := f.newToken(store.Token{Organizations: []string{"acme"}, ExpiresAt: time.Now().Add(-time.Hour)})
	revoked := f.newToken(store.Token{Organizations: []string{"acme"}})
	tokens, err := f.db.ListTokens(t.Context())
	check(t, err)
	check(t, f.db.RevokeToken(t.Context(), tokens[2].ID))
	const route = "/v1/organizations/:organizationId/webhooks"
	line := func(granted, requested string, token int, reason string) map[string]any {
		l := map[string]any{
			"method": "GET", "route": route, "remote_ip": "2001:db8::7", "user_agent": strings.Repeat("a", 200),
			"organization": granted, "requested_organization": requested, "token_id": "",
		}
		if token >= 0 {
			l["token_id"] = tokens[token].ID
		}
		if reason != "" {
			l["reason"] = reason
		}
		return l
	}
	nowhere := line("", "", -1, "")
	nowhere["route"] = ""
	tests := []struct {
		name, path, token string
		want              server.Outcome
		line              map[string]any
	}{
		{"page", "acme/webhooks", f.token, server.Outcome{Status: 200}, line("acme", "acme", 0, "")},
		{"another's", "other/webhooks", f.token, server.Outcome{Status: 403}, line("", "other", 0, "")},
		{"rate", "acme/webhooks", f.token, server.Outcome{Status: 429, Reason: "rate"}, line("", "", 0, "rate")},
		{"no token", "acme/webhooks", "", server.Outcome{Status: 401, Reason: "no_token"}, line("", "", -1, "no_token")},
		{"unknown", "acme/webhooks", "x", server.Outcome{Status: 401, Reason: "unknown_token"}, line("", "", -1, "unknown_token")},
		{"expired", "acme/webhooks", expired, server.Outcome{Status: 401, Reason: "expired_token"}, line("", "", 1, "expired_token")},
		{"revoked", "acme/webhooks", revoked, server.Outcome{Status: 401, Reason: "revoked_token"}, line("", "", 2, "revoked_token")},
		{"nowhere", "acme/elsewhere", f.token, server.Outcome{Status: 404}, nowhere},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			header := http.Header{"User-Agent": {strings.Repeat("a", 300)}, "X-Forwarded-For": {"192.0.2.1, 2001:db8::7"}}
			if test.token != "" {
				header.Set("Authorization", "Bearer "+test.token)
			}
			a := f.do(http.MethodGet, "/v1/organizations/"+test.path, header, nil)
			test.want.Method, test.want.Bytes = "GET", int64(len(a.body))
			if test.want.Status != 404 {
				test.want.Operation, test.want.Route = "listWebhooks", route
			}
			got := <-outcomes
			if got.Duration <= 0 || got.Duration > time.Minute {
				t.Errorf("duration %v", got.Duration)
			}
			if got.Duration = 0; got != test.want {
				t.Errorf("outcome is %+v, want %+v", got, test.want)
			}
			logged := <-log
			if ms, ok := logged["duration_ms"].(float64); !ok || ms <= 0 {
				t.Errorf("duration is %v", logged["duration_ms"])
			}
			want := map[string]any{
				"time": logged["time"], "level": "INFO", "msg": "request", "request_id": a.Header.Get("X-Request-Id"),
				"duration_ms": logged["duration_ms"], "status": float64(a.StatusCode), "bytes": float64(len(a.body)),
			}
			maps.Copy(want, test.line)
			if !maps.Equal(logged, want) {
				t.Errorf("line is %v, want %v", logged, want)
			}
		})
	}
}

func TestClientThatGoesAwayIsNoFault(t *testing.T) {
	entered := make(chan struct{}, 1)
	f, log, outcomes := observed(t, func(c *server.Config) {
		c.Webhooks = lister(func(ctx context.Context, _ store.PageQuery) (store.Page, error) {
			entered <- struct{}{}
			<-ctx.Done()
			return store.Page{}, ctx.Err()
		})
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-entered; cancel() }()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url+"/v1/organizations/acme/webhooks", nil)
	check(t, err)
	r.Header.Set("Authorization", "Bearer "+f.token)
	if resp, err := http.DefaultTransport.RoundTrip(r); err == nil {
		_ = resp.Body.Close()
		t.Fatalf("status %d", resp.StatusCode)
	}
	if got := <-outcomes; got.Status != server.StatusClientGone || got.Reason != "client_gone" {
		t.Errorf("outcome is %+v", got)
	}
	line := <-log
	if line["level"] != "INFO" || line["status"] != float64(server.StatusClientGone) || line["fault"] != nil {
		t.Errorf("line is %v", line)
	}
}
