package engine

import (
	"context"

	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// Awaits reports whether an execution waits for the answer to an attempt whose request was sent: whether work that the
// request has started is still wanted.
func (e *Engine) Awaits(ctx context.Context, arn string, a machine.Attempt) (awaited bool, err error) {
	err = e.cfg.Store.View(ctx, e.partitionOf(arn).id, func(rd store.Reader) error {
		awaited = false
		for _, key := range []store.Key{outboxKey(arn, a), startedKey(arn, a)} {
			b, err := rd.Get(key)
			if err != nil {
				return err
			}
			awaited = awaited || b != nil
		}
		return nil
	})
	return awaited, err
}
