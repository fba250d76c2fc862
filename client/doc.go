// Package packhooks reads an organization's webhook subscriptions from Pack Cloud, or from any server that answers
// the same contract.
//
//	c, err := client.New(os.Getenv("PACK_TOKEN"))
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
// That walks every page, fetching the next one only when it is needed. [Client.WebhookPages] gives whole pages,
// and [Client.ListWebhooks] one page, from which [WebhookPage.NextPage] and [WebhookPage.PrevPage] go on.
//
// # Secrets
//
// A webhook's signing secret is a [Secret]: printing, logging or marshalling it, or anything that holds it, shows a
// mask. Secret.Reveal returns the text. The token of a Client is never printed either.
//
// # Errors
//
// What the server answered with a status other than 2xx is an [*Error]; most programs need no more than
//
//	errors.Is(err, client.ErrUnauthorized)
//
// and its siblings. A connection that fails is [ErrUnavailable], and an answer that cannot be trusted is one of
// [ErrMalformedPage], [ErrPageLoop], [ErrCrossOrigin] and [ErrResponseTooLarge].
//
// # Retries
//
// A GET that meets 429, 502, 503, 504 or a failing connection is tried again: see [WithMaxAttempts] and
// [WithBackoff]. The context passed to a call ends it at any moment, also between two attempts.
//
// # Tracing
//
// Requests go through the http.Client given by [WithHTTPClient], so OpenTelemetry plugs in there:
//
//	client.New(token, client.WithHTTPClient(&http.Client{
//		Transport: otelhttp.NewTransport(http.DefaultTransport),
//	}))
//
// A transport of your own sees the Authorization header of each attempt; it must not log it.
//
// The package reads no environment of its own, starts no goroutine that outlives a call, and does not verify the
// signatures of webhook deliveries: Pack Cloud publishes no algorithm for them.
package packhooks

// Version is the version of this package, as its User-Agent names it.
const Version = "0.1.0"
