package packhooks

import "context"

// DecodePage reads a page without sending a request.
func DecodePage(ctx context.Context, body []byte) error {
	_, err := decodePage(ctx, Response{}, body)
	return err
}
