package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os/exec"
	"reflect"
	"testing"

	"github.com/newel-run/newel/internal/aws"
)

// botoCall is one call that boto3 makes, what the seam must see of it, what the service answers, and what boto3 must
// make of that.
type botoCall struct {
	service, method, arguments string

	operation string // "states:StartExecution"
	input     string // canonical
	body      string

	output  string
	blob    string
	header  http.Header
	failure *aws.Error

	want string
}

var botoCalls = []botoCall{
	{service: "stepfunctions", method: "start_execution", arguments: `{"stateMachineArn":"arn:aws:states:eu-west-1:123456789012:stateMachine:m","input":"{\"a\": 1.0}"}`,
		operation: "states:StartExecution", input: `{"stateMachineArn":"arn:aws:states:eu-west-1:123456789012:stateMachine:m","input":"{\"a\": 1.0}"}`,
		output: `{"executionArn":"arn:e","startDate":1700000000.123}`,
		want:   `{"status":200,"answer":{"executionArn":"arn:e","startDate":{"$time":"2023-11-14T22:13:20.123000+00:00"}}}`},
	{service: "stepfunctions", method: "start_sync_execution", arguments: `{"stateMachineArn":"m"}`,
		operation: "states:StartSyncExecution", input: `{"stateMachineArn":"m"}`,
		failure: aws.Errorf("StateMachineDoesNotExist", "State Machine Does Not Exist: 'm'"),
		want:    `{"status":400,"error":"StateMachineDoesNotExist","message":"State Machine Does Not Exist: 'm'","type":"StateMachineDoesNotExist"}`},
	{service: "dynamodb", method: "put_item", arguments: `{"TableName":"t","Item":{"id":{"S":"é\u0001"},"n":{"N":"1E+30"},"b":{"B":{"$bytes":"AAEC"}},"l":{"L":[{"BOOL":true},{"NULL":true}]}}}`,
		operation: "dynamodb:PutItem", input: `{"TableName":"t","Item":{"id":{"S":"é\u0001"},"n":{"N":"1E+30"},"b":{"B":"AAEC"},"l":{"L":[{"BOOL":true},{"NULL":true}]}}}`,
		output: `{"Attributes":{"b":{"B":"AAEC"}}}`,
		want:   `{"status":200,"answer":{"Attributes":{"b":{"B":{"$bytes":"AAEC"}}}}}`},
	{service: "dynamodb", method: "delete_table", arguments: `{"TableName":"t"}`,
		operation: "dynamodb:DeleteTable", input: `{"TableName":"t"}`,
		failure: aws.Errorf("ResourceNotFoundException", "Requested resource not found: Table: t not found"),
		want:    `{"status":400,"error":"ResourceNotFoundException","message":"Requested resource not found: Table: t not found","type":"ResourceNotFoundException"}`},
	{service: "sqs", method: "send_message", arguments: `{"QueueUrl":"http://x/1/q","MessageBody":"hi","MessageAttributes":{"k":{"DataType":"Binary","BinaryValue":{"$bytes":"/w=="}}}}`,
		operation: "sqs:SendMessage", input: `{"QueueUrl":"http://x/1/q","MessageBody":"hi","MessageAttributes":{"k":{"DataType":"Binary","BinaryValue":"/w=="}}}`,
		output: `{"MessageId":"id"}`,
		want:   `{"status":200,"answer":{"MessageId":"id"}}`},
	{service: "sqs", method: "get_queue_url", arguments: `{"QueueName":"q"}`,
		operation: "sqs:GetQueueUrl", input: `{"QueueName":"q"}`,
		failure: aws.Errorf("QueueDoesNotExist", "The specified queue does not exist."),
		want:    `{"status":400,"error":"AWS.SimpleQueueService.NonExistentQueue","message":"The specified queue does not exist.","type":"QueueDoesNotExist"}`},
	{service: "logs", method: "describe_log_groups", arguments: `{"logGroupNamePrefix":"/aws/"}`,
		operation: "logs:DescribeLogGroups", input: `{"logGroupNamePrefix":"/aws/"}`,
		output: `{"logGroups":[{"logGroupName":"/aws/x","creationTime":1700000000123}]}`,
		want:   `{"status":200,"answer":{"logGroups":[{"logGroupName":"/aws/x","creationTime":1700000000123}]}}`},
	{service: "sts", method: "get_caller_identity", arguments: `{}`,
		operation: "sts:GetCallerIdentity", input: `{}`,
		output: `{"UserId":"u","Account":"123456789012","Arn":"arn:aws:iam::123456789012:root"}`,
		want:   `{"status":200,"answer":{"UserId":"u","Account":"123456789012","Arn":"arn:aws:iam::123456789012:root"}}`},
	{service: "sts", method: "assume_role", arguments: `{"RoleArn":"arn:aws:iam::123456789012:role/r","RoleSessionName":"s","DurationSeconds":900,"Tags":[{"Key":"a","Value":"b c&d"}],"TransitiveTagKeys":["x","y"]}`,
		operation: "sts:AssumeRole", input: `{"RoleArn":"arn:aws:iam::123456789012:role/r","RoleSessionName":"s","DurationSeconds":900,"Tags":[{"Key":"a","Value":"b c&d"}],"TransitiveTagKeys":["x","y"]}`,
		output: `{"Credentials":{"AccessKeyId":"AKIAAAAAAAAAAAAAAAAA","SecretAccessKey":"s<&>","SessionToken":"t","Expiration":1700000000}}`,
		want:   `{"status":200,"answer":{"Credentials":{"AccessKeyId":"AKIAAAAAAAAAAAAAAAAA","SecretAccessKey":"s<&>","SessionToken":"t","Expiration":{"$time":"2023-11-14T22:13:20+00:00"}}}}`},
	{service: "iam", method: "get_role", arguments: `{"RoleName":"r"}`,
		operation: "iam:GetRole", input: `{"RoleName":"r"}`,
		failure: &aws.Error{Code: "NoSuchEntity", Message: "The role with name r cannot be found.", Status: 404},
		want:    `{"status":404,"error":"NoSuchEntity","message":"The role with name r cannot be found.","type":"NoSuchEntityException"}`},
	{service: "iam", method: "list_roles", arguments: `{"MaxItems":5}`,
		operation: "iam:ListRoles", input: `{"MaxItems":5}`,
		output: `{"Roles":[{"Path":"/","RoleName":"r","RoleId":"i","Arn":"arn","CreateDate":1700000000.5,"MaxSessionDuration":3600}],"IsTruncated":false}`,
		want:   `{"status":200,"answer":{"Roles":[{"Path":"/","RoleName":"r","RoleId":"i","Arn":"arn","CreateDate":{"$time":"2023-11-14T22:13:20.500000+00:00"},"MaxSessionDuration":3600}],"IsTruncated":false}}`},
	{service: "iam", method: "delete_role", arguments: `{"RoleName":"r"}`,
		operation: "iam:DeleteRole", input: `{"RoleName":"r"}`, output: `{}`, want: `{"status":200,"answer":{}}`},
	{service: "sns", method: "publish", arguments: `{"TopicArn":"t","Message":"m","MessageAttributes":{"a":{"DataType":"String","StringValue":"v"}}}`,
		operation: "sns:Publish", input: `{"TopicArn":"t","Message":"m","MessageAttributes":{"a":{"DataType":"String","StringValue":"v"}}}`,
		output: `{"MessageId":"id"}`, want: `{"status":200,"answer":{"MessageId":"id"}}`},
	{service: "sns", method: "get_topic_attributes", arguments: `{"TopicArn":"t"}`,
		operation: "sns:GetTopicAttributes", input: `{"TopicArn":"t"}`,
		output: `{"Attributes":{"Owner":"1","DisplayName":""}}`, want: `{"status":200,"answer":{"Attributes":{"Owner":"1","DisplayName":""}}}`},
	{service: "cloudformation", method: "create_stack", arguments: `{"StackName":"s","TemplateBody":"{}","Parameters":[{"ParameterKey":"k","ParameterValue":"v"}],"Capabilities":[],"DisableRollback":true}`,
		operation: "cloudformation:CreateStack", input: `{"StackName":"s","TemplateBody":"{}","Parameters":[{"ParameterKey":"k","ParameterValue":"v"}],"Capabilities":[],"DisableRollback":true}`,
		output: `{"StackId":"id"}`, want: `{"status":200,"answer":{"StackId":"id"}}`},
	{service: "lambda", method: "invoke", arguments: `{"FunctionName":"arn:aws:lambda:eu-west-1:123456789012:function:f","Qualifier":"3","LogType":"Tail","InvocationType":"RequestResponse","Payload":{"$bytes":"eyJhIjoxfQ=="}}`,
		operation: "lambda:Invoke", input: `{"FunctionName":"arn:aws:lambda:eu-west-1:123456789012:function:f","InvocationType":"RequestResponse","LogType":"Tail","Qualifier":"3"}`, body: `{"a":1}`,
		output: `{"StatusCode":200,"ExecutedVersion":"3"}`, blob: `"ok"`, header: http.Header{"X-Amz-Function-Error": {"Unhandled"}},
		want: `{"status":200,"answer":{"StatusCode":200,"ExecutedVersion":"3","FunctionError":"Unhandled","Payload":{"$bytes":"Im9rIg=="}}}`},
	{service: "lambda", method: "create_function", arguments: `{"FunctionName":"f","Role":"r","Runtime":"python3.12","Handler":"h.h","Code":{"ZipFile":{"$bytes":"UEs="}},"Environment":{"Variables":{"A":"b"}}}`,
		operation: "lambda:CreateFunction", input: `{"FunctionName":"f","Role":"r","Runtime":"python3.12","Handler":"h.h","Code":{"ZipFile":"UEs="},"Environment":{"Variables":{"A":"b"}}}`,
		output: `{"FunctionName":"f","LastModified":"2023-11-14T22:13:20.000+0000"}`,
		want:   `{"status":201,"answer":{"FunctionName":"f","LastModified":"2023-11-14T22:13:20.000+0000"}}`},
	{service: "lambda", method: "get_function", arguments: `{"FunctionName":"nope"}`,
		operation: "lambda:GetFunction", input: `{"FunctionName":"nope"}`,
		failure: aws.Errorf("ResourceNotFoundException", "Function not found: nope"),
		want:    `{"status":404,"error":"ResourceNotFoundException","message":"Function not found: nope","type":"ResourceNotFoundException"}`},
	{service: "lambda", method: "delete_function", arguments: `{"FunctionName":"f"}`,
		operation: "lambda:DeleteFunction", input: `{"FunctionName":"f"}`, output: `{"StatusCode":204}`, want: `{"status":204,"answer":{"StatusCode":204}}`},
	{service: "lambda", method: "list_functions", arguments: `{"MaxItems":2,"Marker":"a b"}`,
		operation: "lambda:ListFunctions", input: `{"Marker":"a b","MaxItems":2}`, output: `{"Functions":[]}`, want: `{"status":200,"answer":{"Functions":[]}}`},
	{service: "lambda", method: "tag_resource", arguments: `{"Resource":"arn:aws:lambda:eu-west-1:123456789012:function:f","Tags":{"a":"b"}}`,
		operation: "lambda:TagResource", input: `{"Resource":"arn:aws:lambda:eu-west-1:123456789012:function:f","Tags":{"a":"b"}}`, output: `{}`, want: `{"status":204,"answer":{}}`},
	{service: "lambda", method: "untag_resource", arguments: `{"Resource":"r","TagKeys":["a","b c"]}`,
		operation: "lambda:UntagResource", input: `{"Resource":"r","TagKeys":["a","b c"]}`, output: `{}`, want: `{"status":204,"answer":{}}`},
	{service: "batch", method: "describe_jobs", arguments: `{"jobs":["j"]}`,
		operation: "batch:DescribeJobs", input: `{"jobs":["j"]}`, output: `{"jobs":[{"jobName":"n"}]}`, want: `{"status":200,"answer":{"jobs":[{"jobName":"n"}]}}`},
	{service: "apigatewayv2", method: "get_api", arguments: `{"ApiId":"x"}`,
		operation: "apigatewayv2:GetApi", input: `{"ApiId":"x"}`, output: `{"Name":"n","CreatedDate":1700000000}`,
		want: `{"status":200,"answer":{"Name":"n","CreatedDate":{"$time":"2023-11-14T22:13:20+00:00"}}}`},
	{service: "scheduler", method: "get_schedule", arguments: `{"Name":"s","GroupName":"g"}`,
		operation: "scheduler:GetSchedule", input: `{"GroupName":"g","Name":"s"}`, output: `{"Name":"s"}`, want: `{"status":200,"answer":{"Name":"s"}}`},
	{service: "s3", method: "put_object", arguments: `{"Bucket":"b","Key":"dir/a b+é.txt","Body":{"$bytes":"aGk="},"ContentType":"text/plain","Metadata":{"my-key":"v"}}`,
		operation: "s3:PutObject", body: "hi", output: `{"ETag":"\"x\""}`, want: `{"status":200,"answer":{"ETag":"\"x\""}}`},
	{service: "s3", method: "get_object", arguments: `{"Bucket":"b","Key":"k/"}`,
		operation: "s3:GetObject", output: `{"ETag":"\"x\"","LastModified":1700000000,"Metadata":{"a":"1"},"ContentType":"text/plain"}`, blob: "data",
		want: `{"status":200,"answer":{"Body":{"$bytes":"ZGF0YQ=="},"ContentLength":4,"ContentType":"text/plain","ETag":"\"x\"","LastModified":{"$time":"2023-11-14T22:13:20+00:00"},"Metadata":{"a":"1"}}}`},
	{service: "s3", method: "list_objects_v2", arguments: `{"Bucket":"b","Prefix":"p/"}`,
		operation: "s3:ListObjectsV2", output: `{"Name":"b","KeyCount":1,"IsTruncated":false,"Contents":[{"Key":"p/1","Size":3,"LastModified":1700000000}]}`,
		want: `{"status":200,"answer":{"Name":"b","KeyCount":1,"IsTruncated":false,"Contents":[{"Key":"p/1","Size":3,"LastModified":{"$time":"2023-11-14T22:13:20+00:00"}}]}}`},
	{service: "s3", method: "get_object", arguments: `{"Bucket":"b","Key":"none"}`,
		operation: "s3:GetObject", failure: &aws.Error{Code: "NoSuchKey", Message: "The specified key does not exist.", Status: 404, Fields: map[string]any{"Key": "none"}},
		want: `{"status":404,"error":"NoSuchKey","message":"The specified key does not exist.","type":"NoSuchKey"}`},
	{service: "s3", method: "get_bucket_location", arguments: `{"Bucket":"b"}`,
		operation: "s3:GetBucketLocation", output: `{"LocationConstraint":"eu-west-1"}`, want: `{"status":200,"answer":{"LocationConstraint":"eu-west-1"}}`},
	{service: "s3", method: "create_bucket", arguments: `{"Bucket":"b","CreateBucketConfiguration":{"LocationConstraint":"eu-west-1"}}`,
		operation: "s3:CreateBucket", input: `{"Bucket":"b","CreateBucketConfiguration":{"LocationConstraint":"eu-west-1"}}`, output: `{"Location":"/b"}`,
		want: `{"status":200,"answer":{"Location":"/b"}}`},
	{service: "cloudwatch", method: "put_metric_data", arguments: `{"Namespace":"n","MetricData":[{"MetricName":"m","Value":1.5,"Timestamp":{"$time":"2023-11-14T22:13:20+00:00"}}]}`,
		operation: "monitoring:PutMetricData", input: `{"Namespace":"n","MetricData":[{"MetricName":"m","Timestamp":1700000000,"Value":1.5}]}`, output: `{}`,
		want: `{"status":200,"answer":{}}`},
	{service: "cloudwatch", method: "describe_alarms", arguments: `{"AlarmNames":["a"]}`,
		operation: "monitoring:DescribeAlarms", input: `{"AlarmNames":["a"]}`,
		output: `{"MetricAlarms":[{"AlarmName":"a","Threshold":2.5,"EvaluationPeriods":70000,"ActionsEnabled":true,"StateUpdatedTimestamp":1700000000.25}]}`,
		want:   `{"status":200,"answer":{"MetricAlarms":[{"AlarmName":"a","Threshold":2.5,"EvaluationPeriods":70000,"ActionsEnabled":true,"StateUpdatedTimestamp":{"$time":"2023-11-14T22:13:20.250000+00:00"}}]}}`},
	{service: "cloudwatch", method: "set_alarm_state", arguments: `{"AlarmName":"a","StateValue":"OK","StateReason":"r"}`,
		operation: "monitoring:SetAlarmState", input: `{"AlarmName":"a","StateValue":"OK","StateReason":"r"}`,
		failure: aws.Errorf("ResourceNotFound", "no such alarm"),
		want:    `{"status":404,"error":"ResourceNotFound","message":"no such alarm","type":"ResourceNotFound"}`},
}

// TestBoto3 drives the gateway with the real client library.
func TestBoto3(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED: no python3 on this machine, so the gateway was not tested with a real client")
	}
	if err := exec.Command(python, "-c", "import boto3").Run(); err != nil {
		t.Skip("SKIPPED: python3 has no boto3, so the gateway was not tested with a real client")
	}
	t.Run("trusted", func(t *testing.T) { callAll(t, python, Config{}) })
	// botocore's signer judges our check of signatures.
	t.Run("verified", func(t *testing.T) {
		callAll(t, python, Config{Credentials: credentialsFile(t, "[test]\naws_access_key_id=123456789012\naws_secret_access_key=secret\n")})
	})
}

func callAll(t *testing.T, python string, cfg Config) {
	var seen []*aws.Request
	addr := serve(t, cfg, aws.CallerFunc(func(_ context.Context, r *aws.Request) (*aws.Output, error) {
		c := botoCalls[len(seen)]
		seen = append(seen, r)
		if err := readStream(r); err != nil {
			return nil, err
		}
		if c.failure != nil {
			return nil, c.failure
		}
		return &aws.Output{Value: json.RawMessage(c.output), Body: []byte(c.blob), Header: c.header}, nil
	}))
	var script bytes.Buffer
	script.WriteByte('[')
	for i, c := range botoCalls {
		if i > 0 {
			script.WriteByte(',')
		}
		script.WriteString(`["` + c.service + `","` + c.method + `",` + c.arguments + `]`)
	}
	script.WriteByte(']')
	cmd := exec.Command(python, "testdata/calls.py", "http://"+addr)
	cmd.Stdin = &script
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%v: %s", err, stderr.String())
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	n := 0
	for ; lines.Scan() && n < len(botoCalls); n++ {
		c := botoCalls[n]
		if !sameJSONText(c.want, lines.Text()) {
			t.Errorf("%s %s: boto3 saw\n%s\nwant\n%s", c.service, c.method, lines.Text(), c.want)
		}
		if n >= len(seen) {
			t.Fatalf("%s %s reached no service", c.service, c.method)
		}
		checkSeen(t, c, seen[n])
	}
	if n != len(botoCalls) {
		t.Errorf("only %d of %d calls were made", n, len(botoCalls))
	}
}

func checkSeen(t *testing.T, c botoCall, r *aws.Request) {
	t.Helper()
	if got := r.Service + ":" + r.Operation; got != c.operation {
		t.Errorf("%s %s arrived as %s", c.service, c.method, got)
	}
	if r.Account != "123456789012" || r.Region != "eu-west-1" && c.service != "iam" {
		t.Errorf("%s %s: account %s, region %s", c.service, c.method, r.Account, r.Region)
	}
	if c.input != "" && !sameJSONText(c.input, string(r.Input)) {
		t.Errorf("%s %s: input\n%s\nwant\n%s", c.service, c.method, r.Input, c.input)
	}
	if r.Tail != (c.operation == "lambda:Invoke") {
		t.Errorf("%s %s: Tail is %v", c.service, c.method, r.Tail)
	}
	if string(r.Body) != c.body {
		t.Errorf("%s %s: body %q", c.service, c.method, r.Body)
	}
}

func sameJSONText(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	return reflect.DeepEqual(x, y)
}
