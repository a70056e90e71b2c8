package aws

import "context"

type drainKey struct{}

// WithDrain returns a context whose Draining channel is ch.
func WithDrain(ctx context.Context, ch <-chan struct{}) context.Context {
	return context.WithValue(ctx, drainKey{}, ch)
}

// Draining is closed when the server begins to stop: an operation that waits for something to happen (long polling)
// then answers at once with what it has. It is nil, which blocks for ever, for calls that did not come through a server.
func Draining(ctx context.Context) <-chan struct{} {
	ch, _ := ctx.Value(drainKey{}).(<-chan struct{})
	return ch
}
