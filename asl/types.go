package asl

import (
	"time"

	"github.com/newel-run/newel/asl/jsonpath"
	"github.com/newel-run/newel/asl/value"
)

// QueryLanguage is the expression language of a state.
type QueryLanguage string

// The query languages.
const (
	JSONPath QueryLanguage = "JSONPath"
	JSONata  QueryLanguage = "JSONata"
)

// Type is a state's type.
type Type uint8

// The state types; the set is closed.
const (
	Pass Type = iota + 1
	Task
	Choice
	Wait
	Succeed
	Fail
	Parallel
	Map
)

// Definition is a state machine that has passed validation. Only Compile makes one; it is immutable and shared.
type Definition struct {
	Source         string // exactly as it came
	Comment        string
	Version        string
	QueryLanguage  QueryLanguage
	TimeoutSeconds int64 // of the whole execution, 0 for none
	Root           *Scope
	Scopes         []*Scope // every States block, in document order; Scope.ID is the index
	States         []*State // every state, in document order; State.ID is the index
	// VariableReferences are the variables that each state reads, by the state's name, sorted; nil if none does.
	VariableReferences map[string][]string

	byName map[string]*State
}

// Scope is one States block: the machine's own, a Parallel's branch, a Map's processor.
type Scope struct {
	ID     int
	Owner  *State // the Parallel or Map that it belongs to, nil for the machine's own
	Start  *State
	States []*State // document order
}

// State is one state. The fields of other types than its own are zero.
type State struct {
	ID       int // stable for one definition text
	Name     string
	Type     Type
	Scope    *Scope
	Language QueryLanguage
	Comment  string
	End      bool
	Retry    []Retrier
	Catch    []Catcher

	Task     *TaskFields
	Branches []*Scope // Parallel
	Map      *MapFields

	// Exit is the state's own way out; its Next is nil when the state ends its scope (End, Succeed, Fail) or is a Choice
	// without Default.
	Exit

	// Private to the language: the data flow (see flow.go) and what the methods of the types' own fields need.
	flow   flow
	choice *choiceFields
	wait   *waitFields
	fail   *failFields
}

// TaskFields are the fields of a Task state beside its data flow.
type TaskFields struct {
	Resource                 string
	Integration              Integration
	HasTimeout, HasHeartbeat bool // a field or path for it is there

	timeout, heartbeat secondsField
	role               *expression
}

// Kind is the kind of thing that a Task's Resource names.
type Kind uint8

// The kinds of Resource.
const (
	Service   Kind = iota + 1 // arn:aws:states:::sqs:sendMessage and arn:aws:states:::aws-sdk:s3:getObject
	LambdaARN                 // arn:aws:lambda:...:function:NAME, the legacy form with LambdaFunction* events
	Activity                  // arn:aws:states:...:activity:NAME
)

// Pattern is how a task waits for its result.
type Pattern uint8

// The patterns.
const (
	RequestResponse Pattern = iota + 1
	Sync                    // .sync
	Sync2                   // .sync:2
	WaitForTaskToken
)

// Integration is a Task's Resource taken apart.
type Integration struct {
	Kind    Kind
	SDK     bool   // aws-sdk:
	Service string // "lambda", "sqs", "s3"
	Action  string // "invoke", "sendMessage", "getObject"
	Pattern Pattern
	// As in history events: resourceType "lambda" or "aws-sdk:s3", resource "invoke.waitForTaskToken".
	ResourceType, ResourceName string
}

// MapFields are the fields of a Map state beside its data flow.
type MapFields struct {
	Processor            *Scope
	Distributed          bool
	ExecutionType, Label string
	// Definition is the processor of a distributed Map as a state machine of its own: what its children run.
	Definition string

	distributed    *distributedFields
	items          *jsonpath.Path
	itemsQuery     *query    // Items in JSONata
	itemsFixed     *template // Items as an array of the definition
	selector       *template
	maxConcurrency secondsField
}

// Retrier is one entry of Retry.
type Retrier struct {
	ErrorEquals     []string
	IntervalSeconds int64   // >= 1
	MaxAttempts     int64   // >= 0
	BackoffRate     float64 // >= 1
	MaxDelaySeconds int64   // 0 for none
	FullJitter      bool
}

// Catcher is one entry of Catch.
type Catcher struct {
	ErrorEquals []string
	Exit
}

// Env is what the expressions of a state may look at.
type Env struct {
	// Input is what "$" means: the state's raw input for Effective, its effective input for Arguments, Choose and the
	// like, the result for Output's ResultSelector (Output sets it itself).
	Input *value.Doc
	// Context makes the context object, "$$"; it is called when an expression first looks into it, once an Env.
	Context func() *value.Doc
	// Variables looks a workflow variable up; nil where there are none.
	Variables func(name string) (*value.Doc, bool)
	// Random is the execution's own deterministic source, for States.UUID and States.MathRandom.
	Random func() uint64
	Now    time.Time
	// Trace is told what the document is at each stage of a state's data flow; nil where nobody watches.
	Trace func(s Stage, doc *value.Doc)

	context             *value.Doc // what Context has made
	result, errorOutput *value.Doc // of $states, where it has them
	states              *value.Object
	statesWhole         bool // states has the context object
}

// Error is an error that evaluating a state's fields ends in, with AWS's name and wording. The machine puts AWS's
// prefix ("An error occurred while executing the state ...") before Cause.
type Error struct {
	Name  string // "States.Runtime", "States.ReferencePathConflict" or "States.QueryEvaluationError"
	Cause string
	Field string // where a history event names it ("Parameters", "Output/x"), "" elsewhere
}

func (e *Error) Error() string { return e.Name + ": " + e.Cause }

// Severity of a diagnostic.
type Severity string

// The severities.
const (
	SeverityError   Severity = "ERROR"
	SeverityWarning Severity = "WARNING"
)

// Diagnostic is one thing that is wrong with a definition, in AWS's codes and wording.
type Diagnostic struct {
	Severity Severity
	Code     string // "SCHEMA_VALIDATION_FAILED", "MISSING_TRANSITION_TARGET", ...
	Message  string
	Location string // JSON pointer as AWS writes it: "/States/Pass/Next"; "" where AWS gives none
	Line     int    // 1-based position in the text, 0 if unknown
	Column   int
}

// Options say how a definition is to be checked.
type Options struct {
	Express bool
	// Resource says why a Task's Resource cannot be run here, in AWS's words and with what is supported; "" if it can.
	// nil accepts every resource that is well formed.
	Resource func(i Integration, resource string) string
	// Fragment: the machine is one state taken out of another machine, whose transitions may lead anywhere outside.
	Fragment bool
	// YAML lets the text be YAML too (command line only; the API takes JSON).
	YAML bool
}
