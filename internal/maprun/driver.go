package maprun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// driver brings one run to its end. Its fields beside those under mu belong to its one goroutine.
type driver struct {
	m    *Runs
	uuid string
	name runName
	part store.Partition
	wake chan struct{}
	done chan struct{} // closed when the driver has stopped

	// state is what is stored; progress runs ahead of the store only between a change and the commit of the same turn.
	*state
	asl       *asl.State // the distributed Map
	abandoned bool       // when the driver began, nobody waited any more

	flying  map[uint64]int64 // items of the children that are awaited, by index
	missing map[uint64]bool  // children below the cursor that are to be started again
	ended   bool             // the source has no more items
	fail    error            // a *failure or errAborted: no child is started any more
	stopped bool             // the running children were told

	children    sync.WaitGroup
	express     context.Context // ends when Express children are abandoned
	stopExpress context.CancelFunc
	standard    context.Context // ends when STANDARD children are to be stopped
	halt        context.CancelFunc

	mu         sync.Mutex
	news       []ended
	controlled bool // the control record has changed

	again bool // under Runs.mu: when the driver has stopped there is more to do
}

// ended is the news that a child has ended.
type ended struct {
	index     uint64
	result    *Result
	permanent bool // it cannot be redriven any more
}

// errAborted: nobody waits for the run.
var errAborted = errors.New("maprun: aborted")

func newDriver(m *Runs, uuid string) *driver {
	return &driver{m: m, uuid: uuid, part: m.partition(uuid), wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// end is called from any goroutine.
func (d *driver) end(e ended) {
	d.mu.Lock()
	d.news = append(d.news, e)
	d.mu.Unlock()
	d.stir()
}

func (d *driver) stir() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// run attempts the run until it is over; what stands in the way of that is the store's or the network's.
func (d *driver) run() {
	ctx := d.m.ctx
	for delay := 10 * time.Millisecond; ctx.Err() == nil; delay = min(2*delay, 10*time.Second) {
		err := d.attempt(ctx)
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrNotFound) || errors.Is(err, store.ErrFailed) || errors.Is(err, store.ErrClosed) {
			return
		}
		d.m.env.Log.Error("a map run was interrupted; going on", "run", d.uuid, "error", err)
		d.pause(ctx, delay)
	}
}

func (d *driver) pause(ctx context.Context, delay time.Duration) {
	t := time.NewTimer(delay)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// attempt goes on from what is stored.
func (d *driver) attempt(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer d.forgetChildren()
	defer d.children.Wait()
	defer cancel()
	d.express, d.stopExpress = context.WithCancel(ctx)
	d.standard, d.halt = context.WithCancel(ctx)
	if err := d.load(ctx); err != nil {
		return err
	}
	if d.progress.Status == statusRunning {
		err := d.work(ctx)
		if err != nil && !isVerdict(err) {
			return err
		}
		if err = d.settle(ctx, err); err != nil {
			return err
		}
	}
	return d.tell(ctx)
}

func isVerdict(err error) bool {
	var f *failure
	return errors.As(err, &f) || errors.Is(err, errAborted)
}

func (d *driver) load(ctx context.Context) error {
	d.flying, d.missing, d.ended, d.fail, d.stopped = map[uint64]int64{}, map[uint64]bool{}, false, nil, false
	d.mu.Lock()
	d.news, d.controlled = nil, false
	d.mu.Unlock()
	err := d.m.env.Store.View(ctx, d.part, func(rd store.Reader) (err error) {
		d.state, err = read(rd, d.uuid)
		return err
	})
	if err != nil {
		return err
	}
	if d.name, err = parseRun(d.record.ARN); err != nil {
		return err
	}
	awaited, err := d.m.executions.Awaits(ctx, d.ExecutionARN, d.Attempt)
	if err != nil {
		return err
	}
	d.abandoned = !awaited
	def, err := d.m.executions.Definition(ctx, d.record.Definition)
	if err != nil {
		return err
	}
	d.asl = def.StateNamed(d.State)
	return nil
}

// work runs the children. Its error is a verdict on the run, or what has interrupted it.
func (d *driver) work(ctx context.Context) error {
	if d.cancelled() && d.progress.Cursor == 0 {
		return errAborted
	}
	if err := d.count(ctx); err != nil {
		return err
	}
	if err := d.unfinish(ctx); err != nil {
		return err
	}
	if err := d.resume(ctx); err != nil {
		return err
	}
	in, err := d.inputs(ctx)
	if err != nil && !isVerdict(err) {
		return err
	}
	d.fail = err
	defer in.close()
	for {
		if err := d.heed(ctx); err != nil {
			return err
		}
		rows := d.absorb()
		if d.fail == nil {
			d.fail = d.verdict()
		}
		var launch []*Child
		if d.fail == nil {
			if launch, err = d.choose(ctx, in); err != nil && !isVerdict(err) {
				return err
			}
			d.fail = err
		}
		if len(rows)+len(launch) > 0 {
			if err := d.commit(ctx, rows); err != nil {
				return err
			}
		}
		for _, c := range launch {
			d.launch(ctx, c)
		}
		if d.fail != nil && !d.stopped {
			d.stopChildren(ctx)
		}
		if len(d.flying) == 0 && (d.fail != nil || d.ended) {
			return d.fail
		}
		if len(launch) == launchAtOnce {
			continue
		}
		select {
		case <-d.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// launchAtOnce bounds the children that one commit starts, so that the first ones need not wait for all.
const launchAtOnce = 256

// heed reads the control record when it has changed.
func (d *driver) heed(ctx context.Context) error {
	d.mu.Lock()
	changed := d.controlled
	d.controlled = false
	d.mu.Unlock()
	if !changed {
		return nil
	}
	return d.m.env.Store.View(ctx, d.part, func(rd store.Reader) error {
		_, err := get(rd, key("control", d.uuid), &d.control)
		return err
	})
}

// absorb counts the children that have ended and returns their rows.
func (d *driver) absorb() map[uint64]*childRow {
	d.mu.Lock()
	news := d.news
	d.news = nil
	d.mu.Unlock()
	rows := map[uint64]*childRow{}
	for _, e := range news {
		items, ok := d.flying[e.index]
		if !ok || !d.progress.Finished.add(e.index) {
			continue // told twice
		}
		delete(d.flying, e.index)
		d.progress.redone(e, items)
		d.progress.Executions.add(e.result.Status, 1)
		d.progress.ItemCounts.add(e.result.Status, items)
		row := &childRow{Status: e.result.Status, Items: items}
		if d.Spec.Express {
			r := e.result
			row.Start, row.Stop, row.Error, row.Cause, row.Redrives = r.Start.UnixMilli(), r.Stop.UnixMilli(), r.Error, r.Cause, r.Redrives
			row.Input = r.Input.String()
			if r.Output != nil {
				row.Output = r.Output.String()
			}
		}
		rows[e.index] = row
	}
	return rows
}

// cancelled reports whether nobody waits for the run.
func (d *driver) cancelled() bool { return d.abandoned || d.control.Cancelled }

// verdict says whether the run has failed by what its children came to.
func (d *driver) verdict() error {
	if d.cancelled() {
		return errAborted
	}
	l := d.control.over(&d.Spec)
	if c := &d.progress.ItemCounts; l.exceeded(c.Failed+c.TimedOut, d.progress.Items) {
		return failed(errThreshold, "The specified tolerated failure threshold was exceeded")
	}
	return nil
}

// choose takes children that are to be redriven, then such from the source, as many as may run beside those that do.
func (d *driver) choose(ctx context.Context, in *inputs) ([]*Child, error) {
	l := d.control.over(&d.Spec)
	launch, err := d.chooseRedo(ctx, l.concurrency())
	if err != nil {
		return nil, err
	}
	for !d.ended && len(launch) < launchAtOnce && len(d.flying) < l.concurrency() {
		b, err := in.next()
		if errors.Is(err, io.EOF) {
			d.ended = true
			d.progress.Children = int64(in.batches)
			break
		}
		if err != nil {
			return launch, err
		}
		if b.index < d.progress.Cursor {
			if !d.missing[b.index] {
				continue
			}
			delete(d.missing, b.index)
		} else {
			d.progress.Cursor = b.index + 1
			d.progress.Begun += b.items
		}
		d.flying[b.index] = b.items
		launch = append(launch, d.child(b))
	}
	return launch, nil
}

func (d *driver) commit(ctx context.Context, rows map[uint64]*childRow) error {
	return d.m.env.Store.Update(store.Finishing(ctx), d.part, func(tx store.Tx) error {
		for index, row := range rows {
			set(tx, childKey(d.uuid, index), row)
		}
		set(tx, key("progress", d.uuid), &d.progress)
		return nil
	})
}

// settle writes the results and gives the run its final status; verdict is nil if it has succeeded.
func (d *driver) settle(ctx context.Context, verdict error) error {
	p := &d.progress
	if err := d.putBack(ctx); err != nil {
		return err
	}
	if _, err := d.results(ctx, verdict == nil, true); err != nil {
		if !isVerdict(err) {
			return err
		}
		if verdict == nil {
			verdict = err
		}
	}
	var f *failure
	switch {
	case verdict == nil:
		p.Status = statusSucceeded
	case errors.As(verdict, &f):
		p.Status, p.Error, p.Cause = statusFailed, f.name, f.cause
	default:
		p.Status = statusAborted
	}
	now := d.m.env.Now()
	p.Stop, p.Written = now.UnixMilli(), true
	return d.m.env.Store.Update(store.Finishing(ctx), d.part, func(tx store.Tx) error {
		if verdict == nil { // else a redrive may need them
			pages := key("page", d.uuid)
			tx.DeleteRange(pages, pages.End())
		}
		set(tx, expiryKey(now.Add(d.m.cfg.Retention).UnixMilli(), d.uuid), listed{d.ExecutionARN, d.Start})
		set(tx, key("progress", d.uuid), p)
		return nil
	})
}

// tell answers the execution that waits; after that the run is over.
func (d *driver) tell(ctx context.Context) error {
	p := &d.progress
	ev := machine.Event{Attempt: d.Attempt}
	switch p.Status {
	case statusSucceeded:
		output, err := d.results(ctx, true, false)
		if err != nil {
			return err
		}
		ev.Kind, ev.Output = machine.TaskSucceeded, output
	case statusFailed:
		ev.Kind, ev.Error, ev.Cause = machine.TaskFailed, &p.Error, &p.Cause
	}
	if ev.Kind != 0 {
		if err := d.m.executions.Answer(ctx, d.ExecutionARN, ev); err != nil {
			return err
		}
	}
	return d.m.env.Store.Update(store.Finishing(ctx), d.part, func(tx store.Tx) error {
		tx.Delete(key("live", d.uuid))
		return nil
	})
}

// itemsOf counts the items in a child's input.
func (d *driver) itemsOf(input *value.Doc) int64 {
	if d.Spec.Batch == nil {
		return 1
	}
	var batch struct{ Items []json.RawMessage }
	if err := json.Unmarshal(input.Bytes(), &batch); err != nil {
		panic(fmt.Sprintf("maprun: a batch of our own is not one: %v", err))
	}
	return int64(len(batch.Items))
}
