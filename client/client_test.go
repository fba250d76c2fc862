package packhooks_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	packhooks "github.com/packhooks/packhooks/client"
	"github.com/packhooks/packhooks/client/clienttest"
)

func TestNewRefuses(t *testing.T) {
	for name, try := range map[string]struct {
		token string
		opt   packhooks.Option
	}{
		"no token":               {token: ""},
		"token with a line end":  {token: testToken + "\n"},
		"token with a space":     {token: "Bearer " + testToken},
		"token beyond ASCII":     {token: testToken + "é"},
		"base URL with query":    {testToken, packhooks.WithBaseURL("https://example.com/v1?a=b")},
		"base URL with ?":        {testToken, packhooks.WithBaseURL("https://example.com/v1?")},
		"base URL with fragment": {testToken, packhooks.WithBaseURL("https://example.com/v1#a")},
		"base URL with userinfo": {testToken, packhooks.WithBaseURL("https://user:" + testToken + "@example.com/v1")},
		"broken base URL":        {testToken, packhooks.WithBaseURL("https://user:" + testToken + "@exa mple.com/v1")},
		"base URL without host":  {testToken, packhooks.WithBaseURL("https:///v1")},
		"base URL without //":    {testToken, packhooks.WithBaseURL("localhost:8080")},
		"other scheme":           {testToken, packhooks.WithBaseURL("ftp://example.com")},
		"nil HTTP client":        {testToken, packhooks.WithHTTPClient(nil)},
		"nil logger":             {testToken, packhooks.WithLogger(nil)},
		"no attempts":            {testToken, packhooks.WithMaxAttempts(0)},
		"no backoff":             {testToken, packhooks.WithBackoff(0, time.Second)},
		"backoff upside down":    {testToken, packhooks.WithBackoff(2*time.Second, time.Second)},
		"no time":                {testToken, packhooks.WithAttemptTimeout(0)},
		"no bytes":               {testToken, packhooks.WithMaxResponseBytes(0)},
		"broken user agent":      {testToken, packhooks.WithUserAgent("shop\r\nX-Evil: 1")},
	} {
		var opts []packhooks.Option
		if try.opt != nil {
			opts = append(opts, try.opt)
		}
		c, err := packhooks.New(try.token, opts...)
		if err == nil || c != nil {
			t.Errorf("%s is not refused", name)
		} else if strings.Contains(err.Error(), testToken) {
			t.Errorf("%s: the error names the token", name)
		}
	}
}

func TestBaseURLs(t *testing.T) {
	var got string
	url := strings.TrimSuffix(serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "" {
			_, _ = w.Write([]byte(body("?c=2")))
			return
		}
		got = r.RequestURI
		_, _ = w.Write([]byte(body("")))
	}), "/v1")
	for base, want := range map[string]string{
		"":               "/organizations/acme/webhooks?c=2",
		"/":              "/organizations/acme/webhooks?c=2",
		"/v1/":           "/v1/organizations/acme/webhooks?c=2",
		"/a%20b/../v1//": "/v1/organizations/acme/webhooks?c=2",
		"/a%2Fb":         "/a%2Fb/organizations/acme/webhooks?c=2",
	} {
		for _, err := range newClientOf(t, testToken, url+base).Webhooks(t.Context(), "acme") {
			t.Error(err)
		}
		if got != want {
			t.Errorf("%q: asked for %q, want %q", base, got, want)
		}
	}
}

func TestRequestHeaders(t *testing.T) {
	srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme"))
	if _, err := newClient(t, srv, packhooks.WithUserAgent("shop/1.4")).ListWebhooks(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	r := srv.Requests()[0]
	if r.Token != srv.Token {
		t.Error("the token did not arrive")
	}
	if got := r.Header.Get("Accept"); got != "application/json" {
		t.Errorf("Accept: %s", got)
	}
	want := `^shop/1\.4 packhooks/` + regexp.QuoteMeta(packhooks.Version) + ` \(go1\.[0-9.]+[a-z0-9]*\)$`
	if got := r.Header.Get("User-Agent"); !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("User-Agent: %s", got)
	}
}

func TestTheCallersHTTPClientStaysAsItIs(t *testing.T) {
	var asked bool
	mine := httpClient(t)
	mine.CheckRedirect = func(*http.Request, []*http.Request) error {
		asked = true
		return http.ErrUseLastResponse
	}
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/v2"+operation, http.StatusFound) })
	_, err := newClientOf(t, testToken, url, packhooks.WithHTTPClient(mine)).ListWebhooks(t.Context(), "acme")
	if err == nil || !strings.Contains(err.Error(), "302 Found") || !asked {
		t.Errorf("got %v, want the 302 that the caller's own policy stops at", err)
	}
	asked = false
	resp, err := mine.Get(url)
	if err != nil || resp.StatusCode != http.StatusFound || !asked {
		t.Errorf("the caller's client has changed: %v", err)
	}
	_ = resp.Body.Close()
}

func TestDebugLog(t *testing.T) {
	srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme", clienttest.Webhooks(2)...))
	var text strings.Builder
	log := slog.New(slog.NewJSONHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
	srv.Inject(clienttest.Unavailable(0))
	for _, err := range newClient(t, srv, packhooks.WithLogger(log)).Webhooks(t.Context(), "acme", packhooks.PerPage(1)) {
		if err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(strings.TrimSpace(text.String()), "\n")
	if len(lines) != 3 || strings.Contains(text.String(), "cursor") {
		t.Fatalf("want three attempts without their queries, got\n%s", text.String())
	}
	var last struct {
		Level, Method, Path string
		Status, Attempt     int
		RequestID           string `json:"request_id"`
	}
	if err := json.Unmarshal([]byte(lines[2]), &last); err != nil {
		t.Fatal(err)
	}
	if last.Level != "DEBUG" || last.Method != "GET" || last.Path != "/v1/organizations/acme/webhooks" || last.Status != 200 || last.RequestID == "" {
		t.Errorf("the last line is %s", lines[2])
	}
	if !strings.Contains(lines[0], `"status":503`) {
		t.Errorf("the first line is %s", lines[0])
	}
}
