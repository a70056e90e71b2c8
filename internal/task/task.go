// Package task runs Task states: a Resource and its arguments become one aws.Request, the answer becomes the task's
// result in AWS's casing, an error becomes AWS's error name and cause.
//
// What differs between integrations is data (integrations.go): adding an optimised integration is adding a row. An
// aws-sdk integration needs no row: the API models say what an operation takes and answers.
package task

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/naming"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/service"
)

// Runner sends tasks through the seam. It implements engine.Dispatcher.
type Runner struct {
	// Caller is where the calls go.
	Caller aws.Caller
	// Has says whether an embedded service has an operation.
	Has func(service, operation string) bool
}

// Run implements engine.Dispatcher.
func (r *Runner) Run(ctx context.Context, d engine.Dispatch) engine.Outcome {
	call, err := r.plan(d)
	if err != nil {
		return failed(err)
	}
	if call.row != nil && call.row.http {
		return r.invokeHTTP(ctx, call, d)
	}
	out, err := r.Caller.Call(ctx, call.request)
	if err != nil {
		return failed(call.failure(err))
	}
	if call.task.Kind == asl.Activity {
		return engine.Outcome{Kind: engine.TaskQueued}
	}
	result, err := call.result(out)
	if err != nil {
		return failed(err)
	}
	kind := engine.TaskSucceeded
	if d.Task.Integration.Pattern != asl.RequestResponse && call.task.Kind == asl.Service {
		kind = engine.TaskSubmitted
	}
	return engine.Outcome{Kind: kind, Output: result}
}

// Cancel implements engine.Dispatcher: it stops what a .sync task has started.
func (r *Runner) Cancel(ctx context.Context, d engine.Dispatch) error {
	call, err := r.plan(d)
	if err != nil || call.row == nil || call.row.cancel == nil {
		return nil //nolint:nilerr // a task that could not be planned has started nothing
	}
	req, err := call.row.cancel(call)
	if err != nil {
		return err
	}
	_, err = r.Caller.Call(ctx, req)
	var e *aws.Error
	if errors.As(err, &e) && !e.Fault {
		return nil // it is not there, or it has ended
	}
	return err
}

// Failure is a task's error as the state machine sees it.
type Failure struct{ Name, Cause string }

func (f *Failure) Error() string { return f.Name + ": " + f.Cause }

func failed(err error) engine.Outcome {
	var f *Failure
	if !errors.As(err, &f) {
		f = &Failure{"States.TaskFailed", err.Error()}
	}
	return engine.Outcome{Kind: engine.TaskFailed, Error: &f.Name, Cause: &f.Cause}
}

// call is a task taken as a call of an operation.
type call struct {
	row       *row
	request   *aws.Request
	model     *aws.Service
	operation *aws.Operation
	task      *asl.Integration
	token     string // of the task
	legacy    bool   // direct function ARN: the payload is the whole result
}

// plan turns a task into its call.
func (r *Runner) plan(d engine.Dispatch) (*call, error) {
	arn, _ := aws.ParseARN(d.ExecutionARN)
	c := &call{task: &d.Task.Integration, token: d.Task.Token, request: &aws.Request{
		Account: arn.Account, Region: arn.Region, Principal: d.Task.Role, Token: d.Token, ID: aws.NewUUID(), Trace: d.Trace,
	}}
	if role, ok := aws.ParseARN(d.Task.Role); ok && role.Account != "" {
		c.request.Account = role.Account // Credentials: the role's account is the caller's
	}
	switch {
	case c.task.Kind == asl.LambdaARN:
		c.legacy = true
		c.row = optimised["lambda:invoke"]
		c.request.Input = append(value.AppendString([]byte(`{"FunctionName":`), d.Task.Resource), '}')
		c.request.Body = d.Task.Arguments.Bytes()
		return c, c.bind(nil)
	case c.task.Kind == asl.Activity:
		c.request.Service, c.request.Operation = "states", "ScheduleActivityTask"
		b := value.AppendString([]byte(`{"activityArn":`), d.Task.Resource)
		b = value.AppendString(append(b, `,"taskToken":`...), d.Task.Token)
		c.request.Input = append(append(append(b, `,"input":`...), d.Task.Arguments.Bytes()...), '}')
		return c, nil
	case c.task.SDK:
		row, problem := r.sdkRow(c.task)
		if problem != "" {
			return nil, &Failure{"States.Runtime", problem}
		}
		c.row = row
	default:
		c.row = optimised[c.task.Service+":"+c.task.Action]
		if c.row == nil {
			return nil, &Failure{"States.Runtime", r.Problem(*c.task, d.Task.Resource)}
		}
	}
	if err := value.Valid(d.Task.Arguments.Bytes()); err != nil || d.Task.Arguments.Bytes()[0] != '{' {
		return nil, unusable(d.Task.Arguments, "The parameters must be a JSON object")
	}
	params := d.Task.Arguments
	if c.row.http {
		return c, nil
	}
	if c.row.service == "sqs" {
		if err := checkQueueURL(params); err != nil {
			return nil, err
		}
	}
	if c.row.adapt != nil {
		params = c.row.adapt(d, params)
	}
	return c, c.bind(params)
}

// unusable is the error of parameters that cannot be sent.
func unusable(params *value.Doc, why string) error {
	return &Failure{"States.Runtime", fmt.Sprintf("The Parameters '%s' could not be used to start the Task: [%s]", params, why)}
}

// bind makes the request of the parameters.
func (c *call) bind(params *value.Doc) error {
	c.request.Service, c.request.Operation = c.row.service, c.row.operation
	if c.row.check != nil {
		if problem := c.row.check(params); problem != "" {
			return unusable(params, problem)
		}
		c.request.Input = params.Bytes()
		return nil
	}
	c.model = aws.MustModel(c.row.service)
	c.operation = c.model.Operations[c.row.operation]
	if c.legacy {
		return nil
	}
	if c.row.attributes != nil {
		params = c.row.withAttributes(params)
	}
	in, body, err := naming.ToMembers(c.operation.Input, c.row.style(), params.Bytes())
	var unknown *naming.UnknownFieldsError
	switch {
	case errors.As(err, &unknown):
		return unusable(params, fmt.Sprintf("The field '%s' is not supported by Step Functions", unknown.Fields[0]))
	case err != nil:
		return unusable(params, err.Error())
	}
	if c.row.payload {
		body = payloadText(body)
	}
	c.request.Input, c.request.Body = in, body
	if c.row.service == "s3" {
		c.fillS3()
	}
	if c.task.Pattern == asl.Sync || c.task.Pattern == asl.Sync2 {
		c.request.Waiter = &aws.Waiter{Token: c.token, Parsed: c.task.Pattern == asl.Sync2}
	}
	return nil
}

// payloadText is what lambda:invoke sends for a Payload that is a string: its text where that is JSON, else the string.
func payloadText(body []byte) []byte {
	if len(body) == 0 || body[0] != '"' {
		return body
	}
	if text, ok := value.Text(body).Value().(string); ok && value.Valid([]byte(text)) == nil {
		return []byte(text)
	}
	return body
}

// result turns an answer into the task's result.
func (c *call) result(out *aws.Output) (*value.Doc, error) {
	if c.row.payload {
		if err := functionError(out); err != nil {
			return nil, err
		}
		if c.legacy {
			return payload(out.Body), nil
		}
	}
	canonical, err := service.Marshal(out.Value)
	if err != nil {
		return nil, err
	}
	if c.row.check != nil {
		return value.Text(canonical), nil
	}
	if out.Stream != nil {
		if out.Body, err = readAll(out.Stream); err != nil {
			return nil, err
		}
	}
	if c.row.sdkForm {
		text, err := naming.ToPascal(c.operation.Output, naming.SDK, naming.ISO8601, canonical, out.Body)
		return value.Text(text), err
	}
	var text []byte
	if c.row.payload {
		text = appendInvocation(nil, out)
	} else if text, err = naming.ToPascal(c.operation.Output, naming.Optimized, naming.Millis, canonical, nil); err != nil {
		return nil, err
	}
	if c.row.verdict != nil {
		if err := c.row.verdict(text); err != nil {
			return nil, err
		}
	}
	if !c.row.bare {
		text = c.appendMetadata(text[:len(text)-1], len(canonical))
	}
	return value.Text(text), nil
}

// appendInvocation writes what lambda:invoke answers.
func appendInvocation(b []byte, out *aws.Output) []byte {
	b = value.AppendString(append(b, `{"ExecutedVersion":`...), cmp.Or(out.Header.Get("X-Amz-Executed-Version"), "$LATEST"))
	if log := out.Header.Get("X-Amz-Log-Result"); log != "" {
		b = value.AppendString(append(b, `,"LogResult":`...), log)
	}
	b = append(append(b, `,"Payload":`...), payload(out.Body).Bytes()...)
	return fmt.Appendf(b, `,"StatusCode":%d}`, cmp.Or(out.Status, 200))
}

// payload is a function's answer: JSON, else its text as a string; nothing is null.
func payload(body []byte) *value.Doc {
	if len(body) == 0 {
		return value.TextString("null")
	}
	if value.Valid(body) != nil {
		return value.Of(string(body))
	}
	return value.Text(body)
}

// functionError is the failure of a function that answered with an error.
func functionError(out *aws.Output) error {
	if out.Header.Get("X-Amz-Function-Error") == "" {
		return nil
	}
	var e struct {
		ErrorType string `json:"errorType"`
	}
	if json.Unmarshal(out.Body, &e) != nil || e.ErrorType == "" {
		e.ErrorType = "Lambda.Unknown"
	}
	cause := out.Body
	if value.Valid(cause) == nil {
		cause = value.Compact(nil, cause) // as AWS shows it
	}
	return &Failure{e.ErrorType, string(cause)}
}

// appendMetadata adds what the SDK of the optimised integrations tells about the HTTP answer, and closes the object.
func (c *call) appendMetadata(b []byte, length int) []byte {
	headers := [...][2]string{
		{"Connection", "keep-alive"}, {"Content-Length", strconv.Itoa(length)}, {"Content-Type", c.row.contentType()},
		{"Date", time.Now().UTC().Format(http.TimeFormat)}, {"x-amzn-RequestId", c.request.ID},
	}
	if len(b) > 1 {
		b = append(b, ',')
	}
	b = append(b, `"SdkHttpMetadata":{"AllHttpHeaders":{`...)
	for i, h := range headers {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(value.AppendString(append(value.AppendString(b, h[0]), ':', '['), h[1]), ']')
	}
	b = append(b, `},"HttpHeaders":{`...)
	for i, h := range headers {
		if i > 0 {
			b = append(b, ',')
		}
		b = value.AppendString(append(value.AppendString(b, h[0]), ':'), h[1])
	}
	b = append(b, `},"HttpStatusCode":200},"SdkResponseMetadata":{"RequestId":`...)
	return append(value.AppendString(b, c.request.ID), '}', '}')
}
