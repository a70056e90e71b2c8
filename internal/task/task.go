// Package task runs Task states: a Resource and its arguments become one aws.Request, the answer becomes the task's
// result in AWS's casing, an error becomes AWS's error name and cause.
//
// What differs between integrations is data (integrations.go): adding an optimised integration is adding a row. An
// aws-sdk integration needs no row: the API models say what an operation takes and answers.
package task

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/service"
)

// Runner sends tasks through the seam. It implements engine.Dispatcher.
type Runner struct {
	// Caller is where the calls go.
	Caller aws.Caller
	// Has says whether an embedded service has an operation.
	Has func(service, operation string) bool
	// Retry is how long a fault of the server (not of the service called) is retried before it becomes the task's error.
	Retry func(attempt int) (wait time.Duration, again bool)
}

// Run implements engine.Dispatcher.
func (r *Runner) Run(ctx context.Context, d engine.Dispatch) engine.Outcome {
	call, err := r.plan(d)
	if err != nil {
		return failed(err)
	}
	out, err := r.Caller.Call(ctx, call.request)
	if err != nil {
		return failed(call.failure(err))
	}
	result, err := call.result(out)
	if err != nil {
		return failed(err)
	}
	kind := engine.TaskSucceeded
	if d.Task.Integration.Pattern == asl.WaitForTaskToken {
		kind = engine.TaskSubmitted
	}
	return engine.Outcome{Kind: kind, Output: result}
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
	operation *aws.Operation
	task      *asl.Integration
	resource  string
	legacy    bool // direct function ARN: the payload is the whole result
}

// plan turns a task into its call.
func (r *Runner) plan(d engine.Dispatch) (*call, error) {
	arn, _ := aws.ParseARN(d.ExecutionARN)
	c := &call{task: &d.Task.Integration, resource: d.Task.Resource, request: &aws.Request{
		Account: arn.Account, Region: arn.Region, Principal: d.Task.Role, Token: d.Token, ID: requestID(),
	}}
	switch {
	case c.task.Kind == asl.LambdaARN:
		c.legacy = true
		c.row = optimised["lambda:invoke"]
		return c, c.bind(value.NewObject(value.Member{Name: "FunctionName", Value: d.Task.Resource}, value.Member{Name: "Payload", Value: d.Task.Arguments}))
	case c.task.Kind == asl.Activity:
		return nil, &Failure{"States.Runtime", "Newel does not run activities yet: " + d.Task.Resource}
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
	params, ok := d.Task.Arguments.Value().(*value.Object)
	if !ok {
		return nil, &Failure{"States.Runtime", fmt.Sprintf("The Parameters '%s' could not be used to start the Task: [The parameters must be a JSON object]", d.Task.Arguments)}
	}
	return c, c.bind(params)
}

// bind makes the request of the parameters.
func (c *call) bind(params *value.Object) error {
	model, ok := aws.Model(c.row.service)
	if !ok || model.Operations[c.row.operation] == nil {
		return &Failure{"States.Runtime", "There is no API model of " + c.row.service + ":" + c.row.operation}
	}
	c.operation = model.Operations[c.row.operation]
	c.request.Service, c.request.Operation = c.row.service, c.row.operation
	in, body, err := toMembers(c.operation.Input, params)
	if err != nil {
		return &Failure{"States.Runtime", fmt.Sprintf("The Parameters '%s' could not be used to start the Task: [%s]", value.Append(nil, params), err)}
	}
	c.request.Input, c.request.Body = in, body
	return nil
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
	text, err := service.Marshal(out.Value)
	if err != nil {
		return nil, err
	}
	v, err := value.Parse(text)
	if err != nil {
		return nil, err
	}
	result, err := toPascal(c.operation.Output, v)
	if err != nil {
		return nil, err
	}
	if c.row.payload {
		c.addInvocation(result, out)
	}
	if !c.task.SDK && !c.row.bare {
		c.addMetadata(result, len(text))
	}
	return value.Of(sorted(result)), nil
}

// addInvocation adds what lambda:invoke answers outside its JSON.
func (c *call) addInvocation(result *value.Object, out *aws.Output) {
	result.Set("ExecutedVersion", orLatest(out.Header.Get("X-Amz-Executed-Version")))
	result.Set("Payload", payload(out.Body).Value())
	status := out.Status
	if status == 0 {
		status = 200
	}
	result.Set("StatusCode", value.Int(int64(status)))
	if log := out.Header.Get("X-Amz-Log-Result"); log != "" {
		result.Set("LogResult", log)
	}
}

func orLatest(version string) string {
	if version == "" {
		return "$LATEST"
	}
	return version
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
	return &Failure{e.ErrorType, string(out.Body)}
}

// addMetadata adds what the SDK of the optimised integrations tells about the HTTP answer.
func (c *call) addMetadata(result *value.Object, length int) {
	headers := []value.Member{
		{Name: "Connection", Value: "keep-alive"}, {Name: "Content-Length", Value: fmt.Sprint(length)},
		{Name: "Content-Type", Value: c.row.contentType()}, {Name: "Date", Value: time.Now().UTC().Format(time.RFC1123)},
		{Name: "x-amzn-RequestId", Value: c.request.ID},
	}
	all := value.NewObject()
	for _, h := range headers {
		all.Set(h.Name, value.Array{h.Value})
	}
	result.Set("SdkHttpMetadata", value.NewObject(value.Member{Name: "AllHttpHeaders", Value: all},
		value.Member{Name: "HttpHeaders", Value: value.NewObject(headers...)}, value.Member{Name: "HttpStatusCode", Value: value.Int(200)}))
	result.Set("SdkResponseMetadata", value.NewObject(value.Member{Name: "RequestId", Value: c.request.ID}))
}

// requestID makes a request id of the form that most AWS services use.
func requestID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}
