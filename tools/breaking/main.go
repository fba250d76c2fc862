// Command breaking compares a contract with the one last released and holds the difference to semantic versioning:
//
//	breaking RELEASED CURRENT CHANGELOG
//
// A change that can break a client or a server needs a new major version of the contract, any other change a
// higher one, and both an entry in the changelog. Descriptions, examples and extensions are free.
package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
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
	if err != nil {
		return err
	}
	current, err := read(currentPath)
	if err != nil {
		return err
	}
	changelog, err := os.ReadFile(changelogPath)
	if err != nil {
		return err
	}
	c, err := compare(released, current)
	if err != nil {
		return fmt.Errorf("comparing the contracts: %w", err)
	}
	c.print(out)
	return c.judge(version(released), version(current), string(changelog))
}

func read(path string) (*load.SpecInfo, error) {
	return load.NewSpecInfo(openapi3.NewLoader(), load.NewSource(path))
}

func version(s *load.SpecInfo) string { return "v" + s.GetVersion() }

// raised are the changes that oasdiff takes for harmless and that break a program all the same: one that reads the
// field or the header, one that calls the operation by its generated name.
var raised = map[string]checker.Level{
	"response-optional-property-removed": checker.ERR,
	"optional-response-header-removed":   checker.ERR,
	"api-operation-id-removed":           checker.ERR,
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
	if d == nil {
		return c, nil
	}
	rules := checker.NewConfig(checker.GetAllChecks(), checker.WithSeverityLevels(raised))
	for _, found := range checker.CheckBackwardCompatibilityUntilLevel(rules, d, sources, checker.INFO) {
		if found.GetSection() == "info" {
			continue // the version rules below are stricter
		}
		c.add(found)
	}
	// No check of oasdiff's looks at the servers, yet moving one breaks every client.
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

// add counts warnings as breaking: oasdiff warns of what breaks some clients.
func (c *change) add(found checker.Change) {
	text := fmt.Sprintf("%s [%s]", found.GetUncolorizedText(checker.NewDefaultLocalizer()), found.GetId())
	if found.GetLevel() >= checker.WARN {
		c.breaking = append(c.breaking, text)
	} else {
		c.additive = append(c.additive, text)
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

func (c change) judge(released, current, changelog string) error {
	switch {
	case !semver.IsValid(current):
		return fmt.Errorf("info.version %q is not a semantic version", current[1:])
	case semver.Compare(current, released) < 0:
		return fmt.Errorf("info.version %s is below the released %s", current[1:], released[1:])
	case len(c.breaking) > 0 && semver.Compare(semver.Major(current), semver.Major(released)) <= 0:
		return fmt.Errorf("a breaking change needs a new major version: info.version is %s, released is %s", current[1:], released[1:])
	case len(c.diff) > 0 && current == released:
		return fmt.Errorf("the contract changed: raise info.version above the released %s, and say how in a section \"## Contract X.Y.Z\" of CHANGELOG.md", released[1:])
	case len(c.diff) > 0 && !hasEntry(changelog, current[1:]):
		return fmt.Errorf("the contract changed: CHANGELOG.md needs a section %q that says how", "## Contract "+current[1:])
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
