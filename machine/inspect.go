package machine

import (
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
)

// Inspection makes an execution of one state and tells what was seen on the way: it is what TestState does. Every event of
// such an execution carries the same Inspection; no event of any other carries one.
//
// The execution begins with State and ends when it is left, has failed, or would be tried again. A Parallel or Map
// evaluates its fields and is then a task: RunTask, whose answer stands for what its branches or iterations would have
// given.
type Inspection struct {
	State *asl.State
	// Retries is how often each of the state's retriers is taken to have tried it again.
	Retries uint32
	// Context is the context object; nil: the one that the execution has.
	Context *value.Object
	// Variables are the workflow variables that there are when the state is entered.
	Variables []asl.Variable
	// Read gives the items that a distributed Map's reader would read; nil: they are not known. Its error is an *asl.Error.
	Read func(r *asl.ItemReader) ([]*value.Doc, error)

	Seen
}

// Seen is what an Inspection has seen.
type Seen struct {
	Stages map[asl.Stage]*value.Doc
	Next   *asl.State // where the state leads to; nil if nowhere
	// Assigned are all variables that there are after the state was left, by name; nil if it was not left.
	Assigned []asl.Variable

	// The error that the state's work ended in, if any, with the indexes of the retrier and the catcher that it matched.
	// RetryDelay is set if the state is to be tried again.
	Failed           bool
	Error, Cause     *string
	Retrier, Catcher *int
	RetryDelay       *time.Duration

	// Of a Map: its fields once they are evaluated (of an inline one MaxConcurrency only), and its iterations' inputs, before
	// they are batched; nil if these are not known.
	Map    *asl.MapRun
	Inputs []*value.Doc
}

// Saw notes what a document is at a stage, if TestState shows it of the type of state.
func (in *Inspection) Saw(stage asl.Stage, doc *value.Doc) {
	switch in.State.Type {
	case asl.Parallel:
		if stage != asl.AfterResultSelector && stage != asl.AfterResultPath {
			return
		}
	case asl.Pass:
		if stage == asl.AfterArguments {
			return
		}
	case asl.Choice, asl.Wait, asl.Succeed, asl.Fail:
		if stage != asl.AfterInputPath {
			return
		}
	}
	if in.Stages == nil {
		in.Stages = map[asl.Stage]*value.Doc{}
	}
	in.Stages[stage] = doc
}

// inspected is how often a retrier has tried a state again before it was entered: never, but in an inspection.
func (w *run) inspected() (retries uint32) {
	if w.inspect == nil {
		return 0
	}
	return w.inspect.Retries
}

// seeExit notes where the state leads to and the variables that there are.
func (w *run) seeExit(f *Frame, next *asl.State) {
	w.inspect.Next, w.inspect.Assigned = next, []asl.Variable{}
	for i := range f.vars {
		w.inspect.Assigned = append(w.inspect.Assigned, asl.Variable{Name: f.vars[i].name, Value: w.read(&f.vars[i].value)})
	}
}

// seeFailure notes an error of the state's work.
func (w *run) seeFailure(x *failure) {
	if in := w.inspect; in != nil {
		in.Failed, in.Error, in.Cause = true, x.name, x.cause
	}
}

// seeRetry ends an inspection whose state would be tried again.
func (w *run) seeRetry(f *Frame, x *failure, delay int64) {
	d := time.Duration(delay) * time.Millisecond
	w.inspect.RetryDelay = &d
	w.endWith(Failed, EventExecutionFailed, f.last, x.name, x.cause)
}

// seeMap notes a Map's fields and makes its iterations' inputs; false if that failed the state.
func (w *run) seeMap(f *Frame, s *asl.State, effective *value.Doc, items []*value.Doc, fields *asl.MapRun) bool {
	in := w.inspect
	in.Map = fields
	if fields.Reader != nil {
		if in.Read == nil {
			return true
		}
		var err error
		if items, err = in.Read(fields.Reader); err != nil {
			w.failState(f, s, err)
			return false
		}
		if fields.Reader.ItemsPointer != "" {
			in.Saw(asl.AfterItemsPointer, list(items))
		}
	}
	in.Inputs = make([]*value.Doc, len(items))
	for i, item := range items {
		env := w.env(f, forItem+uint32(i), effective)
		w.at.item = item
		var err error
		if in.Inputs[i], err = s.ItemInput(env, item); err != nil {
			w.failState(f, s, err)
			return false
		}
	}
	if s.HasItemSelector() {
		in.Saw(asl.AfterItemSelector, list(in.Inputs))
	}
	return true
}

// list is an array of documents.
func list(docs []*value.Doc) *value.Doc {
	text := []byte{'['}
	for i, d := range docs {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, d.Bytes()...)
	}
	return value.Text(append(text, ']'))
}

// standIn makes a task of an inspected Parallel or Map.
func (w *run) standIn(f *Frame, s *asl.State) {
	w.root.attempts++
	f.attempt, f.phase = w.root.attempts, started
	w.commands = append(w.commands, Command{Kind: RunTask, Attempt: Attempt{f.id, f.attempt}, Task: &Task{State: s.Name}})
}
