package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// edits are changes of the released contract: how each is replaced in it, and the version that it needs.
var edits = []struct {
	name    string
	replace []string
	needs   string // major, minor or nothing
	says    string
}{
	{"nothing", nil, "nothing", ""},
	{"a description", []string{"Whether events are sent.", "Says whether events are sent."}, "nothing", ""},
	{"an example", []string{"          example: wh_000001", "          example: wh_000002"}, "nothing", ""},

	{"the media type of a page", []string{"        application/json:\n", "        application/vnd.pack+json:\n"}, "major", "response-media-type-name-specialized"},
	{"the media type of errors", []string{"application/problem+json:", "application/json:"}, "major", "response-media-type-name-generalized"},
	{"422 for 400", []string{"        '400':\n", "        '422':\n"}, "major", "response-non-success-status-removed"},
	{"403 removed", []string{"        '403':\n          $ref: '#/components/responses/Forbidden'\n", ""}, "major", "response-non-success-status-removed"},
	{"Cache-Control: public", []string{"enum: [no-store]", "enum: [public]", "example: no-store", "example: public"}, "major", "Cache-Control"},
	{"another scheme in WWW-Authenticate", []string{"'^Bearer( .+)?$'", "'^Digest'"}, "major", "WWW-Authenticate"},
	{"a shorter request id", []string{"        maxLength: 128\n        pattern: '^[A-Za-z0-9._-]+$'", "        maxLength: 32\n        pattern: '^[A-Za-z0-9._-]+$'"}, "major", "X-Request-Id"},
	{"another default page size", []string{"default: 25\n", "default: 50\n"}, "major", "request-parameter-default-value-changed"},
	{"no default page size", []string{"        default: 25\n", ""}, "major", "request-parameter-default-value-removed"},
	{"a new first server", []string{"servers:\n", "servers:\n  - url: https://api2.pack.cloud/v1\n    description: Another\n"}, "major", "first server"},
	{"a new second server", []string{"    description: Pack Cloud\n", "    description: Pack Cloud\n  - url: https://api2.pack.cloud/v1\n    description: Another\n"}, "minor", ""},
	{"another server", []string{"https://api.pack.cloud/v1\n    description", "https://api.pack.cloud/v2\n    description"}, "major", "removed the server"},
	{"an operation renamed", []string{"operationId: listWebhooks", "operationId: getWebhooks"}, "major", "api-operation-id-removed"},
	{"a schema renamed", []string{"schemas/PageMeta'", "schemas/Meta'", "    PageMeta:\n", "    Meta:\n"}, "major", "PageMeta"},
	{"a parameter component renamed", []string{"parameters/PerPage'", "parameters/Limit'", "    PerPage:\n", "    Limit:\n"}, "major", "PerPage"},
	{"a response component renamed", []string{"responses/Forbidden'", "responses/Denied'", "    Forbidden:\n", "    Denied:\n"}, "major", "Forbidden"},
	{"the security scheme renamed", []string{"bearerAuth", "tokenAuth"}, "major", "bearerAuth"},
	{"a tag renamed", []string{"tags: [Webhooks]", "tags: [Hooks]", "  - name: Webhooks", "  - name: Hooks"}, "major", "Webhooks"},
	{"an api key", []string{"      type: http\n      scheme: bearer\n", "      type: apiKey\n      in: header\n      name: X-Api-Key\n"}, "major", "api-security-component-type"},
	{"pages as text", []string{"        application/json:\n", "        text/plain:\n"}, "major", "response-media-type-removed"},
	{"no security", []string{"security:\n  - bearerAuth: []\n", "security: []\n"}, "major", "api-security-anonymous-access-added"},
	{"another path", []string{"/organizations/{organizationId}/webhooks:", "/orgs/{organizationId}/webhooks:"}, "major", "api-path-removed"},
	{"a field removed", []string{"        enabled:\n          type: boolean\n", "        active:\n          type: boolean\n", "secret, enabled,", "secret, active,"}, "major", "enabled"},
	{"a field no longer required", []string{"secret, enabled,", "secret,"}, "major", "response-property-became-optional"},
	{"a field retyped", []string{"        enabled:\n          type: boolean\n", "        enabled:\n          type: string\n"}, "major", "response-property-type-changed"},
	{"a longer id", []string{"          maxLength: 128\n          pattern: '^[ -~]+$'", "          maxLength: 256\n          pattern: '^[ -~]+$'"}, "major", "response-property-max-length-increased"},
	{"another pattern of an id", []string{"'^[ -~]+$'", "'^.+$'"}, "major", "response-property-pattern-changed"},
	{"another format of a time", []string{"          type: string\n          format: date-time\n", "          type: string\n          format: date\n"}, "major", "format"},
	{"a smaller largest page", []string{"\n        maximum: 100\n", "\n        maximum: 50\n"}, "major", "request-parameter-max-decreased"},
	{"a required query parameter", []string{"      name: per_page\n      in: query\n", "      name: per_page\n      in: query\n      required: true\n"}, "major", "request-parameter-became-required"},
	{"a required header parameter", []string{"        - $ref: '#/components/parameters/PerPage'\n", "        - $ref: '#/components/parameters/PerPage'\n        - {name: X-Tenant, in: header, required: true, schema: {type: string}}\n"}, "major", "new-required-request-parameter"},
	{"an optional query parameter", []string{"        - $ref: '#/components/parameters/PerPage'\n", "        - $ref: '#/components/parameters/PerPage'\n        - {name: enabled, in: query, schema: {type: boolean}}\n"}, "minor", "new-optional-request-parameter"},
	{"an optional field", []string{"        enabled:\n          type: boolean\n", "        label:\n          type: string\n        enabled:\n          type: boolean\n"}, "minor", "response-optional-property-added"},
	{"a status added", []string{"        '429':\n", "        '410':\n          $ref: '#/components/responses/NotFound'\n        '429':\n"}, "minor", "response-non-success-status-added"},
	{"a header added", []string{"        Link:\n          $ref: '#/components/headers/Link'\n", "        Link:\n          $ref: '#/components/headers/Link'\n        X-Total:\n          schema: {type: string}\n"}, "minor", "response-header-added"},
	{"a header removed", []string{"        Link:\n          $ref: '#/components/headers/Link'\n", ""}, "major", "optional-response-header-removed"},

	{"another order", []string{"by id in byte order, ascending", "by id in byte order, descending"}, "major", `promise "order"`},
	{"exactly once no more", []string{"      x-promise:\n", "      x-other:\n"}, "major", `promise "complete"`},
	{"strictness no more", []string{"        undeclared-parameter: ", "        ignored-parameter: "}, "major", `promise "undeclared-parameter"`},
	{"a new promise", []string{"      x-promise:\n", "      x-promise:\n        quick: A page takes no longer than a second.\n"}, "minor", `promise "quick"`},

	{"a parameter of the path", []string{
		"        - $ref: '#/components/parameters/OrganizationId'\n", "",
		"  /organizations/{organizationId}/webhooks:\n", "  /organizations/{organizationId}/webhooks:\n    parameters:\n      - $ref: '#/components/parameters/OrganizationId'\n",
	}, "nothing", ""},
	{"a schema made of two", []string{
		"    PageMeta:\n      type: object\n      description: About the page.\n      x-provenance: decided\n      properties:\n",
		"    PageMeta:\n      allOf:\n        - $ref: '#/components/schemas/PageSize'\n    PageSize:\n      type: object\n      description: About the page.\n      x-provenance: decided\n      properties:\n",
	}, "minor", ""},
}

func TestEveryEditNeedsItsVersion(t *testing.T) {
	dir := t.TempDir()
	command := filepath.Join(dir, "breaking")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", command, ".").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	text, err := os.ReadFile("../../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	released := write("released.yaml", string(text))
	changelog := write("CHANGELOG.md", "")
	for _, e := range edits {
		t.Run(e.name, func(t *testing.T) {
			edited := string(text)
			for i := 0; i < len(e.replace); i += 2 {
				if !strings.Contains(edited, e.replace[i]) {
					t.Fatalf("the contract has no %q", e.replace[i])
				}
				edited = strings.ReplaceAll(edited, e.replace[i], e.replace[i+1])
			}
			out, err := exec.CommandContext(t.Context(), command, released, write("openapi.yaml", edited), changelog).CombinedOutput()
			needs := "nothing"
			switch said := string(out); {
			case strings.Contains(said, "needs a new major version"):
				needs = "major"
			case strings.Contains(said, "raise info.version"):
				needs = "minor"
			case err != nil:
				t.Fatalf("%v\n%s", err, said)
			}
			if needs != e.needs || !strings.Contains(string(out), e.says) {
				t.Errorf("needs %s, want %s, and to be told %q:\n%s", needs, e.needs, e.says, out)
			}
		})
	}
}
