package conformance

import "context"

// check is one check. Without run it is passive: it looks at every response of the session (see validate), and is
// evaluated last.
type check struct {
	group, id string
	about     string // a part of the contract (see locate)
	class     Class  // empty: the contract's own x-provenance says
	promise   string // empty: the contract's x-promise of the check's id
	run       func(context.Context, *session) error
}

// checks has all checks except those of headers, which are generated from the contract. The most important come first:
// a run may reach a limit.
var checks = []check{
	{"contract", "first-page", "operation/responses/200", "", "the list has status 200", firstPage},
	{"contract", "required-fields", "webhook", Published, "a webhook has its required fields", nil},
	{"contract", "field-types", "webhook", Published, "published fields have their types; null only where declared", nil},
	{"contract", "secret-in-clear", "secret", "", "a secret is the one used for signing, and no mask", nil},

	{"pagination", "walk", "next", "", "following next ends", walkForwards},
	{"pagination", "complete", "next", Unsafe, "", complete},
	{"pagination", "walk-back", "prev", "", "prev leads to the page before", walkBack},
	{"pagination", "per-page-reported", "size", "", "a page holds no more webhooks than it reports", nil},

	{"auth", "no-token", "security", Decided, "no token is 401", rejects([]int{401}, "GET {list} {none}")},
	{"auth", "unknown-token", "security", Decided, "an unknown token is 401", rejects([]int{401}, "GET {list} {scheme} conformance-unknown-token")},
	{"auth", "malformed-token", "security", Decided, "a malformed token is 401", rejects([]int{401},
		"GET {list} SCHEME", "GET {list} Basic Y29uZm9ybWFuY2U6", "GET {list} no-scheme")},
	{"auth", "foreign-organization", "operation/responses/403", Decided, "an organization that the token does not cover is 403",
		rejects([]int{403}, "GET {foreign}")},
	{"auth", "token-required", "security", Unsafe, "", nil},
	{"auth", "organization-isolated", "organization", Unsafe, "", nil},
	{"auth", "token-echo", "security", Unsafe, "", nil},
	{"auth", "secret-leak", "secret", Unsafe, "", nil},

	{"contract", "status", "operation/responses", Decided, "every response has a declared status, and none is 500", nil},
	{"contract", "page-media-type", "operation/responses/200/content", Decided, "a page has the declared media type", nil},
	{"contract", "envelope", "page", Decided, "a page has the contract's envelope", nil},
	{"contract", "time-format", "webhook", Decided, "", nil},
	{"contract", "bounds", "webhook", Decided, "values keep to their bounds, formats and patterns", nil},
	{"contract", "duplicate-keys", "page", Decided, "", nil},
	{"contract", "extra-fields", "page", Decided, "a page holds no field beyond the contract's", nil},
	{"contract", "deprecation", "operation", Decided, "no response announces the end of the API", nil},

	{"pagination", "links-path", "next", Decided, "", nil},
	{"pagination", "links-absolute", "next", Decided, "", nil},
	{"pagination", "links-keep-size", "next", Decided, "", nil},
	{"pagination", "exact-ends", "prev", Decided, "", exactEnds},
	{"pagination", "per-page-honoured", "sizeParameter", Decided, "", smallPages},
	{"pagination", "per-page-default", "sizeParameter/schema/default", Decided, "the page size is the declared one when none is asked for", defaultPage},
	{"pagination", "any-page-size", "sizeParameter", Decided, "", sameOrder},
	{"pagination", "order", "operation", Decided, "", inOrder},
	{"pagination", "repeatable", "operation", Decided, "", repeatable},

	{"errors", "bad-cursor", "cursorParameter", Decided, "", rejects(badRequest,
		"GET {list}?{cursor}=", "GET {list}?{cursor}=%21", "GET {list}?{cursor}=AAAA", "GET {list}?{cursor}={long}", "GET {list}?{cursor}={turned}")},
	{"errors", "bad-per-page", "sizeParameter/schema", Decided, "", rejects(badRequest,
		"GET {list}?{size}={over}", "GET {list}?{size}={under}", "GET {list}?{size}=-1", "GET {list}?{size}=", "GET {list}?{size}=ten",
		"GET {list}?{size}=1.5", "GET {list}?{size}=%2B5", "GET {list}?{size}=010")},
	{"errors", "bad-organization", "organization/schema", Decided, "", badOrganization},
	{"errors", "undeclared-parameter", "operation", Decided, "", rejects(badRequest,
		"GET {list}?conformance=1", "GET {list}?conformance=1&conformance=2")},
	{"errors", "repeated-parameter", "operation", Decided, "", rejects(badRequest, "GET {list}?{size}=1&{size}=1", "GET {list}?{size}=1&{size}=2")},
	{"errors", "malformed-query", "operation", Decided, "", rejects(badRequest, "GET {list}?conformance=%zz", "GET {list}?%zz=1", "GET {list}?a=1;b=2")},
	{"errors", "parameter-named", "operation/responses/400", Decided, "", parameterNamed},
	{"errors", "other-methods", "operation/responses/405", Decided, "", otherMethods},
	{"errors", "unknown-path", "operation/responses/404", Decided, "a path that is not there is 404", rejects([]int{404}, "GET "+nowhere)},
	{"errors", "problem", "operation/responses/400", Decided, "every error is a problem document that fits its response", nil},
	{"errors", "precedence", "operation/responses", Decided, "", precedence},

	{"headers", "request-id-kept", "operation/responses/200/headers/X-Request-Id", Decided, "", requestIDKept},
	{"pagination", "parallel", "operation", Decided, "", parallel},
}
