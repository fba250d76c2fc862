package conformance

import "context"

// check is one row of the table. Without run it looks at every response of the session (see validate), after all others
// have got theirs.
type check struct {
	group, id string
	about     string // a part of the contract (see locate)
	class     Class  // empty: the contract's own x-provenance says
	promise   string
	run       func(context.Context, *session) error
}

// checks is everything that is checked but the headers, whose checks are made from the contract. Its order is that of
// a run: what a limit cuts off is what matters least.
var checks = []check{
	{"contract", "first-page", "operation/responses/200", "", "the list has status 200", firstPage},
	{"contract", "required-fields", "webhook", Published, "a webhook has its required fields", nil},
	{"contract", "field-types", "webhook", Published, "published fields have their types; null only where declared", nil},
	{"contract", "secret-in-clear", "secret", "", "a secret is the one used for signing, and no mask", nil},

	{"pagination", "walk", "next", "", "following next ends", walkForwards},
	{"pagination", "complete", "next", Unsafe, "no webhook is lost or comes twice, with pages of any size", complete},
	{"pagination", "walk-back", "prev", "", "prev leads to the page before", walkBack},
	{"pagination", "per-page-reported", "size", "", "a page holds no more webhooks than it reports", nil},

	{"auth", "no-token", "security", Decided, "no token is 401", unauthorized("")},
	{"auth", "unknown-token", "security", Decided, "an unknown token is 401", unauthorized("SCHEME conformance-unknown-token")},
	{"auth", "malformed-token", "security", Decided, "a malformed token is 401", unauthorized("SCHEME", "Basic Y29uZm9ybWFuY2U6", "no-scheme")},
	{"auth", "foreign-organization", "operation/responses/403", Decided, "an organization that the token does not cover is 403", foreignOrganization},
	{"auth", "token-required", "security", Unsafe, "no webhook is told without a valid token", nil},
	{"auth", "organization-isolated", "organization", Unsafe, "no webhook of another organization is told", nil},
	{"auth", "token-echo", "security", Unsafe, "no response repeats a token", nil},
	{"auth", "secret-leak", "secret", Unsafe, "no error tells a signing secret", nil},

	{"contract", "status", "operation/responses", Decided, "every response has a declared status, and none is 500", nil},
	{"contract", "page-media-type", "operation/responses/200/content", Decided, "a page has the declared media type", nil},
	{"contract", "envelope", "page", Decided, "a page has the contract's envelope", nil},
	{"contract", "time-format", "webhook", Decided, "times are RFC 3339, in UTC, to the microsecond", nil},
	{"contract", "bounds", "webhook", Decided, "values keep to their bounds, formats and patterns", nil},
	{"contract", "duplicate-keys", "page", Decided, "no object has a name twice", nil},
	{"contract", "extra-fields", "page", Decided, "a page holds no field beyond the contract's", nil},
	{"contract", "deprecation", "operation", Decided, "no response announces the end of the API", nil},

	{"pagination", "links-path", "next", Decided, "a link's path is that of this organization's list", nil},
	{"pagination", "links-absolute", "next", Decided, "links are absolute", nil},
	{"pagination", "links-keep-size", "next", Decided, "links keep the page size that was asked for", nil},
	{"pagination", "exact-ends", "prev", Decided, "prev and next are null exactly when nothing is there", exactEnds},
	{"pagination", "per-page-honoured", "sizeParameter", Decided, "a page holds as many as were asked for, and reports it", smallPages},
	{"pagination", "per-page-default", "sizeParameter/schema/default", Decided, "the page size is the declared one when none is asked for", defaultPage},
	{"pagination", "any-page-size", "sizeParameter", Decided, "the order is the same with pages of any size", sameOrder},
	{"pagination", "order", "operation", Decided, "webhooks come by created_at, then id", inOrder},
	{"pagination", "repeatable", "operation", Decided, "the same request returns the same page", repeatable},

	{"errors", "bad-cursor", "cursorParameter", Decided, "a cursor that the server did not make is 400", badCursor},
	{"errors", "bad-per-page", "sizeParameter/schema", Decided, "a page size out of range or malformed is 400", badPageSize},
	{"errors", "bad-organization", "organization/schema", Decided, "a malformed organization is 400", badOrganization},
	{"errors", "undeclared-parameter", "operation", Decided, "an undeclared parameter is 400", undeclaredParameter},
	{"errors", "repeated-parameter", "operation", Decided, "a repeated parameter is 400", repeatedParameter},
	{"errors", "malformed-query", "operation", Decided, "a malformed query is 400", malformedQuery},
	{"errors", "parameter-named", "operation/responses/400", Decided, "a 400 names the parameter at fault", parameterNamed},
	{"errors", "other-methods", "operation/responses/405", Decided, "HEAD and OPTIONS are 405, and Allow has the methods that there are", otherMethods},
	{"errors", "unknown-path", "operation/responses/404", Decided, "a path that is not there is 404", unknownPath},
	{"errors", "problem", "operation/responses/400", Decided, "every error is a problem document that fits its response", nil},
	{"errors", "precedence", "operation/responses", Decided, "404 and 405 come before 401, 401 before 400, 400 before 403", precedence},

	{"headers", "request-id-kept", "operation/responses/200/headers/X-Request-Id", Decided, "a harmless request id of the client is kept", requestIDKept},
	{"pagination", "parallel", "operation", Decided, "20 reads at once return the same page", parallel},
}
