package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// Change is an execution that has just got a status: Running, at its start or by a redrive, or the one with which it ended.
type Change struct {
	ARN string
	Meta
	Status   machine.Status
	At       time.Time
	Redrives uint32
	Redriven time.Time // the last redrive, zero if there was none
	// NotRedrivable says why it cannot be redriven, "" if it can.
	NotRedrivable string
	Input         *value.Doc
	Output        *value.Doc // nil unless it has succeeded
	Error, Cause  *string
}

// Write adds to the transaction of a change, on the execution's partition. It may run more than once; the function that
// the last run returned is called once the transaction is durable.
type Write func(p store.Partition, tx store.Tx) (after func(), err error)

// changes asks, before the commit, what is to be written with a start, a redrive or an end. An execution may start and end
// in one commit.
func (e *Engine) changes(ctx context.Context, c *commit) (err error) {
	if e.cfg.Changed == nil || !c.starting && !c.redriving && !c.ended() {
		return nil
	}
	defer catchLoad(&err)
	stored := e.lookup(ctx, c.x)
	pieces := func(k machine.Key) machine.Piece {
		for _, ch := range c.result.Changes {
			if ch.Key == k && ch.Piece != nil {
				return ch.Piece
			}
		}
		return stored(k)
	}
	root, ok := pieces(machine.Key{Kind: machine.KindRoot}).(*machine.Root)
	if !ok {
		return fmt.Errorf("%w: no root of %s", store.ErrCorrupt, c.x.arn)
	}
	change := Change{ARN: c.x.arn, Meta: *c.x.meta, Status: machine.Running, At: c.event.Now, Input: root.Input(pieces),
		Redrives: root.Redrives(), Redriven: root.RedriveTime(), NotRedrivable: "Execution is RUNNING and cannot be redriven"}
	if c.starting || c.redriving {
		if w := e.cfg.Changed(&change); w != nil {
			c.told = append(c.told, w)
		}
	}
	if c.ended() {
		change.NotRedrivable = root.NotRedrivable(change.At, e.cfg.Limits)
		change.Status, change.Output, change.Error, change.Cause = c.result.Status, root.Output(pieces), root.Error(), root.Cause()
		if w := e.cfg.Changed(&change); w != nil {
			c.told = append(c.told, w)
		}
	}
	return nil
}

// writeTold writes what was asked for with the change.
func (c *commit) writeTold(tx store.Tx) error {
	c.after = c.after[:0]
	for _, w := range c.told {
		after, err := w(c.x.p.id, tx)
		if err != nil {
			return errors.Join(fmt.Errorf("engine: the change of %s", c.x.arn), err)
		}
		c.after = append(c.after, after)
	}
	return nil
}
