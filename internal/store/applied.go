package store

import "context"

type appliedKey struct{}

// OnApplied has an update tell that what it has written is what the partition's next transaction reads, which is before it
// is durable. The caller can then prepare that transaction, and must do nothing else on the strength of it: the update may still
// fail. A store need not tell, tells once at most, and not if the update writes nothing.
func OnApplied(ctx context.Context, applied func()) context.Context {
	return context.WithValue(ctx, appliedKey{}, applied)
}

// Applied tells who wants to be told, by OnApplied.
func Applied(ctx context.Context) {
	if applied, ok := ctx.Value(appliedKey{}).(func()); ok {
		applied()
	}
}
