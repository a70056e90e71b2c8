package maprun

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// ErrOver: the run has ended and cannot be changed.
var ErrOver = errors.New("maprun: the map run is over")

// Counts are items or children by their status.
type Counts struct {
	Pending, Running, Succeeded, Failed, TimedOut, Aborted, Total, ResultsWritten int64
	// FailuresNotRedrivable are among those that did not succeed; PendingRedrive wait for room to be redriven.
	FailuresNotRedrivable, PendingRedrive int64
}

// Description is a map run as it is now.
type Description struct {
	ARN, ExecutionARN, MachineARN string
	Status                        string
	Start, Stop                   int64 // epoch milliseconds; Stop 0 while it runs
	MaxConcurrency                int64
	ToleratedFailureCount         int64
	ToleratedFailurePercentage    float64
	Items, Executions             Counts
	Redrives                      uint32
	Redriven                      int64 // the last redrive, epoch milliseconds
}

// Describe reads a run, or ErrNotFound.
func (m *Runs) Describe(ctx context.Context, arn string) (*Description, error) {
	n, s, err := m.read(ctx, arn)
	if err != nil {
		return nil, err
	}
	return s.describe(n), nil
}

func (m *Runs) read(ctx context.Context, arn string) (runName, *state, error) {
	n, err := parseRun(arn)
	if err != nil {
		return n, nil, err
	}
	var s *state
	err = m.env.Store.View(ctx, m.partition(n.uuid), func(rd store.Reader) (err error) {
		if s, err = read(rd, n.uuid); err == nil && s.record.ARN != arn {
			err = ErrNotFound
		}
		return err
	})
	return n, s, err
}

func (s *state) describe(n runName) *Description {
	p, l := &s.progress, s.control.over(&s.Spec)
	d := &Description{
		ARN: s.record.ARN, ExecutionARN: s.ExecutionARN, MachineARN: n.machineARN(), Status: p.Status, Start: s.record.Start, Stop: p.Stop,
		MaxConcurrency: l.MaxConcurrency, ToleratedFailureCount: l.ToleratedFailureCount, ToleratedFailurePercentage: l.ToleratedFailurePercentage,
		Items: p.ItemCounts.describe(p.Items, p.Begun), Executions: p.Executions.describe(s.children(), int64(p.Cursor)),
	}
	d.Redrives, d.Redriven = p.Redrives, p.Redriven
	p.describe(d)
	if p.Status != statusRunning {
		for _, c := range []*Counts{&d.Items, &d.Executions} {
			c.Pending, c.Running = c.Pending+c.Running, 0
		}
	}
	if p.Written {
		d.Items.ResultsWritten, d.Executions.ResultsWritten = p.ItemCounts.ended(), p.Executions.ended()
	}
	return d
}

// children is how many there are; of batches that are not made yet, how many there will be at least.
func (s *state) children() int64 {
	p := &s.progress
	if p.Children >= 0 {
		return p.Children
	}
	n := int64(p.Cursor)
	if b := s.Spec.Batch; b != nil && b.MaxItems > 0 && p.Items > p.Begun {
		n += (p.Items - p.Begun + b.MaxItems - 1) / b.MaxItems
	}
	return n
}

func (c *counts) describe(total, begun int64) Counts {
	return Counts{Pending: total - begun, Running: begun - c.ended(), Succeeded: c.Succeeded, Failed: c.Failed, TimedOut: c.TimedOut, Aborted: c.Aborted, Total: total}
}

// List lists the runs of an execution, newest first: at most max after a position, "" for the beginning; next is the
// position to go on from, "" at the end.
func (m *Runs) List(ctx context.Context, execution, after string, max int) (runs []*Description, next string, err error) {
	table := store.K(store.TableMapRun, "of", execution)
	lo := []byte(table)
	if after != "" {
		lo = append(append(slices.Clone(lo), after...), 0)
	}
	var arns, positions []string
	err = m.env.Store.View(ctx, store.Place(m.env.Store.Partitions(), execution), func(rd store.Reader) error {
		arns, positions = nil, nil
		for k, v := range rd.Scan(lo, table.End(), false) {
			if len(arns) > max {
				break
			}
			arns, positions = append(arns, string(v)), append(positions, string(k[len(table):]))
		}
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	for i, arn := range arns {
		if i == max {
			return runs, positions[i-1], nil
		}
		d, err := m.Describe(ctx, arn)
		if errors.Is(err, ErrNotFound) {
			continue // begun and never made, or gone
		}
		if err != nil {
			return nil, "", err
		}
		runs = append(runs, d)
	}
	return runs, "", nil
}

// Change is what UpdateMapRun changes; nil where it does not.
type Change struct {
	MaxConcurrency             *int64
	ToleratedFailureCount      *int64
	ToleratedFailurePercentage *float64
}

// Update changes a run that is on; ErrOver if it is not.
func (m *Runs) Update(ctx context.Context, arn string, ch Change) error {
	n, _, err := m.read(ctx, arn)
	if err != nil {
		return err
	}
	return m.control(ctx, n.uuid, func(s *state) {
		c := &s.control
		if ch.MaxConcurrency != nil {
			c.MaxConcurrency = ch.MaxConcurrency
		}
		if ch.ToleratedFailureCount != nil {
			c.ToleratedFailureCount = ch.ToleratedFailureCount
		}
		if ch.ToleratedFailurePercentage != nil {
			c.ToleratedFailurePercentage = ch.ToleratedFailurePercentage
		}
	})
}

// control changes a run's control record and tells its driver.
func (m *Runs) control(ctx context.Context, uuid string, change func(*state)) error {
	err := m.env.Store.Update(ctx, m.partition(uuid), func(tx store.Tx) error {
		s, err := read(tx, uuid)
		if err != nil {
			return err
		}
		if s.progress.Status != statusRunning {
			return ErrOver
		}
		change(s)
		set(tx, key("control", uuid), &s.control)
		return nil
	})
	if err != nil {
		return err
	}
	m.controlled(uuid)
	return nil
}

// controlled tells a run's driver that the control record has changed.
func (m *Runs) controlled(uuid string) {
	if d := m.driver(uuid); d != nil {
		d.mu.Lock()
		d.controlled = true
		d.mu.Unlock()
		d.stir()
	}
}

// ListedChild is a child in a list.
type ListedChild struct {
	ARN, Name   string
	Status      machine.Status
	Start, Stop int64 // epoch milliseconds; Stop 0 while it runs
	Items       int64 // of a batch, 0 where there are none
	Redrives    uint32
	Redriven    int64 // the last redrive, epoch milliseconds; 0 if there was none or its date is not known
	Pending     bool  // it waits to be redriven
}

// ChildFilter chooses among a run's children.
type ChildFilter struct {
	Status   machine.Status // 0 for all
	Pending  bool           // those that wait to be redriven
	Redriven *bool          // nil for all
}

func (f *ChildFilter) takes(c *ListedChild) bool {
	return (f.Status == 0 || f.Status == c.Status && !c.Pending) && (!f.Pending || c.Pending) && (f.Redriven == nil || *f.Redriven == (c.Redrives > 0))
}

const childrenAtOnce = 5000

// Children lists a run's children, newest first: those that a filter takes, below an index (0 for the beginning); next
// is the index to go on below, 0 at the end. A page may be shorter than max, or empty, and not the last: the children that
// one call looks at are bounded.
func (m *Runs) Children(ctx context.Context, arn string, filter ChildFilter, below uint64, max int) (list []ListedChild, next uint64, err error) {
	n, s, err := m.read(ctx, arn)
	if err != nil {
		return nil, 0, err
	}
	if below == 0 {
		below = s.progress.Cursor
	}
	for index := below; index > 0; index-- {
		if len(list) == max || below-index == childrenAtOnce {
			return list, index, nil
		}
		c, err := m.listed(ctx, n, s, index-1)
		if err != nil {
			return nil, 0, err
		}
		if c != nil && filter.takes(c) {
			list = append(list, *c)
		}
	}
	return list, 0, nil
}

// listed is a child in a list; nil if it was never started.
func (m *Runs) listed(ctx context.Context, n runName, s *state, index uint64) (*ListedChild, error) {
	r, row, err := m.child(ctx, n, s, index)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c := &ListedChild{ARN: n.childARN(s.Spec.Express, index), Name: childName(n.uuid, index), Status: r.Status, Start: r.Start.UnixMilli(),
		Redrives: r.Redrives, Pending: r.Pending}
	if !r.Redriven.IsZero() {
		c.Redriven = r.Redriven.UnixMilli()
	}
	if r.Status != machine.Running {
		c.Stop = r.Stop.UnixMilli()
	}
	if s.Spec.Batch != nil && row != nil {
		c.Items = row.Items
	}
	return c, nil
}

// child reads a child, as far as it has come. Of an Express child that runs only that is known.
func (m *Runs) child(ctx context.Context, n runName, s *state, index uint64) (*Result, *childRow, error) {
	var row childRow
	var found bool
	err := m.env.Store.View(ctx, m.partition(n.uuid), func(rd store.Reader) (err error) {
		found, err = get(rd, childKey(n.uuid, index), &row)
		return err
	})
	switch {
	case err != nil:
		return nil, nil, err
	case found || !s.Spec.Express:
		r, err := m.result(ctx, n, &s.record, index, &row)
		if err == nil {
			s.progress.mark(r, index)
		}
		if !found {
			return r, nil, err
		}
		return r, &row, err
	case index < s.progress.Cursor && s.progress.Status == statusRunning:
		return &Result{Status: machine.Running, Start: fromMs(s.record.Start)}, nil, nil
	}
	return nil, nil, ErrNotFound
}

// RunOf finds the run that an execution is a child of, and reads the child; ErrNotFound if it is none. The ARN is
// arn:P:states:R:A:execution:NAME/LABEL:UUID, or of an Express child express:NAME/LABEL:UUID:UUID.
func (m *Runs) RunOf(ctx context.Context, childARN string) (*Description, *Result, error) {
	parts := strings.Split(childARN, ":")
	if len(parts) < 8 || !strings.Contains(parts[6], "/") || len(parts[7]) != 36 {
		return nil, nil, ErrNotFound
	}
	if _, ok := uuidBytes(parts[7]); !ok {
		return nil, nil, ErrNotFound
	}
	var found *state
	var n runName
	err := m.env.Store.View(ctx, m.partition(parts[7]), func(rd store.Reader) error {
		found = nil
		lo := append(store.K(store.TableMapRun, "run"), parts[7][:sharedDigits]...)
		for k := range rd.Scan(lo, lo.End(), false) {
			uuid, _, ok := store.CutStr(k[len(lo)-sharedDigits:])
			if !ok {
				continue
			}
			s, err := read(rd, uuid)
			if err != nil {
				return err
			}
			if n, err = parseRun(s.record.ARN); err != nil {
				return err
			}
			if index, ok := childIndex(uuid, parts[7]); ok && n.childARN(s.Spec.Express, index) == childARN {
				found = s
				return nil
			}
		}
		return ErrNotFound
	})
	if err != nil {
		return nil, nil, err
	}
	index, _ := childIndex(n.uuid, parts[7])
	r, _, err := m.child(ctx, n, found, index)
	return found.describe(n), r, err
}
