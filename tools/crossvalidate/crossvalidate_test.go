// Package crossvalidate_test holds the server's tests to a second validator: whatever kin-openapi, which the server
// runs on, says of an exchange, libopenapi-validator must say as well.
package crossvalidate_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	verrors "github.com/pb33f/libopenapi-validator/errors"
)

// exchange is what the server's tests write, one file each, to the folder that PACKHOOKS_RECORD names. Every response
// in it was found valid by kin-openapi, or its test had failed; valid is what kin-openapi said of the request.
type exchange struct {
	Request struct {
		Method string
		URL    string
		Header http.Header
	}
	Response struct {
		Status int
		Header http.Header
		Body   string
	}
	Valid bool
}

// differences are requests of which the validators are known to think differently, as "METHOD path?query", and why the
// server is right to side with kin-openapi.
var differences = map[string]string{
	"GET /v1/organizations/acme/webhooks?per_page=1.0": "a number of JSON that is whole, but no integer in a query",
	"GET /v1/organizations/acme/webhooks?per_page=1e1": "likewise",
	"HEAD /v1/organizations/acme/webhooks":             "taken for GET; the contract declares no HEAD",
}

func TestBothValidatorsAgree(t *testing.T) {
	dir := t.TempDir()
	record(t, dir)
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) < 100 {
		t.Fatalf("%d exchanges were recorded: %v", len(files), err)
	}
	v := newValidator(t)
	valid, unmet := 0, maps.Clone(differences)
	for _, file := range files {
		x := read(t, file)
		if x.Valid {
			valid++
		}
		if err := errors.Join(request(v, x, unmet), response(v, x)); err != nil {
			t.Errorf("%s %s → %d: %v", x.Request.Method, x.Request.URL, x.Response.Status, err)
		}
	}
	for name := range unmet {
		t.Errorf("the validators agree by now, or nobody asks any more: %s", name)
	}
	t.Logf("%d exchanges, %d of them with a valid request", len(files), valid)
}

func record(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "./server")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "PACKHOOKS_RECORD="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("recording: %v\n%s", err, out)
	}
}

func newValidator(t *testing.T) validator.Validator {
	t.Helper()
	spec, err := os.ReadFile("../../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := libopenapi.NewDocument(spec)
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(doc, config.WithFormatAssertions(), config.WithStrictMode(), config.WithStrictServerMatching(),
		config.WithoutSecurityValidation(),                             // kin-openapi leaves it to the server as well
		config.WithStrictIgnoredHeadersExtra("X-Content-Type-Options")) // hardening, and none of the contract's business
	if len(errs) > 0 {
		t.Fatal(errors.Join(errs...))
	}
	return v
}

func read(t *testing.T, file string) exchange {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var x exchange
	if err := json.Unmarshal(data, &x); err != nil {
		t.Fatal(err)
	}
	return x
}

// request compares what the validators say of a request, and strikes a known difference off.
func request(v validator.Validator, x exchange, unmet map[string]string) error {
	req, err := http.NewRequest(x.Request.Method, x.Request.URL, nil)
	if err != nil {
		return err
	}
	name := req.Method + " " + req.URL.RequestURI()
	req.Header = x.Request.Header
	req.URL.Scheme, req.URL.Host = "https", "api.pack.cloud" // where the contract's server is
	req.Host = req.URL.Host
	_, errs := v.ValidateHttpRequestSync(req)
	others := slices.DeleteFunc(slices.Clone(errs), undeclaredParameter)
	switch _, known := differences[name]; {
	case known && (len(others) == 0) != x.Valid:
		delete(unmet, name)
	case (len(others) == 0) != x.Valid:
		return fmt.Errorf("request: kin-openapi says %t, libopenapi-validator %v", x.Valid, errs)
	case len(errs) > 0 && x.Response.Status == http.StatusOK:
		return fmt.Errorf("request: it was served, though %v", errs)
	}
	return nil
}

// undeclaredParameter is what kin-openapi leaves to the server: it looks at no parameter that is not declared.
func undeclaredParameter(e *verrors.ValidationError) bool {
	return strings.HasPrefix(e.Message, "query parameter ") && strings.Contains(e.Message, "is not declared")
}

// response validates a response that kin-openapi found valid. A 404 and a 405 answer requests that no operation has;
// the contract declares them beside the others of the only operation.
func response(v validator.Validator, x exchange) error {
	if x.Request.Method == http.MethodHead {
		return nil // without a body there is nothing to compare
	}
	listing, err := http.NewRequest(http.MethodGet, "https://api.pack.cloud/v1/organizations/acme/webhooks", nil)
	if err != nil {
		return err
	}
	resp := &http.Response{
		StatusCode: x.Response.Status, Header: x.Response.Header, Request: listing,
		Body: io.NopCloser(strings.NewReader(x.Response.Body)),
	}
	if ok, errs := v.ValidateHttpResponse(listing, resp); !ok {
		return fmt.Errorf("response: kin-openapi says true, libopenapi-validator %v", errs)
	}
	return nil
}
