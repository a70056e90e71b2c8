package engine

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// Waits is what an execution waits for, and until when as a whole (zero for ever). It does not hold up the execution.
func (e *Engine) Waits(ctx context.Context, arn string) (waits []machine.Wait, until time.Time, err error) {
	d, err := e.Describe(ctx, arn)
	if err != nil {
		return nil, until, err
	}
	def, err := e.cfg.Definitions.Definition(ctx, d.Definition)
	if err != nil {
		return nil, until, err
	}
	err = e.cfg.Store.View(ctx, e.partitionOf(arn).id, func(rd store.Reader) error {
		_, _, root, err := readExecution(rd, arn)
		if err != nil {
			return err
		}
		until = root.(*machine.Root).Due()
		waits = machine.Waits(def, func(k machine.Key) (piece machine.Piece) {
			if k.Kind == machine.KindRoot {
				return root
			}
			b, getErr := rd.Get(pieceKey(arn, k))
			if getErr == nil && b != nil {
				piece, getErr = machine.DecodePiece(k, bytes.Clone(b))
			}
			err = errors.Join(err, getErr)
			return piece
		})
		return err
	})
	for i := range waits { // a test clock may have put them off
		w := &waits[i]
		w.TimesOut = e.dueOf(arn, machine.Timer{Kind: machine.TaskTimer, Attempt: w.Attempt, At: w.TimesOut})
		w.Heartbeat = e.dueOf(arn, machine.Timer{Kind: machine.HeartbeatTimer, Attempt: w.Attempt, At: w.Heartbeat})
	}
	return waits, e.dueOf(arn, machine.Timer{Kind: machine.ExecutionTimer, At: until}), err
}

// dueOf is when a timer is to fire, zero for none.
func (e *Engine) dueOf(arn string, t machine.Timer) time.Time {
	if t.At.IsZero() {
		return t.At
	}
	return e.due(dueTimer{arn: arn, timer: t, key: timerKey(arn, t)})
}
