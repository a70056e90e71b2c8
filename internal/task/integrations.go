package task

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/naming"
	"github.com/newel-run/newel/internal/engine"
)

// row is what an integration needs to be told about itself.
type row struct {
	service, operation string // the call
	prefix             string // of error names: "Lambda" in "Lambda.ResourceNotFoundException"
	sdk                string // name of the service in causes, and of its general exception: "AWSLambda"
	tokens             bool   // .waitForTaskToken is there
	payload            bool   // the answer's body is a member of the result (lambda)
	bare               bool   // the result has no Sdk*Metadata
	// check makes the integration one without a model: its parameters, of which check says what is wrong, its result and its
	// errors go as they are.
	check   func(params *value.Doc) string
	http    bool // the task is a request to an HTTP API (http.go), no call
	sdkForm bool // aws-sdk: members and causes in the newer SDK's form
	// attributes are the members that hold attribute values, which may be written as bare strings.
	attributes []string
	// adapt changes the parameters before they are sent; verdict looks at the result and may fail the task.
	adapt   func(d engine.Dispatch, params *value.Doc) *value.Doc
	verdict func(result []byte) error
	// sync: .sync and .sync:2 are there; the service answers the request's Waiter when the work ends. cancel makes the call
	// that stops the work.
	sync   bool
	cancel func(c *call) (*aws.Request, error)
}

// stopExecution stops the execution that states:startExecution.sync has started: the one that the same request under the
// same delivery would start again.
func stopExecution(c *call) (*aws.Request, error) {
	req := *c.request
	req.Operation, req.Token, req.Waiter = "StopExecutionOf", aws.Token{}, nil
	req.Started = c.request.Token
	return &req, nil
}

// optimised is the table of optimised integrations.
var optimised = map[string]*row{
	"lambda:invoke":         {service: "lambda", operation: "Invoke", prefix: "Lambda", sdk: "AWSLambda", tokens: true, payload: true},
	"sqs:sendMessage":       {service: "sqs", operation: "SendMessage", prefix: "SQS", sdk: "AmazonSQS", tokens: true},
	"events:putEvents":      {service: "events", operation: "PutEvents", prefix: "EventBridge", sdk: "AmazonEventBridge", tokens: true, bare: true, adapt: withOrigin, verdict: failedEntry},
	"apigateway:invoke":     {service: "apigateway", operation: "ExecuteAPI", prefix: "ApiGateway", tokens: true, check: checkInvoke},
	"http:invoke":           {http: true},
	"sns:publish":           {service: "sns", operation: "Publish", prefix: "SNS", sdk: "AmazonSNS", tokens: true},
	"states:startExecution": {service: "states", operation: "StartExecution", prefix: "StepFunctions", sdk: "AWSStepFunctions", tokens: true, sync: true, cancel: stopExecution},
	"dynamodb:getItem":      {service: "dynamodb", operation: "GetItem", prefix: "DynamoDB", sdk: "AmazonDynamoDBv2", attributes: []string{"Key"}},
	"dynamodb:putItem":      {service: "dynamodb", operation: "PutItem", prefix: "DynamoDB", sdk: "AmazonDynamoDBv2", attributes: []string{"Item", "ExpressionAttributeValues"}},
	"dynamodb:updateItem":   {service: "dynamodb", operation: "UpdateItem", prefix: "DynamoDB", sdk: "AmazonDynamoDBv2", attributes: []string{"Key", "ExpressionAttributeValues"}},
	"dynamodb:deleteItem":   {service: "dynamodb", operation: "DeleteItem", prefix: "DynamoDB", sdk: "AmazonDynamoDBv2", attributes: []string{"Key", "ExpressionAttributeValues"}},
}

// general names the exception that stands for every error that a service's model does not declare, where it is not the
// service's name with "Exception".
var general = map[string]string{"AmazonDynamoDBv2": "AmazonDynamoDBException"}

// exceptionOf names the exception classes whose names are not the error code with "Exception".
var exceptionOf = map[string]string{
	"AWS.SimpleQueueService.NonExistentQueue": "QueueDoesNotExistException", "QueueDoesNotExist": "QueueDoesNotExistException",
}

// sdkRow is the row of an aws-sdk integration, or why there is none.
func (r *Runner) sdkRow(i *asl.Integration) (*row, string) {
	info, ok := aws.Lookup(i.Service)
	if !ok || info.SDK != i.Service {
		return nil, fmt.Sprintf("there is no AWS service %q", i.Service)
	}
	model := aws.MustModel(info.Key)
	op, ok := naming.Operation(model, i.Action)
	if !ok {
		return nil, fmt.Sprintf("%s has no action %s", i.Service, i.Action)
	}
	if !r.Has(model.Key, op.Name) {
		return nil, fmt.Sprintf("Newel does not have %s:%s yet", i.Service, i.Action)
	}
	prefix := naming.Prefix(model.ID)
	return &row{service: model.Key, operation: op.Name, prefix: prefix, sdk: prefix, tokens: true, sdkForm: true}, ""
}

// Problem says why a resource cannot be run, with what can; "" if it can. It is the check of CreateStateMachine.
func (r *Runner) Problem(i asl.Integration, _ string) string {
	if i.Kind == asl.LambdaARN || i.Kind == asl.Activity {
		return ""
	}
	if i.SDK {
		_, problem := r.sdkRow(&i)
		return problem
	}
	known := optimised[i.Service+":"+i.Action]
	if known == nil {
		return fmt.Sprintf("Newel has these optimised integrations: %s; and arn:aws:states:::aws-sdk:<service>:<action> for every operation of its services",
			strings.Join(slices.Sorted(maps.Keys(optimised)), ", "))
	}
	if i.Pattern == asl.WaitForTaskToken && !known.tokens {
		return i.Service + ":" + i.Action + " has no .waitForTaskToken"
	}
	if (i.Pattern == asl.Sync || i.Pattern == asl.Sync2) && !known.sync {
		return fmt.Sprintf("Newel does not run %s:%s with .sync yet", i.Service, i.Action)
	}
	return ""
}

func (r *row) contentType() string {
	if r.payload {
		return "application/json"
	}
	if r.service == "sns" {
		return "text/xml"
	}
	return "application/x-amz-json-1.0"
}

func (r *row) style() naming.Style {
	if r.sdkForm {
		return naming.SDK
	}
	return naming.Optimized
}

// withAttributes writes a bare string in the place of an attribute value as one of type S.
func (r *row) withAttributes(params *value.Doc) *value.Doc {
	out := params.Value().(*value.Object).Clone()
	for _, name := range r.attributes {
		v, _ := out.Get(name)
		values, ok := v.(*value.Object)
		if !ok {
			continue
		}
		values = values.Clone()
		for key, v := range values.All() {
			if text, ok := v.(string); ok {
				values.Set(key, value.NewObject(value.Member{Name: "S", Value: text}))
			}
		}
		out.Set(name, values)
	}
	return value.Of(out)
}

// failure turns a service's error into the task's, in the words of the SDK that the integration uses.
func (c *call) failure(err error) error {
	var e *aws.Error
	if c.row == nil {
		if errors.As(err, &e) {
			return &Failure{"States.Runtime", e.Message}
		}
		return &Failure{"States.Runtime", err.Error()}
	}
	if !errors.As(err, &e) {
		return &Failure{c.row.prefix + ".SdkClientException", "Unable to execute HTTP request: " + err.Error()}
	}
	if e.Code == "SdkClientException" { // the call could not be made at all
		return &Failure{c.row.prefix + ".SdkClientException", e.Message}
	}
	if c.row.check != nil {
		return &Failure{c.row.prefix + "." + e.Code, e.Message}
	}
	if c.row.sdkForm {
		message, extended := e.Message, ""
		if c.row.service == "s3" {
			extended = ", Extended Request ID: " + aws.ExtendedRequestID(c.request.ID)
			if c.operation.Method == http.MethodHead {
				message = "" // an answer without a body has no message
			}
		}
		if message == "" {
			message = "null"
		}
		return &Failure{naming.ErrorName(c.model, e.Code), fmt.Sprintf("%s (Service: %s, Status Code: %d, Request ID: %s%s)",
			message, c.row.sdk, e.HTTPStatus(), c.request.ID, extended)}
	}
	return &Failure{c.row.prefix + "." + c.exception(e), fmt.Sprintf("%s (Service: %s; Status Code: %d; Error Code: %s; Request ID: %s; Proxy: null)",
		e.Message, c.row.sdk, e.HTTPStatus(), e.Code, c.request.ID)}
}

// exception is the class name of an error: its code if the operation declares it, else the service's general one.
func (c *call) exception(e *aws.Error) string {
	if name := exceptionOf[e.Code]; name != "" {
		return name
	}
	for _, s := range c.operation.Errors {
		if s.Name == e.Code || s.ErrorCode == e.Code {
			return strings.TrimSuffix(s.Name, "Exception") + "Exception"
		}
	}
	if name := general[c.row.sdk]; name != "" {
		return name
	}
	return c.row.sdk + "Exception"
}
