package naming

import (
	"errors"
	"reflect"
	"testing"

	"github.com/newel-run/newel/internal/aws"
)

func TestMember(t *testing.T) {
	for _, c := range []struct{ shape, member, sdk, optimized string }{
		{"", "stateMachineArn", "StateMachineArn", "StateMachineArn"},
		{"", "ETag", "ETag", "ETag"},
		{"", "DBInstanceIdentifier", "DbInstanceIdentifier", "DBInstanceIdentifier"},
		{"", "SSEKMSKeyId", "SsekmsKeyId", "SSEKMSKeyId"},
		{"", "KMSMasterKeyID", "KmsMasterKeyID", "KMSMasterKeyID"},
		{"", "ChecksumCRC32", "ChecksumCRC32", "ChecksumCRC32"},
		{"", "MD5OfMessageBody", "Md5OfMessageBody", "MD5OfMessageBody"},
		{"", "S3Bucket", "S3Bucket", "S3Bucket"},
		{"", "Equals", "EqualsValue", "Equals"},
		{"AttributeValue", "BOOL", "Bool", "BOOL"},
		{"AttributeValue", "NULL", "Nul", "NULL"},
		{"AttributeValue", "S", "S", "S"},
	} {
		s := &aws.Shape{Name: c.shape}
		if got := Member(SDK, s, c.member); got != c.sdk {
			t.Errorf("%s in aws-sdk: %s, want %s", c.member, got, c.sdk)
		}
		if got := Member(Optimized, s, c.member); got != c.optimized {
			t.Errorf("%s optimised: %s, want %s", c.member, got, c.optimized)
		}
	}
}

func TestPrefix(t *testing.T) {
	for id, want := range map[string]string{
		"DynamoDB": "DynamoDb", "SFN": "Sfn", "S3": "S3", "SQS": "Sqs", "CloudWatch Logs": "CloudWatchLogs", "Secrets Manager": "SecretsManager",
		"EventBridge": "EventBridge", "API Gateway": "ApiGateway", "ApiGatewayV2": "ApiGatewayV2", "SESv2": "SesV2", "IoT Data Plane": "IotDataPlane",
		"EC2": "Ec2", "ElastiCache": "ElastiCache", "Lambda": "Lambda", "WAFV2": "Wafv2", "Config Service": "Config", "DynamoDB Streams": "DynamoDbStreams",
	} {
		if got := Prefix(id); got != want {
			t.Errorf("Prefix(%s) = %s, want %s", id, got, want)
		}
	}
}

func TestErrorName(t *testing.T) {
	for _, c := range []struct{ service, code, want string }{
		{"dynamodb", "ResourceNotFoundException", "DynamoDb.ResourceNotFoundException"},
		{"dynamodb", "ValidationException", "DynamoDb.DynamoDbException"},
		{"sfn", "InvalidToken", "Sfn.InvalidTokenException"},
		{"s3", "NoSuchKey", "S3.NoSuchKeyException"},
		{"sqs", "AWS.SimpleQueueService.NonExistentQueue", "Sqs.QueueDoesNotExistException"},
		{"iam", "NoSuchEntity", "Iam.NoSuchEntityException"},
		{"lambda", "EC2ThrottledException", "Lambda.Ec2ThrottledException"},
		{"lambda", "KMSAccessDeniedException", "Lambda.KmsAccessDeniedException"},
		{"rds", "DBInstanceNotFound", "Rds.DbInstanceNotFoundException"},
	} {
		if got := ErrorName(aws.MustModel(c.service), c.code); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.service, c.code, got, c.want)
		}
	}
}

func TestOperation(t *testing.T) {
	for _, c := range []struct{ service, action, want string }{
		{"sfn", "startExecution", "StartExecution"}, {"rds", "createDBClusterSnapshot", "CreateDBClusterSnapshot"},
		{"sfn", "StartExecution", ""}, {"sfn", "nope", ""}, {"sfn", "", ""},
	} {
		op, ok := Operation(aws.MustModel(c.service), c.action)
		if ok != (c.want != "") || ok && (op.Name != c.want || Action(op.Name) != c.action) {
			t.Errorf("%s:%s: %v", c.service, c.action, op)
		}
	}
}

func TestToMembers(t *testing.T) {
	for _, c := range []struct {
		service, operation string
		style              Style
		params, want, body string
		unknown            []string
	}{
		{service: "states", operation: "StartExecution", params: `{"StateMachineArn":"a","Input":{"key": [1, 2.50]}}`, want: `{"stateMachineArn":"a","input":"{\"key\":[1,2.50]}"}`},
		{service: "dynamodb", operation: "PutItem", params: `{"TableName":"t","Item":{"id":{"S":"x"},"b":{"Bool":true},"n":{"Nul":true}}}`, want: `{"TableName":"t","Item":{"id":{"S":"x"},"b":{"BOOL":true},"n":{"NULL":true}}}`},
		{service: "dynamodb", operation: "PutItem", style: Optimized, params: `{"TableName":"t","Item":{"b":{"BOOL":true}}}`, want: `{"TableName":"t","Item":{"b":{"BOOL":true}}}`},
		{service: "dynamodb", operation: "PutItem", params: `{"Tablename":"t","Item":{"id":{"Strin":"x"}},"ReturnValues":null}`, unknown: []string{"Tablename", "Item.id.Strin"}},
		{service: "s3", operation: "PutObject", params: `{"Bucket":"b","Body":{"Dict": "Value"},"Key":"k"}`, want: `{"Bucket":"b","Key":"k"}`, body: `{"Dict":"Value"}`},
		{service: "s3", operation: "PutObject", params: `{"Bucket":"b","Key":"k","Body":"text data"}`, want: `{"Bucket":"b","Key":"k"}`, body: `"text data"`},
		{service: "monitoring", operation: "PutMetricData", params: `{"MetricData":[{"MetricName":"m","Timestamp":"2023-11-14T22:13:20Z"}]}`, want: `{"MetricData":[{"MetricName":"m","Timestamp":1700000000}]}`},
		{service: "sqs", operation: "SendMessage", style: Optimized, params: `{"QueueUrl":"q","MessageBody":{"a":1}}`, want: `{"QueueUrl":"q","MessageBody":"{\"a\":1}"}`},
	} {
		got, body, err := ToMembers(aws.MustModel(c.service).Operations[c.operation].Input, c.style, []byte(c.params))
		var unknown *UnknownFieldsError
		if errors.As(err, &unknown) != (c.unknown != nil) || unknown != nil && !reflect.DeepEqual(unknown.Fields, c.unknown) {
			t.Errorf("%s: error %v, want %v", c.params, err, c.unknown)
			continue
		}
		if string(got) != c.want || string(body) != c.body {
			t.Errorf("%s: %s, body %s, %v\nwant %s, %s", c.params, got, body, err, c.want, c.body)
		}
	}
}

func TestToPascal(t *testing.T) {
	for _, c := range []struct {
		service, operation    string
		style                 Style
		times                 Times
		canonical, body, want string
	}{
		{service: "states", operation: "StartExecution", canonical: `{"executionArn":"a","startDate":1700000000.123}`, want: `{"ExecutionArn":"a","StartDate":"2023-11-14T22:13:20.123Z"}`},
		{service: "states", operation: "DescribeExecution", style: Optimized, times: Millis, canonical: `{"executionArn":"a","startDate":1700000000.123,"error":null}`, want: `{"ExecutionArn":"a","StartDate":1700000000123}`},
		{service: "sqs", operation: "SendMessage", canonical: `{"MD5OfMessageBody":"m"}`, want: `{"Md5OfMessageBody":"m"}`},
		{service: "sqs", operation: "SendMessage", style: Optimized, canonical: `{"MD5OfMessageBody":"m"}`, want: `{"MD5OfMessageBody":"m"}`},
		{service: "s3", operation: "GetObject", canonical: `{"ContentLength":11,"LastModified":1700000000}`, body: "binary data", want: `{"ContentLength":11,"LastModified":"2023-11-14T22:13:20Z","Body":"binary data"}`},
		{service: "dynamodb", operation: "GetItem", canonical: `{"Item":{"n":{"N":"1.0"},"x":{"NULL":true}}}`, want: `{"Item":{"n":{"N":"1.0"},"x":{"Nul":true}}}`},
	} {
		got, err := ToPascal(aws.MustModel(c.service).Operations[c.operation].Output, c.style, c.times, []byte(c.canonical), []byte(c.body))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v\nwant %s", c.canonical, got, err, c.want)
		}
	}
}
