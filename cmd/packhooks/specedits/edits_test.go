//go:build specedits && unix

package specedits_test

const (
	contract  = "api/openapi.yaml"
	overlay   = "api/go.overlay.yaml"
	changelog = "CHANGELOG.md"
)

// edit is a change of the contract, and what each step promises to say of it.
type edit struct {
	name    string
	patches []patch

	// What generation stops at, and what is then done about it. Empty: it goes through.
	refusal promise
	remedy  []patch

	carries  string // a pattern that the generated code of client and server each match then
	compiles promise
	suite    []string // what go test is given: the least that has to notice the edit, or must not mind it
	tests    promise
	breaking promise

	// What becomes of stored webhooks, and after which other edit; after none when empty.
	data  func(*place)
	after string
}

// readers are the tests that look at the contract itself. Those that need a browser look at the page around it.
var readers = []string{"-skip", "^TestDocsPage", ".", "./api", "./server"}

// roundTrip is the test that every property of a webhook has to pass.
var roundTrip = []string{"-run", "^TestEveryPropertyComesBack$", "./cmd/packhooks"}

const (
	required  = "      required: [id, endpoint, secret, enabled, created_at, updated_at]\n"
	updatedAt = `          description: Latest update time of resource (RFC 3339, UTC, to the microsecond).
          x-provenance:
            published: {type: string, required: true, description: Latest update time of resource}
            decided: [description, format, example]
          example: '2024-08-02T09:30:00Z'
`
	eventCode = `        event_code:
          type: string
          description: The subscribed event. An open list of codes; absent when the subscription names none.
          x-provenance:
            published: {type: string, required: false, description: The subscribed event, shown: orders.created}
            decided: [description, minLength, maxLength, pattern]
          minLength: 1
          maxLength: 255
          pattern: '^[^\x00]+$'
          example: orders.created
`
	eventCodeExample = "                    event_code: orders.created\n"
	eventCodeOverlay = `  # An absent event code is the empty string: the contract has no empty one.
  - target: $.components.schemas.Webhook.properties.event_code
    update:
      x-go-type-skip-optional-pointer: true
      x-order: 2
`
	label = `        label:
          type: string
          description: What its owner calls the subscription.
          x-provenance: decided
          minLength: 1
          maxLength: 255
          example: nightly
`
	number = `        label:
          type: integer
          description: The number of the subscription.
          x-provenance: decided
          minimum: 1
          example: 7
`
	webhookSchema     = "    Webhook:\n      type: object\n"
	fieldsOfEveryKind = `        signing_key:
          type: string
          format: password
          description: Signs the requests of the next version.
          x-provenance: decided
          minLength: 1
          example: k3y
        kind:
          type: string
          description: How events are sent.
          x-provenance: decided
          enum: [pull, push]
          example: push
        tags:
          type: array
          description: What the subscription is for.
          x-provenance: decided
          items:
            type: string
          example: [stock]
        weight:
          type: number
          description: Where it stands among others.
          x-provenance: decided
          example: 0.5
        owner:
          $ref: '#/components/schemas/WebhookOwner'
`
	webhookOwner = `    WebhookOwner:
      type: object
      description: Who made the subscription.
      x-provenance: decided
      required: [name]
      properties:
        name:
          type: string
          description: Name of the owner.
          x-provenance: decided
          example: Ann
        pin:
          type: string
          format: password
          description: What the owner identifies with.
          x-provenance: decided
          example: '1234'
`
	getWebhook = `  /organizations/{organizationId}/webhooks/{webhookId}:
    get:
      operationId: getWebhook
      summary: Get a webhook
      description: Returns one subscription.
      x-provenance: decided
      tags: [Webhooks]
      parameters:
        - $ref: '#/components/parameters/OrganizationId'
        - name: webhookId
          in: path
          required: true
          description: ID of the webhook subscription.
          x-provenance: decided
          schema:
            type: string
          example: wh_000001
      responses:
        '200':
          description: OK
          x-provenance: decided
          content:
            application/json:
              schema:
                $ref: '#/components/schemas/Webhook'
        '404':
          $ref: '#/components/responses/NotFound'
`
)

// optionalField adds a field that a webhook may have.
var optionalField = patch{contract, updatedAt, updatedAt + label}

// requiredField is a field that every webhook has.
var requiredField = []patch{
	{contract, required, "      required: [id, endpoint, secret, enabled, created_at, updated_at, label]\n"},
	{contract, eventCodeExample, eventCodeExample + "                    label: nightly\n"},
}

// version is what an added field takes besides the field itself.
var version = []patch{
	{contract, "  version: 1.0.0\n", "  version: 1.1.0\n"},
	{changelog, "## Contract 1.0.0\n", "## Contract 1.1.0\n\n- A webhook may have a `label`.\n\n## Contract 1.0.0\n"},
}

// edits are the ones that the contract is most likely to see. What a server of the former contract sends and drops after
// an optional field is the story of a removed one.
var edits = []edit{
	{
		name:    "optional field",
		patches: append([]patch{optionalField}, version...),
		carries: `Label +\*string`,
		suite:   roundTrip,
		data:    carries(webhook{"label": "text of a label"}, webhook{"label": "text of a label"}, "text of a label"),
	},
	{
		name: "optional fields of every kind",
		patches: []patch{
			{contract, updatedAt, updatedAt + fieldsOfEveryKind},
			{contract, webhookSchema, webhookOwner + webhookSchema},
		},
		carries:  `SigningKey +\*(string|(secret\.)?Secret)`,
		suite:    roundTrip,
		breaking: promise{`response-optional-property-added`, `raise info.version`},
		data: carries(
			webhook{"signing_key": "text of a key", "kind": "push", "tags": []string{"x", "y"}, "owner": webhook{"name": "Ann", "pin": "text of a pin"}, "weight": 2.5},
			webhook{"signing_key": "[redacted]", "kind": "push", "tags": []string{"x", "y"}, "owner": webhook{"name": "Ann", "pin": "[redacted]"}, "weight": 2.5},
			"text of a key", "text of a pin"),
	},
	{
		name:     "required field",
		patches:  append([]patch{optionalField}, requiredField...),
		carries:  `Label +string`,
		suite:    roundTrip,
		breaking: promise{`response-required-property-added`, `raise info.version`},
		data:     refused(nil, webhook{"label": "mine"}, `.*label`),
	},
	{
		name:     "required field with a default",
		patches:  append([]patch{{contract, updatedAt, updatedAt + label + "          default: none\n"}}, requiredField...),
		carries:  `Label +string`,
		breaking: promise{`response-required-property-added`, `raise info.version`},
		data:     mended,
	},
	{
		name:     "optional field retyped",
		patches:  []patch{{contract, updatedAt, updatedAt + number}},
		carries:  `Label +\*int`,
		breaking: promise{`response-optional-property-added`, `raise info.version`},
		after:    "optional field",
		data:     refused(webhook{"label": "nightly"}, webhook{"label": 7}, "label: "),
	},
	{
		name:     "field removed",
		patches:  []patch{{contract, eventCode, ""}, {contract, eventCodeExample, ""}},
		refusal:  promise{`selector .*event_code`},
		remedy:   []patch{{overlay, eventCodeOverlay, ""}},
		compiles: promise{`EventCode`},
		breaking: promise{`removed the optional .*event_code`, `new major version`},
	},
	{
		name: "field renamed",
		patches: []patch{
			{contract, "        event_code:\n", "        event_name:\n"},
			{contract, eventCodeExample, "                    event_name: orders.created\n"},
		},
		refusal:  promise{`selector .*event_code`},
		remedy:   []patch{{overlay, "Webhook.properties.event_code", "Webhook.properties.event_name"}},
		carries:  `EventName +string`,
		compiles: promise{`EventCode`},
		breaking: promise{`removed the optional .*event_code`, `new major version`},
	},
	{
		name: "field retyped",
		patches: []patch{
			{contract, "        enabled:\n          type: boolean\n", "        enabled:\n          type: string\n"},
			{contract, "                    enabled: true\n", "                    enabled: 'yes'\n"},
			{contract, "            published: {type: boolean, required: true}\n            decided: [description, example]\n          example: true\n",
				"            published: {type: string, required: true}\n            decided: [description, example]\n          example: 'yes'\n"},
		},
		carries:  `Enabled +string`,
		compiles: promise{`cannot use .*Enabled`},
		breaking: promise{`response-property-type-changed`, `new major version`},
	},
	{
		name:     "new operation",
		patches:  []patch{{contract, "components:\n  securitySchemes:", getWebhook + "components:\n  securitySchemes:"}},
		carries:  `GetWebhook\(ctx context.Context`,
		compiles: promise{`missing method GetWebhook`},
		breaking: promise{`endpoint-added`, `raise info.version`},
	},
	{
		name: "new query parameter",
		patches: []patch{{contract, "        - $ref: '#/components/parameters/PerPage'\n", `        - $ref: '#/components/parameters/PerPage'
        - name: enabled
          in: query
          description: Only the subscriptions that are enabled, or only those that are not.
          x-provenance: decided
          schema:
            type: boolean
          example: true
`}},
		carries:  `Enabled +\*bool +.form`,
		suite:    []string{"."},
		tests:    promise{`never reads Params.Enabled`},
		breaking: promise{`new-optional-request-parameter`, `raise info.version`},
	},
	{
		name: "new status",
		patches: []patch{{contract, "        '429':\n", `        '410':
          $ref: '#/components/responses/NotFound'
        '429':
`}},
		carries:  `410`,
		suite:    readers,
		tests:    promise{`no request here provokes a 410`},
		breaking: promise{`response-non-success-status-added`, `raise info.version`},
	},
	{
		name:     "bound tightened",
		patches:  []patch{{contract, "        minimum: 1\n        maximum: 100\n", "        minimum: 1\n        maximum: 50\n"}},
		suite:    readers,
		tests:    promise{`per_page=100`},
		breaking: promise{`request-parameter-max-decreased`, `new major version`},
	},
	{
		name: "new server path",
		patches: []patch{
			{contract, "  - url: https://api.pack.cloud/v1\n", "  - url: https://api.pack.cloud/v2\n"},
			{contract, "published: {url: 'https://api.pack.cloud/v1'}", "published: {url: 'https://api.pack.cloud/v2'}"},
		},
		suite:    []string{"."},
		tests:    promise{`DefaultBasePath`},
		breaking: promise{`removed the server https://api.pack.cloud/v1`, `new major version`},
	},
	{
		name:    "typo in a description",
		patches: []patch{{contract, "    Lists the webhook subscriptions of a", "    List the webhook subscriptions of a"}},
		suite:   readers,
	},
}
