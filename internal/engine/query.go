package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// Description is an execution as it is stored.
type Description struct {
	Meta
	ARN    string
	Root   *machine.Root
	Input  *value.Doc
	Output *value.Doc // nil unless it has succeeded
}

// Describe reads an execution, or ErrNotFound. It does not hold up the execution.
func (e *Engine) Describe(ctx context.Context, arn string) (*Description, error) {
	d := &Description{ARN: arn}
	err := e.cfg.Store.View(store.Repeatable(ctx), e.partitionOf(arn).id, func(rd store.Reader) (err error) {
		defer catchLoad(&err)
		meta, _, root, err := readExecution(rd, arn)
		if err != nil {
			return err
		}
		d.Meta, d.Root = *meta, root.(*machine.Root)
		pieces := func(k machine.Key) machine.Piece {
			b, err := rd.Get(pieceKey(arn, k))
			if err == nil && b == nil {
				err = fmt.Errorf("%w: a piece of %s is missing", store.ErrCorrupt, arn)
			}
			if err != nil {
				panic(loadFailed{err})
			}
			piece, err := machine.DecodePiece(k, bytes.Clone(b))
			if err != nil {
				panic(loadFailed{err})
			}
			return piece
		}
		d.Input, d.Output = d.Root.Input(pieces), d.Root.Output(pieces)
		return nil
	})
	return d, err
}

// Metadata reads what of an execution is never encrypted: what does not change about it, and its row in lists; or
// ErrNotFound.
func (e *Engine) Metadata(ctx context.Context, arn string) (m *Meta, row Row, err error) {
	err = e.cfg.Store.View(ctx, e.partitionOf(arn).id, func(rd store.Reader) error {
		b, err := rd.Get(metaKey(arn))
		if err != nil {
			return err
		}
		if b == nil {
			return ErrNotFound
		}
		if m, err = decodeMeta(b); err != nil {
			return err
		}
		key := indexKey(m.MachineARN, m.Start, arn)
		if b, err = rd.Get(key); err != nil {
			return err
		}
		row, err = decodeRow(key, b)
		return err
	})
	return m, row, err
}

// HistoryQuery asks for a part of an execution's history.
type HistoryQuery struct {
	From    int64 // first event id of the page; 0 for the beginning (or, reversed, the end)
	Max     int
	Reverse bool
}

// historyPageBytes ends a page of history early.
const historyPageBytes = 4 << 20

// History reads a page of events and the id that the next page starts from, 0 if there is none. A page ends at the
// requested count or 4 MiB, whichever is first.
func (e *Engine) History(ctx context.Context, arn string, q HistoryQuery) (events []machine.HistoryEvent, next int64, err error) {
	err = e.cfg.Store.View(ctx, e.partitionOf(arn).id, func(rd store.Reader) error {
		events, next = events[:0], 0
		if _, _, _, err := readExecution(rd, arn); err != nil {
			return err
		}
		lo, hi, err := historyRange(rd, arn, q)
		if err != nil {
			return err
		}
		size := 0
		for _, v := range rd.Scan(lo, hi, q.Reverse) {
			chunk, err := machine.DecodeHistory(bytes.Clone(v))
			if err != nil {
				return err
			}
			if q.Reverse {
				slices.Reverse(chunk)
			}
			for _, ev := range chunk {
				if q.From != 0 && (!q.Reverse && ev.ID < q.From || q.Reverse && ev.ID > q.From) {
					continue
				}
				if len(events) == q.Max || size > historyPageBytes {
					next = ev.ID
					return nil
				}
				events = append(events, ev)
			}
			size += len(v)
		}
		return nil
	})
	return events, next, err
}

// historyRange is the range of chunks that holds the page: forwards it begins with the chunk that contains From.
func historyRange(rd store.Reader, arn string, q HistoryQuery) (lo, hi []byte, err error) {
	table := store.K(store.TableHistory, arn)
	lo, hi = table, table.End()
	if q.From == 0 {
		return lo, hi, nil
	}
	if q.Reverse {
		return lo, historyKey(arn, q.From+1), nil
	}
	for k := range rd.Scan(table, historyKey(arn, q.From+1), true) {
		return bytes.Clone(k), hi, nil
	}
	return lo, hi, nil
}

// ListQuery asks for executions of a machine, newest first.
type ListQuery struct {
	MachineARN string
	Status     machine.Status // 0 for all
	Version    string         // only those started through this version
	Alias      string
	Max        int
	After      string // position of the last page's last row
}

// List merges the rows of all partitions, newest first, and returns the position after which the next page begins, ""
// if there is none.
func (e *Engine) List(ctx context.Context, q ListQuery) (rows []Row, after string, err error) {
	table := store.K(store.TableIndex, q.MachineARN)
	lo := []byte(table)
	if q.After != "" {
		lo = append(slices.Clone(lo), q.After...)
		lo = append(lo, 0)
	}
	type positioned struct {
		Row
		pos string
	}
	var all []positioned
	for _, p := range e.parts {
		n := len(all)
		err := e.cfg.Store.View(ctx, p.id, func(rd store.Reader) error {
			all = all[:n]
			for k, v := range rd.Scan(lo, table.End(), false) {
				row, err := decodeRow(k, v)
				if err != nil {
					return err
				}
				if q.Status != 0 && row.Status != q.Status || q.Version != "" && row.Version != q.Version || q.Alias != "" && row.Alias != q.Alias {
					continue
				}
				all = append(all, positioned{row, string(k[len(table):])})
				if len(all)-n > q.Max {
					break
				}
			}
			return nil
		})
		if err != nil {
			return nil, "", err
		}
	}
	slices.SortFunc(all, func(a, b positioned) int { return strings.Compare(a.pos, b.pos) })
	for i, r := range all {
		if i == q.Max {
			return rows, all[i-1].pos, nil
		}
		rows = append(rows, r.Row)
	}
	return rows, "", nil
}

// Stop aborts an execution and returns when it stopped; one that has ended answers with its end.
func (e *Engine) Stop(ctx context.Context, arn string, errorName, cause *string) (time.Time, error) {
	if _, err := e.Deliver(ctx, arn, machine.Event{Kind: machine.StopRequested, Error: errorName, Cause: cause}); err != nil {
		return time.Time{}, err
	}
	d, err := e.Describe(ctx, arn)
	if err != nil {
		return time.Time{}, err
	}
	return d.Root.StopTime(), nil
}

// StopAll aborts, in the background, the executions of a machine that run now.
func (e *Engine) StopAll(machineARN string) {
	e.work.Go(func() {
		for after := ""; e.ctx.Err() == nil; {
			rows, next, err := e.List(e.ctx, ListQuery{MachineARN: machineARN, Status: machine.Running, Max: 1000, After: after})
			if err != nil {
				return
			}
			for _, r := range rows {
				if _, err := e.Deliver(e.ctx, r.ARN, machine.Event{Kind: machine.StopRequested}); err != nil && e.ctx.Err() == nil {
					e.cfg.Log.Error("an execution of a deleted state machine could not be stopped", "execution", r.ARN, "error", err)
				}
			}
			if after = next; after == "" {
				return
			}
		}
	})
}

// Wait returns when an execution has ended.
func (e *Engine) Wait(ctx context.Context, arn string) (*Description, error) {
	ended, cancel := e.watch.of(arn)
	defer cancel()
	for {
		d, err := e.Describe(ctx, arn)
		if err != nil || d.Root.Status() != machine.Running {
			return d, err
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-e.ctx.Done():
			return nil, errors.New("engine: closed")
		}
	}
}

// watchers wakes those who wait for an execution's end.
type watchers struct {
	mu    sync.Mutex
	byARN map[string]map[chan struct{}]bool
}

func (w *watchers) init() { w.byARN = map[string]map[chan struct{}]bool{} }

func (w *watchers) of(arn string) (ended <-chan struct{}, cancel func()) {
	c := make(chan struct{})
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byARN[arn] == nil {
		w.byARN[arn] = map[chan struct{}]bool{}
	}
	w.byARN[arn][c] = true
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.byARN[arn], c)
		if len(w.byARN[arn]) == 0 {
			delete(w.byARN, arn)
		}
	}
}

func (w *watchers) ended(arn string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.byARN[arn] {
		close(c)
	}
	delete(w.byARN, arn)
}
