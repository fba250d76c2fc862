package packhooks_test

import (
	"errors"
	"slices"
	"testing"

	packhooks "github.com/packhooks/packhooks/client"
	"github.com/packhooks/packhooks/client/clienttest"
)

func TestWebhooks(t *testing.T) {
	want := clienttest.Webhooks(60)
	srv := clienttest.NewServer(t, clienttest.WithWebhooks("acme", want...))
	c := newClient(t, srv)

	var got []packhooks.Webhook
	for w, err := range c.Webhooks(t.Context(), "acme", packhooks.PerPage(7)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, w)
	}
	if !slices.EqualFunc(got, want, sameWebhook) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := len(srv.Requests()); n != 9 {
		t.Errorf("%d requests for 60 webhooks in pages of 7, want 9", n)
	}

	_, err := c.ListWebhooks(t.Context(), "other")
	if !errors.Is(err, packhooks.ErrForbidden) {
		t.Errorf("another organization: %v, want ErrForbidden", err)
	}
}

func sameWebhook(a, b packhooks.Webhook) bool {
	same := a.Secret.Equal(b.Secret) && a.CreatedAt.Equal(b.CreatedAt) && a.UpdatedAt.Equal(b.UpdatedAt)
	return same && a.ID == b.ID && a.EventCode == b.EventCode && a.Endpoint == b.Endpoint && a.Enabled == b.Enabled
}
