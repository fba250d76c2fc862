package clienttest

import (
	"fmt"
	"time"

	packhooks "github.com/packhooks/packhooks/client"
)

// Webhooks makes n different webhooks, wh_000001 and so on, in the order in which the server lists them.
func Webhooks(n int) []packhooks.Webhook {
	events := []string{"orders.created", "orders.cancelled", "shipments.created", ""}
	epoch := time.Date(2024, 8, 2, 9, 30, 0, 0, time.UTC)
	list := make([]packhooks.Webhook, n)
	for i := range list {
		at := epoch.Add(time.Duration(i) * time.Minute)
		list[i] = packhooks.Webhook{
			ID:        fmt.Sprintf("wh_%06d", i+1),
			EventCode: events[i%len(events)],
			Endpoint:  fmt.Sprintf("https://myapp.packcloud.local/hook-%d", i+1),
			Secret:    packhooks.NewSecret(fmt.Sprintf("clienttest-secret-%06d", i+1)),
			Enabled:   i%5 != 4,
			CreatedAt: at,
			UpdatedAt: at.Add(time.Hour),
		}
	}
	return list
}
