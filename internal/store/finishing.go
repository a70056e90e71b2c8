package store

import "context"

type finishingKey struct{}

// Finishing marks a context whose updates finish work that was accepted before (an answer, a timer, a deletion). A
// store that is short of space refuses other updates with ErrFull and lets these through, because they are what frees
// space in the end.
func Finishing(ctx context.Context) context.Context {
	return context.WithValue(ctx, finishingKey{}, true)
}

// IsFinishing tells whether Finishing has marked the context.
func IsFinishing(ctx context.Context) bool {
	marked, _ := ctx.Value(finishingKey{}).(bool)
	return marked
}
