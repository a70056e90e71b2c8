package task

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/internal/aws"
)

// row is what an integration needs to be told about itself.
type row struct {
	service, operation string // the call
	prefix             string // of error names: "Lambda" in "Lambda.ResourceNotFoundException"
	sdk                string // name of the service in causes, and of its general exception: "AWSLambda"
	tokens             bool   // .waitForTaskToken is there
	payload            bool   // the answer's body is a member of the result (lambda)
	bare               bool   // the result has no Sdk*Metadata
	sdkForm            bool   // aws-sdk: causes in the newer SDK's form
}

// optimised is the table of optimised integrations.
var optimised = map[string]*row{
	"lambda:invoke":       {service: "lambda", operation: "Invoke", prefix: "Lambda", sdk: "AWSLambda", tokens: true, payload: true},
	"sqs:sendMessage":     {service: "sqs", operation: "SendMessage", prefix: "SQS", sdk: "AmazonSQS", tokens: true},
	"dynamodb:getItem":    {service: "dynamodb", operation: "GetItem", prefix: "DynamoDB", sdk: "AmazonDynamoDBv2"},
	"dynamodb:putItem":    {service: "dynamodb", operation: "PutItem", prefix: "DynamoDB", sdk: "AmazonDynamoDBv2"},
	"dynamodb:updateItem": {service: "dynamodb", operation: "UpdateItem", prefix: "DynamoDB", sdk: "AmazonDynamoDBv2"},
	"dynamodb:deleteItem": {service: "dynamodb", operation: "DeleteItem", prefix: "DynamoDB", sdk: "AmazonDynamoDBv2"},
}

// general names the exception that stands for every error that a service's model does not declare, where it is not the
// service's name with "Exception".
var general = map[string]string{"AmazonDynamoDBv2": "AmazonDynamoDBException"}

// sdkPrefix is the spelling of a service in the error names and causes of aws-sdk integrations, where it is not the
// service id without spaces.
var sdkPrefix = map[string]string{
	"dynamodb": "DynamoDb", "sfn": "Sfn", "sqs": "Sqs", "sns": "Sns", "iam": "Iam", "sts": "Sts", "kms": "Kms", "ssm": "Ssm",
	"ses": "Ses", "sesv2": "SesV2", "ec2": "Ec2", "ecs": "Ecs", "ecr": "Ecr", "eks": "Eks", "rds": "Rds", "s3": "S3", "acm": "Acm",
	"cloudformation": "CloudFormation", "cloudwatchlogs": "CloudWatchLogs",
}

// exceptionOf names the exception classes whose names are not the error code with "Exception".
var exceptionOf = map[string]string{
	"AWS.SimpleQueueService.NonExistentQueue": "QueueDoesNotExistException", "QueueDoesNotExist": "QueueDoesNotExistException",
}

// sdkRow is the row of an aws-sdk integration, or why there is none.
func (r *Runner) sdkRow(i *asl.Integration) (*row, string) {
	info, ok := aws.Lookup(i.Service)
	if !ok {
		return nil, fmt.Sprintf("there is no AWS service %q", i.Service)
	}
	model, _ := aws.Model(info.Key)
	operation := strings.ToUpper(i.Action[:1]) + i.Action[1:]
	if model.Operations[operation] == nil {
		return nil, fmt.Sprintf("%s has no operation %s", i.Service, operation)
	}
	if !r.Has(model.Key, operation) {
		return nil, fmt.Sprintf("Newel does not have %s:%s yet", i.Service, operation)
	}
	prefix := sdkPrefix[i.Service]
	if prefix == "" {
		prefix = strings.ReplaceAll(model.ID, " ", "")
	}
	return &row{service: model.Key, operation: operation, prefix: prefix, sdk: prefix, tokens: true, sdkForm: true,
		payload: model.Key == "lambda" && operation == "Invoke"}, ""
}

// Problem says why a resource cannot be run, with what can; "" if it can. It is the check of CreateStateMachine.
func (r *Runner) Problem(i asl.Integration, _ string) string {
	if i.Kind == asl.LambdaARN || i.Kind == asl.Activity {
		return ""
	}
	if i.Pattern == asl.Sync || i.Pattern == asl.Sync2 {
		return fmt.Sprintf("Newel does not run %s:%s with .sync yet", i.Service, i.Action)
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
	return ""
}

func (r *row) contentType() string {
	if r.payload {
		return "application/json"
	}
	return "application/x-amz-json-1.0"
}

// failure turns a service's error into the task's, in the words of the SDK that the integration uses.
func (c *call) failure(err error) error {
	var e *aws.Error
	if !errors.As(err, &e) {
		return &Failure{c.row.prefix + ".SdkClientException", "Unable to execute HTTP request: " + err.Error()}
	}
	if e.Code == "SdkClientException" { // the call could not be made at all
		return &Failure{c.row.prefix + ".SdkClientException", e.Message}
	}
	if c.row.sdkForm {
		return &Failure{c.row.prefix + "." + c.exception(e), fmt.Sprintf("%s (Service: %s, Status Code: %d, Request ID: %s) (SDK Attempt Count: 1)",
			e.Message, c.row.sdk, e.HTTPStatus(), c.request.ID)}
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
