package states

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/machine"
)

func (s *Service) getExecutionHistory(ctx context.Context, c *service.Context) (any, error) {
	arn, err := executionOf(c)
	if err != nil {
		return nil, err
	}
	var in struct {
		MaxResults           int
		ReverseOrder         bool
		NextToken            *string
		IncludeExecutionData *bool
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	q := engine.HistoryQuery{Max: pageSize(in.MaxResults), Reverse: in.ReverseOrder}
	if in.NextToken != nil {
		position, err := decodePage(in.NextToken)
		if err != nil {
			return nil, err
		}
		if q.From, err = strconv.ParseInt(position, 10, 64); err != nil || q.From < 1 {
			return nil, engine.ErrToken
		}
	}
	events, next, err := s.engine.History(ctx, arn, q)
	if errors.Is(err, engine.ErrNotFound) {
		return nil, noExecution(arn)
	}
	if err != nil {
		return nil, err
	}
	b := []byte(`{"events":[`)
	for i := range events {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendEvent(b, &events[i], in.IncludeExecutionData == nil || *in.IncludeExecutionData)
	}
	b = append(b, ']')
	if next != 0 {
		b = appendMember(b, "nextToken", encodePage(strconv.FormatInt(next, 10)))
	}
	return json.RawMessage(append(b, '}')), nil
}

// detailsOf names the member that holds the details of each type of event; types that are not here have none.
var detailsOf = func() map[machine.EventType]string {
	m := map[machine.EventType]string{
		machine.EventChoiceStateEntered: "stateEntered", machine.EventFailStateEntered: "stateEntered", machine.EventMapStateEntered: "stateEntered",
		machine.EventParallelStateEntered: "stateEntered", machine.EventPassStateEntered: "stateEntered", machine.EventSucceedStateEntered: "stateEntered",
		machine.EventTaskStateEntered: "stateEntered", machine.EventWaitStateEntered: "stateEntered",
		machine.EventChoiceStateExited: "stateExited", machine.EventMapStateExited: "stateExited", machine.EventParallelStateExited: "stateExited",
		machine.EventPassStateExited: "stateExited", machine.EventSucceedStateExited: "stateExited", machine.EventTaskStateExited: "stateExited",
		machine.EventWaitStateExited: "stateExited",
	}
	for _, t := range []machine.EventType{
		machine.EventActivityFailed, machine.EventActivityScheduled, machine.EventActivityScheduleFailed, machine.EventActivityStarted,
		machine.EventActivitySucceeded, machine.EventActivityTimedOut, machine.EventExecutionAborted, machine.EventExecutionFailed,
		machine.EventExecutionStarted, machine.EventExecutionSucceeded, machine.EventExecutionTimedOut, machine.EventExecutionRedriven,
		machine.EventLambdaFunctionFailed, machine.EventLambdaFunctionScheduled, machine.EventLambdaFunctionScheduleFailed,
		machine.EventLambdaFunctionStartFailed, machine.EventLambdaFunctionSucceeded, machine.EventLambdaFunctionTimedOut,
		machine.EventMapIterationAborted, machine.EventMapIterationFailed, machine.EventMapIterationStarted, machine.EventMapIterationSucceeded,
		machine.EventMapStateStarted, machine.EventMapRunStarted, machine.EventMapRunFailed, machine.EventMapRunRedriven,
		machine.EventTaskFailed, machine.EventTaskScheduled, machine.EventTaskStarted, machine.EventTaskStartFailed, machine.EventTaskSubmitFailed,
		machine.EventTaskSubmitted, machine.EventTaskSucceeded, machine.EventTaskTimedOut, machine.EventEvaluationFailed,
	} {
		name := t.String()
		m[t] = string(name[0]|0x20) + name[1:]
	}
	for t, name := range m {
		m[t] = name + "EventDetails"
	}
	return m
}()

// AppendEvent appends a history event as GetExecutionHistory writes it. data says whether inputs and outputs are in it.
func AppendEvent(b []byte, ev *machine.HistoryEvent, data bool) []byte {
	b = appendEpoch(append(b, `{"timestamp":`...), ev.Time)
	b = appendMember(b, "type", ev.Type.String())
	b = strconv.AppendInt(append(b, `,"id":`...), ev.ID, 10)
	b = strconv.AppendInt(append(b, `,"previousEventId":`...), ev.Prev, 10)
	if name := detailsOf[ev.Type]; name != "" {
		b = append(append(append(b, `,"`...), name...), `":`...)
		b = append(b, closeObject(appendDetails(nil, ev, data))...)
	}
	return append(b, '}')
}

func appendDetails(b []byte, ev *machine.HistoryEvent, data bool) []byte {
	nameMember := "name"
	if ev.Type == machine.EventEvaluationFailed {
		nameMember = "state"
	}
	b = appendMembers(b, nameMember, ev.Name, "resourceType", ev.ResourceType, "resource", ev.Resource, "region", ev.Region)
	b = appendData(b, "input", ev.Input, data)
	b = appendData(b, "output", ev.Output, data)
	if ev.Parameters != nil {
		text := "{}"
		if data {
			text = ev.Parameters.String()
		}
		b = appendMember(b, "parameters", text)
	}
	if ev.Assigned != nil && data {
		b = append(append(append(b, `,"assignedVariables":`...), ev.Assigned.Bytes()...), `,"assignedVariablesDetails":{"truncated":false}`...)
	}
	b = appendPointer(b, "error", ev.Error)
	b = appendPointer(b, "cause", ev.Cause)
	b = appendNumber(b, "timeoutInSeconds", ev.TimeoutSeconds, false)
	b = appendNumber(b, "heartbeatInSeconds", ev.HeartbeatSeconds, false)
	b = appendNumber(b, "redriveCount", ev.RedriveCount, false)
	switch ev.Type {
	case machine.EventMapStateStarted:
		b = appendNumber(b, "length", ev.Length, true)
	case machine.EventMapIterationStarted, machine.EventMapIterationSucceeded, machine.EventMapIterationFailed, machine.EventMapIterationAborted:
		b = appendNumber(b, "index", ev.Index, true)
	}
	b = appendMembers(b, "workerName", ev.Worker, "roleArn", ev.RoleARN, "mapRunArn", ev.MapRunARN, "location", ev.Location)
	if ev.TaskRoleARN != "" {
		b = append(b, `,"taskCredentials":`...)
		b = append(b, closeObject(appendMember(nil, "roleArn", ev.TaskRoleARN))...)
	}
	return b
}

func appendData(b []byte, name string, d *value.Doc, data bool) []byte {
	if d == nil || !data {
		return b
	}
	b = appendMember(b, name, d.String())
	b = append(append(b, ',', '"'), name...)
	return append(b, `Details":{"truncated":false}`...)
}

func appendNumber(b []byte, name string, n int64, zero bool) []byte {
	if n == 0 && !zero {
		return b
	}
	b = append(append(append(b, ',', '"'), name...), '"', ':')
	return strconv.AppendInt(b, n, 10)
}
