package engine

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// recordVersion is the first byte of every record of this package.
const recordVersion = 1

// Meta is what never changes about an execution.
type Meta struct {
	Definition string      `json:"d"`           // id of the definition revision
	MachineARN string      `json:"m"`           // unqualified
	Name       string      `json:"n"`           // of the execution
	Start      int64       `json:"s"`           // epoch microseconds, so that executions of one millisecond keep their order in lists
	VersionARN string      `json:"v,omitempty"` // if started through a version or an alias
	AliasARN   string      `json:"a,omitempty"`
	Trace      string      `json:"t,omitempty"` // traceHeader
	Parent     string      `json:"p,omitempty"` // trace header of the caller, where it is traced
	Token      string      `json:"k,omitempty"` // delivery that started it, if it was an internal one
	Waiter     *aws.Waiter `json:"w,omitempty"` // .sync task that waits for its end
	Test       *Test       `json:"x,omitempty"` // test case that it was started on
}

// StartMs is when the execution began, in epoch milliseconds.
func (m *Meta) StartMs() int64 { return m.Start / 1000 }

func encodeMeta(m *Meta) []byte {
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return append([]byte{recordVersion}, b...)
}

func decodeMeta(b []byte) (*Meta, error) {
	if err := checkVersion(b); err != nil {
		return nil, err
	}
	m := &Meta{}
	return m, json.Unmarshal(b[1:], m)
}

func checkVersion(b []byte) error {
	if len(b) == 0 {
		return fmt.Errorf("%w: empty record", store.ErrCorrupt)
	}
	if b[0] > recordVersion {
		return store.ErrFormat
	}
	return nil
}

func metaKey(arn string) store.Key { return append(store.K(store.TableExecution, arn), 'm') }
func rootKey(arn string) store.Key {
	return append(store.K(store.TableExecution, arn), machine.KindRoot)
}

func pieceKey(arn string, k machine.Key) store.Key {
	if k.Kind == machine.KindRoot {
		return rootKey(arn)
	}
	return append(store.K(store.TableExecution, arn), k.Kind).U32(k.N)
}

// encodeRoot puts the execution's revision before its root piece.
func encodeRoot(revision uint64, root machine.Piece) []byte {
	return root.Append(binary.BigEndian.AppendUint64([]byte{recordVersion}, revision))
}

func decodeRoot(b []byte) (uint64, machine.Piece, error) {
	if err := checkVersion(b); err != nil {
		return 0, nil, err
	}
	if len(b) < 9 {
		return 0, nil, fmt.Errorf("%w: short root record", store.ErrCorrupt)
	}
	root, err := machine.DecodePiece(machine.Key{Kind: machine.KindRoot}, append([]byte(nil), b[9:]...))
	return binary.BigEndian.Uint64(b[1:]), root, err
}

// revisionOf reads the revision alone; 0 where there is no execution.
func revisionOf(rd store.Reader, arn string) (uint64, error) {
	b, err := rd.Get(rootKey(arn))
	if err != nil || b == nil {
		return 0, err
	}
	if len(b) < 9 {
		return 0, fmt.Errorf("%w: short root record", store.ErrCorrupt)
	}
	return binary.BigEndian.Uint64(b[1:]), nil
}

func historyKey(arn string, first int64) store.Key {
	return store.K(store.TableHistory, arn).U64(uint64(first))
}

func continueKey(arn string) store.Key { return store.K(store.TableContinue, arn) }

// expiryTimer is the timer kind of the end of a finished execution's retention; it is the engine's own.
const expiryTimer machine.TimerKind = 0xff

func timerKey(arn string, t machine.Timer) store.Key {
	k := store.K(store.TableTimer).U64(uint64(t.At.UnixMilli())).Str(arn)
	return append(k, byte(t.Kind)).U32(t.Attempt.Frame).U32(t.Attempt.N)
}

// dueTimer is a timer row.
type dueTimer struct {
	arn   string
	timer machine.Timer
	key   []byte
}

func decodeTimer(key []byte) (dueTimer, error) {
	d := dueTimer{key: append([]byte(nil), key...)}
	if len(key) < 9 {
		return d, fmt.Errorf("%w: short timer key", store.ErrCorrupt)
	}
	d.timer.At = time.UnixMilli(int64(binary.BigEndian.Uint64(key[1:]))).UTC()
	arn, rest, ok := store.CutStr(key[9:])
	if !ok || len(rest) != 9 {
		return d, fmt.Errorf("%w: malformed timer key", store.ErrCorrupt)
	}
	d.arn = arn
	d.timer.Kind = machine.TimerKind(rest[0])
	d.timer.Attempt = machine.Attempt{Frame: binary.BigEndian.Uint32(rest[1:]), N: binary.BigEndian.Uint32(rest[5:])}
	return d, nil
}

// outboxEntry is a task that is sent and not answered.
type outboxEntry struct {
	arn      string
	machine  string
	attempt  machine.Attempt
	sequence uint64
	started  time.Time
	task     *machine.Task
	test     *Test
	visit    int
	trace    string
	size     int64  // of the row
	dropped  bool   // what the task says is in its row only
	restored bool   // read back from the store: the task lacks what payload holds
	payload  []byte // of a restored one: as it lies there
	mapRun   int    // length of the map run's text in the payload, which the arguments follow
}

type outboxRecord struct {
	Sequence uint64       `json:"q"`
	Machine  string       `json:"m"`
	Started  int64        `json:"s"`
	Task     machine.Task `json:"t"`           // without what the payload holds
	MapRun   int          `json:"r,omitempty"` // length of the map run's text
	Test     *Test        `json:"x,omitempty"`
	Visit    int          `json:"v,omitempty"`
	Trace    string       `json:"h,omitempty"`
}

// The payload follows a record: what the task says of its map run, and its arguments as they are. It may be encrypted.

func outboxKey(arn string, a machine.Attempt) store.Key {
	return store.K(store.TableOutbox, arn).U32(a.Frame).U32(a.N)
}

// outboxAttempt takes the key of an entry apart.
func outboxAttempt(key []byte) (arn string, a machine.Attempt, err error) {
	arn, rest, ok := store.CutStr(key[1:])
	if !ok || len(rest) != 8 {
		return "", a, fmt.Errorf("%w: malformed outbox entry", store.ErrCorrupt)
	}
	return arn, machine.Attempt{Frame: binary.BigEndian.Uint32(rest), N: binary.BigEndian.Uint32(rest[4:])}, nil
}

func (o *outboxEntry) encode() []byte {
	r := outboxRecord{Sequence: o.sequence, Machine: o.machine, Started: o.started.UnixMilli(), Task: *o.task, Test: o.test, Visit: o.visit, Trace: o.trace}
	r.Task.Arguments, r.Task.MapRun = nil, nil
	args := o.task.Arguments.Bytes()
	var run []byte
	if o.task.MapRun != nil {
		run = marshal(o.task.MapRun)
		r.MapRun = len(run)
	}
	head := marshal(r)
	b := make([]byte, 0, 1+binary.MaxVarintLen32+len(head)+len(run)+len(args))
	o.size = int64(cap(b))
	b = append(b, recordVersion)
	b = binary.AppendUvarint(b, uint64(len(head)))
	return append(append(append(b, head...), run...), args...)
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// unpack completes the task of a restored entry by its payload, made readable.
func (o *outboxEntry) unpack(payload []byte) error {
	if o.mapRun > len(payload) {
		return fmt.Errorf("%w: malformed outbox entry", store.ErrCorrupt)
	}
	if o.mapRun > 0 {
		o.task.MapRun = &machine.MapRun{}
		if err := json.Unmarshal(payload[:o.mapRun], o.task.MapRun); err != nil {
			return fmt.Errorf("%w: %w", store.ErrCorrupt, err)
		}
	}
	o.task.Arguments = value.Text(payload[o.mapRun:])
	o.restored, o.payload = false, nil
	return nil
}

func decodeOutbox(key, val []byte) (*outboxEntry, error) {
	if err := checkVersion(val); err != nil {
		return nil, err
	}
	arn, attempt, err := outboxAttempt(key)
	if err != nil {
		return nil, err
	}
	n, w := binary.Uvarint(val[1:])
	if w <= 0 || uint64(len(val)-1-w) < n {
		return nil, fmt.Errorf("%w: malformed outbox entry", store.ErrCorrupt)
	}
	var r outboxRecord
	if err := json.Unmarshal(val[1+w:1+w+int(n)], &r); err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrCorrupt, err)
	}
	return &outboxEntry{
		arn: arn, machine: r.Machine, restored: true, payload: append([]byte(nil), val[1+w+int(n):]...), mapRun: r.MapRun, sequence: r.Sequence,
		started: time.UnixMilli(r.Started).UTC(), task: &r.Task, test: r.Test, visit: r.Visit, trace: r.Trace,
		attempt: attempt, size: int64(len(val)),
	}, nil
}

// Row is what ListExecutions shows; it is written in the execution's own transactions.
type Row struct {
	ARN     string
	Name    string         `json:"n"`
	Status  machine.Status `json:"s"`
	Start   int64          `json:"b"`           // epoch microseconds
	Stop    int64          `json:"e,omitempty"` // epoch milliseconds
	Version string         `json:"v,omitempty"`
	Alias   string         `json:"a,omitempty"`

	Redrives uint32 `json:"r,omitempty"`
	Redriven int64  `json:"d,omitempty"` // the last redrive, epoch milliseconds
}

// StartMs is when the execution began, in epoch milliseconds.
func (r *Row) StartMs() int64 { return r.Start / 1000 }

// indexKey sorts newest first within a machine.
func indexKey(machineARN string, start int64, arn string) store.Key {
	return store.K(store.TableIndex, machineARN).U64(^uint64(start)).Str(arn)
}

func encodeRow(r *Row) []byte {
	c := *r
	c.ARN = ""
	b, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	return append([]byte{recordVersion}, b...)
}

func decodeRow(key, val []byte) (Row, error) {
	if err := checkVersion(val); err != nil {
		return Row{}, err
	}
	var r Row
	if err := json.Unmarshal(val[1:], &r); err != nil {
		return r, fmt.Errorf("%w: %w", store.ErrCorrupt, err)
	}
	_, rest, _ := store.CutStr(key[1:])
	if len(rest) < 8 {
		return r, fmt.Errorf("%w: malformed index key", store.ErrCorrupt)
	}
	r.ARN, _, _ = store.CutStr(rest[8:])
	return r, nil
}
