package maprun

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// recordVersion is the first byte of every record of this package.
const recordVersion = 1

// The statuses of a run, as the API writes them.
const (
	statusRunning   = "RUNNING"
	statusSucceeded = "SUCCEEDED"
	statusFailed    = "FAILED"
	statusAborted   = "ABORTED"
)

// record is what a run was asked for.
type record struct {
	ARN          string          `json:"arn"`
	ExecutionARN string          `json:"execution"`
	Attempt      machine.Attempt `json:"attempt"`
	State        string          `json:"state"`
	Definition   string          `json:"definition"` // id of the execution's
	RoleARN      string          `json:"role"`
	Spec         asl.MapRun      `json:"spec"`
	Context      string          `json:"context,omitempty"`
	Variables    string          `json:"variables,omitempty"`
	Items        string          `json:"items,omitempty"`
	Input        string          `json:"input"` // JSON of the state's effective input
	Secret       [16]byte        `json:"secret"`
	Start        int64           `json:"start"` // epoch milliseconds
	Trace        string          `json:"trace,omitempty"`
}

// counts are children, or their items, by how they ended.
type counts struct {
	Succeeded int64 `json:"s,omitempty"`
	Failed    int64 `json:"f,omitempty"`
	TimedOut  int64 `json:"t,omitempty"`
	Aborted   int64 `json:"a,omitempty"`
}

func (c *counts) add(s machine.Status, n int64) {
	switch s {
	case machine.Succeeded:
		c.Succeeded += n
	case machine.Failed:
		c.Failed += n
	case machine.TimedOut:
		c.TimedOut += n
	case machine.Aborted:
		c.Aborted += n
	default:
		panic("maprun: a child that has not ended is counted")
	}
}

func (c *counts) ended() int64 { return c.Succeeded + c.Failed + c.TimedOut + c.Aborted }

// progress is how far a run has come.
//
// Invariants: Finished lies below Cursor; Executions.ended() is the number of indexes in Finished. Redo lies below Cursor and
// apart from Finished.
type progress struct {
	Status     string    `json:"status"`
	Stop       int64     `json:"stop,omitempty"` // epoch milliseconds
	Error      string    `json:"error,omitempty"`
	Cause      string    `json:"cause,omitempty"`
	Counted    bool      `json:"counted,omitempty"` // Source and Items are known
	Source     version   `json:"source"`
	Items      int64     `json:"items,omitempty"`
	Children   int64     `json:"children"`         // how many there are, -1 until that is known
	Cursor     uint64    `json:"cursor,omitempty"` // children below it have been started, or were about to be
	Begun      int64     `json:"begun,omitempty"`  // items of those
	Finished   intervals `json:"finished,omitempty"`
	Executions counts    `json:"executions"`
	ItemCounts counts    `json:"itemCounts"`
	Written    bool      `json:"written,omitempty"` // the results are where they belong

	redrive
}

// version is the version of a source that the run reads.
type version struct {
	ETag      string `json:"etag,omitempty"`
	VersionID string `json:"id,omitempty"`
	Pages     uint64 `json:"pages,omitempty"` // of a listing
}

// control is what came from outside while the run was on; nil where nothing has.
type control struct {
	Cancelled                  bool     `json:"cancelled,omitempty"`
	MaxConcurrency             *int64   `json:"maxConcurrency,omitempty"`
	ToleratedFailureCount      *int64   `json:"toleratedFailureCount,omitempty"`
	ToleratedFailurePercentage *float64 `json:"toleratedFailurePercentage,omitempty"`
}

// limits are the limits of a run as they are now.
type limits struct {
	MaxConcurrency             int64
	ToleratedFailureCount      int64
	ToleratedFailurePercentage float64
}

func (c *control) over(spec *asl.MapRun) limits {
	l := limits{spec.MaxConcurrency, spec.ToleratedFailureCount, spec.ToleratedFailurePercentage}
	if c.MaxConcurrency != nil {
		l.MaxConcurrency = *c.MaxConcurrency
	}
	if c.ToleratedFailureCount != nil {
		l.ToleratedFailureCount = *c.ToleratedFailureCount
	}
	if c.ToleratedFailurePercentage != nil {
		l.ToleratedFailurePercentage = *c.ToleratedFailurePercentage
	}
	return l
}

// mostConcurrent is the number of children that AWS runs at a time.
const mostConcurrent = 10_000

// concurrency is how many children may run at a time.
func (l *limits) concurrency() int {
	if l.MaxConcurrency <= 0 || l.MaxConcurrency > mostConcurrent {
		return mostConcurrent
	}
	return int(l.MaxConcurrency)
}

// exceeded reports whether the failures among a run's items are too many. Where only one of the two thresholds is set,
// the other does not count; where none is, no failure is tolerated.
func (l *limits) exceeded(failed, items int64) bool {
	switch {
	case failed == 0:
		return false
	case l.ToleratedFailureCount == 0 && l.ToleratedFailurePercentage == 0:
		return true
	case l.ToleratedFailureCount > 0 && failed > l.ToleratedFailureCount:
		return true
	}
	return l.ToleratedFailurePercentage > 0 && float64(failed)*100 > l.ToleratedFailurePercentage*float64(items)
}

// childRow is how a child ended, when it last did. Of a STANDARD child only Status and Items: the rest is the execution's own.
type childRow struct {
	Status machine.Status `json:"s"`
	Items  int64          `json:"n"`
	Start  int64          `json:"b,omitempty"` // epoch milliseconds
	Stop   int64          `json:"e,omitempty"`
	Input  string         `json:"i,omitempty"` // JSON
	Output string         `json:"o,omitempty"` // JSON; "" unless it has succeeded
	Error  *string        `json:"x,omitempty"`
	Cause  *string        `json:"c,omitempty"`
	// Redrives is how often an Express child was started again.
	Redrives uint32 `json:"r,omitempty"`
}

func key(kind, uuid string) store.Key { return store.K(store.TableMapRun, kind, uuid) }

func childKey(uuid string, index uint64) store.Key { return key("child", uuid).U64(index) }

func pageKey(uuid string, page uint64) store.Key { return key("page", uuid).U64(page) }

func ofKey(execution string, start int64, uuid string) store.Key {
	return store.K(store.TableMapRun, "of", execution).U64(^uint64(start)).Str(uuid)
}

func expiryKey(at int64, uuid string) store.Key {
	return store.K(store.TableMapRun, "expiry").U64(uint64(at)).Str(uuid)
}

func set(tx store.Tx, k store.Key, v any) {
	tx.Set(k, append([]byte{recordVersion}, encode(v)...))
}

// get reads a record; found is false where there is none.
func get(rd store.Reader, k store.Key, into any) (found bool, err error) {
	b, err := rd.Get(k)
	if err != nil || b == nil {
		return false, err
	}
	return true, decode(b, into)
}

func decode(b []byte, into any) error {
	switch {
	case len(b) == 0:
		return fmt.Errorf("%w: empty record", store.ErrCorrupt)
	case b[0] > recordVersion:
		return store.ErrFormat
	}
	if err := json.Unmarshal(b[1:], into); err != nil {
		return fmt.Errorf("%w: %w", store.ErrCorrupt, err)
	}
	return nil
}

// state is all that is stored about a run but its children.
type state struct {
	record
	progress progress
	control  control
}

// read reads a run, or ErrNotFound.
func read(rd store.Reader, uuid string) (*state, error) {
	s := &state{}
	found, err := get(rd, key("run", uuid), &s.record)
	if err == nil && !found {
		err = ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	if _, err = get(rd, key("progress", uuid), &s.progress); err != nil {
		return nil, err
	}
	_, err = get(rd, key("control", uuid), &s.control)
	return s, err
}

// expiriesAtOnce bounds the work that a new run does for old ones.
const expiriesAtOnce = 8

// listed is where a run stands in the lists of its execution: the value of its expiry row, and a part of its record.
type listed struct {
	ExecutionARN string `json:"execution"`
	Start        int64  `json:"start"` // epoch milliseconds
}

// expired is a run whose rows were deleted, but for the one in its execution's partition.
type expired struct {
	listed
	uuid string
}

// expire deletes the rows of runs whose time is over.
func (m *Runs) expire(tx store.Tx) ([]expired, error) {
	table := store.K(store.TableMapRun, "expiry")
	now := m.env.Now().UnixMilli()
	var due []expired
	for k, v := range tx.Scan(table, expiryKey(now, ""), false) {
		uuid, _, ok := store.CutStr(k[len(table)+8:])
		if !ok || len(due) == expiriesAtOnce {
			break
		}
		gone := expired{uuid: uuid}
		if len(v) > 1 { // else the run's record says it
			if err := decode(v, &gone.listed); err != nil {
				return nil, err
			}
		}
		due = append(due, gone)
		tx.DeleteRange(store.Key(k), store.Key(k).End())
	}
	for i := range due {
		uuid := due[i].uuid
		if due[i].ExecutionARN == "" {
			if _, err := get(tx, key("run", uuid), &due[i].listed); err != nil {
				return nil, err
			}
		}
		for _, kind := range []string{"run", "progress", "control", "child", "page"} {
			tx.DeleteRange(key(kind, uuid), key(kind, uuid).End())
		}
	}
	return due, nil
}

// unlist takes deleted runs out of the lists of their executions. One that stays there is not shown.
func (m *Runs) unlist(ctx context.Context, gone []expired) error {
	for _, g := range gone {
		err := m.env.Store.Update(ctx, store.Place(m.env.Store.Partitions(), g.ExecutionARN), func(tx store.Tx) error {
			tx.Delete(ofKey(g.ExecutionARN, g.Start, g.uuid))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sequence reads the number that a key ends in.
func sequence(k []byte) uint64 { return binary.BigEndian.Uint64(k[len(k)-8:]) }
