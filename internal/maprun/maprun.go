// Package maprun runs distributed Maps: it reads the items, starts a child execution for each (or each batch), counts how
// they end and writes the results.
//
// To the engine a map run is the work of a .sync task. Begin makes the run's record and answers that the work has been
// started; Cancel stops it; the run's end is told to the execution that waits, as the answer to its attempt.
//
// What is authoritative, all in the run's own partition (table TableMapRun, placed by the first half of the run's UUID):
//
//	"run" uuid       what was asked for; never changes
//	"progress" uuid  status, counters, cursor, finished indexes, the version of the source; only the run's driver writes it
//	"control" uuid   what came from outside: cancellation, UpdateMapRun
//	"child" uuid n   how child n ended; an Express child's input and output too
//	"page" uuid n    the items of a listing, which has no version to come back to, and so is kept until the run ends
//	"live" uuid      the run is not over, or its end has not been told
//	"expiry" t uuid  when the rows of a finished run are deleted
//
// and, in the partition of the execution that waits, "of" arn time uuid for ListMapRuns.
//
// One goroutine drives a run. A turn of its loop takes the children that have ended, chooses those to start next, writes
// both in ONE transaction (cursor, counters, finished indexes, child rows), and only then starts them. So no child exists
// at or above the stored cursor, and an index is counted in the commit that puts it among the finished ones: once.
//
// A child's name is made of the run's UUID and its index, both ways. A STANDARD child is an execution in the engine: its
// start can be repeated, and its end is durable in its own partition before anybody is told. The engine's Finished hook
// is only a hint; after a restart the driver looks at each index below the cursor that is not finished (at most
// MaxConcurrency of them): ended children are counted, running ones awaited, those whose start was lost started. An
// Express child runs in memory and leaves one row, in the commit that counts it; one that was in flight at a crash runs
// again. No finished child is ever repeated.
//
// Items are never stored, except a listing's: they are read from the source as they are needed, and read again after a
// restart from the same version (If-Match); a source that has changed fails the run with States.ItemReaderFailed. A
// first pass counts the items, since percentages are of the whole; it also finds what cannot be read before any child
// has started.
//
// A run that nobody waits for aborts itself: Cancel says so, and whenever a driver begins it asks Awaits, since a crash
// can come between the making of a run and the word that its execution has gone on without it.
//
// Results are collected from the child rows in index order under names that repeat themselves, so writing them again
// after a crash writes the same. The order at the end is: results, then the terminal status, then the answer to the
// execution, then the "live" row goes.
package maprun

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// Executions is what map runs need of executions.
type Executions interface {
	// Parent reads what an execution was started with: its identity and the id of its definition.
	Parent(ctx context.Context, arn string) (machine.Start, string, error)
	// Definition finds a definition by id. ChildDefinition names the one that a run's children have.
	Definition(ctx context.Context, id string) (*asl.Definition, error)
	ChildDefinition(definition, label string) string
	// StartChild starts a STANDARD child. The same start again changes nothing.
	StartChild(ctx context.Context, c *Child) error
	// RunChild runs an Express child to its end; the error is that it could not be run.
	RunChild(ctx context.Context, c *Child) (*Result, error)
	// RedriveChild goes on with a STANDARD child that has ended without success. The same redrive again changes nothing.
	// ErrNotRedrivable if that is not possible any more.
	RedriveChild(ctx context.Context, c *Child) error
	// Result reads how a STANDARD child ended; Status is Running while it has not. ErrNotFound if it was never started.
	Result(ctx context.Context, arn string) (*Result, error)
	// StopChild aborts a STANDARD child; one that has ended or never was is no error.
	StopChild(ctx context.Context, arn string) error
	// Awaits reports whether an execution waits for the end of the run that an attempt asked for.
	Awaits(ctx context.Context, arn string, a machine.Attempt) (bool, error)
	// Answer tells the execution that waits how the run ended; that it no longer waits is no error.
	Answer(ctx context.Context, arn string, ev machine.Event) error
}

// Child is a child execution to be started.
type Child struct {
	machine.Start
	Definition string
	Parent     string // ARN of the execution whose Map it is a child of
	Trace      string // trace header
	Redrives   uint32 // how often it was redriven when it will have been
	// Redrive identifies a redrive of a STANDARD child; "" for a start.
	Redrive string
}

// Result is a child execution as far as it has come.
type Result struct {
	Status        machine.Status
	Input, Output *value.Doc // Output nil unless it has succeeded
	Error, Cause  *string
	Start, Stop   time.Time
	Redrives      uint32
	Redriven      time.Time // of a STANDARD child, the last redrive; zero if there was none
	Pending       bool      // it waits to be redriven
}

// ErrNotFound: there is no such map run or child.
var ErrNotFound = errors.New("maprun: not found")

// Config is what map runs are made of.
type Config struct {
	Env *service.Env
	// Retention is how long a finished run's rows are kept; 0 means AWS's 90 days.
	Retention time.Duration
	// PayloadBytes is the largest input of a child and output of a state; 0 means AWS's 256 KiB.
	PayloadBytes int
}

// Runs are the map runs of one server.
type Runs struct {
	cfg        Config
	env        *service.Env
	executions Executions
	ctx        context.Context // ends at Close
	cancel     context.CancelFunc
	work       sync.WaitGroup

	mu      sync.Mutex
	drivers map[string]*driver // by UUID
	flying  map[string]flight  // STANDARD children that are awaited, by ARN
}

type flight struct {
	d     *driver
	index uint64
}

// New makes the map runs of a server; Start begins their work.
func New(cfg Config, executions Executions) *Runs {
	if cfg.Retention == 0 {
		cfg.Retention = 90 * 24 * time.Hour
	}
	if cfg.PayloadBytes == 0 {
		cfg.PayloadBytes = 262144
	}
	m := &Runs{cfg: cfg, env: cfg.Env, executions: executions, drivers: map[string]*driver{}, flying: map[string]flight{}}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m
}

// Start goes on with the runs that were not over.
func (m *Runs) Start(ctx context.Context) error {
	for p := range m.env.Store.Partitions() {
		var uuids []string
		err := m.env.Store.View(ctx, store.Partition(p), func(rd store.Reader) error {
			uuids = uuids[:0]
			table := store.K(store.TableMapRun, "live")
			for k := range rd.Scan(table, table.End(), false) {
				if uuid, _, ok := store.CutStr(k[len(table):]); ok {
					uuids = append(uuids, uuid)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, uuid := range uuids {
			m.drive(uuid)
		}
	}
	return nil
}

// Close stops driving; what is not over goes on at the next Start.
func (m *Runs) Close() {
	m.cancel()
	m.work.Wait()
}

// Request asks for a map run: a distributed Map's Task, and the attempt that waits for its end.
type Request struct {
	ExecutionARN string
	Attempt      machine.Attempt
	Task         *machine.Task
	At           time.Time // the same when the request is made again
	Trace        string    // trace header of the children; "" where they are not traced
}

// Begin makes a run, or redrives it, and returns when it will run to its end, even over a crash. The same request again
// changes nothing.
func (m *Runs) Begin(ctx context.Context, r Request) error {
	n, err := parseRun(r.Task.MapRun.ARN)
	if err != nil {
		return err
	}
	if r.Task.MapRun.Redrive > 0 {
		// A run that was not begun before its execution ended is begun now.
		if err := m.redrive(ctx, n.uuid, r); !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	start, definition, err := m.executions.Parent(ctx, r.ExecutionARN)
	if err != nil {
		return err
	}
	rec := &record{
		ARN: r.Task.MapRun.ARN, ExecutionARN: r.ExecutionARN, Attempt: r.Attempt, State: r.Task.State, Definition: definition,
		RoleARN: start.RoleARN, Spec: r.Task.MapRun.MapRun, Context: r.Task.MapRun.Context,
		Variables: r.Task.MapRun.Variables, Items: r.Task.MapRun.Items, Input: r.Task.Arguments.String(), Start: r.At.UnixMilli(), Trace: r.Trace,
	}
	rand.Read(rec.Secret[:])
	of := store.Place(m.env.Store.Partitions(), r.ExecutionARN)
	err = m.env.Store.Update(ctx, of, func(tx store.Tx) error {
		tx.Set(ofKey(r.ExecutionARN, rec.Start, n.uuid), []byte(rec.ARN))
		return nil
	})
	if err != nil {
		return err
	}
	var gone []expired
	err = m.env.Store.Update(ctx, m.partition(n.uuid), func(tx store.Tx) (err error) {
		gone, err = m.create(tx, n.uuid, rec, redrive{Redrives: r.Task.MapRun.Redrive, Redriven: redriveDate(r)})
		return err
	})
	if err != nil {
		return err
	}
	m.drive(n.uuid)
	return m.unlist(ctx, gone)
}

// create makes a run's record, if it is not there, and deletes some whose time is over.
func (m *Runs) create(tx store.Tx, uuid string, rec *record, redriven redrive) ([]expired, error) {
	old, err := tx.Get(key("run", uuid))
	if err != nil || old != nil {
		return nil, err
	}
	gone, err := m.expire(tx)
	if err != nil {
		return nil, err
	}
	p := &progress{Status: statusRunning, Children: -1, redrive: redriven}
	set(tx, key("run", uuid), rec)
	set(tx, key("progress", uuid), p)
	tx.Set(key("live", uuid), []byte{recordVersion})
	return gone, nil
}

// Cancel stops a run that an attempt asked for and that nobody waits for any more, and returns when that is durable. A run
// that is over, or never was, or that another attempt waits for, is left as it is.
func (m *Runs) Cancel(ctx context.Context, arn string, a machine.Attempt) error {
	n, err := parseRun(arn)
	if err != nil {
		return err
	}
	err = m.control(ctx, n.uuid, func(s *state) { s.control.Cancelled = s.control.Cancelled || s.Attempt == a })
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrOver) {
		return nil
	}
	return err
}

// Finished is told of every execution that has ended.
func (m *Runs) Finished(arn string, status machine.Status) {
	if !strings.Contains(arn, "/") {
		return
	}
	m.mu.Lock()
	f, ok := m.flying[arn]
	delete(m.flying, arn)
	m.mu.Unlock()
	if ok {
		f.d.end(ended{index: f.index, result: &Result{Status: status}})
	}
}

// drive makes a run's driver, unless it has one.
func (m *Runs) drive(uuid string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.drivers[uuid] == nil {
		m.begin(uuid)
	}
}

// begin makes a run's driver; m.mu is held.
func (m *Runs) begin(uuid string) {
	if m.ctx.Err() != nil {
		return
	}
	d := newDriver(m, uuid)
	m.drivers[uuid] = d
	m.work.Go(func() {
		d.run()
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.drivers, uuid)
		close(d.done)
		if d.again {
			m.begin(uuid)
		}
	})
}

func (m *Runs) driver(uuid string) *driver {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.drivers[uuid]
}

// await has the end of a STANDARD child told to its driver.
func (m *Runs) await(arn string, f flight) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.flying[arn] = f
}

func (m *Runs) forget(arn string) (was bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, was = m.flying[arn]
	delete(m.flying, arn)
	return was
}

// partition is a run's partition: a hash of the half of its UUID that its children's names share.
func (m *Runs) partition(uuid string) store.Partition {
	return store.Place(m.env.Store.Partitions(), "map run", uuid[:sharedDigits])
}

// failure is why a run does not succeed, in AWS's names and words.
type failure struct{ name, cause string }

func (f *failure) Error() string { return f.name + ": " + f.cause }

func failed(name, format string, args ...any) *failure {
	return &failure{name, fmt.Sprintf(format, args...)}
}

// The errors that a run ends with.
const (
	errReader    = "States.ItemReaderFailed"
	errWriter    = "States.ResultWriterFailed"
	errThreshold = "States.ExceedToleratedFailureThreshold"
	errDataLimit = "States.DataLimitExceeded"
)
