package main_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

func TestCheckOfOurOwnServer(t *testing.T) {
	p := reading(t)
	args := []string{"check", "--org", "acme", "--rate", "1000", "--url", p.url()}
	out := p.must("", append(args, "--strict")...)
	if !regexp.MustCompile(`\nconforms: (\d+) of (\d+) checks pass by \d+ requests\n$`).MatchString(out) || strings.Contains(out, "\n    |") {
		t.Errorf("got %s", out)
	}
	var report struct {
		Checks []struct{ ID, Class, Outcome string }
	}
	if err := json.Unmarshal([]byte(p.must("", append(args, "--output", "json")...)), &report); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(out, "\n"); got != len(report.Checks)+1 {
		t.Errorf("%d lines for %d checks", got, len(report.Checks))
	}
}

func TestCheckOfAServerThatDiffers(t *testing.T) {
	p := reading(t)
	target, err := url.Parse(p.url())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: target.Scheme, Host: target.Host})
	proxy.ModifyResponse = func(r *http.Response) error {
		r.Header.Del("Link") // a decision, published nowhere
		return nil
	}
	srv := httptest.NewServer(proxy)
	defer srv.Close()
	args := []string{"check", "--org", "acme", "--rate", "1000", "--url", srv.URL + target.Path}
	out := p.must("", args...)
	if !strings.Contains(out, "\n    | GET /") && !strings.Contains(out, "\n    | GET http") {
		t.Errorf("no exchange is shown: %s", out)
	}
	if !strings.Contains(out, "\nconforms to what was published, and differs in what was decided: ") || !strings.HasSuffix(out, "decided 1 (link)\n") {
		t.Errorf("the last line does not say what differs: %s", out)
	}
	for format, want := range map[string]string{
		"junit": `<testcase classname="decided.headers" name="link">`, "github": "::warning title=link (decided)::",
	} {
		if out := p.must("", append(args, "--output", format)...); !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	for _, secret := range []string{"Bearer", "phk_"} {
		if strings.Contains(out, secret) {
			t.Errorf("%q is shown: %s", secret, out)
		}
	}
	p.fails(1, "", append(args, "--strict"), "does not conform")
}

func TestCheckThatCannotTell(t *testing.T) {
	p := newPlace(t)
	srv := httptest.NewServer(nil)
	srv.Close()
	p.fails(2, "", []string{"check", "--org", "acme", "--url", srv.URL}, "could not determine")
	p.fails(2, "", []string{"check", "--url", srv.URL}, "--org")
	p.fails(2, "", []string{"check", "--org", "acme", "--url", "localhost"}, "base url")
	p.with("PACKHOOKS_TOKEN_FILE=not-there").fails(2, "", []string{"check", "--org", "acme", "--url", srv.URL}, "not-there")
}

func TestCheckIsInterrupted(t *testing.T) {
	arrived := make(chan struct{}, 100)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	}))
	defer srv.Close()
	cmd := newPlace(t).command("check", "--org", "acme", "--url", srv.URL)
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 2 || errs.String() != "packhooks: interrupted\n" {
		t.Errorf("exit %d: %q", code, errs.String())
	}
}
