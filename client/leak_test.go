package packhooks_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	packhooks "github.com/packhooks/packhooks/client"
)

const (
	leakToken  = "pk_LeAkTeStToKeN_0123456789"
	leakSecret = "sHhLeAkTeStSeCrEt_9876543210"
)

// holders are what a program may print that holds the token or a signing secret, in exported and unexported
// fields, as values and behind pointers.
func holders(t testing.TB, log *slog.Logger) []any {
	var answer http.HandlerFunc
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { answer(w, r) })
	c := newClientOf(t, leakToken, url, packhooks.WithLogger(log))
	answer = always(200, body("?next", item("wh_1", map[string]any{"secret": leakSecret})))
	page, err := c.ListWebhooks(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	webhook := page.Webhooks[0]
	if webhook.Secret.Reveal() != leakSecret {
		t.Fatal("the secret did not arrive")
	}

	// A server that echoes the request, and shows a secret where no client looks for one.
	answer = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", r.Header.Get("Authorization"))
		always(403, fmt.Sprintf(`{"detail": "you sent %s", "debug": %q}`, r.Header.Get("Authorization"), leakSecret))(w, r)
	}
	_, echoed := c.ListWebhooks(t.Context(), "acme")
	var status *packhooks.Error
	if !errors.As(echoed, &status) || !strings.Contains(echoed.Error(), "you sent Bearer [redacted]") {
		t.Fatal("the echo was not masked")
	}
	answer = always(200, body("", item("wh_1", map[string]any{"secret": leakSecret, "created_at": leakToken, "id": 1})))
	_, malformed := c.ListWebhooks(t.Context(), "acme")
	answer = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+leakToken+".example/"+leakToken, http.StatusFound)
	}
	_, redirected := c.ListWebhooks(t.Context(), "acme")
	answer = func(w http.ResponseWriter, r *http.Request) {
		conn, _, _ := http.NewResponseController(w).Hijack()
		_, _ = fmt.Fprintf(conn, "%s\r\n\r\n", r.Header.Get("Authorization"))
		_ = conn.Close()
	}
	_, broken := c.ListWebhooks(t.Context(), "acme")

	return []any{
		c, *c, page, *page, webhook, &webhook, webhook.Secret, &webhook.Secret,
		page.Webhooks, &page.Webhooks, []packhooks.Webhook{webhook}, []*packhooks.Webhook{&webhook}, [1]packhooks.Webhook{webhook},
		map[string]packhooks.Webhook{"a": webhook}, map[string]*packhooks.Webhook{"a": &webhook}, map[string]packhooks.Secret{"a": webhook.Secret},
		struct{ Webhook packhooks.Webhook }{webhook}, struct{ webhook packhooks.Webhook }{webhook}, struct{ webhook *packhooks.Webhook }{&webhook},
		struct{ secret packhooks.Secret }{webhook.Secret}, struct{ secret any }{webhook.Secret}, struct{ secrets []packhooks.Secret }{[]packhooks.Secret{webhook.Secret}},
		struct{ Client *packhooks.Client }{c}, struct{ client *packhooks.Client }{c}, struct{ client packhooks.Client }{*c},
		struct{ Page *packhooks.WebhookPage }{page}, struct{ page *packhooks.WebhookPage }{page}, struct{ page packhooks.WebhookPage }{*page},
		struct{ byID map[string]packhooks.Webhook }{map[string]packhooks.Webhook{"a": webhook}},
		status, echoed, malformed, redirected, broken, fmt.Errorf("wrapped: %w", echoed), errors.Join(echoed, broken),
		struct{ Err error }{echoed}, struct{ err error }{echoed}, struct{ Err *packhooks.Error }{status},
	}
}

// leaks finds the token and the secret in text, also as fmt and encoding/json may have spelled them.
func leaks(text string) bool {
	for _, hidden := range []string{leakToken, leakSecret} {
		decimal := strings.Trim(fmt.Sprintf("%d", []byte(hidden)), "[]")
		spellings := []string{hidden, hex.EncodeToString([]byte(hidden)), strings.ReplaceAll(decimal, " ", ", "), decimal, fmt.Sprintf("% x", hidden)}
		for skip := range 3 { // base64 of a longer text, by where this one begins
			spellings = append(spellings, base64.RawStdEncoding.EncodeToString([]byte(hidden[skip : len(hidden)-4])[:18]))
		}
		for _, s := range spellings {
			if strings.Contains(strings.ToLower(text), strings.ToLower(s)) {
				return true
			}
		}
	}
	return false
}

func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	level := &slog.HandlerOptions{Level: slog.LevelDebug}
	for i, v := range holders(t, slog.New(slog.NewTextHandler(&logs, level))) {
		for _, verb := range "vTtbcoOqxXUeEfFgGspd" {
			for _, flags := range []string{"", "+", "#", " ", "0", "-", "+#", "# ", "30.20"} {
				if text := fmt.Sprintf("%"+flags+string(verb), v); leaks(text) {
					t.Errorf("holder %d (%T) leaks with %%%s%c", i, v, flags, verb)
				}
			}
		}
		var text bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&text, level), slog.NewJSONHandler(&text, level)} {
			slog.New(h).With("with", v).Info("message", "attr", v, slog.Group("group", "in", v))
		}
		asJSON, _ := json.Marshal(v)
		asXML, _ := xml.Marshal(v)
		fmt.Fprintln(&text, v, string(asJSON), string(asXML), fmt.Errorf("wrapped: %v", v))
		if leaks(text.String()) {
			t.Errorf("holder %d (%T) leaks into a log or a document", i, v)
		}
	}
	if leaks(logs.String()) || !strings.Contains(logs.String(), "status=200") {
		t.Error("the debug log leaks, or is empty")
	}
}

// A panic is printed by the runtime alone, so each is let happen in a process of its own.
func TestNoPanicPrintsASecret(t *testing.T) {
	t.Parallel()
	if n, err := strconv.Atoi(os.Getenv("PANIC_WITH_HOLDER")); err == nil {
		panic(holders(t, slog.New(slog.DiscardHandler))[n])
	}
	for i, v := range holders(t, slog.New(slog.DiscardHandler)) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNoPanicPrintsASecret$")
		cmd.Env = append(os.Environ(), "PANIC_WITH_HOLDER="+strconv.Itoa(i))
		out, err := cmd.CombinedOutput()
		if err == nil || !bytes.Contains(out, []byte("panic: ")) {
			t.Fatalf("holder %d (%T) did not panic", i, v)
		}
		if leaks(string(out)) {
			t.Errorf("a panic with holder %d (%T) leaks", i, v)
		}
	}
}
