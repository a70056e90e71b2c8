package machine

import "github.com/newel-run/newel/asl/value"

// EventType is the type of a history event. The numbers are stored: a new type goes to the end.
type EventType uint8

// The types of event, as GetExecutionHistory names them.
const (
	EventActivityFailed EventType = iota + 1
	EventActivityScheduled
	EventActivityScheduleFailed
	EventActivityStarted
	EventActivitySucceeded
	EventActivityTimedOut
	EventChoiceStateEntered
	EventChoiceStateExited
	EventExecutionAborted
	EventExecutionFailed
	EventExecutionStarted
	EventExecutionSucceeded
	EventExecutionTimedOut
	EventFailStateEntered
	EventLambdaFunctionFailed
	EventLambdaFunctionScheduled
	EventLambdaFunctionScheduleFailed
	EventLambdaFunctionStarted
	EventLambdaFunctionStartFailed
	EventLambdaFunctionSucceeded
	EventLambdaFunctionTimedOut
	EventMapIterationAborted
	EventMapIterationFailed
	EventMapIterationStarted
	EventMapIterationSucceeded
	EventMapStateAborted
	EventMapStateEntered
	EventMapStateExited
	EventMapStateFailed
	EventMapStateStarted
	EventMapStateSucceeded
	EventParallelStateAborted
	EventParallelStateEntered
	EventParallelStateExited
	EventParallelStateFailed
	EventParallelStateStarted
	EventParallelStateSucceeded
	EventPassStateEntered
	EventPassStateExited
	EventSucceedStateEntered
	EventSucceedStateExited
	EventTaskFailed
	EventTaskScheduled
	EventTaskStarted
	EventTaskStartFailed
	EventTaskStateAborted
	EventTaskStateEntered
	EventTaskStateExited
	EventTaskSubmitFailed
	EventTaskSubmitted
	EventTaskSucceeded
	EventTaskTimedOut
	EventWaitStateAborted
	EventWaitStateEntered
	EventWaitStateExited
	EventMapRunAborted
	EventMapRunFailed
	EventMapRunStarted
	EventMapRunSucceeded
	EventExecutionRedriven
	EventMapRunRedriven
	EventEvaluationFailed
	eventTypesEnd
)

// Entered reports whether the event is one of a state's beginning.
func (t EventType) Entered() bool {
	switch t {
	case EventChoiceStateEntered, EventFailStateEntered, EventMapStateEntered, EventParallelStateEntered, EventPassStateEntered, EventSucceedStateEntered,
		EventTaskStateEntered, EventWaitStateEntered:
		return true
	}
	return false
}

var eventTypeNames = [eventTypesEnd]string{
	EventActivityFailed:               "ActivityFailed",
	EventActivityScheduled:            "ActivityScheduled",
	EventActivityScheduleFailed:       "ActivityScheduleFailed",
	EventActivityStarted:              "ActivityStarted",
	EventActivitySucceeded:            "ActivitySucceeded",
	EventActivityTimedOut:             "ActivityTimedOut",
	EventChoiceStateEntered:           "ChoiceStateEntered",
	EventChoiceStateExited:            "ChoiceStateExited",
	EventExecutionAborted:             "ExecutionAborted",
	EventExecutionFailed:              "ExecutionFailed",
	EventExecutionStarted:             "ExecutionStarted",
	EventExecutionSucceeded:           "ExecutionSucceeded",
	EventExecutionTimedOut:            "ExecutionTimedOut",
	EventFailStateEntered:             "FailStateEntered",
	EventLambdaFunctionFailed:         "LambdaFunctionFailed",
	EventLambdaFunctionScheduled:      "LambdaFunctionScheduled",
	EventLambdaFunctionScheduleFailed: "LambdaFunctionScheduleFailed",
	EventLambdaFunctionStarted:        "LambdaFunctionStarted",
	EventLambdaFunctionStartFailed:    "LambdaFunctionStartFailed",
	EventLambdaFunctionSucceeded:      "LambdaFunctionSucceeded",
	EventLambdaFunctionTimedOut:       "LambdaFunctionTimedOut",
	EventMapIterationAborted:          "MapIterationAborted",
	EventMapIterationFailed:           "MapIterationFailed",
	EventMapIterationStarted:          "MapIterationStarted",
	EventMapIterationSucceeded:        "MapIterationSucceeded",
	EventMapStateAborted:              "MapStateAborted",
	EventMapStateEntered:              "MapStateEntered",
	EventMapStateExited:               "MapStateExited",
	EventMapStateFailed:               "MapStateFailed",
	EventMapStateStarted:              "MapStateStarted",
	EventMapStateSucceeded:            "MapStateSucceeded",
	EventParallelStateAborted:         "ParallelStateAborted",
	EventParallelStateEntered:         "ParallelStateEntered",
	EventParallelStateExited:          "ParallelStateExited",
	EventParallelStateFailed:          "ParallelStateFailed",
	EventParallelStateStarted:         "ParallelStateStarted",
	EventParallelStateSucceeded:       "ParallelStateSucceeded",
	EventPassStateEntered:             "PassStateEntered",
	EventPassStateExited:              "PassStateExited",
	EventSucceedStateEntered:          "SucceedStateEntered",
	EventSucceedStateExited:           "SucceedStateExited",
	EventTaskFailed:                   "TaskFailed",
	EventTaskScheduled:                "TaskScheduled",
	EventTaskStarted:                  "TaskStarted",
	EventTaskStartFailed:              "TaskStartFailed",
	EventTaskStateAborted:             "TaskStateAborted",
	EventTaskStateEntered:             "TaskStateEntered",
	EventTaskStateExited:              "TaskStateExited",
	EventTaskSubmitFailed:             "TaskSubmitFailed",
	EventTaskSubmitted:                "TaskSubmitted",
	EventTaskSucceeded:                "TaskSucceeded",
	EventTaskTimedOut:                 "TaskTimedOut",
	EventWaitStateAborted:             "WaitStateAborted",
	EventWaitStateEntered:             "WaitStateEntered",
	EventWaitStateExited:              "WaitStateExited",
	EventMapRunAborted:                "MapRunAborted",
	EventMapRunFailed:                 "MapRunFailed",
	EventMapRunStarted:                "MapRunStarted",
	EventMapRunSucceeded:              "MapRunSucceeded",
	EventExecutionRedriven:            "ExecutionRedriven",
	EventMapRunRedriven:               "MapRunRedriven",
	EventEvaluationFailed:             "EvaluationFailed",
}

// String is the type's name in the API.
func (t EventType) String() string {
	if t == 0 || t >= eventTypesEnd {
		panic("machine: not an event type")
	}
	return eventTypeNames[t]
}

// HistoryEvent is one event of an execution's history. Which members a type has, beside ID, Prev, Time and Type:
//
//	ExecutionStarted                                     Input, RoleARN
//	ExecutionSucceeded                                   Output
//	ExecutionFailed, ExecutionTimedOut, ExecutionAborted Error, Cause
//	ExecutionRedriven                                    RedriveCount
//	*StateEntered                                        Name (of the state), Input
//	*StateExited                                         Name, Output, Assigned
//	LambdaFunctionScheduled                              Resource (ARN), Input, TimeoutSeconds, TaskRoleARN
//	ActivityScheduled                                    Resource (ARN), Input, TimeoutSeconds, HeartbeatSeconds
//	ActivityStarted                                      Worker
//	LambdaFunctionSucceeded, ActivitySucceeded           Output
//	LambdaFunction{Failed,ScheduleFailed,StartFailed,TimedOut}, Activity{Failed,ScheduleFailed,TimedOut}
//	                                                     Error, Cause
//	TaskScheduled                                        Resource, ResourceType, Region, Parameters, TimeoutSeconds, HeartbeatSeconds, TaskRoleARN
//	TaskStarted                                          Resource, ResourceType
//	TaskSubmitted, TaskSucceeded                         Resource, ResourceType, Output
//	Task{Failed,StartFailed,SubmitFailed,TimedOut}       Resource, ResourceType, Error, Cause
//	MapStateStarted                                      Length (present even if 0)
//	MapIteration*                                        Name (of the Map state), Index (present even if 0)
//	MapRunStarted                                        MapRunARN
//	MapRunFailed                                         Error, Cause
//	MapRunRedriven                                       MapRunARN, RedriveCount
//	EvaluationFailed                                     Name (the detail's "state"), Location, Error, Cause
//
// The others have no details: ParallelState{Started,Succeeded,Failed,Aborted}, MapState{Succeeded,Failed,Aborted},
// MapRun{Succeeded,Aborted}, LambdaFunctionStarted, TaskStateAborted, WaitStateAborted. A nil pointer, an empty string and
// zero seconds mean that the member is absent.
type HistoryEvent struct {
	ID   int64 // 1, 2, ... without a gap
	Prev int64 // 0 <= Prev < ID: the causal predecessor
	Time int64 // epoch milliseconds
	Type EventType

	Name         string
	Resource     string
	ResourceType string
	Region       string

	Input, Output, Parameters *value.Doc
	Assigned                  *value.Doc // variables: an object of their values as JSON texts
	Error, Cause              *string

	TimeoutSeconds   int64
	HeartbeatSeconds int64
	Length           int64
	Index            int64
	RedriveCount     int64

	Worker      string
	RoleARN     string
	TaskRoleARN string // taskCredentials.roleArn
	MapRunARN   string
	Location    string
}
