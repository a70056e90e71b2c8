package engine

import (
	"context"
	"encoding/binary"

	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// Test says that an execution was started on a test case, whose tasks a dispatcher may answer in the place of the
// services. The engine keeps it with the execution and counts the tasks of each state, so that the answers are the same
// over a crash: the n-th task of a state is the n-th for ever.
type Test struct {
	Case string `json:"c"`
	// Root is the execution that counts, for a child of its distributed Map; "" is the execution itself.
	Root string `json:"r,omitempty"`
}

// TestOf is the test case that an execution was started on; nil for none, also where there is no such execution.
func (e *Engine) TestOf(ctx context.Context, arn string) (test *Test, err error) {
	err = e.cfg.Store.View(ctx, e.partitionOf(arn).id, func(rd store.Reader) error {
		test = nil
		b, err := rd.Get(metaKey(arn))
		if err != nil || b == nil {
			return err
		}
		m, err := decodeMeta(b)
		if err == nil {
			test = m.Test
		}
		return err
	})
	return test, err
}

// visitsKey holds how many tasks of a state an execution has sent.
func visitsKey(arn, state string) store.Key {
	return append(store.K(store.TableExecution, arn), 'v').Str(state)
}

// visitKey holds the number that a child's task got.
func visitKey(root, child string, a machine.Attempt, state string) store.Key {
	return append(store.K(store.TableExecution, root), 'w').Str(child).U32(a.Frame).U32(a.N).Str(state)
}

// countVisit gives a task of a state its number, from 0.
func countVisit(tx store.Tx, arn, state string) (int, error) {
	key := visitsKey(arn, state)
	b, err := tx.Get(key)
	if err != nil {
		return 0, err
	}
	n, _ := binary.Uvarint(b)
	tx.Set(key, binary.AppendUvarint(nil, n+1))
	return int(n), nil
}

// countChild gives a child's task its number among all of the root's, before the commit that sends it; a commit that is
// made again finds the number that it got.
func (e *Engine) countChild(ctx context.Context, root, child string, a machine.Attempt, state string) (n int, err error) {
	err = e.cfg.Store.Update(store.Finishing(ctx), e.partitionOf(root).id, func(tx store.Tx) error {
		key := visitKey(root, child, a, state)
		b, err := tx.Get(key)
		if err != nil {
			return err
		}
		if b != nil {
			given, _ := binary.Uvarint(b)
			n = int(given)
			return nil
		}
		if n, err = countVisit(tx, root, state); err == nil {
			tx.Set(key, binary.AppendUvarint(nil, uint64(n)))
		}
		return err
	})
	return n, err
}
