package packhooks_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	packhooks "github.com/packhooks/packhooks/client"
	"github.com/packhooks/packhooks/client/clienttest"
)

// List all webhooks of an organization; pages are fetched as the loop comes to them.
func ExampleClient_Webhooks() {
	srv := clienttest.Start(clienttest.WithWebhooks("acme", clienttest.Webhooks(3)...))
	defer srv.Close()

	c, err := packhooks.New(srv.Token, packhooks.WithBaseURL(srv.URL))
	if err != nil {
		fmt.Println(err)
		return
	}
	for webhook, err := range c.Webhooks(context.Background(), "acme") {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(webhook.ID, webhook.EventCode, webhook.Endpoint, webhook.Secret)
	}
	// Output:
	// wh_000001 orders.created https://myapp.packcloud.local/hook-1 [redacted]
	// wh_000002 orders.cancelled https://myapp.packcloud.local/hook-2 [redacted]
	// wh_000003 shipments.created https://myapp.packcloud.local/hook-3 [redacted]
}

// Stop early by leaving the loop: no further page is fetched, and nothing has to be closed.
func ExampleClient_Webhooks_stopEarly() {
	srv := clienttest.Start(clienttest.WithWebhooks("acme", clienttest.Webhooks(1000)...))
	defer srv.Close()

	c, err := packhooks.New(srv.Token, packhooks.WithBaseURL(srv.URL))
	if err != nil {
		fmt.Println(err)
		return
	}
	for webhook, err := range c.Webhooks(context.Background(), "acme") {
		if err != nil {
			fmt.Println(err)
			return
		}
		if webhook.EventCode == "shipments.created" {
			fmt.Println("the signing secret has", len(webhook.Secret.Reveal()), "characters")
			break
		}
	}
	fmt.Println("requests:", len(srv.Requests()))
	// Output:
	// the signing secret has 24 characters
	// requests: 1
}

// Page by hand, store the link of the page where you stop, and resume from it in another process.
func ExampleFromPage() {
	srv := clienttest.Start(clienttest.WithWebhooks("acme", clienttest.Webhooks(5)...))
	defer srv.Close()
	ctx := context.Background()

	c, err := packhooks.New(srv.Token, packhooks.WithBaseURL(srv.URL))
	if err != nil {
		fmt.Println(err)
		return
	}
	page, err := c.ListWebhooks(ctx, "acme", packhooks.PerPage(2))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(page.Webhooks), "webhooks, then a break")
	stored := page.Next

	page, err = c.ListWebhooks(ctx, "acme", packhooks.FromPage(stored))
	for err == nil {
		fmt.Println(len(page.Webhooks), "webhooks, from", page.Webhooks[0].ID)
		page, err = page.NextPage(ctx)
	}
	if !errors.Is(err, packhooks.ErrNoPage) {
		fmt.Println(err)
	}
	// Output:
	// 2 webhooks, then a break
	// 2 webhooks, from wh_000003
	// 1 webhooks, from wh_000005
}

// Tell a rate limit that outlasts the retries from a token that is not accepted.
func ExampleError() {
	srv := clienttest.Start(clienttest.WithWebhooks("acme"))
	defer srv.Close()
	srv.Inject(clienttest.RateLimited(time.Hour))

	c, err := packhooks.New(srv.Token, packhooks.WithBaseURL(srv.URL))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, organization := range []string{"acme", "globex"} {
		_, err := c.ListWebhooks(context.Background(), organization)
		var answer *packhooks.Error
		switch {
		case errors.Is(err, packhooks.ErrRateLimited) && errors.As(err, &answer):
			fmt.Println("come back in", answer.RetryAfter)
		case errors.Is(err, packhooks.ErrUnauthorized), errors.Is(err, packhooks.ErrForbidden):
			fmt.Println("ask for another token:", err)
		case err != nil:
			fmt.Println(err)
		}
	}
	// Output:
	// come back in 1h0m0s
	// ask for another token: listing webhooks of "globex": 403 Forbidden: the token does not cover this organization (request id clienttest-2)
}
