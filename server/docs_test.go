package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/packhooks/packhooks/api"
	"github.com/packhooks/packhooks/server"
)

func (f *fixture) fetch(path string) (*http.Response, []byte) {
	f.Helper()
	resp, err := http.Get(f.url + path)
	check(f, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	check(f, err)
	return resp, body
}

func TestTheContractIsServedAsItIs(t *testing.T) {
	f := newFixture(t)
	if resp, body := f.fetch("/openapi.yaml"); resp.StatusCode != 200 || !bytes.Equal(body, api.Spec) {
		t.Errorf("/openapi.yaml: %d, %d bytes, want the %d of api/openapi.yaml", resp.StatusCode, len(body), len(api.Spec))
	}
	want, err := openapi3.NewLoader().LoadFromData(api.Spec)
	check(t, err)
	_, body := f.fetch("/openapi.json")
	got, err := openapi3.NewLoader().LoadFromData(body)
	check(t, err)
	if !reflect.DeepEqual(asJSON(t, got), asJSON(t, want)) {
		t.Error("/openapi.json says something else than api/openapi.yaml")
	}
	_, body = f.fetch("/docs/openapi.json")
	if !bytes.Contains(body, []byte(`"url":"`+publicURL+`/v1"`)) || bytes.Contains(body, []byte(`"url":"https://api.pack.cloud/v1"`)) {
		t.Error("the page's copy does not name this server")
	}
}

func asJSON(t *testing.T, doc *openapi3.T) any {
	t.Helper()
	data, err := doc.MarshalJSON()
	check(t, err)
	var v any
	check(t, json.Unmarshal(data, &v))
	return v
}

func TestDocsCanBeTurnedOff(t *testing.T) {
	f := newFixture(t, func(c *server.Config) { c.NoDocs = true })
	for _, path := range []string{"/docs", "/openapi.yaml", "/openapi.json", "/docs/docs.js"} {
		if resp, _ := f.fetch(path); resp.StatusCode != 404 {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}

// The page draws the contract in a real browser, under its own policy, and asks no other origin for anything.
func TestDocsPageInABrowser(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("PACKHOOKS_REQUIRE_BROWSER") != "" {
			t.Fatal("PACKHOOKS_REQUIRE_BROWSER is set and there is no chromium")
		}
		t.Log("no chromium here: the docs page was not tried in a browser")
		return
	}
	f := newFixture(t)
	netLog := filepath.Join(t.TempDir(), "net.json")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--user-data-dir="+t.TempDir(), "--log-net-log="+netLog, "--enable-logging=stderr",
		"--virtual-time-budget=20000", "--dump-dom", f.url+"/docs")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	check(t, cmd.Run())
	for _, want := range []string{"Pack Cloud webhook subscriptions", "/organizations/{organizationId}/webhooks", "Get list of webhooks"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	if strings.Contains(stderr.String(), "Content Security Policy") || strings.Contains(stderr.String(), "Uncaught") {
		t.Errorf("the browser complains: %s", stderr.String())
	}
	asked := requestsOf(t, netLog, f.url)
	if len(asked) < 4 {
		t.Errorf("the page asked for %v only", asked)
	}
	for _, target := range asked {
		if !strings.HasPrefix(target, f.url+"/") {
			t.Errorf("the page asked another origin for %s", target)
		}
	}
}

// requestsOf returns what pages of the origin asked for, by the browser's own network log; the browser's requests of
// its own account are not among them.
func requestsOf(t *testing.T, netLog, origin string) []string {
	t.Helper()
	data, err := os.ReadFile(netLog)
	check(t, err)
	var log struct {
		Events []struct {
			Params struct{ URL, Initiator string }
		}
	}
	check(t, json.Unmarshal(data, &log))
	var urls []string
	for _, event := range log.Events {
		if event.Params.Initiator == origin {
			urls = append(urls, event.Params.URL)
		}
	}
	return urls
}
