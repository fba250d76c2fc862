package api_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/packhooks/packhooks/api"
)

// The page and the contract's x-provenance say the same, field by field: nothing published is missing, and nothing that
// the page does not say is called published.
func TestTheContractSaysWhatThePageSays(t *testing.T) {
	text, err := os.ReadFile("../docs/vendor.md")
	if err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(api.Spec, &document); err != nil {
		t.Fatal(err)
	}
	page, contract := pageSays(string(text)), contractSays(document.Content[0])
	for name, want := range page {
		if contract[name] != want {
			t.Errorf("%s: the page says %q, and the contract that %q was published", name, want, contract[name])
		}
	}
	for name := range contract {
		if page[name] == "" {
			t.Errorf("%s: published by the contract, and not on the page", name)
		}
	}
	if len(page) != 13 {
		t.Errorf("the page has %d parts, want its operation, parameter, response and ten fields", len(page))
	}
}

var (
	operationLine = regexp.MustCompile("`(GET) (https://[^/]+/v1)(/.*)`")
	titleLine     = regexp.MustCompile(`(?m)^## (.*)$`)
	fieldRow      = regexp.MustCompile("(?m)^\\| `(\\w+)` \\|(.*)\\|$")
)

// pageSays returns what is published by name, as "type, required, text, example".
func pageSays(page string) map[string]string {
	page, _, _ = strings.Cut(page, "\n## What its sibling pages add")
	says := map[string]string{"200": "OK"}
	says["operation"] = strings.Join(append(operationLine.FindStringSubmatch(page)[1:], titleLine.FindStringSubmatch(page)[1]), " ")
	for _, m := range fieldRow.FindAllStringSubmatch(page, -1) {
		cells := strings.Split(strings.ReplaceAll(m[2], "`", ""), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) == 1 { // a parameter of the path, which is always required
			cells = append(cells, "yes", "", "")
		}
		says[m[1]] = strings.Join(cells, ", ")
	}
	return says
}

func contractSays(root *yaml.Node) map[string]string {
	says := map[string]string{}
	part := func(name string, n *yaml.Node) {
		published := get(n, "x-provenance", "published")
		if len(published.Content) == 0 {
			return
		}
		required := map[string]string{"true": "yes", "false": "no"}[text(published, "required")]
		says[name] = strings.Join([]string{text(published, "type"), required, text(published, "description"), text(published, "shown")}, ", ")
	}
	for p := range entries(get(root, "components", "parameters")) {
		part(text(p.node, "name"), p.node)
	}
	for s := range entries(get(root, "components", "schemas")) {
		for p := range entries(get(s.node, "properties")) {
			part(p.key, p.node)
		}
	}
	for r := range entries(get(root, "components", "responses")) {
		if published := get(r.node, "x-provenance", "published"); len(published.Content) > 0 {
			says["200"] = text(published, "description")
		}
	}
	server := text(get(get(root, "servers").Content[0], "x-provenance", "published"), "url")
	for path := range entries(get(root, "paths")) {
		for method := range entries(path.node) {
			published := get(method.node, "x-provenance", "published")
			if text(published, "path") == path.key && strings.EqualFold(text(published, "method"), method.key) {
				says["operation"] = strings.Join([]string{text(published, "method"), server, path.key, text(published, "summary")}, " ")
			}
		}
	}
	return says
}
