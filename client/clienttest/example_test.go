package clienttest_test

import (
	"context"
	"fmt"

	packhooks "github.com/packhooks/packhooks/client"
	"github.com/packhooks/packhooks/client/clienttest"
)

// countDisabled is the code under test.
func countDisabled(ctx context.Context, c *packhooks.Client, organization string) (n int, err error) {
	for webhook, err := range c.Webhooks(ctx, organization) {
		if err != nil {
			return 0, err
		}
		if !webhook.Enabled {
			n++
		}
	}
	return n, nil
}

// Test your own code against real HTTP. In a test, NewServer(t, …) closes the server by itself.
func Example() {
	srv := clienttest.Start(clienttest.WithWebhooks("acme", clienttest.Webhooks(60)...))
	defer srv.Close()
	c, err := packhooks.New(srv.Token, packhooks.WithBaseURL(srv.URL))
	if err != nil {
		fmt.Println(err)
		return
	}

	// What the code makes of a connection that breaks in the middle of the second page:
	srv.Inject(nil, clienttest.Truncated())
	n, err := countDisabled(context.Background(), c, "acme")
	fmt.Println(n, "disabled,", err)
	for _, r := range srv.Requests() {
		fmt.Println(r.Method, r.Path)
	}
	// Output:
	// 12 disabled, <nil>
	// GET /v1/organizations/acme/webhooks
	// GET /v1/organizations/acme/webhooks
	// GET /v1/organizations/acme/webhooks
	// GET /v1/organizations/acme/webhooks
}
