// Package packhooks reads an organization's webhook subscriptions from Pack Cloud, or from any server with
// the same API. It is called packhooks, not client after its folder: every program has a variable client.
//
//	c, err := packhooks.New(os.Getenv("PACKHOOKS_TOKEN"))
//	if err != nil {
//		return err
//	}
//	for webhook, err := range c.Webhooks(ctx, "acme") {
//		if err != nil {
//			return err
//		}
//		fmt.Println(webhook.EventCode, webhook.Endpoint)
//	}
//
// That walks every page, fetching the next one only when it is needed. [Client.WebhookPages] returns whole pages,
// and [Client.ListWebhooks] one page, from which [WebhookPage.NextPage] and [WebhookPage.PrevPage] go on.
//
// # Secrets
//
// A webhook's signing secret is a [Secret]: printing, logging or marshalling it, or anything that holds it, shows a
// mask. [Secret.Reveal] and [Webhook.RevealJSON] show the text. The token of a Client is not printed either, even if a
// server echoes it.
//
// net/http itself writes to the standard logger of package log in one case: what a server sends on an idle
// connection without having been asked, which it quotes. Set log.SetOutput where that matters.
//
// # Errors
//
// A response with a status other than 2xx is returned as an [*Error]. Most programs need no more than errors.Is and the
// sentinel errors, such as [ErrUnauthorized]. A failed connection is [ErrUnavailable]. A response that breaks the contract
// is [ErrMalformedPage], [ErrPageLoop], [ErrCrossOrigin] or [ErrResponseTooLarge]. Invalid options and arguments are
// [ErrInvalidArgument]; nothing panics.
//
// # Retries
//
// Transient failures are retried: status 408, 425, 429, 500, 502 to 504, 520 to 524 and 529, and connections that
// fail, unless another attempt would fail the same way (no such host, a bad certificate). See [WithMaxAttempts],
// [WithBackoff] and [WithMaxRetryAfter]. The context passed to a call ends it at any time, also between attempts.
//
// # Tracing
//
// Requests go through the http.Client given by [WithHTTPClient], so OpenTelemetry plugs in there:
//
//	packhooks.New(token, packhooks.WithHTTPClient(&http.Client{
//		Transport: otelhttp.NewTransport(http.DefaultTransport),
//	}))
//
// A transport of your own sees the Authorization header of each attempt; it must not log it.
//
// # Compatibility
//
// The module follows semantic versioning. Until v1 a minor version may change the API, and CHANGELOG.md says how.
// Error texts may change in any version. Structs may gain fields: name the fields in literals. What the contract adds
// to a webhook becomes a field in a minor version.
//
// The package reads no environment of its own, starts no goroutine that outlives a call (idle connections apart), and
// does not verify the signatures of webhook deliveries: Pack Cloud publishes no algorithm for them.
package packhooks

// Version is the version of this module, as its User-Agent names it.
const Version = "0.1.0"
