package server

import (
	_ "embed"
	"fmt"
	"net/http"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"
	"github.com/swaggest/swgui/v5/static"
	"github.com/vearutop/statigz"

	"github.com/packhooks/packhooks/api"
)

var (
	//go:embed docs.html
	docsPage []byte

	//go:embed docs.js
	docsScript []byte
)

// docsPolicy lets the page load from where it came from and nowhere else (CSP level 3); Swagger UI draws its
// icons from data URLs.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// registerDocs serves the contract, byte for byte and as JSON, and a page that shows it. The page's own copy names
// this server at baseURL instead of the vendor's, so that what someone tries out goes to the right one.
func registerDocs(e *echo.Echo, baseURL string) error {
	shared, err := api.Load()
	if err != nil {
		return err
	}
	doc := *shared
	exact, err := doc.MarshalJSON()
	if err != nil {
		return fmt.Errorf("writing contract as JSON: %w", err)
	}
	doc.Servers = openapi3.Servers{{URL: baseURL}}
	local, err := doc.MarshalJSON()
	if err != nil {
		return fmt.Errorf("writing contract as JSON: %w", err)
	}
	get := func(path string, h echo.HandlerFunc) {
		e.Match([]string{http.MethodGet, http.MethodHead}, path, func(c echo.Context) error {
			c.Response().Header().Set(echo.HeaderContentSecurityPolicy, docsPolicy)
			c.Response().Header().Set(echo.HeaderCacheControl, "no-cache") // nothing here is secret
			return h(c)
		})
	}
	serve := func(path, contentType string, body []byte) {
		get(path, func(c echo.Context) error { return c.Blob(http.StatusOK, contentType, body) })
	}
	serve("/openapi.yaml", "application/yaml", api.Spec)
	serve("/openapi.json", echo.MIMEApplicationJSON, exact)
	serve("/docs", echo.MIMETextHTMLCharsetUTF8, docsPage)
	serve("/docs/docs.js", "text/javascript; charset=utf-8", docsScript)
	serve("/docs/openapi.json", echo.MIMEApplicationJSON, local)
	get("/docs/", func(c echo.Context) error { return c.Redirect(http.StatusMovedPermanently, "../docs") })
	assets := http.StripPrefix("/docs/", statigz.FileServer(static.FS))
	for _, name := range []string{"swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"} {
		get("/docs/"+name, echo.WrapHandler(assets))
	}
	return nil
}
