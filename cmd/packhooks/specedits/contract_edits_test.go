//go:build specedits && unix

package specedits_test

// Single tests, where one is enough to stop an edit.
var (
	aPage    = []string{"-run", "^TestListPages$", "./server"}
	refusals = []string{"-run", "^TestQueryIsStrict$|^TestForbiddenIsTheSameForWhatIsNotThere$", "./server"}
)

const (
	perPageParameter = "        - $ref: '#/components/parameters/PerPage'\n"
	linkHeader       = "        Link:\n          $ref: '#/components/headers/Link'\n"
	bearerScheme     = "      type: http\n      scheme: bearer\n"
	handlerReads     = "	page, err := h.webhooks.ListWebhooks(ctx, query)\n"
	newParameters    = perPageParameter + `        - name: enabled
          in: query
          description: Only the subscriptions that are enabled, or only those that are not.
          x-provenance: decided
          schema:
            type: boolean
          example: true
        - name: event
          in: query
          description: Only the subscriptions of these events.
          x-provenance: decided
          schema:
            type: array
            items:
              type: string
          example: [orders.created]
`
	readsParameters = `	_ = request.Params.Enabled
	if events := request.Params.Event; events != nil && len(*events) != 2 {
		return nil, badRequest("two events, please")
	}
` + handlerReads
	emptyListTest     = "func TestAnOrganizationWithoutWebhooksIsAnEmptyList(t *testing.T) {\n"
	parametersInLinks = `func TestLinksCarryNewParameters(t *testing.T) {
	f := newFixture(t)
	f.seed("acme", 3)
	link := *f.list("?per_page=1&enabled=true&event=a&event=b").page(t).Links.Next
	if !strings.Contains(link, "&enabled=true&event=a&event=b&per_page=1") {
		t.Errorf("next is %s", link)
	}
	if again := f.list(query(t, &link)); again.StatusCode != 200 {
		t.Errorf("%d %s", again.StatusCode, again.body)
	}
	if once := f.list("?event=a"); once.StatusCode != 400 {
		t.Errorf("the handler is not given the events: %d", once.StatusCode)
	}
	if twice := f.list("?enabled=true&enabled=true"); twice.StatusCode != 400 {
		t.Errorf("%d %s", twice.StatusCode, twice.body)
	}
}

` + emptyListTest
)

// contractEdits are those that are about the contract's rules, and about what a server could follow in silence.
var contractEdits = []edit{
	{
		name:     "another security scheme",
		patches:  []patch{{contract, bearerScheme, "      type: apiKey\n      in: header\n      name: X-Api-Key\n"}},
		suite:    aPage,
		tests:    promise{`is not secured by a bearer token alone`},
		breaking: promise{`api-security-component-type`, `new major version`},
	},
	{
		name:     "no security",
		patches:  []patch{{contract, "security:\n  - bearerAuth: []\n", "security: []\n"}},
		suite:    aPage,
		tests:    promise{`is not secured by a bearer token alone`},
		breaking: promise{`api-security-anonymous-access-added`, `new major version`},
	},
	{
		name: "required properties of responses",
		patches: []patch{
			{contract, "      description: About the page.\n      x-provenance: decided\n      properties:\n", `      description: About the page.
      x-provenance: decided
      required: [total]
      properties:
        total:
          type: integer
          description: How many there are.
          x-provenance: decided
          example: 60
`},
			{contract, "                  per_page: 1\n", "                  per_page: 1\n                  total: 2\n"},
			{contract, "                  per_page: 25\n", "                  per_page: 25\n                  total: 0\n"},
			{contract, "      required: [prev, next]\n      properties:\n", `      required: [prev, next, first]
      properties:
        first:
          type: string
          description: Link to first page
          x-provenance: decided
          example: https://api.pack.cloud/v1/organizations/acme/webhooks
`},
			{contract, everywhere + "                  prev: null\n", "                  prev: null\n                  first: https://api.pack.cloud/v1/organizations/acme/webhooks\n"},
			{contract, "      required: [type, title, status, detail, instance, request_id]\n      properties:\n", `      required: [type, title, status, detail, instance, request_id, code]
      properties:
        code:
          type: string
          description: The kind of problem for a program.
          x-provenance: decided
          example: bad-request
`},
			{contract, everywhere + "            type: about:blank\n", "            type: about:blank\n            code: bad-request\n"},
			{contract, linkHeader, linkHeader + `        X-Total:
          description: How many there are.
          x-provenance: decided
          required: true
          schema:
            type: integer
          example: 60
`},
		},
		suite: []string{"-run", "^TestTheServerFillsEveryProperty$", "."},
		tests: promise{
			`makes a PageMeta without Total`, `makes a PageLinks without First`, `makes a Problem without Code`,
			`makes a WebhookListResponseHeaders without XTotal`,
		},
		breaking: promise{`response-required-property-added`, `response-header-added`, `raise info.version`},
	},
	{
		name: "query parameters that the handler reads",
		patches: []patch{
			{contract, perPageParameter, newParameters},
			{"server/handler.go", handlerReads, readsParameters},
			{"server/list_test.go", emptyListTest, parametersInLinks},
		},
		carries:  `Event +\*\[\]string`,
		suite:    []string{"-run", "^TestLinksCarryNewParameters$|^TestTheServerReadsEveryParameter$", ".", "./server"},
		breaking: promise{`new-optional-request-parameter`, `raise info.version`},
	},
	{
		name: "parameter renamed",
		patches: []patch{
			{contract, "      name: per_page\n", "      name: page_size\n"},
			{contract, "sizeParameter: per_page\n", "sizeParameter: page_size\n"},
		},
		compiles: promise{`PerPage`},
		breaking: promise{`request-parameter-removed`, `new major version`},
	},
	{
		name:    "parameter renamed behind the back of x-paging",
		patches: []patch{{contract, "sizeParameter: per_page\n", "sizeParameter: page_size\n"}},
		suite:   aPage,
		tests:   promise{`x-paging names the query parameter "page_size", which is not declared`},
	},
	{
		name: "required header parameter",
		patches: []patch{{contract, perPageParameter, perPageParameter + `        - name: X-Tenant
          in: header
          required: true
          description: Whose organizations are meant.
          x-provenance: decided
          schema:
            type: string
          example: acme
`}},
		suite:    []string{"-run", "^TestTheServerReadsEveryParameter$", "."},
		tests:    promise{`never reads Params.XTenant`},
		breaking: promise{`new-required-request-parameter`, `new major version`},
	},
	{
		name:     "path changed",
		patches:  []patch{{contract, "  /organizations/{organizationId}/webhooks:\n", "  /orgs/{organizationId}/webhooks:\n"}},
		suite:    []string{"-run", "^TestTheContractSaysWhatThePageSays$|^TestTheFakeKeepsTheContract$", ".", "./api"},
		tests:    promise{`the page says .*/organizations/`, `(?m)^ok .*packhooks/packhooks\s`},
		breaking: promise{`api-path-removed`, `new major version`},
	},
	{
		name:    "inline parameter without a description",
		patches: []patch{{contract, perPageParameter, perPageParameter + "        - {name: enabled, in: query, schema: {type: boolean}}\n"}},
		refusal: promise{`api/openapi.yaml:\d+: description: .*parameters 3 has no description`},
	},
	{
		name: "nested property without an example",
		patches: []patch{{contract, "          description: Whether events are sent.\n", `          description: Whether events are sent.
          properties:
            reason: {type: string, description: Why., x-provenance: decided}
`}},
		refusal: promise{`api/openapi.yaml:\d+: example: .*reason has no example`},
	},
	{
		name:    "property without a provenance",
		patches: []patch{{contract, "            published: {type: boolean, required: true}\n", ""}},
		refusal: promise{`api/openapi.yaml:\d+: provenance: .*enabled`},
	},
	{
		name:    "keyword misspelt",
		patches: []patch{{contract, "          maxLength: 8192\n", "          maxLenght: 8192\n"}},
		refusal: promise{`api/openapi.yaml:\d+: keyword: .*maxLenght`},
	},
	{
		name:    "pattern that is none",
		patches: []patch{{contract, `'^[ -~]+$'`, `'^[ -~+$'`}},
		refusal: promise{`api/openapi.yaml:\d+: pattern: .*error parsing regexp`},
	},
	{
		name:     "shorter cursor",
		patches:  []patch{{contract, "        maxLength: 256\n", "        maxLength: 64\n"}},
		suite:    aPage,
		tests:    promise{`a cursor needs up to`},
		breaking: promise{`request-parameter-max-length-decreased`, `new major version`},
	},
	{
		name:     "no default page size",
		patches:  []patch{{contract, "        default: 25\n", ""}},
		suite:    aPage,
		tests:    promise{`"per_page", which is not declared with a default`},
		breaking: promise{`request-parameter-default-value-removed`, `new major version`},
	},
	{
		name: "another media type of errors, and a status removed",
		patches: []patch{
			{contract, everywhere + "application/problem+json:", "application/json:"},
			{contract, "        '403':\n          $ref: '#/components/responses/Forbidden'\n", ""},
		},
		suite:    refusals,
		tests:    promise{`header Content-Type has unexpected value: "application/problem\+json"`, `403 breaks the contract: status is not supported`},
		breaking: promise{`response-media-type`, `response-non-success-status-removed`, `new major version`},
	},
	{
		name: "another media type of pages, and a link that is never null",
		patches: []patch{
			{contract, "        application/json:\n", "        application/vnd.pack+json:\n"},
			{contract, "          nullable: true\n          description: Link to previous page\n", "          description: Link to previous page\n"},
			{contract, "published: {type: string or null, required: false, description: Link to previous page}", "published: {type: string, required: false, description: Link to previous page}"},
			{contract, everywhere + "                  prev: null\n", "                  prev: https://api.pack.cloud/v1\n"},
		},
		compiles: promise{`ListWebhooks200JSONResponse`, `cannot use .*prev`},
		breaking: promise{`response-media-type`, `new major version`},
	},
	{
		name: "operation renamed, and a server with a variable",
		patches: []patch{
			{contract, "operationId: listWebhooks\n", "operationId: getWebhooks\n"},
			{contract, "  - url: https://api.pack.cloud/v1\n    description: Pack Cloud\n", "  - url: https://{region}.pack.cloud/v1\n    description: Pack Cloud\n    variables:\n      region: {default: api, description: Where the data lies.}\n"},
			{contract, "published: {url: 'https://api.pack.cloud/v1'}", "published: {url: 'https://{region}.pack.cloud/v1'}"},
		},
		compiles: promise{`undefined: clientapi.ListWebhooksParams`, `undefined: clientapi.ServerURLPackCloud`},
		breaking: promise{`api-operation-id-removed`, `removed the server`, `new major version`},
	},
	{
		name: "days for times, and a secret that is no password",
		patches: []patch{
			{contract, "          format: date-time\n          description: Latest update time of resource (RFC 3339, UTC, to the microsecond).\n", "          format: date\n          description: Latest update time of resource\n"},
			{contract, "            decided: [description, format, example]\n          example: '2024-08-02T09:30:00Z'\n    PageLinks:", "            decided: [description, format, example]\n          example: '2024-08-02'\n    PageLinks:"},
			{contract, "                    updated_at: '2024-08-02T09:30:00Z'\n", "                    updated_at: '2024-08-02'\n"},
			{contract, "          format: password\n          description: The secret used", "          description: The secret used"},
			{contract, "            decided: [format, minLength, maxLength, pattern]\n", "            decided: [minLength, maxLength, pattern]\n"},
		},
		compiles: promise{`cannot use .*Date`, `Secret.String undefined`},
		breaking: promise{`date-time`, `password`, `new major version`},
	},
}
