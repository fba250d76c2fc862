// Command breaking compares a contract with the one last released and holds the difference to semantic versioning:
//
//	breaking RELEASED CURRENT CHANGELOG
//
// A change that can break a client or a server needs a new major version of the contract, any other change a
// higher one, and both an entry in the changelog. Descriptions, examples and extensions are free, x-promise excepted.
package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oasdiff/oasdiff/checker"
	"github.com/oasdiff/oasdiff/diff"
	"github.com/oasdiff/oasdiff/load"
	"go.yaml.in/yaml/v4"
	"golang.org/x/mod/semver"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: breaking RELEASED CURRENT CHANGELOG")
		os.Exit(2)
	}
	if err := run(os.Stdout, os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "breaking:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, releasedPath, currentPath, changelogPath string) error {
	released, err := read(releasedPath)
	current, err2 := read(currentPath)
	changelog, err3 := os.ReadFile(changelogPath)
	if err := cmp.Or(err, err2, err3); err != nil {
		return err
	}
	c, err := compare(released, current)
	if err != nil {
		return fmt.Errorf("comparing the contracts: %w", err)
	}
	c.print(out)
	return c.validate(released.GetVersion(), current.GetVersion(), string(changelog))
}

func read(path string) (*load.SpecInfo, error) {
	return load.NewSpecInfo(openapi3.NewLoader(), load.NewSource(path), load.WithFlattenAllOf(), load.WithFlattenParams())
}

// raised are the changes that oasdiff takes for harmless and that break a program all the same: one that reads the
// field or the header, calls the operation by its generated name, sends Accept, or tells errors apart.
var raised = map[string]checker.Level{
	"response-optional-property-removed":      checker.ERR,
	"optional-response-header-removed":        checker.ERR,
	"api-operation-id-removed":                checker.ERR,
	"response-media-type-removed":             checker.ERR,
	"response-media-type-name-specialized":    checker.ERR,
	"response-media-type-name-generalized":    checker.ERR,
	"response-non-success-status-removed":     checker.ERR,
	"request-parameter-default-value-changed": checker.ERR,
	"request-parameter-default-value-removed": checker.ERR,
	"response-property-pattern-changed":       checker.ERR,
	"api-security-anonymous-access-added":     checker.ERR,
	"response-property-pattern-removed":       checker.ERR,
}

// change is what differs between two contracts.
type change struct {
	diff     []byte // as YAML, empty when nothing differs
	breaking []string
	additive []string
}

func compare(released, current *load.SpecInfo) (change, error) {
	config := diff.NewConfig(diff.WithExcludeElements([]string{
		diff.ExcludeDescriptionOption, diff.ExcludeTitleOption, diff.ExcludeSummaryOption,
		diff.ExcludeExamplesOption, diff.ExcludeExtensionsOption,
		diff.ExcludeEndpointsOption, // the paths once more
	}))
	d, sources, err := diff.GetWithOperationsSourcesMap(config, released, current)
	if err != nil {
		return change{}, err
	}
	var c change
	c.comparePledges(pledges(released.Spec, current.Spec), pledges(current.Spec, released.Spec))
	if d == nil {
		return c, nil
	}
	rules := checker.NewConfig(checker.GetAllChecks(), checker.WithSeverityLevels(raised))
	for _, found := range checker.CheckBackwardCompatibilityUntilLevel(rules, d, sources, checker.INFO) {
		text := fmt.Sprintf("%s [%s]", found.GetUncolorizedText(checker.NewDefaultLocalizer()), found.GetId())
		switch {
		case found.GetSection() == "info": // the version rules below are stricter
		case found.GetLevel() >= checker.WARN: // a warning is of what breaks some clients
			c.breaking = append(c.breaking, text)
		default:
			c.additive = append(c.additive, text)
		}
	}
	if d.ServersDiff != nil {
		for _, url := range d.ServersDiff.Deleted {
			c.breaking = append(c.breaking, "removed the server "+url)
		}
	}
	d.InfoDiff = nil
	if !d.Empty() {
		c.diff, err = yaml.Marshal(d)
	}
	return c, err
}

// pledges are what no check of oasdiff's looks at and a program may rely on, each with what it says: promises in words,
// the values of response headers, the server that clients take, and the names that references and generated code bear.
// An operation that the other document does not have is left to oasdiff.
func pledges(doc, other *openapi3.T) map[string]string {
	all := map[string]string{}
	if len(doc.Servers) > 0 {
		all["the first server"] = doc.Servers[0].URL
	}
	for _, tag := range doc.Tags {
		all["tag "+tag.Name] = ""
	}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			if there := other.Paths.Value(path); there == nil || there.GetOperation(method) == nil {
				continue
			}
			promises, _ := operation.Extensions["x-promise"].(map[string]any)
			for name, text := range promises {
				all[fmt.Sprintf("promise %q of %s %s", name, method, path)] = strings.Join(strings.Fields(fmt.Sprint(text)), " ")
			}
			for status, response := range operation.Responses.Map() {
				for name, header := range response.Value.Headers {
					schema, _ := json.Marshal(header.Value.Schema) // it came from JSON
					all[fmt.Sprintf("header %s of %s %s, %s", name, method, path, status)] = string(schema)
				}
			}
		}
	}
	components := cmp.Or(doc.Components, &openapi3.Components{})
	for kind, names := range map[string]iter.Seq[string]{
		"schema": maps.Keys(components.Schemas), "parameter": maps.Keys(components.Parameters), "header": maps.Keys(components.Headers),
		"response": maps.Keys(components.Responses), "security scheme": maps.Keys(components.SecuritySchemes),
	} {
		for name := range names {
			all["component: "+kind+" "+name] = ""
		}
	}
	return all
}

// comparePledges leaves removed headers to oasdiff, and all that is new but promises.
func (c *change) comparePledges(released, current map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(released)) {
		text, kept := current[name]
		switch {
		case !kept && strings.HasPrefix(name, "header"):
		case !kept:
			c.breaking = append(c.breaking, "removed "+name)
		case text != released[name]:
			c.breaking = append(c.breaking, fmt.Sprintf("changed %s from %s to %s", name, released[name], text))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(current)) {
		if _, known := released[name]; !known && strings.HasPrefix(name, "promise") {
			c.additive = append(c.additive, "added "+name)
		}
	}
}

func (c change) print(out io.Writer) {
	for _, text := range c.breaking {
		fmt.Fprintln(out, "breaking:", text)
	}
	for _, text := range c.additive {
		fmt.Fprintln(out, "additive:", text)
	}
	if len(c.diff) > 0 && len(c.breaking)+len(c.additive) == 0 {
		fmt.Fprintf(out, "changed, and no rule of compatibility speaks of it:\n%s", c.diff)
	}
}

// validate says which version and which entry of the changelog are missing.
func (c change) validate(released, current, changelog string) error {
	changed := len(c.diff)+len(c.breaking)+len(c.additive) > 0
	switch {
	case !semver.IsValid("v" + current):
		return fmt.Errorf("info.version %q is not a semantic version", current)
	case semver.Compare("v"+current, "v"+released) < 0:
		return fmt.Errorf("info.version %s is below the released %s", current, released)
	case len(c.breaking) > 0 && semver.Compare(semver.Major("v"+current), semver.Major("v"+released)) <= 0:
		return fmt.Errorf("a breaking change needs a new major version: info.version is %s, released is %s", current, released)
	case changed && current == released:
		return fmt.Errorf("the contract changed: raise info.version above the released %s, and say how in a section \"## Contract X.Y.Z\" of CHANGELOG.md", released)
	case changed && !hasEntry(changelog, current):
		return fmt.Errorf("the contract changed: CHANGELOG.md needs a section %q that says how", "## Contract "+current)
	}
	return nil
}

// hasEntry reports whether the changelog has a section for the version with at least one item in it.
func hasEntry(changelog, version string) bool {
	section := regexp.MustCompile(`(?m)^## Contract ` + regexp.QuoteMeta(version) + `\b.*$`).FindStringIndex(changelog)
	if section == nil {
		return false
	}
	body, _, _ := strings.Cut(changelog[section[1]:], "\n## ")
	return strings.Contains(body, "\n- ")
}
