package engine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// StartInput is what an execution begins with.
type StartInput struct {
	machine.Start
	Definition string // id of the definition revision
	VersionARN string
	AliasARN   string
	Trace      string
	Parent     string // trace header of the caller, where it is traced
	Token      string // identifies an internal delivery: the same one again is answered as before
	Fresh      bool   // the name was made at random for this start: it cannot be taken
	Waiter     *aws.Waiter
	Test       *Test // test case that its tasks are answered by; nil for none
}

// StartExecution begins an execution and returns its start time once it is durable. A start that repeats the name and
// the input of an execution that is still running answers with that execution's start time; any other use of a name
// that is taken is ErrExists.
func (e *Engine) StartExecution(ctx context.Context, in StartInput) (time.Time, error) {
	def, err := e.cfg.Definitions.Definition(ctx, in.Definition)
	if err != nil {
		return time.Time{}, err
	}
	defer e.working()()
	x := e.partitionOf(in.ARN).acquire(in.ARN)
	defer e.hold()()
	if x.meta != nil { // in memory: it exists
		if err := x.settled(); err != nil {
			x.release(true)
			return time.Time{}, err
		}
		defer x.release(false)
		return e.repeated(ctx, x, &in)
	}
	now := e.now()
	x.meta = e.metaOf(&in)
	x.def, x.stats = def, e.stats.machines.of(in.MachineARN)
	x.pieces = map[machine.Key]machine.Piece{{Kind: machine.KindRoot}: nil}
	c := commit{x: x, event: machine.Event{Kind: machine.Started, Now: now, Start: &in.Start}, starting: true, fresh: in.Fresh}
	if err := e.run(ctx, &c); err != nil {
		if errors.Is(err, ErrExists) {
			x.meta = nil
			if err = e.load(ctx, x); err == nil {
				defer x.release(false)
				return e.repeated(ctx, x, &in)
			}
		}
		x.release(true)
		return time.Time{}, err
	}
	x.release(c.ended())
	return now, nil
}

// metaOf is the meta of an execution that begins now.
func (e *Engine) metaOf(in *StartInput) *Meta {
	return &Meta{Definition: in.Definition, MachineARN: in.MachineARN, Name: in.Name, Start: e.cfg.Clock.Now().UnixMicro(),
		VersionARN: in.VersionARN, AliasARN: in.AliasARN, Trace: in.Trace, Parent: in.Parent, Token: in.Token, Waiter: in.Waiter, Test: in.Test}
}

// repeated answers a start whose name is taken.
func (e *Engine) repeated(ctx context.Context, x *execution, in *StartInput) (at time.Time, err error) {
	defer catchLoad(&err)
	root, err := x.root()
	if err != nil {
		return time.Time{}, err
	}
	same := in.Token != "" && x.meta.Token == in.Token ||
		root.Status() == machine.Running && bytes.Equal(root.Input(e.lookup(ctx, x)).Bytes(), in.Input.Bytes())
	if same {
		return time.UnixMilli(x.meta.StartMs()).UTC(), nil
	}
	return time.Time{}, ErrExists
}

func (x *execution) root() (*machine.Root, error) {
	root, ok := x.pieces[machine.Key{Kind: machine.KindRoot}].(*machine.Root)
	if !ok {
		return nil, fmt.Errorf("%w: no root of %s", store.ErrCorrupt, x.arn)
	}
	return root, nil
}

// Deliver applies an event to an execution and returns when its effects are durable.
func (e *Engine) Deliver(ctx context.Context, arn string, ev machine.Event) (machine.Answer, error) {
	return e.deliver(ctx, arn, &commit{event: ev}, nil)
}

// AnswerToken applies the answer to a task token (SendTaskSuccess, SendTaskFailure, SendTaskHeartbeat).
func (e *Engine) AnswerToken(ctx context.Context, token string, ev machine.Event) (machine.Answer, error) {
	id, err := machine.ParseToken(token)
	if err != nil {
		return machine.Unknown, ErrToken
	}
	ev.Attempt, ev.Callback = id.Attempt, true
	answer, err := e.deliver(ctx, id.ExecutionARN, &commit{event: ev}, func(root *machine.Root) error {
		if !machine.VerifyToken(root, id) {
			return ErrToken
		}
		return nil
	})
	if errors.Is(err, ErrNotFound) {
		return machine.Unknown, nil
	}
	return answer, err
}

// deliver applies a commit's event, which does something only if check allows it.
func (e *Engine) deliver(ctx context.Context, arn string, c *commit, check func(*machine.Root) error) (machine.Answer, error) {
	defer e.working()()
	x := e.partitionOf(arn).acquire(arn)
	defer e.hold()()
	if err := e.load(ctx, x); err != nil {
		x.release(true)
		return machine.Unknown, err
	}
	if check != nil {
		root, err := x.root()
		if err == nil {
			err = check(root)
		}
		if err != nil {
			failed := x.settled()
			x.release(failed != nil)
			return machine.Unknown, cmp.Or(failed, err)
		}
	}
	c.x, c.event.Now = x, e.now()
	err := e.run(store.Finishing(ctx), c)
	if c.letGo {
		x.unref()
	} else {
		x.release(err != nil || c.ended())
	}
	return c.result.Answer, err
}

// commit is one event on its way through Step and the store.
type commit struct {
	x        *execution
	event    machine.Event
	starting bool
	fresh    bool // no execution of that name exists, which need not be looked up
	more     bool // the answer that the event brings is not the whole: its sending is not over
	plain    bool // the task that is answered starts no work that goes on after its request
	result   machine.Result
	entries  []*outboxEntry
	bytes    int64             // of pieces that were written
	owed     []machine.Attempt // whose work is to be cancelled
	told     []Write           // what goes with a start or an end
	after    []func()          // of told, once it is durable

	redriving bool // the execution had ended, at ranUntil, and goes on; redriven is then to be remembered
	ranUntil  time.Time
	redriven  *redrives

	// From when it is applied on, when the execution may be others' already.
	meta     *Meta
	stats    *machineStats
	redrives uint32
	letGo    bool        // the execution's lock was given up
	own      *commitTail // then
	before   *commitTail // of the commit before, if that was let go
}

func (c *commit) ended() bool { return c.result.Status != machine.Running && c.result.Status != 0 }

// run steps the execution, commits, and then carries out what the step commands. The execution's lock is held.
func (e *Engine) run(ctx context.Context, c *commit) (err error) {
	if c.result, err = e.step(ctx, c.x, c.event); err != nil {
		return err
	}
	if c.result.NoOp {
		return e.drop(ctx, c)
	}
	if err = e.allocate(ctx, c); err != nil {
		return err
	}
	if err = e.changes(ctx, c); err != nil {
		e.abandon(c)
		return err
	}
	return e.commit(ctx, c)
}

// drop removes the row of a timer that fired for nothing, and of a continuation with nothing to go on with.
func (e *Engine) drop(ctx context.Context, c *commit) error {
	var row store.Key
	switch c.event.Kind {
	case machine.TimerFired:
		row = timerKey(c.x.arn, c.event.Timer)
	case machine.Continue:
		row = continueKey(c.x.arn)
	default:
		return c.x.settled()
	}
	return e.cfg.Store.Update(ctx, c.x.p.id, func(tx store.Tx) error {
		tx.Delete(row)
		return nil
	})
}

// found is what a commit reads of the store. It reads first: a transaction that has written answers reads for much more.
type found struct {
	open int64  // executions of the partition
	sent []byte // row of the task that has started work; nil if none has
}

func (c *commit) read(tx store.Tx) (f found, err error) {
	x := c.x
	if c.starting {
		if err = c.readName(tx); err != nil {
			return f, err
		}
	} else if err = c.readRevision(tx); err != nil {
		return f, err
	}
	if c.opens() != 0 {
		if f.open, err = readOpen(tx); err != nil {
			return f, err
		}
	}
	if c.event.Kind == machine.TaskSubmitted && !c.plain && c.answers() && !c.result.Settled {
		f.sent, err = tx.Get(outboxKey(x.arn, c.event.Attempt))
	}
	return f, err
}

// readRevision sees whether the execution is as it is known here.
func (c *commit) readRevision(tx store.Tx) error {
	revision, err := revisionOf(tx, c.x.arn)
	if err == nil && revision != c.x.revision {
		err = fmt.Errorf("%w: %s is at revision %d, not %d", store.ErrFenced, c.x.arn, revision, c.x.revision)
	}
	return err
}

// readName sees whether the name of an execution that is to begin is taken.
func (c *commit) readName(tx store.Tx) error {
	if c.fresh {
		return nil
	}
	free, err := store.Missing(tx, rootKey(c.x.arn))
	if err == nil && !free {
		err = ErrExists
	}
	return err
}

// write puts everything that the step changed into one transaction.
func (c *commit) write(tx store.Tx, retention time.Duration) error {
	x, res := c.x, &c.result
	c.owed, c.bytes = c.owed[:0], 0
	found, err := c.read(tx)
	if err != nil {
		return err
	}
	revision := x.revision
	if c.starting {
		tx.Set(metaKey(x.arn), encodeMeta(x.meta))
	}
	c.writeRedrive(tx, retention)
	root := x.pieces[machine.Key{Kind: machine.KindRoot}]
	for _, ch := range res.Changes {
		switch {
		case ch.Key.Kind == machine.KindRoot:
			root = ch.Piece
		case ch.Piece == nil:
			tx.Delete(pieceKey(x.arn, ch.Key))
		default:
			b := ch.Piece.Append(nil)
			c.bytes += int64(len(b))
			tx.Set(pieceKey(x.arn, ch.Key), b)
		}
	}
	b := encodeRoot(revision+1, root)
	c.bytes += int64(len(b))
	tx.Set(rootKey(x.arn), b)
	if len(res.History) > 0 {
		tx.Set(historyKey(x.arn, res.History[0].ID), machine.AppendHistory(nil, res.History))
	}
	if err := c.writeCommands(tx, found.sent); err != nil {
		return err
	}
	c.writeIndex(tx, root.(*machine.Root), retention)
	c.writeOpen(tx, found.open)
	return c.writeTold(tx)
}

// answers reports whether the event answers the sending of its attempt, which the outbox then forgets. An answer by
// token that came before the request's own answer is held: the request's is still awaited.
func (c *commit) answers() bool {
	switch c.event.Kind {
	case machine.TaskSubmitted, machine.TaskSucceeded, machine.TaskFailed, machine.ActivityClaimed:
		return !c.result.Held && !c.more
	}
	return false
}

func (c *commit) writeCommands(tx store.Tx, sent []byte) error {
	x := c.x
	switch c.event.Kind {
	case machine.TimerFired:
		tx.Delete(timerKey(x.arn, c.event.Timer))
	default:
		c.writeAnswer(tx, sent)
	}
	switch {
	case c.result.More:
		tx.Set(continueKey(x.arn), []byte{recordVersion})
	case x.more:
		tx.Delete(continueKey(x.arn))
	}
	next := 0
	for i := range c.result.Commands {
		switch cmd := &c.result.Commands[i]; cmd.Kind {
		case machine.RunTask:
			entry := c.entries[next]
			if entry.test != nil && entry.test.Root == "" {
				var err error
				if entry.visit, err = countVisit(tx, x.arn, entry.task.State); err != nil {
					return err
				}
			}
			tx.Set(outboxKey(x.arn, cmd.Attempt), entry.encode())
			next++
		case machine.CancelTask:
			if err := c.writeCancel(tx, cmd.Attempt); err != nil {
				return err
			}
		case machine.SetTimer:
			tx.Set(timerKey(x.arn, cmd.Timer), []byte{})
		case machine.CancelTimer:
			tx.Delete(timerKey(x.arn, cmd.Timer))
		}
	}
	return nil
}

// writeIndex writes the row that lists show when the execution starts, ends or is redriven, and the end of its
// retention.
func (c *commit) writeIndex(tx store.Tx, root *machine.Root, retention time.Duration) {
	if !c.starting && !c.redriving && !c.ended() {
		return
	}
	m := c.x.meta
	row := Row{Name: m.Name, Status: c.result.Status, Start: m.Start, Version: m.VersionARN, Alias: m.AliasARN, Redrives: root.Redrives()}
	if row.Redrives > 0 {
		row.Redriven = root.RedriveTime().UnixMilli()
	}
	if c.ended() {
		row.Stop = root.StopTime().UnixMilli()
		if m.Waiter != nil {
			tx.Set(debtKey(c.x.arn, machine.Attempt{}), []byte{recordVersion})
		}
		tx.Set(timerKey(c.x.arn, expiryOf(root.StopTime(), retention)), []byte{})
	}
	tx.Set(indexKey(m.MachineARN, m.Start, c.x.arn), encodeRow(&row))
}

// carryOut does, after the commit, what the step commands.
func (e *Engine) carryOut(c *commit) {
	x := c.x
	e.count(c)
	for _, f := range c.after {
		f()
	}
	if e.cfg.History != nil {
		e.cfg.History(x.arn, c.meta, c.redrives, c.result.History)
	}
	if e.cfg.Decided != nil && len(c.result.Decisions) > 0 {
		e.cfg.Decided(x.arn, c.result.Decisions)
	}
	if c.answers() {
		x.p.outbox.answered(x.arn, c.event.Attempt)
	}
	cancelled := map[machine.Attempt]bool{}
	due := int64(math.MaxInt64) // of the first timer
	for i := range c.result.Commands {
		switch cmd := &c.result.Commands[i]; cmd.Kind {
		case machine.CancelTask:
			cancelled[cmd.Attempt] = true
			x.p.outbox.answered(x.arn, cmd.Attempt)
		case machine.SetTimer:
			due = min(due, cmd.Timer.At.UnixMilli())
		}
	}
	if c.ended() {
		due = min(due, c.event.Now.Add(e.cfg.Retention).UnixMilli())
	}
	if due < math.MaxInt64 {
		e.timers.hint(x.p.id, due)
	}
	for _, a := range c.owed {
		e.settle(x.p, debt{x.arn, a})
	}
	if c.ended() && c.meta.Waiter != nil {
		e.settle(x.p, debt{arn: x.arn})
	}
	for _, entry := range c.entries {
		if !cancelled[entry.attempt] {
			e.dispatch(x.p, entry)
		}
	}
	if c.result.More {
		e.resume(c.meta.MachineARN, x.arn)
	}
	if c.ended() {
		e.watch.ended(x.arn)
		if e.cfg.Finished != nil {
			e.cfg.Finished(x.arn, c.result.Status)
		}
		if e.cfg.Ended != nil {
			e.cfg.Ended(&End{ARN: x.arn, Meta: c.meta, Status: c.result.Status, Took: c.event.Now.Sub(time.UnixMilli(c.meta.StartMs())),
				Stop: c.event.Now, Redriven: c.redrives > 0})
		}
	}
}

// resume goes on with an execution whose last step ran out of budget.
func (e *Engine) resume(machineARN, arn string) {
	done := e.working()
	e.steps.add(machineARN, job{run: func() {
		defer done()
		if e.ctx.Err() != nil {
			return
		}
		if _, err := e.Deliver(e.ctx, arn, machine.Event{Kind: machine.Continue}); err != nil && e.ctx.Err() == nil {
			e.cfg.Log.Error("execution could not continue", "execution", arn, "error", err)
		}
	}})
}
