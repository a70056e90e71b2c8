package machine

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
)

// The purposes of an evaluation. Each has a generator of random numbers of its own, so that what is computed again comes
// out the same and what is computed beside it does not.
const (
	forEffective uint32 = iota
	forArguments
	forOutput // + 1 for Assign
	_
	forCatch // + 1 for Assign
	_
	forFields
	forDelay
	forItems
	forItem // + index
)

// env is what the expressions of a frame's state see; it is valid until the next call.
func (w *run) env(f *Frame, purpose uint32, input *value.Doc) *asl.Env {
	w.at.frame, w.at.purpose, w.at.item = f, purpose, nil
	w.at.context, w.at.random = nil, nil
	w.at.origin = origin{f.retryCount, w.root.redrives, w.root.redriven}
	w.at.env = asl.Env{Input: input, Context: w.contextOf, Random: w.randomOf, Variables: w.variableOf, Now: w.now, Trace: w.trace}
	return &w.at.env
}

// evaluation is the evaluation under way, from which the context object and random numbers are made if asked for.
type evaluation struct {
	env     asl.Env
	frame   *Frame
	purpose uint32
	item    *value.Doc // Map.Item.Value, nil outside ItemSelector
	origin  origin
	context *value.Doc
	random  *rand.ChaCha8
}

// nextRandom draws from the generator of execution, frame, visit, attempt and purpose.
func (w *run) nextRandom() uint64 {
	if w.at.random == nil {
		f := w.at.frame
		var key [32]byte
		copy(key[:], w.root.start.Seed[:])
		binary.BigEndian.PutUint32(key[16:], f.id)
		binary.BigEndian.PutUint32(key[20:], uint32(f.enteredEvent))
		binary.BigEndian.PutUint32(key[24:], w.at.origin.retries)
		for i := range 4 { // a redrive makes its attempts anew
			key[i] ^= byte(w.at.origin.redrives >> (8 * i))
		}
		binary.BigEndian.PutUint32(key[28:], w.at.purpose)
		w.at.random = rand.NewChaCha8(key)
	}
	return w.at.random.Uint64()
}

// context makes the context object, "$$" (spec.md B.14).
func (w *run) context() *value.Doc {
	if w.at.context != nil {
		return w.at.context
	}
	o := w.contextObject()
	if w.at.item != nil {
		o.Set("Map", value.NewObject(value.Member{Name: "Item", Value: value.NewObject(
			value.Member{Name: "Index", Value: value.Int(int64(w.at.purpose - forItem))},
			value.Member{Name: "Value", Value: w.at.item.Value()},
			value.Member{Name: "Source", Value: "STATE_DATA"},
		)}))
	}
	w.at.context = value.Of(o)
	return w.at.context
}

// contextObject is the context object outside of ItemSelector.
func (w *run) contextObject() *value.Object {
	if w.inspect != nil && w.inspect.Context != nil {
		return w.inspect.Context.Clone()
	}
	f, r := w.at.frame, w.root
	s := w.def.States[f.state]
	execution := value.NewObject(
		value.Member{Name: "Id", Value: r.start.ARN},
		value.Member{Name: "Input", Value: w.read(&r.input).Value()},
		value.Member{Name: "StartTime", Value: timestamp(r.started)},
		value.Member{Name: "Name", Value: r.start.Name},
		value.Member{Name: "RoleArn", Value: r.start.RoleARN},
	)
	if w.inspect == nil { // AWS's TestState has none
		w.at.origin.set(execution)
	}
	state := value.NewObject(
		value.Member{Name: "Name", Value: s.Name},
		value.Member{Name: "EnteredTime", Value: timestamp(f.entered)},
	)
	if s.Type == asl.Task || s.Type == asl.Parallel || s.Type == asl.Map {
		state.Set("RetryCount", value.Int(int64(w.at.origin.retries)))
	}
	o := value.NewObject(
		value.Member{Name: "Execution", Value: execution},
		value.Member{Name: "StateMachine", Value: value.NewObject(
			value.Member{Name: "Id", Value: r.start.MachineARN},
			value.Member{Name: "Name", Value: r.start.MachineName},
		)},
		value.Member{Name: "State", Value: state},
	)
	if s.Type == asl.Task && s.Task.Integration.Pattern == asl.WaitForTaskToken && f.attempt != 0 {
		o.Set("Task", value.NewObject(value.Member{Name: "Token", Value: TokenFor(r, Attempt{f.id, f.attempt})}))
	}
	return o
}

// timestamp writes a time as AWS does in data: UTC, three digits of a second's fraction or none.
func timestamp(ms int64) string {
	t := time.UnixMilli(ms).UTC()
	if ms%1000 == 0 {
		return t.Format("2006-01-02T15:04:05Z")
	}
	return t.Format("2006-01-02T15:04:05.000Z")
}
