package maprun

import (
	"context"
	"errors"
	"time"

	"github.com/newel-run/newel/machine"
)

func (d *driver) child(b *batch) *Child {
	c := &Child{Definition: d.m.executions.ChildDefinition(d.record.Definition, d.Spec.Label), Parent: d.ExecutionARN, Trace: d.Trace, Start: machine.Start{
		ARN: d.name.childARN(d.Spec.Express, b.index), Name: childName(d.uuid, b.index),
		MachineARN: d.name.machineARN(), MachineName: d.name.machine, RoleARN: d.RoleARN, Region: d.name.region(),
		Input: b.input, Seed: d.childSeed(b.index), Express: d.Spec.Express,
	}}
	return c
}

// launch starts a child that is among those awaited.
func (d *driver) launch(ctx context.Context, c *Child) {
	index, _ := childIndex(d.uuid, c.Name)
	d.children.Go(func() {
		var err error
		for delay := 10 * time.Millisecond; ctx.Err() == nil; delay = min(2*delay, 10*time.Second) {
			if c.Express {
				err = d.runExpress(ctx, index, c)
			} else {
				err = d.startStandard(ctx, index, c)
			}
			if err == nil || ctx.Err() != nil {
				return
			}
			d.m.env.Log.Error("a map run's child could not be started; trying again", "execution", c.ARN, "error", err)
			d.pause(ctx, delay)
		}
	})
}

func (d *driver) runExpress(ctx context.Context, index uint64, c *Child) error {
	began := d.m.env.Now()
	result, err := d.m.executions.RunChild(d.express, c)
	switch {
	case ctx.Err() != nil:
		return nil // it runs again after a restart
	case d.express.Err() != nil:
		result = &Result{Status: machine.Aborted, Start: began, Stop: d.m.env.Now()}
	case err != nil:
		return err
	}
	result.Input, result.Redrives = c.Input, c.Redrives
	d.end(ended{index: index, result: result})
	return nil
}

// startStandard starts a child whose end the engine tells; the start may be a repeated one.
func (d *driver) startStandard(ctx context.Context, index uint64, c *Child) error {
	d.m.await(c.ARN, flight{d, index})
	if c.Redrive == "" {
		if err := d.m.executions.StartChild(ctx, c); err != nil {
			return err
		}
	} else if err := d.m.executions.RedriveChild(ctx, c); errors.Is(err, ErrNotRedrivable) {
		return d.giveUp(ctx, index, c.ARN)
	} else if err != nil {
		return err
	}
	if d.standard.Err() != nil && ctx.Err() == nil { // the others were stopped while this one started
		if err := d.m.executions.StopChild(ctx, c.ARN); err != nil {
			return err
		}
	}
	return d.look(ctx, index, c.ARN)
}

// look counts a child that has ended before it was awaited.
func (d *driver) look(ctx context.Context, index uint64, arn string) error {
	result, err := d.m.executions.Result(ctx, arn)
	if err == nil && result.Status != machine.Running && d.m.forget(arn) {
		d.end(ended{index: index, result: result})
	}
	return err
}

// resume finds out what became of the children that were in flight when the run was last driven.
func (d *driver) resume(ctx context.Context) error {
	if err := d.resumeRedo(ctx); err != nil {
		return err
	}
	for _, index := range d.progress.Finished.missing(d.progress.Cursor) {
		if d.progress.Redo.has(index) {
			continue
		}
		if d.Spec.Express {
			d.missing[index] = true
			continue
		}
		arn := d.name.childARN(false, index)
		d.m.await(arn, flight{d, index})
		result, err := d.m.executions.Result(ctx, arn)
		if errors.Is(err, ErrNotFound) {
			d.m.forget(arn)
			d.missing[index] = true
			continue
		}
		if err != nil {
			return err
		}
		d.flying[index] = d.itemsOf(result.Input)
		if result.Status != machine.Running && d.m.forget(arn) {
			d.end(ended{index: index, result: result})
		}
	}
	return nil
}

// stopChildren has the running children end: STANDARD ones are aborted; Express ones go on, unless nobody waits for the
// run (spec.md B.12).
func (d *driver) stopChildren(ctx context.Context) {
	d.stopped = true
	d.halt()
	if d.Spec.Express {
		if errors.Is(d.fail, errAborted) {
			d.stopExpress()
		}
		return
	}
	for index := range d.flying {
		arn := d.name.childARN(false, index)
		d.children.Go(func() {
			for delay := 10 * time.Millisecond; ctx.Err() == nil; delay = min(2*delay, 10*time.Second) {
				err := d.m.executions.StopChild(ctx, arn)
				if err == nil || ctx.Err() != nil {
					return
				}
				d.m.env.Log.Error("a map run's child could not be stopped; trying again", "execution", arn, "error", err)
				d.pause(ctx, delay)
			}
		})
	}
}

// forgetChildren stops awaiting children when the driver stops.
func (d *driver) forgetChildren() {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	for arn, f := range d.m.flying {
		if f.d == d {
			delete(d.m.flying, arn)
		}
	}
}
