package maprun

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// results brings the children's results to where they belong and returns the state's output, nil if the run has not
// succeeded. What goes to S3 is put there only if write is set.
func (d *driver) results(ctx context.Context, succeeded, write bool) (*value.Doc, error) {
	w := d.Spec.Writer
	if w != nil && w.Bucket != "" {
		if write && d.progress.Counted {
			if err := d.export(ctx); err != nil {
				return nil, err
			}
		}
		if !succeeded {
			return nil, nil
		}
		return value.Of(value.NewObject(
			value.Member{Name: "MapRunArn", Value: d.record.ARN},
			value.Member{Name: "ResultWriterDetails", Value: value.NewObject(
				value.Member{Name: "Bucket", Value: w.Bucket},
				value.Member{Name: "Key", Value: d.folder() + "manifest.json"},
			)},
		)), nil
	}
	if !succeeded {
		return nil, nil
	}
	return d.collect(ctx)
}

// collect makes the state's output of the children's results, in the order of the items.
func (d *driver) collect(ctx context.Context) (*value.Doc, error) {
	transformation := "COMPACT"
	if w := d.Spec.Writer; w != nil {
		transformation = w.Transformation
	}
	out := []byte{'['}
	err := d.eachChild(ctx, func(machine.Status) bool { return true }, func(index uint64, r *Result) error {
		for _, text := range d.transformed(transformation, index, r) {
			if len(out) > 1 {
				out = append(out, ',')
			}
			if out = append(out, text...); len(out)+1 > d.m.cfg.PayloadBytes {
				return d.tooLarge()
			}
		}
		return nil
	})
	return value.Text(append(out, ']')), err
}

// transformed is a child's result as it stands in an array of results; with FLATTEN it may be several elements, or none.
// A child that has not succeeded stands there with all that is known about it.
func (d *driver) transformed(transformation string, index uint64, r *Result) [][]byte {
	if transformation == "NONE" || r.Status != machine.Succeeded {
		return [][]byte{d.entry(index, r)}
	}
	elements, isArray := value.Elements(r.Output.Bytes())
	if transformation != "FLATTEN" || !isArray {
		return [][]byte{value.Compact(nil, r.Output.Bytes())}
	}
	texts := make([][]byte, len(elements))
	for i, e := range elements {
		texts[i] = value.Compact(nil, e.Bytes())
	}
	return texts
}

// resultEntry is a child in a result file (spec.md B.12).
type resultEntry struct {
	Cause               *string   `json:",omitempty"`
	Error               *string   `json:",omitempty"`
	ExecutionArn        string    `json:",omitempty"`
	Input               string    `json:",omitempty"`
	InputDetails        *included `json:",omitempty"`
	Name                string
	Output              string    `json:",omitempty"`
	OutputDetails       *included `json:",omitempty"`
	RedriveCount        int
	RedriveStatus       string `json:",omitempty"`
	RedriveStatusReason string `json:",omitempty"`
	StartDate           string `json:",omitempty"`
	StateMachineArn     string
	Status              string
	StopDate            string `json:",omitempty"`
}

type included struct{ Included bool }

var statusNames = map[machine.Status]string{machine.Running: statusRunning, machine.Succeeded: statusSucceeded,
	machine.Failed: statusFailed, machine.TimedOut: "TIMED_OUT", machine.Aborted: statusAborted}

const isoMs = "2006-01-02T15:04:05.000Z"

func (d *driver) entry(index uint64, r *Result) []byte {
	e := resultEntry{
		Cause: r.Cause, Error: r.Error, ExecutionArn: d.name.childARN(d.Spec.Express, index), Name: childName(d.uuid, index),
		StateMachineArn: d.name.machineARN(), Status: statusNames[r.Status], InputDetails: &included{true}, RedriveCount: int(r.Redrives),
		StartDate: r.Start.UTC().Format(isoMs), StopDate: r.Stop.UTC().Format(isoMs), RedriveStatus: "REDRIVABLE_BY_MAP_RUN",
	}
	if r.Input != nil {
		e.Input = r.Input.String()
	}
	if r.Output != nil {
		e.Output, e.OutputDetails = r.Output.String(), &included{true}
	}
	if r.Status == machine.Succeeded {
		e.RedriveStatus, e.RedriveStatusReason = "NOT_REDRIVABLE", "Execution is SUCCEEDED and cannot be redriven"
	}
	return encode(&e)
}

// pendingEntry is a child that was never started.
func (d *driver) pendingEntry(b *batch) []byte {
	return encode(&resultEntry{ExecutionArn: d.name.childARN(d.Spec.Express, b.index), Name: childName(d.uuid, b.index), Input: b.input.String(),
		InputDetails: &included{true}, StateMachineArn: d.name.machineARN(), Status: "PENDING"})
}

func encode(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

// rowsAtOnce bounds the child rows that one snapshot reads.
const rowsAtOnce = 256

// eachChild goes through the children that have ended and that want takes, in index order.
func (d *driver) eachChild(ctx context.Context, want func(machine.Status) bool, visit func(uint64, *Result) error) error {
	for from, more := uint64(0), true; more; {
		rows, next, err := d.m.childRows(ctx, d.part, d.uuid, from)
		if err != nil {
			return err
		}
		from, more = next, next != 0
		for _, row := range rows {
			if !want(row.Status) {
				continue
			}
			r, err := d.m.result(ctx, d.name, &d.record, row.index, &row.childRow)
			if err == nil {
				err = visit(row.index, r)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

type indexedRow struct {
	index uint64
	childRow
}

// childRows reads rows from an index on, and the index from which to go on, 0 at the end.
func (m *Runs) childRows(ctx context.Context, p store.Partition, uuid string, from uint64) (rows []indexedRow, next uint64, err error) {
	err = m.env.Store.View(ctx, p, func(rd store.Reader) error {
		rows, next = rows[:0], 0
		for k, v := range rd.Scan(childKey(uuid, from), key("child", uuid).End(), false) {
			if len(rows) == rowsAtOnce {
				next = sequence(k)
				break
			}
			row := indexedRow{index: sequence(k)}
			if err := decode(v, &row.childRow); err != nil {
				return err
			}
			rows = append(rows, row)
		}
		return nil
	})
	return rows, next, err
}

// result is how a child has ended: an Express one by its row, a STANDARD one by the execution itself.
func (m *Runs) result(ctx context.Context, n runName, rec *record, index uint64, row *childRow) (*Result, error) {
	if !rec.Spec.Express {
		return m.executions.Result(ctx, n.childARN(false, index))
	}
	r := &Result{Redrives: row.Redrives, Status: row.Status, Error: row.Error, Cause: row.Cause, Start: fromMs(row.Start), Stop: fromMs(row.Stop), Input: value.TextString(row.Input)}
	if row.Output != "" {
		r.Output = value.TextString(row.Output)
	}
	return r, nil
}

func fromMs(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
