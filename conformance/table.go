package conformance

import "context"

// check is one row of the table. Without run it is judged on every answer of the session (see judge), after all
// others have made theirs.
type check struct {
	group, name, about, promise string
	run                         func(context.Context, *session) error
}

const (
	operationPath = "/organizations/{organizationId}/webhooks"

	operation  = "/paths/~1organizations~1{organizationId}~1webhooks/get"
	schemas    = "/components/schemas/"
	parameters = "/components/parameters/"
	responses  = "/components/responses/"
	headers    = "/components/headers/"
	bearer     = "/components/securitySchemes/bearerAuth"
)

// table is everything that is checked. A check fails by returning a *failure; any other error is inconclusive.
var table = []check{
	{"contract", "first-page", responses + "WebhookList", "the list is answered 200", firstPage},
	{"contract", "status", operation + "/responses", "every answer has a declared status, and none is 500", nil},
	{"contract", "page-media-type", responses + "WebhookList/content", "a page is JSON and says so", nil},
	{"contract", "envelope", schemas + "WebhookPage", "a page has data and links, and links has prev and next", nil},
	{"contract", "required-fields", schemas + "Webhook/required", "a webhook has its required fields", nil},
	{"contract", "field-types", schemas + "Webhook/properties", "published fields have their types; null only where declared", nil},
	{"contract", "time-format", schemas + "Webhook/properties/created_at/format", "times are RFC 3339, in UTC", nil},
	{"contract", "bounds", schemas + "Webhook/properties/id/maxLength", "values keep to their bounds and patterns", nil},
	{"contract", "extra-fields", schemas + "WebhookPage", "a page holds no field beyond the contract's", nil},

	{"pagination", "walk", schemas + "PageLinks/properties/next", "following next ends, and no webhook comes twice", walkForwards},
	{"pagination", "walk-back", schemas + "PageLinks/properties/prev", "following prev from the last page returns the same webhooks", walkBack},
	{"pagination", "prev-of-page-2", schemas + "PageLinks/properties/prev", "prev of page 2 is page 1", prevOfPage2},
	{"pagination", "links-followable", schemas + "PageLinks/properties/next", "a link's path is that of this organization's list", nil},
	{"pagination", "links-absolute", schemas + "PageLinks", "links are absolute", nil},
	{"pagination", "exact-ends", schemas + "PageLinks", "prev and next are null exactly when nothing is there", exactEnds},
	{"pagination", "per-page-honoured", parameters + "PerPage", "a page holds no more than per_page asks for, and reports it", pageSizes(1, 2)},
	{"pagination", "per-page-default", parameters + "PerPage/schema/default", "the page size is the declared one when none is asked for", pageSizes(0)},
	{"pagination", "per-page-reported", schemas + "PageMeta/properties/per_page", "a page holds no more than its meta.per_page", nil},
	{"pagination", "any-page-size", parameters + "PerPage", "the list is the same with pages of any size", anyPageSize},
	{"pagination", "order", operation + "/description", "webhooks come by created_at, then id", inOrder},
	{"pagination", "repeatable", operation + "/description", "the same request returns the same page", repeatable},
	{"pagination", "parallel", operation + "/description", "20 reads at once return the same page", parallel},

	{"errors", "bad-cursor", parameters + "Cursor", "a cursor that the server did not make is 400", badCursor},
	{"errors", "bad-per-page", parameters + "PerPage/schema/maximum", "a per_page out of range or malformed is 400", badPerPage},
	{"errors", "undeclared-parameter", operation + "/description", "an undeclared parameter is 400", refuses("conformance=1", "per_page=1&page=2")},
	{"errors", "repeated-parameter", operation + "/description", "a repeated parameter is 400", refuses("per_page=1&per_page=1", "per_page=1&per_page=2")},
	{"errors", "malformed-query", responses + "BadRequest", "a malformed query is 400", refuses("per_page=%zz", "per_page=1;cursor=", "%zz=1")},
	{"errors", "parameter-named", schemas + "ParameterError", "a 400 names the parameter at fault", parameterNamed},
	{"errors", "other-methods", responses + "MethodNotAllowed", "HEAD and OPTIONS are 405, and Allow says GET", otherMethods},
	{"errors", "unknown-path", responses + "NotFound", "a path that is not there is 404", unknownPath},
	{"errors", "problem", schemas + "Problem", "every error is a problem document that fits its answer", nil},
	{"errors", "no-secrets", schemas + "Problem", "no error tells a signing secret, and no answer a token", nil},

	{"auth", "no-token", bearer, "no token is 401", unauthorized("")},
	{"auth", "malformed-token", bearer, "what is no bearer token is 401", unauthorized("Bearer", "Basic Y29uZm9ybWFuY2U6", "no-scheme")},
	{"auth", "unknown-token", bearer, "an unknown token is 401", unauthorized("Bearer conformance-unknown-token")},
	{"auth", "foreign-organization", responses + "Forbidden", "an organization that the token does not cover is 403", foreignOrganization},
	{"auth", "precedence", operation + "/responses", "404 and 405 come before 401, 401 before 400, 400 before 403", precedence},

	{"headers", "x-request-id", headers + "XRequestId", "every answer has a request id", nil},
	{"headers", "request-id-kept", headers + "XRequestId/description", "a harmless request id of the client is taken over", requestIDKept},
	{"headers", "cache-control", headers + "CacheControl", "no answer may be stored", nil},
	{"headers", "link", headers + "Link", "Link repeats the links of the body", nil},
	{"headers", "www-authenticate", headers + "WWWAuthenticate", "a 401 names the scheme", nil},
	{"headers", "allow", headers + "Allow", "a 405 names the methods", nil},
	{"headers", "retry-after", headers + "RetryAfter", "every 429 and 503 that was met says when to come back", nil},
}
