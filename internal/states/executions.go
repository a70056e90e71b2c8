package states

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/maprun"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/machine"
)

// maxInput is AWS's limit of an execution's input, in bytes of UTF-8.
const maxInput = 262144

func noExecution(arn string) *aws.Error {
	return aws.Errorf("ExecutionDoesNotExist", "Execution Does Not Exist: '%s'", arn)
}

func (s *Service) startExecution(ctx context.Context, c *service.Context) (any, error) {
	start, h, err := s.prepareStart(ctx, c)
	if err != nil {
		return nil, err
	}
	if h.Type == "EXPRESS" {
		return s.startExpress(ctx, c, *start)
	}
	at, err := s.engine.StartExecution(ctx, *start)
	if errors.Is(err, engine.ErrExists) {
		return nil, aws.Errorf("ExecutionAlreadyExists", "Execution Already Exists: '%s'", start.ARN)
	}
	if err != nil {
		return nil, err
	}
	s.began(c, start.ARN)
	return started(start.ARN, at), nil
}

// prepareStart checks the input of StartExecution and StartSyncExecution and finds the machine's current revision.
func (s *Service) prepareStart(ctx context.Context, c *service.Context) (*engine.StartInput, *head, error) {
	var in struct {
		StateMachineArn, Name string
		Input                 *string
		TraceHeader           string
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, nil, err
	}
	test := s.cutTest(&in.StateMachineArn)
	n, err := parseType(in.StateMachineArn, "stateMachine")
	if err == nil {
		err = s.checkTest(n, test)
	}
	if err != nil {
		return nil, nil, err
	}
	fresh := in.Name == "" && c.Token.Seq == 0
	if in.Name == "" {
		in.Name = nameFor(c.Token)
	} else if err := checkName(in.Name); err != nil {
		return nil, nil, err
	}
	input, err := executionInput(in.Input)
	if err != nil {
		return nil, nil, err
	}
	arn := n.machineARN()
	t, err := s.revisions.target(ctx, n)
	if err != nil {
		return nil, nil, err
	}
	if t == nil {
		return nil, nil, noMachine(in.StateMachineArn)
	}
	h := t.head
	if err := s.admit(c, h.Type == "EXPRESS"); err != nil {
		return nil, nil, err
	}
	r, err := s.revisions.revision(ctx, t.revision)
	if err != nil {
		return nil, nil, err
	}
	start := &engine.StartInput{Definition: t.revision, VersionARN: t.versionARN, AliasARN: t.aliasARN, Trace: in.TraceHeader, Parent: callerTrace(c.Trace), Waiter: c.Waiter, Test: test, Fresh: fresh, Start: machine.Start{
		ARN: executionARN(n, in.Name), Name: in.Name, MachineARN: arn, MachineName: h.Name, RoleARN: r.RoleARN,
		Region: n.Region, Input: input, Express: h.Type == "EXPRESS",
	}}
	if start.Express {
		n.Resource = "express:" + h.Name + ":" + in.Name + ":" + aws.NewUUID()
		start.ARN = n.ARN.String()
	}
	rand.Read(start.Seed[:])
	if c.Token.Seq != 0 {
		start.Token = fmt.Sprintf("%s/%d", c.Token.Source, c.Token.Seq)
	}
	return start, h, nil
}

// nameFor makes the name of an execution that was given none: an internal delivery that is repeated gets the same one.
func nameFor(t aws.Token) string {
	if t.Seq == 0 {
		return aws.NewUUID()
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", t.Source, t.Seq))
	return aws.FormatUUID([16]byte(sum[:16]))
}

// started is the answer of StartExecution, written by hand because it is the hottest.
func started(arn string, at time.Time) json.RawMessage {
	b := append(make([]byte, 0, len(arn)+64), `{"executionArn":`...)
	b = value.AppendString(b, arn)
	b = append(b, `,"startDate":`...)
	return append(appendEpoch(b, at.UnixMilli()), '}')
}

func executionARN(n name, execution string) string {
	a := n.ARN
	a.Resource = "execution:" + n.Tail[0] + ":" + execution
	return a.String()
}

// executionInput checks an execution's input and keeps its bytes as they are.
func executionInput(input *string) (*value.Doc, error) {
	if input == nil {
		return value.TextString("{}"), nil
	}
	if len(*input) > maxInput {
		return nil, aws.Errorf("InvalidExecutionInput", "Invalid State Machine Execution Input: 'Input size exceeded the maximum number of bytes service limit.'")
	}
	text := []byte(*input)
	if err := value.Valid(text); err != nil {
		return nil, aws.Errorf("InvalidExecutionInput", "Invalid State Machine Execution Input: '%s'", err)
	}
	return value.Text(text), nil
}

// executionOf takes the ARN of an execution that the API keeps: not that of an Express one.
func executionOf(c *service.Context) (string, error) {
	var in struct{ ExecutionArn string }
	if err := service.Decode(c.Request, &in); err != nil {
		return "", err
	}
	n, err := parseType(in.ExecutionArn, "execution")
	if err == nil && len(n.Tail) != 2 {
		err = invalidARN("Resource type not valid in this context: execution")
	}
	return in.ExecutionArn, err
}

func (s *Service) describe(ctx context.Context, c *service.Context) (*engine.Description, error) {
	arn, err := executionOf(c)
	if err != nil {
		return nil, err
	}
	d, err := s.engine.Describe(ctx, arn)
	if errors.Is(err, engine.ErrNotFound) {
		return nil, noExecution(arn)
	}
	return d, err
}

func (s *Service) describeExecution(ctx context.Context, c *service.Context) (any, error) {
	if out, ok, err := s.describeExpressChild(ctx, c); ok || err != nil {
		return out, err
	}
	if bare, err := metadataOnly(c); err != nil || bare {
		if err != nil {
			return nil, err
		}
		return s.describeMetadata(ctx, c)
	}
	d, err := s.describe(ctx, c)
	if err != nil {
		return nil, err
	}
	status := d.Root.Status()
	mapRun, pending, err := s.mapRunOfChild(ctx, d.ARN)
	if err != nil {
		return nil, err
	}
	b := appendMembers(nil, "executionArn", d.ARN, "stateMachineArn", d.MachineARN, "name", d.Name, "status", childStatus(status, pending))
	b = appendEpoch(append(b, `,"startDate":`...), d.StartMs())
	if status != machine.Running {
		b = appendEpoch(append(b, `,"stopDate":`...), d.Root.StopTime().UnixMilli())
	}
	b = appendMember(b, "input", d.Input.String())
	b = append(b, `,"inputDetails":{"included":true}`...)
	if d.Output != nil {
		b = appendMember(b, "output", d.Output.String())
		b = append(b, `,"outputDetails":{"included":true}`...)
	}
	b = appendMembers(b, "traceHeader", d.Trace, "stateMachineVersionArn", d.VersionARN, "stateMachineAliasArn", d.AliasARN, "mapRunArn", mapRun)
	b = appendPointer(b, "error", d.Root.Error())
	b = appendPointer(b, "cause", d.Root.Cause())
	b = appendRedrives(b, d.Root.Redrives(), d.Root.RedriveTime().UnixMilli())
	redriveStatus, reason, err := s.redriveStatus(ctx, d)
	if err != nil {
		return nil, err
	}
	return closeObject(appendMembers(b, "redriveStatus", redriveStatus, "redriveStatusReason", reason)), nil
}

// The helpers below write one JSON object member by member; the first comma is overwritten by closeObject.

func appendMember(b []byte, name, text string) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return value.AppendString(b, text)
}

// appendMembers writes the members whose text is not empty.
func appendMembers(b []byte, pairs ...string) []byte {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			b = appendMember(b, pairs[i], pairs[i+1])
		}
	}
	return b
}

func appendPointer(b []byte, name string, text *string) []byte {
	if text == nil {
		return b
	}
	return appendMember(b, name, *text)
}

func closeObject(b []byte) json.RawMessage {
	if len(b) == 0 {
		return json.RawMessage("{}")
	}
	b[0] = '{'
	return append(b, '}')
}

func (s *Service) describeForExecution(ctx context.Context, c *service.Context) (any, error) {
	arn, r, err := s.describeRevision(ctx, c)
	if err != nil {
		return nil, err
	}
	out := r.describe()
	out["updateDate"] = epoch(r.Updated)
	if isChild(arn) {
		run, _, err := s.maps.RunOf(ctx, arn)
		if err != nil && !errors.Is(err, maprun.ErrNotFound) {
			return nil, err
		}
		if run != nil {
			_, label, _ := strings.Cut(r.Machine, "/")
			out["mapRunArn"], out["label"] = run.ARN, label
		}
	}
	return out, nil
}

func (s *Service) stopExecution(ctx context.Context, c *service.Context) (any, error) {
	arn, err := executionOf(c)
	if err != nil {
		return nil, err
	}
	var in struct{ Error, Cause *string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	at, err := s.engine.Stop(ctx, arn, in.Error, in.Cause)
	if errors.Is(err, engine.ErrNotFound) {
		return nil, noExecution(arn)
	}
	if err != nil {
		return nil, err
	}
	return map[string]any{"stopDate": epochOf(at)}, nil
}

var statuses = map[string]machine.Status{"RUNNING": machine.Running, "SUCCEEDED": machine.Succeeded, "FAILED": machine.Failed,
	"TIMED_OUT": machine.TimedOut, "ABORTED": machine.Aborted}

func statusName(status machine.Status) string {
	for name, s := range statuses {
		if s == status {
			return name
		}
	}
	panic("states: not a status")
}

func (s *Service) listExecutions(ctx context.Context, c *service.Context) (any, error) {
	var in struct {
		StateMachineArn, MapRunArn, StatusFilter, RedriveFilter string
		MaxResults                                              int
		NextToken                                               *string
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if in.MapRunArn != "" {
		return s.listChildren(ctx, in.MapRunArn, in.StatusFilter, in.RedriveFilter, in.MaxResults, in.NextToken)
	}
	if in.StateMachineArn == "" {
		return nil, aws.Errorf("ValidationException", "Must provide a StateMachine ARN or MapRun ARN")
	}
	if err := checkRedriveFilters(in.StatusFilter, in.RedriveFilter); err != nil {
		return nil, err
	}
	n, err := parseType(in.StateMachineArn, "stateMachine")
	if err != nil {
		return nil, err
	}
	t, err := s.revisions.target(ctx, n)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, noMachine(in.StateMachineArn)
	}
	h := t.head
	if h.Type == "EXPRESS" {
		return nil, aws.Errorf("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine")
	}
	after, err := decodePage(in.NextToken)
	if err != nil {
		return nil, err
	}
	q := engine.ListQuery{MachineARN: h.ARN, Status: statuses[in.StatusFilter], Max: pageSize(in.MaxResults), After: after}
	if t.aliasARN != "" {
		q.Alias = t.aliasARN
	} else {
		q.Version = t.versionARN
	}
	rows, next, err := s.engine.List(ctx, q)
	if err != nil {
		return nil, err
	}
	return listed(h.ARN, rows, next), nil
}

func listed(machineARN string, rows []engine.Row, next string) json.RawMessage {
	b := []byte(`{"executions":[`)
	for i := range rows {
		r := &rows[i]
		if i > 0 {
			b = append(b, ',')
		}
		m := appendMembers(nil, "executionArn", r.ARN, "stateMachineArn", machineARN, "name", r.Name, "status", statusName(r.Status),
			"stateMachineVersionArn", r.Version, "stateMachineAliasArn", r.Alias)
		m = appendEpoch(append(m, `,"startDate":`...), r.StartMs())
		if r.Stop != 0 {
			m = appendEpoch(append(m, `,"stopDate":`...), r.Stop)
		}
		m = appendRedrives(m, r.Redrives, r.Redriven)
		b = append(b, closeObject(m)...)
	}
	b = append(b, ']')
	if next != "" {
		b = appendMember(b, "nextToken", encodePage(next))
	}
	return append(b, '}')
}

func (s *Service) sendTaskSuccess(ctx context.Context, c *service.Context) (any, error) {
	var in struct {
		TaskToken string
		Output    string
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if _, err := machine.ParseToken(in.TaskToken); err != nil {
		return nil, engine.ErrToken
	}
	if err := value.Valid([]byte(in.Output)); err != nil {
		return nil, aws.Errorf("InvalidOutput", "Invalid Output: '%s'", err)
	}
	return s.answer(ctx, in.TaskToken, machine.Event{Kind: machine.TaskSucceeded, Output: value.TextString(in.Output)})
}

func (s *Service) sendTaskFailure(ctx context.Context, c *service.Context) (any, error) {
	var in struct {
		TaskToken    string
		Error, Cause *string
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	return s.answer(ctx, in.TaskToken, machine.Event{Kind: machine.TaskFailed, Error: in.Error, Cause: in.Cause})
}

func (s *Service) sendTaskHeartbeat(ctx context.Context, c *service.Context) (any, error) {
	var in struct{ TaskToken string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	return s.answer(ctx, in.TaskToken, machine.Event{Kind: machine.TaskHeartbeat})
}

func (s *Service) answer(ctx context.Context, token string, ev machine.Event) (any, error) {
	answer, err := s.engine.AnswerToken(ctx, token, ev)
	if err != nil {
		return nil, err
	}
	switch answer {
	case machine.TooLate:
		return nil, aws.Errorf("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
	case machine.Unknown:
		return nil, aws.Errorf("TaskDoesNotExist", "Task does not exist")
	}
	return nil, nil
}

// pageSize is AWS's rule for maxResults: 0 means 100.
func pageSize(maxResults int) int { return min(cmp.Or(max(maxResults, 0), 100), 1000) }

// Page tokens are opaque: a position, a format byte and a check against other texts.

func encodePage(position string) string {
	return base64.StdEncoding.EncodeToString(append([]byte{1}, position...))
}

func decodePage(token *string) (string, error) {
	if token == nil {
		return "", nil
	}
	b, err := base64.StdEncoding.DecodeString(*token)
	if err != nil || !bytes.HasPrefix(b, []byte{1}) {
		return "", aws.Errorf("InvalidToken", "Invalid Token: 'Invalid token'")
	}
	return string(b[1:]), nil
}
