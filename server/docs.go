package server

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/packhooks/packhooks/api"
)

// docsFiles is the docs page: Swagger UI, compressed by make docs-assets, and what configures it.
//
//go:embed docs/*.html docs/*.css docs/*.js docs/*.png docs/*.gz
var docsFiles embed.FS

// docsPolicy lets the page load from its own origin and nowhere else (CSP level 3); Swagger UI draws its icons from
// data URLs.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// registerDocs serves the contract, byte for byte and as JSON, and a page that shows it. The page prefills the
// organization, if one is given.
func registerDocs(e *echo.Echo, doc *openapi3.T, basePath, organization string) error {
	asJSON, err := doc.MarshalJSON()
	if err != nil {
		return fmt.Errorf("encoding contract as JSON: %w", err)
	}
	var page bytes.Buffer
	err = template.Must(template.ParseFS(docsFiles, "docs/index.html")).
		Execute(&page, struct{ BasePath, Organization string }{basePath, organization})
	if err != nil {
		return fmt.Errorf("preparing docs page: %w", err)
	}
	serveDocs(e, "/openapi.yaml", "application/yaml", api.Spec)
	serveDocs(e, "/openapi.json", echo.MIMEApplicationJSON, asJSON)
	serveDocs(e, "/docs", echo.MIMETextHTMLCharsetUTF8, page.Bytes())
	for name, contentType := range map[string]string{
		"docs.css": "text/css", "docs.js": "text/javascript", "favicon-32x32.png": "image/png",
		"swagger-ui.css.gz": "text/css", "swagger-ui-bundle.js.gz": "text/javascript",
	} {
		data, err := docsFiles.ReadFile("docs/" + name)
		if err != nil {
			return err
		}
		serveDocs(e, "/docs/"+name, contentType, data)
	}
	for from, to := range map[string]string{"/": "docs", "/docs/": "../docs"} { // relative: a proxy may add a prefix
		e.GET(from, func(c echo.Context) error { return c.Redirect(http.StatusFound, to) })
	}
	return nil
}

// serveDocs sends gzip files as they are, whatever the client accepts: every browser does, and inflating one for each
// request would let strangers keep the server busy.
func serveDocs(e *echo.Echo, path, contentType string, data []byte) {
	path, compressed := strings.CutSuffix(path, ".gz")
	etag := fmt.Sprintf(`"%x"`, sha256.Sum256(data))
	e.Match([]string{http.MethodGet, http.MethodHead}, path, func(c echo.Context) error {
		header := c.Response().Header()
		if compressed && c.Request().Header.Get("If-None-Match") != etag {
			if s := stateOf(c.Request().Context()); !s.admission.peer("files " + s.peer).Allow() {
				return tooMany("docs_files", "this address has asked for too many files of the docs page; wait for the seconds in Retry-After")
			}
		}
		header.Set(echo.HeaderContentSecurityPolicy, docsPolicy)
		header.Set(echo.HeaderCacheControl, "no-cache") // nothing here is secret
		header.Set(echo.HeaderContentType, contentType)
		header.Set("ETag", etag)
		if compressed {
			header.Set(echo.HeaderContentEncoding, "gzip")
		}
		http.ServeContent(c.Response(), c.Request(), "", time.Time{}, bytes.NewReader(data))
		return nil
	})
}
