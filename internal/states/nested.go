package states

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/machine"
)

// stopExecutionOf is an operation that only this server's tasks call: it stops the execution that a StartExecution with
// the same input, delivered as Request.Started, has started.
const stopExecutionOf = "StopExecutionOf"

func (s *Service) stopExecutionOf(ctx context.Context, c *service.Context) (any, error) {
	var in struct{ StateMachineArn, Name string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	n, err := parseType(in.StateMachineArn, "stateMachine")
	if err != nil {
		return nil, err
	}
	if in.Name == "" {
		in.Name = nameFor(c.Started)
	}
	stop := *c.Request
	stop.Operation = "StopExecution"
	stop.Input, err = json.Marshal(map[string]string{"executionArn": executionARN(n, in.Name)})
	if err != nil {
		return nil, err
	}
	return s.Call(ctx, &stop)
}

// nestedResult is what a finished execution answers to the states:startExecution.sync task that waits for it: its
// description in PascalCase; of .sync:2 with Input and Output as values. Every end but success is States.TaskFailed with
// the description as cause.
func nestedResult(d *engine.Description, parsed bool) engine.Outcome {
	status := d.Root.Status()
	b := appendMembers(nil, "ExecutionArn", d.ARN)
	b = appendPointer(b, "Cause", d.Root.Cause())
	b = appendPointer(b, "Error", d.Root.Error())
	document := func(name string, doc *value.Doc) {
		if parsed && status == machine.Succeeded {
			b = append(append(append(append(b, `,"`...), name...), `":`...), doc.Bytes()...)
		} else {
			b = appendMember(b, name, doc.String())
		}
		b = append(append(append(b, `,"`...), name...), `Details":{"Included":true}`...)
	}
	document("Input", d.Input)
	b = appendMembers(b, "Name", d.Name)
	if d.Output != nil {
		document("Output", d.Output)
	}
	b = appendNumber(b, "RedriveCount", int64(d.Root.Redrives()), true)
	if d.Root.Redrives() > 0 {
		b = appendInt(append(b, `,"RedriveDate":`...), d.Root.RedriveTime().UnixMilli())
	}
	if status == machine.Succeeded {
		b = appendMembers(b, "RedriveStatus", "NOT_REDRIVABLE", "RedriveStatusReason", "Execution is SUCCEEDED and cannot be redriven")
	} else {
		b = appendMembers(b, "RedriveStatus", "REDRIVABLE")
	}
	b = appendInt(append(b, `,"StartDate":`...), d.StartMs())
	b = appendMembers(b, "StateMachineArn", d.MachineARN, "Status", statusName(status))
	b = appendInt(append(b, `,"StopDate":`...), d.Root.StopTime().UnixMilli())
	text := value.Text(closeObject(b))
	if status == machine.Succeeded {
		return engine.Outcome{Kind: engine.TaskSucceeded, Output: text}
	}
	name, cause := "States.TaskFailed", text.String()
	return engine.Outcome{Kind: engine.TaskFailed, Error: &name, Cause: &cause}
}

// startExpress starts an EXPRESS machine's execution; async ones are stored before the answer.
func (s *Service) startExpress(ctx context.Context, c *service.Context, start engine.StartInput) (any, error) {
	at, err := s.engine.StartExpress(ctx, start)
	if err != nil {
		return nil, err
	}
	s.began(c, start.ARN)
	return started(start.ARN, at), nil
}

// startSyncExecution runs an EXPRESS machine and answers with how it ended; a failed execution is a successful call.
func (s *Service) startSyncExecution(ctx context.Context, c *service.Context) (any, error) {
	start, h, err := s.prepareStart(ctx, c)
	if err != nil {
		return nil, err
	}
	if h.Type != "EXPRESS" {
		return nil, aws.Errorf("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine")
	}
	if r, err := s.revisions.revision(ctx, start.Definition); err != nil {
		return nil, err
	} else if err := s.keyUsable(ctx, r.protection()); err != nil {
		return nil, err
	}
	bare, err := metadataOnly(c)
	if err != nil {
		return nil, err
	}
	s.began(c, start.ARN)
	res, err := s.engine.RunExpress(ctx, *start)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, 1024+2*len(start.Input.Bytes()))
	b = appendMembers(b, "executionArn", start.ARN, "stateMachineArn", start.MachineARN, "name", start.Name, "status", statusName(res.Status))
	b = appendEpoch(append(b, `,"startDate":`...), res.Start.UnixMilli())
	b = appendEpoch(append(b, `,"stopDate":`...), res.Stop.UnixMilli())
	b = appendIncluded(b, "input", start.Input, !bare)
	b = appendIncluded(b, "output", res.Output, !bare)
	b = appendPointer(b, "error", res.Error)
	b = appendPointer(b, "cause", res.Cause)
	b = appendMembers(b, "traceHeader", start.Trace)
	memory, duration := billed(res.Stop.Sub(res.Start))
	b = appendInt(append(b, `,"billingDetails":{"billedMemoryUsedInMB":`...), memory)
	b = appendInt(append(b, `,"billedDurationInMilliseconds":`...), duration)
	return closeObject(append(b, '}')), nil
}

// appendIncluded writes a document, if there is one and data is asked for, and whether it would be there.
func appendIncluded(b []byte, name string, d *value.Doc, data bool) []byte {
	if d != nil && data {
		b = appendMember(b, name, d.String())
	}
	b = append(append(append(b, ',', '"'), name...), `Details":{"included":`...)
	return append(strconv.AppendBool(b, data), '}')
}
