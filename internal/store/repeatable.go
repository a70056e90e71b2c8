package store

import "context"

type repeatableKey struct{}

// Repeatable marks a context whose View may run its function more than once, of which the last run counts: a store over
// a network then first tries what it has in memory. The function must stop at the first error of a read.
func Repeatable(ctx context.Context) context.Context {
	return context.WithValue(ctx, repeatableKey{}, true)
}

// IsRepeatable tells whether Repeatable has marked the context.
func IsRepeatable(ctx context.Context) bool {
	marked, _ := ctx.Value(repeatableKey{}).(bool)
	return marked
}
