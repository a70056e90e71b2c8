package maprun

import (
	"context"
	"errors"
	"fmt"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// A redrive goes on with a run that is over: its children that did not succeed are redriven (STANDARD) or started again
// (Express), those that were never started are started. It waits until the run is really over, since one that nobody waits
// for any more may still be stopping its children.
//
// What is to be done again follows from the child rows. The driver makes a set of them, Redo, takes them out of the
// finished ones, and puts each back when it has ended again; what is left when the run ends as well.

// ErrNotRedrivable: the child cannot be redriven any more.
var ErrNotRedrivable = errors.New("maprun: child cannot be redriven")

// redrive is the part of a run's progress that redrives have.
type redrive struct {
	Redrives uint32 `json:"redrives,omitempty"`
	Redriven int64  `json:"redriven,omitempty"` // the last redrive, epoch milliseconds
	Unsorted bool   `json:"unsorted,omitempty"` // Redo is not made yet

	Redo      intervals `json:"redo,omitempty"`      // children that are to end again
	RedoNext  uint64    `json:"redoNext,omitempty"`  // those of Redo below it have been started again, or were about to be
	RedoItems int64     `json:"redoItems,omitempty"` // items of the others

	// Of those that have ended without success, what cannot be redriven.
	NotRedrivable      int64 `json:"notRedrivable,omitempty"`
	NotRedrivableItems int64 `json:"notRedrivableItems,omitempty"`
}

func redriveDate(r Request) int64 {
	if r.Task.MapRun.Redrive == 0 {
		return 0
	}
	return r.At.UnixMilli()
}

// redrive has a run begin once more for the request's attempt, or ErrNotFound.
func (m *Runs) redrive(ctx context.Context, uuid string, r Request) error {
	for {
		var on, stale bool
		err := m.env.Store.Update(ctx, m.partition(uuid), func(tx store.Tx) (err error) {
			on, stale, err = m.writeRedrive(tx, uuid, r)
			return err
		})
		if err != nil || stale {
			return err
		}
		if !on {
			m.mu.Lock()
			if d := m.drivers[uuid]; d != nil {
				d.again = true // it has nothing more to do
			} else {
				m.begin(uuid)
			}
			m.mu.Unlock()
			return nil
		}
		m.drive(uuid)
		m.controlled(uuid)
		if err := m.stopped(ctx, uuid); err != nil {
			return err
		}
	}
}

// stopped returns when a run has no driver.
func (m *Runs) stopped(ctx context.Context, uuid string) error {
	d := m.driver(uuid)
	if d == nil {
		return m.ctx.Err()
	}
	select {
	case <-d.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// writeRedrive makes a run begin once more. If it is on, it is cancelled instead: nobody waits for that any more. A request
// that was carried out, or that a later one has overtaken, is stale.
func (m *Runs) writeRedrive(tx store.Tx, uuid string, r Request) (on, stale bool, err error) {
	s, err := read(tx, uuid)
	if err != nil {
		return false, false, err
	}
	if s.Attempt.N >= r.Attempt.N {
		return false, true, nil
	}
	live, err := tx.Get(key("live", uuid))
	if err != nil {
		return false, false, err
	}
	p := &s.progress
	if p.Status == statusRunning || live != nil {
		s.control.Cancelled = true
		set(tx, key("control", uuid), &s.control)
		return true, false, nil
	}
	tx.Delete(expiryKey(p.Stop+m.cfg.Retention.Milliseconds(), uuid))
	s.record.Attempt, s.control.Cancelled = r.Attempt, false
	p.Status, p.Stop, p.Error, p.Cause, p.Written = statusRunning, 0, "", "", false
	p.redrive = redrive{Redrives: r.Task.MapRun.Redrive, Redriven: r.At.UnixMilli(), Unsorted: true}
	if p.Cursor == 0 { // no child has been started: the source is read as it is now
		p.Counted, p.Source, p.Items, p.Children = false, version{}, 0, -1
		pages := key("page", uuid)
		tx.DeleteRange(pages, pages.End())
	}
	set(tx, key("run", uuid), &s.record)
	set(tx, key("control", uuid), &s.control)
	set(tx, key("progress", uuid), p)
	tx.Set(key("live", uuid), []byte{recordVersion})
	return false, false, nil
}

// eachRow goes through the child rows in index order.
func (d *driver) eachRow(ctx context.Context, visit func(*indexedRow)) error {
	for from, more := uint64(0), true; more; {
		rows, next, err := d.m.childRows(ctx, d.part, d.uuid, from)
		if err != nil {
			return err
		}
		from, more = next, next != 0
		for i := range rows {
			visit(&rows[i])
		}
	}
	return nil
}

// unfinish makes the set of the children that are to be done again, when the run has been redriven.
func (d *driver) unfinish(ctx context.Context) error {
	p := &d.progress
	if !p.Unsorted {
		return nil
	}
	p.Finished, p.Executions, p.ItemCounts, p.Unsorted = nil, counts{}, counts{}, false
	err := d.eachRow(ctx, func(row *indexedRow) {
		if row.Status != machine.Succeeded {
			p.Redo.add(row.index)
			p.RedoItems += row.Items
			return
		}
		p.Finished.add(row.index)
		p.Executions.add(row.Status, 1)
		p.ItemCounts.add(row.Status, row.Items)
	})
	if err != nil {
		return err
	}
	return d.commit(ctx, nil)
}

// resumeRedo starts anew with what is to be done again: that a child has been redriven shows when it is once more.
func (d *driver) resumeRedo(ctx context.Context) error {
	p := &d.progress
	if p.RedoNext == 0 {
		return nil
	}
	p.RedoNext, p.RedoItems = 0, 0
	return d.eachRow(ctx, func(row *indexedRow) {
		if p.Redo.has(row.index) {
			p.RedoItems += row.Items
		}
	})
}

// chooseRedo takes children that are to be done again, as many as may run beside those that do.
func (d *driver) chooseRedo(ctx context.Context, concurrency int) (launch []*Child, err error) {
	p := &d.progress
	for len(launch) < launchAtOnce && len(d.flying) < concurrency {
		index, ok := p.Redo.next(p.RedoNext)
		if !ok {
			break
		}
		var row childRow
		err := d.m.env.Store.View(ctx, d.part, func(rd store.Reader) error {
			found, err := get(rd, childKey(d.uuid, index), &row)
			if err == nil && !found {
				err = fmt.Errorf("%w: no row of child %d of run %s", store.ErrCorrupt, index, d.uuid)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		p.RedoNext = index + 1
		p.RedoItems -= row.Items
		d.flying[index] = row.Items
		c := d.child(&batch{index: index, input: value.TextString(row.Input)})
		c.Redrives = row.Redrives + 1
		c.Redrive = fmt.Sprintf("map run/%s/%d", d.uuid, p.Redrives)
		launch = append(launch, c)
	}
	return launch, nil
}

// giveUp counts a STANDARD child that cannot be redriven as it is.
func (d *driver) giveUp(ctx context.Context, index uint64, arn string) error {
	result, err := d.m.executions.Result(ctx, arn)
	if err == nil && d.m.forget(arn) {
		d.end(ended{index: index, result: result, permanent: true})
	}
	return err
}

// redone takes a child that has ended out of those to be done again.
func (r *redrive) redone(e ended, items int64) {
	r.Redo.remove(e.index)
	if e.permanent {
		r.NotRedrivable++
		r.NotRedrivableItems += items
	}
}

// putBack counts the children that were to be done again, and were not when the run ended, as they are.
func (d *driver) putBack(ctx context.Context) error {
	p := &d.progress
	if len(p.Redo) == 0 {
		return nil
	}
	err := d.eachRow(ctx, func(row *indexedRow) {
		if p.Redo.has(row.index) && p.Finished.add(row.index) {
			p.Executions.add(row.Status, 1)
			p.ItemCounts.add(row.Status, row.Items)
		}
	})
	p.Redo, p.RedoNext, p.RedoItems = nil, 0, 0
	return err
}

// inputs opens the source, nil if every child has been made.
func (d *driver) inputs(ctx context.Context) (*inputs, error) {
	if d.progress.Children == int64(d.progress.Cursor) && len(d.missing) == 0 {
		d.ended = true
		return nil, nil
	}
	return d.openInputs(ctx)
}

// describe puts what is about redrives into a description that does not know of it.
func (r *redrive) describe(d *Description) {
	d.Executions.FailuresNotRedrivable, d.Items.FailuresNotRedrivable = r.NotRedrivable, r.NotRedrivableItems
	d.Executions.PendingRedrive, d.Items.PendingRedrive = r.Redo.size(r.RedoNext), r.RedoItems
	d.Executions.Running -= d.Executions.PendingRedrive
	d.Items.Running -= d.Items.PendingRedrive
}

// mark puts into a child's result that it is to end again. An Express child's row says how it ended before.
func (p *progress) mark(r *Result, index uint64) {
	switch {
	case !p.Redo.has(index):
	case index >= p.RedoNext:
		r.Pending = true
	case r.Redriven.IsZero() && r.Status != machine.Running:
		*r = Result{Status: machine.Running, Input: r.Input, Start: fromMs(p.Redriven), Redrives: r.Redrives + 1}
	}
}
