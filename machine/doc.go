// Package machine is the interpreter of the Amazon States Language as one pure function. Step takes a definition, an
// execution's state and one event, and returns the pieces of state that changed, the history events, and the commands to
// carry out once these are durable. It has no clock, no I/O, no goroutine and no randomness of its own: time arrives in
// events, ids are counters in the root, tokens, UUIDs and jitter derive from the seed that the start brings.
//
// # State
//
// An execution is a Root, a Frame per thread of control (its own, one for each branch of a Parallel, one for each iteration
// of a Map) and Payloads. All are immutable once returned: Step copies what it changes. A document of 1 KiB or more is
// stored as a payload of its own and named by its number, so that a frame stays small. A payload belongs to one frame (or
// the root), which removes it; frames further down may borrow it, since a parent outlives its children and does not leave
// its state before them. The result of a finished branch or iteration is a payload too, whatever its size: a Map reserves
// the numbers of its frames and of its results when it starts, so index i's are known by addition and no list of them is
// ever rewritten. Index i is finished when its frame is gone.
//
// What can be computed again from the state is not stored: a task's arguments (AWS evaluates them anew at each attempt), a
// Map's items, a random number (its generator is seeded by execution, frame, visit, attempt and purpose).
//
// # Order
//
// The frames that can go on stand in a queue. Each in turn makes one transition, that is, it enters a state and either
// leaves it or comes to wait; so branches and iterations advance breadth-first, in index order. The queue is empty between
// steps, except when the step's budget was spent: then the root carries it, Result.More is set, and any next event first
// restores it. Every event is numbered from the root's counter, and each frame remembers the event that its next one
// follows from.
//
// # What can fail
//
// An error in a state is an outcome, not a Go error: it goes to the state's retriers, its catchers, then to the Parallel or
// Map around it, and at last ends the execution. An event that is late, repeated or unknown changes nothing and is answered
// as such. Step panics only on its own bugs, which the checks beside Root and Frame catch at the end of every step.
//
// An execution that did not succeed keeps the frames in which it ended, as they were: what a redrive (redrive.go) starts from.
//
// # Inspection
//
// A test of one state (TestState) is an execution like any other whose events carry an Inspection: it begins with that state,
// notes what it sees at each stage, and ends with the state. There is no second interpreter for it.
package machine
