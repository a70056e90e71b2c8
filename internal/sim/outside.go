package sim

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
	"github.com/newel-run/newel/machine/machinetest"
)

// outside is what the engine sends its tasks to. It outlives processes.
type outside struct {
	deliveries map[delivery]*work
	low        map[string]uint64 // by source: what is below is forgotten
	requests   map[delivery]string
	sentAs     map[string]delivery // by execution and attempt
	effects    map[string]int      // by execution and attempt: how often it was done
	done       map[string]int      // by machine, state and arguments: how often something was done
	tokens     []string            // every task token that anybody was given
	queue      []*queued           // tasks of activities, the first first
	cancelled  map[string]bool     // children that are not to be started any more
	children   map[string]time.Time
}

func newOutside() *outside {
	return &outside{
		deliveries: map[delivery]*work{}, low: map[string]uint64{}, requests: map[delivery]string{}, sentAs: map[string]delivery{},
		effects: map[string]int{}, done: map[string]int{}, cancelled: map[string]bool{}, children: map[string]time.Time{},
	}
}

// delivery is an idempotency token without its mark.
type delivery struct {
	source string
	seq    uint64
}

// work is what a service does about a request, once for all that come under its token.
type work struct {
	outcome *engine.Outcome // nil until it is done
	waiting []*reply
}

// reply is where an answer goes: a process that may have ended.
type reply struct {
	p        *process
	ctx      context.Context
	answered chan engine.Outcome
	over     bool
}

func (r *reply) give(out engine.Outcome) {
	if !r.over && !r.p.dead() {
		r.over = true
		r.answered <- out
	}
}

func standard(d *engine.Dispatch) bool { return strings.Contains(d.ExecutionARN, ":execution:") }

func attemptOf(d *engine.Dispatch) string {
	return fmt.Sprintf("%s %d/%d", d.ExecutionARN, d.Attempt.Frame, d.Attempt.N)
}

// send takes a request of a process: copies of it arrive, sooner or later.
func (w *World) send(d engine.Dispatch, r *reply) {
	if w.mutant == NoIdempotencyToken {
		d.Token = aws.Token{}
	}
	if w.mutant == MarkTooHigh {
		d.Token.Low = d.Token.Seq
	}
	if d.Token.Seq != 0 {
		w.checkToken(&d)
	}
	w.transmit(d, r)
}

// checkToken: a token stands for one request, and a request goes under one token.
func (w *World) checkToken(d *engine.Dispatch) {
	key, who := delivery{d.Token.Source, d.Token.Seq}, attemptOf(d)
	what := who + " " + d.Task.Resource + " " + d.Task.Arguments.String() + " " + d.Task.Token
	if was, ok := w.requests[key]; ok && was != what {
		w.violated("token %v stands for two requests:\n%s\n%s", key, was, what)
	}
	if was, ok := w.sentAs[who]; ok && was != key {
		w.violated("%s is sent again under token %v, it was %v", who, key, was)
	}
	if d.Token.Low > d.Token.Seq {
		w.violated("token %v is below its own mark %d", key, d.Token.Low)
	}
	if _, ok := w.requests[key]; ok {
		w.count("sent again")
	}
	w.requests[key], w.sentAs[who] = what, key
}

func (w *World) transmit(d engine.Dispatch, r *reply) {
	label := fmt.Sprintf("%s %d/%d", short(d.ExecutionARN), d.Attempt.Frame, d.Attempt.N)
	lost := w.stormy() && w.profile.loses > 0 && w.chance(w.profile.loses)
	if lost { // the request or its answer: the caller sends it again
		w.count("lost")
		r := r
		w.later(w.between(100*time.Millisecond, 3*time.Second), "resend "+label, func() {
			if !r.over && !r.p.dead() && r.ctx.Err() == nil {
				w.transmit(d, r)
			}
		})
		if w.chance(2) {
			return
		}
		r = &reply{p: r.p, ctx: r.ctx, over: true}
	}
	w.later(w.profile.latency(w), "arrive "+label, func() { w.arrive(d, r) })
	if w.stormy() && w.profile.repeats > 0 && w.chance(w.profile.repeats) {
		w.count("repeated")
		w.later(w.between(0, 4*time.Second), "repeat "+label, func() { w.arrive(d, &reply{p: r.p, ctx: r.ctx, over: true}) })
	}
}

// arrive is a service that gets a request.
func (w *World) arrive(d engine.Dispatch, r *reply) {
	key := delivery{d.Token.Source, d.Token.Seq}
	if d.Token.Seq == 0 {
		wk := &work{waiting: []*reply{r}}
		w.begin(&d, wk)
		return
	}
	if low := w.low[key.source]; key.seq < low && w.deliveries[key] == nil {
		if w.unanswered(&d) {
			w.violated("token %v lies below the mark %d of its source and is unanswered", key, low)
		}
		w.count("too late")
		r.give(died()) // nobody waits for it
		return
	}
	if d.Token.Low > w.low[key.source] {
		w.low[key.source] = d.Token.Low
		for k := range w.deliveries {
			if k.source == key.source && k.seq < d.Token.Low {
				delete(w.deliveries, k)
			}
		}
	}
	wk := w.deliveries[key]
	if wk == nil {
		wk = &work{}
		w.deliveries[key] = wk
		w.begin(&d, wk)
	}
	if wk.outcome != nil {
		r.give(*wk.outcome)
	} else {
		wk.waiting = append(wk.waiting, r)
	}
}

// unanswered reports whether the store holds the request as one that is to be answered, whatever a crash may leave of it.
func (w *World) unanswered(d *engine.Dispatch) bool {
	key := string(store.K(store.TableOutbox, d.ExecutionARN).U32(d.Attempt.Frame).U32(d.Attempt.N))
	part := w.disk.parts[store.Place(len(w.disk.parts), d.ExecutionARN)]
	_, durable := part.durable.Get(key)
	_, applied := part.applied().Get(key)
	return durable && applied
}

// begin does what a request asks for.
func (w *World) begin(d *engine.Dispatch, wk *work) {
	who := attemptOf(d)
	if w.effects[who]++; standard(d) && w.effects[who] > 1 {
		w.violated("%s is done twice", who)
	}
	if standard(d) {
		w.done[fmt.Sprintf("%s %s %s", d.MachineARN, d.Task.State, d.Task.Arguments)]++
	}
	if d.Task.Token != "" && standard(d) {
		w.tokens = append(w.tokens, d.Task.Token)
	}
	said := machinetest.AnswerTo(d.Task.Arguments, w.profile.wild)
	mute := w.profile.wild && said.Sum%12 == 1 && d.Task.Timeout > 0
	after := w.profile.workTime(w)
	label := fmt.Sprintf("%s %d/%d", short(d.ExecutionARN), d.Attempt.Frame, d.Attempt.N)
	switch {
	case d.Task.Integration.Kind == asl.Activity:
		w.finish(wk, engine.Outcome{Kind: engine.TaskQueued})
		w.queue = append(w.queue, &queued{token: d.Task.Token, said: said, mute: mute, label: label})
		w.later(w.profile.latency(w), "poll", w.poll)
	case d.Task.Integration.Pattern == asl.WaitForTaskToken && said.Sum%10 == 3 && !said.Failed:
		out := outcomeOf(said)
		out.First = engine.TaskSubmitted // answered at once, as by a mock
		w.later(after, "work "+label, func() { w.finish(wk, out) })
	case d.Task.Integration.Pattern == asl.WaitForTaskToken:
		w.finish(wk, engine.Outcome{Kind: engine.TaskSubmitted, Output: value.TextString(`{"id":1}`)})
		if !mute {
			w.callBack(d.Task.Token, label, said, after)
		}
	case d.Task.Integration.Pattern == asl.Sync2 || d.Task.Integration.Pattern == asl.Sync:
		w.startChild(d, wk, said.Sum)
	case mute: // it hangs, and is given up long after its timeout
		name := "hung"
		w.later(time.Minute, "work "+label, func() { w.finish(wk, engine.Outcome{Kind: engine.TaskFailed, Error: &name, Cause: &name}) })
	default:
		w.later(after, "work "+label, func() { w.finish(wk, outcomeOf(said)) })
	}
}

func outcomeOf(said machinetest.Answer) engine.Outcome {
	if said.Failed {
		cause := "as it goes"
		return engine.Outcome{Kind: engine.TaskFailed, Error: &said.Error, Cause: &cause}
	}
	return engine.Outcome{Kind: engine.TaskSucceeded, Output: value.TextString(said.Output)}
}

func (w *World) finish(wk *work, out engine.Outcome) {
	if wk.outcome != nil {
		return
	}
	wk.outcome = &out
	for _, r := range wk.waiting {
		w.later(w.profile.latency(w), "reply", func() { r.give(out) })
	}
	wk.waiting = nil
}

func eventOf(said machinetest.Answer) machine.Event {
	out := outcomeOf(said)
	ev := machine.Event{Kind: machine.TaskSucceeded, Output: out.Output, Error: out.Error, Cause: out.Cause}
	if said.Failed {
		ev.Kind = machine.TaskFailed
	}
	return ev
}

// callBack answers under a task token, until it is told whether the answer counts.
func (w *World) callBack(token, label string, said machinetest.Answer, after time.Duration) {
	w.busy++
	w.later(after, "callback "+label, func() { w.tryCallBack(token, label, said) })
	if w.stormy() && w.chance(8) {
		w.later(w.between(0, after), "heartbeat "+label, func() {
			w.answerToken("heartbeat "+label, token, machine.Event{Kind: machine.TaskHeartbeat}, func(machine.Answer, error) {})
		})
	}
}

func (w *World) tryCallBack(token, label string, said machinetest.Answer) {
	w.answerToken("answer "+label, token, eventOf(said), func(a machine.Answer, err error) {
		switch {
		case err != nil:
			w.again(label, func() { w.tryCallBack(token, label, said) })
			return
		case a == machine.Unknown:
			w.violated("a callback to %s is unknown", label)
		case a == machine.Taken && w.stormy() && w.chance(3):
			w.later(w.between(0, 5*time.Second), "once more "+label, func() {
				w.answerToken("once more "+label, token, eventOf(said), func(a machine.Answer, err error) {
					if err == nil && a == machine.Taken {
						w.violated("an answer to %s was taken twice", label)
					}
				})
			})
		}
		w.busy--
	})
}

func (w *World) answerToken(label, token string, ev machine.Event, then func(machine.Answer, error)) {
	var a machine.Answer
	w.onEngine(label, func(ctx context.Context, e *engine.Engine) (err error) {
		a, err = e.AnswerToken(ctx, token, ev)
		return err
	}, func(err error) {
		if errors.Is(err, engine.ErrToken) {
			w.violated("the token of %s is refused", label)
		}
		then(a, err)
	})
}

// queued is an activity's task that waits for a worker. unsure: a claim was made and its answer is not known.
type queued struct {
	token, label string
	said         machinetest.Answer
	mute, unsure bool
}

// poll is a worker that asks for a task.
func (w *World) poll() {
	if len(w.queue) == 0 {
		return
	}
	q := w.queue[0]
	w.queue = w.queue[1:]
	w.busy++
	w.answerToken("claim "+q.label, q.token, machine.Event{Kind: machine.ActivityClaimed, Worker: "w"}, func(a machine.Answer, err error) {
		w.busy--
		switch {
		case err != nil:
			q.unsure = true
			w.queue = append(w.queue, q)
			w.later(w.between(50*time.Millisecond, 2*time.Second), "poll", w.poll)
		case a == machine.Unknown:
			w.violated("a claim of %s is unknown", q.label)
		case (a == machine.Taken || q.unsure) && !q.mute:
			w.callBack(q.token, q.label, q.said, w.profile.workTime(w))
			if a == machine.Taken && w.stormy() && w.chance(4) {
				w.claimAgain(q)
			}
		}
	})
}

// claimAgain is another worker that has seen the same row.
func (w *World) claimAgain(q *queued) {
	w.answerToken("second claim "+q.label, q.token, machine.Event{Kind: machine.ActivityClaimed, Worker: "x"}, func(a machine.Answer, err error) {
		if err == nil && a == machine.Taken {
			w.violated("%s was handed out twice", q.label)
		}
	})
}

// startChild starts the execution that a .sync task waits for.
func (w *World) startChild(d *engine.Dispatch, wk *work, sum uint64) {
	name := childName(d.Token)
	in := w.startOf(w.childMachine, name, fmt.Sprintf(`{"n":%d,"a":[1,2],"s":"c"}`, sum%10))
	in.Token = name
	in.Waiter = &aws.Waiter{Token: d.Task.Token, Parsed: d.Task.Integration.Pattern == asl.Sync2}
	w.tryChild(in, wk)
}

func (w *World) tryChild(in engine.StartInput, wk *work) {
	if w.cancelled[in.ARN] {
		name := "cancelled"
		w.finish(wk, engine.Outcome{Kind: engine.TaskFailed, Error: &name, Cause: &name})
		return
	}
	w.busy++
	var at time.Time
	w.onEngine("start "+in.Name, func(ctx context.Context, e *engine.Engine) (err error) {
		at, err = e.StartExecution(ctx, in)
		return err
	}, func(err error) {
		w.busy--
		switch {
		case errors.Is(err, engine.ErrExists):
			w.violated("the repeated delivery of %s is refused", in.Name)
		case err != nil:
			w.again(in.Name, func() { w.tryChild(in, wk) })
		default:
			w.children[in.ARN] = at
			w.finish(wk, engine.Outcome{Kind: engine.TaskSubmitted, Output: value.TextString(`{"ExecutionArn":"` + in.ARN + `"}`)})
		}
	})
}

func childName(t aws.Token) string {
	return fmt.Sprintf("c-%s-%d", strings.ReplaceAll(t.Source, "/", "-"), t.Seq)
}

// cancelChild: a start of it that comes later is refused.
func (w *World) cancelChild(d engine.Dispatch) (arn string) {
	arn = executionARN(w.childMachine, childName(d.Token))
	w.cancelled[arn] = true
	w.count("children cancelled")
	return arn
}
