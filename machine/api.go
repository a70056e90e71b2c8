package machine

import (
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
)

// Key names one piece of an execution's state.
type Key struct {
	Kind byte   // KindRoot, KindFrame, KindPayload
	N    uint32 // frame or payload number; 0 for the root
}

// The kinds of piece.
const (
	KindRoot    byte = 'r' // one: status, counters, seed, identity (*Root)
	KindFrame   byte = 'f' // one thread of control: the machine's own, a Parallel branch, a Map iteration (*Frame)
	KindPayload byte = 'p' // a document too large to be written inline (*Payload)
)

// Piece is an immutable part of an execution's state: *Root, *Frame or *Payload.
type Piece interface {
	// Append appends the stored form, which starts with a version byte.
	Append(dst []byte) []byte
}

// Pieces is the pure look-up through which Step reads the state: nil where there is no such piece.
type Pieces func(Key) Piece

// Change is a piece that Step made or replaced, or removed (Piece nil).
type Change struct {
	Key   Key
	Piece Piece
}

// EventKind says what happened.
type EventKind uint8

// The kinds of event that Step takes.
const (
	Started          EventKind = iota + 1 // Start is set; there is no state yet
	TaskSubmitted                         // .sync and .waitForTaskToken: the request was accepted; Output is its response
	TaskSucceeded                         // Output is the result
	TaskFailed                            // Error, Cause
	TaskHeartbeat                         // SendTaskHeartbeat
	ActivityClaimed                       // a worker polled the task; Worker is its name
	TimerFired                            // Timer
	StopRequested                         // StopExecution; Error, Cause (nil if not given)
	Continue                              // the last Result said More
	RedriveRequested                      // RedriveExecution; a no-op if the execution is NotRedrivable
)

// Event is one thing that happened to an execution.
type Event struct {
	Kind    EventKind
	Now     time.Time // UTC, milliseconds
	Start   *Start
	Attempt Attempt    // task events: which attempt they answer
	Timer   Timer      // TimerFired
	Output  *value.Doc // TaskSubmitted, TaskSucceeded
	Error   *string    // TaskFailed, StopRequested
	Cause   *string
	Worker  string // ActivityClaimed
	// Callback: the answer came through SendTaskSuccess or SendTaskFailure and not from the request itself. It matters to
	// TaskFailed of .sync and .waitForTaskToken tasks: a callback's waits for TaskSubmitted to go before it in the history,
	// while after the request's own failure there is no TaskSubmitted.
	Callback bool
	// Gone is a pure look-up, as Pieces is: whether there is no activity of that ARN now. A task of one that is gone fails
	// before it is scheduled. nil: none is.
	Gone func(activityARN string) bool
	// Room is what a step's History has become when nobody looks at it any more: its memory is used again. nil for none.
	Room []HistoryEvent
	// Inspection is set if the execution is a test of one state.
	Inspection *Inspection
}

// Start is what an execution begins with.
type Start struct {
	ARN         string // of the execution
	Name        string
	MachineARN  string // unqualified
	MachineName string
	RoleARN     string
	Region      string
	Input       *value.Doc
	Seed        [16]byte // source of the execution's tokens, UUIDs and jitter
	Express     bool
}

// Attempt identifies one attempt of one task: tokens, outbox entries and timers carry it.
type Attempt struct {
	Frame uint32
	N     uint32 // unique within the execution, never reused
}

// TimerKind says what a timer is for.
type TimerKind uint8

// The kinds of timer.
const (
	WaitTimer      TimerKind = iota + 1 // a Wait state is over
	RetryTimer                          // a retrier's delay is over
	TaskTimer                           // TimeoutSeconds
	HeartbeatTimer                      // HeartbeatSeconds
	ExecutionTimer                      // the machine's TimeoutSeconds
)

// Timer identifies a timer. Engine keys it by At; a timer that fires late or twice is a no-op.
type Timer struct {
	Kind    TimerKind
	Attempt Attempt // Frame and the frame's current attempt or visit number; zero for ExecutionTimer
	At      time.Time
}

// CommandKind says what is to be done.
type CommandKind uint8

// The kinds of command.
const (
	RunTask     CommandKind = iota + 1 // send Task; its answer comes back as an event for Attempt
	CancelTask                         // nobody waits for Attempt any more: drop it if not sent, stop what it started if .sync
	SetTimer                           // Timer
	CancelTimer                        // Timer, exactly as it was set
)

// Command is one thing to be done after the commit that carries it.
type Command struct {
	Kind    CommandKind
	Attempt Attempt
	Task    *Task
	Timer   Timer
}

// Task is a request to run a task.
type Task struct {
	Integration asl.Integration
	Resource    string
	Arguments   *value.Doc
	Token       string // task token (".waitForTaskToken" and activities), and the idempotency token of the delivery
	Role        string // Credentials.RoleArn
	State       string // name of the state
	Timeout     int64  // seconds, 0 for none
	Heartbeat   int64
	Event       int64   `json:",omitempty"` // id of the event that scheduled it
	Retries     int     `json:",omitempty"` // how often the state was retried since it was entered
	MapRun      *MapRun `json:",omitempty"` // of a distributed Map; nil for a Task
}

// Status of an execution, as the API writes it.
type Status uint8

// The statuses.
const (
	Running Status = iota + 1
	Succeeded
	Failed
	TimedOut
	Aborted
)

// Answer says whether an event for a task attempt was taken.
type Answer uint8

// The answers.
const (
	Taken   Answer = iota // applied, or not an event for an attempt
	TooLate               // the attempt was there and is over: TaskTimedOut
	Unknown               // there never was such an attempt: TaskDoesNotExist
)

// Result is what a step leads to. Changes, History and what Commands need must become durable in one transaction;
// only then are Commands carried out and Answer given.
type Result struct {
	Changes  []Change
	History  []HistoryEvent // new events, numbered from the root's counter
	Commands []Command      // in order; what a later part of the same step has cancelled is not among them
	Answer   Answer
	Held     bool // the task's answer waits for TaskSubmitted: its request is still awaited, so it must be sent again after a crash
	Settled  bool // an answer that was held has been applied: the attempt is over
	More     bool // the budget is spent: Step again with Continue after the commit
	Status   Status
	// Decisions are what was chosen where a definition leaves a choice, in order: what tests of a definition cover.
	Decisions []Decision
	// No change at all: the event was late, repeated or unknown.
	NoOp bool
}

// Decision is one choice of an execution's way.
type Decision struct {
	State string
	Kind  DecisionKind
	Index int // of the rule, retrier or catcher
}

// DecisionKind says what was chosen.
type DecisionKind uint8

// The kinds of decision.
const (
	ChoseRule DecisionKind = iota + 1
	ChoseDefault
	Retried
	Caught
)

// Limits bound an execution and a step; zero fields mean AWS's figures.
type Limits struct {
	HistoryEvents    int // 25,000
	PayloadBytes     int // 262,144
	InlineIterations int // 40: concurrency of an inline Map
	StepTransitions  int // 256: transitions in one Step
	StepBytes        int // 1 MiB: changes in one Step
}
