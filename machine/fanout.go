package machine

import (
	"iter"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
)

// fanOut makes room for a Parallel's or Map's children: it reserves the numbers of their frames and results.
func (w *run) fanOut(f *Frame, length, limit int) *fanout {
	r := w.root
	f.fan = &fanout{since: w.ms, length: uint32(length), limit: uint32(limit), first: r.frames + 1, results: r.payloads + 1}
	f.phase = fannedOut
	r.frames += uint32(length)
	r.payloads += uint32(length)
	return f.fan
}

// startParallel starts all branches.
func (w *run) startParallel(f *Frame, s *asl.State, effective *value.Doc) {
	input, err := s.Arguments(w.env(f, forArguments, effective))
	if err != nil {
		w.failState(f, s, err)
		return
	}
	if w.tooLarge(input) {
		w.fail(f, dataLimit(s.Name))
		return
	}
	w.follow(f, EventParallelStateStarted)
	if w.inspect != nil {
		w.standIn(f, s)
		return
	}
	fan := w.fanOut(f, len(s.Branches), len(s.Branches))
	if input != f.raw.doc {
		fan.input.doc = input
	}
	for i, b := range s.Branches {
		fan.next++
		fan.running++
		w.newFrame(&Frame{
			id: fan.first + uint32(i), parent: f.id, index: uint32(i),
			state: b.Start.ID, phase: entering, raw: slot{doc: input}, last: f.last,
		})
	}
}

// startMap starts as many iterations as may run at once.
func (w *run) startMap(f *Frame, s *asl.State, effective *value.Doc) {
	if s.Map.Distributed {
		w.startMapRun(f, s, effective)
		return
	}
	limit, err := s.MaxConcurrency(w.env(f, forFields, effective))
	if err != nil {
		w.failState(f, s, err)
		return
	}
	items, err := s.Items(w.env(f, forItems, effective))
	if err != nil {
		w.failState(f, s, err)
		return
	}
	if w.inspect != nil {
		if w.seeMap(f, s, effective, items, &asl.MapRun{MaxConcurrency: limit}) {
			w.standIn(f, s)
		}
		return
	}
	if limit <= 0 || limit > int64(w.lim.InlineIterations) {
		limit = int64(w.lim.InlineIterations)
	}
	e := w.follow(f, EventMapStateStarted)
	e.Length = int64(len(items))
	fan := w.fanOut(f, len(items), int(limit))
	fan.effective, fan.items = effective, items
	if len(items) == 0 {
		w.collect(f, s)
		return
	}
	w.launch(f, s, f.last)
}

// items are a Map's effective input and items, computed again after the frame was loaded.
func (w *run) items(f *Frame, s *asl.State) (effective *value.Doc, items []*value.Doc) {
	fan := f.fan
	if fan.items == nil {
		var err error
		env := w.env(f, forEffective, w.read(&f.raw))
		w.asFannedOut(fan)
		fan.effective, err = s.Effective(env)
		must(err == nil, "an evaluation repeats itself")
		env = w.env(f, forItems, fan.effective)
		w.asFannedOut(fan)
		fan.items, err = s.Items(env)
		must(err == nil && len(fan.items) == int(fan.length), "an evaluation repeats itself")
	}
	return fan.effective, fan.items
}

// launch starts iterations until the Map's limit of running ones is reached; they follow from event prev. It reports false
// if the Map has failed over it.
func (w *run) launch(f *Frame, s *asl.State, prev int64) bool {
	fan := f.fan
	for fan.running < fan.limit && fan.next < fan.length {
		effective, items := w.items(f, s)
		i := fan.next
		env := w.env(f, forItem+i, effective)
		w.at.item = items[i]
		input, err := s.ItemInput(env, items[i])
		if err != nil {
			w.failLaunch(f, w.stateFailure(f, s, err))
			return false
		}
		if w.tooLarge(input) {
			w.failLaunch(f, dataLimit(s.Name))
			return false
		}
		e := w.event(EventMapIterationStarted, prev)
		e.Name, e.Index = s.Name, int64(i)
		w.noteSize(input)
		fan.next++
		fan.running++
		w.newFrame(&Frame{
			id: fan.first + i, parent: f.id, index: i,
			state: s.Map.Processor.Start.ID, phase: entering, raw: slot{doc: input}, last: e.ID,
		})
	}
	return true
}

// failLaunch fails a Map whose next iteration's input cannot be made.
func (w *run) failLaunch(f *Frame, x failure) {
	w.abortChildren(f, nil)
	switch {
	case *x.name == errDataLimit:
		w.discard(f) // a redrive starts all over
	case f.fan.running == 0:
		f.phase = gathering
	}
	w.fail(f, x)
}

// finishChild takes a branch's or iteration's result and lets its parent go on.
func (w *run) finishChild(c *Frame, output *value.Doc) {
	p := w.frame(c.parent)
	s := w.def.States[p.state]
	fan := p.fan
	w.putPayload(fan.results+c.index, output)
	last := c.last
	p.last = last
	if s.Type == asl.Map {
		e := w.follow(p, EventMapIterationSucceeded)
		e.Name, e.Index = s.Name, int64(c.index)
	}
	w.removeFrame(c)
	fan.running--
	if s.Type == asl.Map && !w.launch(p, s, last) {
		return
	}
	if fan.running == 0 {
		w.collect(p, s)
	}
}

// collect ends a Parallel or Map whose children have all finished: its result is the array of theirs, in index order. They
// are kept until the state is left, so that a redrive needs not make them again.
func (w *run) collect(f *Frame, s *asl.State) {
	fan := f.fan
	result := []byte{'['}
	for i := range fan.length {
		if i > 0 {
			result = append(result, ',')
		}
		result = append(result, w.payload(fan.results+i).Bytes()...)
	}
	result = append(result, ']')
	f.phase = gathering
	// Both Succeeded and Exited follow from the last child's end (spec.md D.2 rule 4).
	if s.Type == asl.Map {
		w.event(EventMapStateSucceeded, f.last)
	} else {
		w.event(EventParallelStateSucceeded, f.last)
	}
	w.leave(f, s, &s.Exit, value.Text(result))
}

// children yields the frames of a fan-out that are there, in index order.
func (w *run) children(f *Frame) iter.Seq[*Frame] {
	return func(yield func(*Frame) bool) {
		if f.fan == nil {
			return
		}
		for i := range f.fan.next {
			if c := w.frame(f.fan.first + i); c != nil && !yield(c) {
				return
			}
		}
	}
}

// discard removes what a fan-out has left: frames of children at any depth, and results.
func (w *run) discard(f *Frame) {
	fan := f.fan
	if fan == nil {
		return
	}
	for i := range fan.next {
		var c *Frame
		if fan.running > 0 {
			c = w.frame(fan.first + i)
		}
		if c == nil {
			w.dropPayload(fan.results + i)
			continue
		}
		w.discard(c)
		w.removeFrame(c)
	}
	w.clear(&fan.input)
	f.fan, f.phase = nil, halted
}

// abortChildren records and carries out the end of a fan-out's children after one of them failed, or after the fan-out
// itself did (failed nil). All the events follow from the failing one.
func (w *run) abortChildren(p *Frame, failed *Frame) {
	s := w.def.States[p.state]
	if failed != nil {
		p.last = failed.last
		// What timed out at the same moment has timed out too, as on AWS.
		for c := range w.children(p) {
			if state := w.def.States[c.state]; c != failed && state.Type == asl.Task && c.overdue(w.ms) {
				w.recordTimedOut(c, state)
			}
		}
	}
	for c := range w.children(p) {
		w.abort(c, s, p.last, c == failed)
	}
}

// abort records and carries out the end of one child. A failing child's state counts as aborted too, in AWS's histories,
// but what is below it is over already.
func (w *run) abort(c *Frame, parent *asl.State, prev int64, failed bool) {
	if parent.Type == asl.Map {
		t := EventMapIterationAborted
		if failed {
			t = EventMapIterationFailed
		}
		e := w.event(t, prev)
		e.Name, e.Index = parent.Name, int64(c.index)
	}
	s := w.def.States[c.state]
	w.abortMapRun(c, prev)
	if t := aborted(s); t != 0 && c.phase != entering {
		w.event(t, prev)
	}
	w.cancelFrame(c)
	if failed {
		return
	}
	for g := range w.children(c) {
		w.abort(g, s, prev, false)
	}
}
