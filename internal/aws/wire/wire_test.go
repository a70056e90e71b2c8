package wire

import (
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/http1/header"
)

func call(t testing.TB, p Protocol, service, operation string) *Call {
	t.Helper()
	s := aws.MustModel(service)
	op := s.Operations[operation]
	if op == nil {
		t.Fatalf("%s has no %s", service, operation)
	}
	return &Call{Protocol: p, Service: s, Operation: op, RequestID: "id"}
}

func equalJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// The bodies are what AWS's clients send.
func TestDecodeQuery(t *testing.T) {
	for _, c := range []struct{ service, operation, body, want string }{
		{"sqs", "SendMessage", "Action=SendMessage&MessageBody=a+b%26c&QueueUrl=http%3A%2F%2Fh%2F1%2Fq&DelaySeconds=5&Version=2012-11-05",
			`{"QueueUrl":"http://h/1/q","MessageBody":"a b&c","DelaySeconds":5}`},
		{"sqs", "CreateQueue", "Action=CreateQueue&QueueName=q&Attribute.1.Name=VisibilityTimeout&Attribute.1.Value=30&Attribute.2.Name=DelaySeconds&Attribute.2.Value=0&Tag.1.Key=k&Tag.1.Value=v&Version=2012-11-05",
			`{"QueueName":"q","Attributes":{"VisibilityTimeout":"30","DelaySeconds":"0"},"tags":{"k":"v"}}`},
		{"sqs", "ReceiveMessage", "Action=ReceiveMessage&QueueUrl=q&AttributeName.1=All&MessageAttributeName.1=a&MessageAttributeName.2=b&MaxNumberOfMessages=10",
			`{"QueueUrl":"q","AttributeNames":["All"],"MessageAttributeNames":["a","b"],"MaxNumberOfMessages":10}`},
		{"sqs", "SendMessageBatch", "Action=SendMessageBatch&QueueUrl=q&SendMessageBatchRequestEntry.1.Id=1&SendMessageBatchRequestEntry.1.MessageBody=x&SendMessageBatchRequestEntry.1.MessageAttribute.1.Name=n&SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType=String&SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue=s",
			`{"QueueUrl":"q","Entries":[{"Id":"1","MessageBody":"x","MessageAttributes":{"n":{"DataType":"String","StringValue":"s"}}}]}`},
		{"iam", "CreateRole", "Action=CreateRole&Version=2010-05-08&RoleName=r&AssumeRolePolicyDocument=%7B%7D&Tags.member.2.Key=b&Tags.member.2.Value=2&Tags.member.1.Key=a&Tags.member.1.Value=1&Tags.member.10.Key=c&Tags.member.10.Value=3",
			`{"RoleName":"r","AssumeRolePolicyDocument":"{}","Tags":[{"Key":"a","Value":"1"},{"Key":"b","Value":"2"},{"Key":"c","Value":"3"}]}`},
		{"sns", "Publish", "Action=Publish&TopicArn=t&Message=m&MessageAttributes.entry.1.Name=a&MessageAttributes.entry.1.Value.DataType=String&MessageAttributes.entry.1.Value.StringValue=v",
			`{"TopicArn":"t","Message":"m","MessageAttributes":{"a":{"DataType":"String","StringValue":"v"}}}`},
		{"cloudformation", "CreateStack", "Action=CreateStack&StackName=s&Capabilities.member.1=CAPABILITY_IAM&Parameters=&DisableRollback=true",
			`{"StackName":"s","Capabilities":["CAPABILITY_IAM"],"Parameters":[],"DisableRollback":true}`},
		{"monitoring", "PutMetricData", "Action=PutMetricData&Namespace=n&MetricData.member.1.MetricName=m&MetricData.member.1.Value=1.5&MetricData.member.1.Timestamp=2023-11-14T22%3A13%3A20Z&MetricData.member.1.Dimensions.member.1.Name=d&MetricData.member.1.Dimensions.member.1.Value=v",
			`{"Namespace":"n","MetricData":[{"MetricName":"m","Value":1.5,"Timestamp":1700000000,"Dimensions":[{"Name":"d","Value":"v"}]}]}`},
		{"sts", "GetCallerIdentity", "Action=GetCallerIdentity&Version=2011-06-15", `{}`},
	} {
		m := &Message{Method: "POST", Path: "/", Body: []byte(c.body), Header: header.List{}}
		var r aws.Request
		if err := DecodeRequest(call(t, Query, c.service, c.operation), m, &r); err != nil || !equalJSON(r.Input, []byte(c.want)) {
			t.Errorf("%s\n%s, %v\nwant %s", c.body, r.Input, err, c.want)
		}
	}
}

// The first clients of SQS name the queue by the request's URL only.
func TestQueueByPath(t *testing.T) {
	for body, want := range map[string]string{
		"MessageBody=x":            `{"QueueUrl":"http://h:1/123456789012/q","MessageBody":"x"}`,
		"MessageBody=x&QueueUrl=u": `{"QueueUrl":"u","MessageBody":"x"}`,
		"":                         `{"QueueUrl":"http://h:1/123456789012/q"}`,
	} {
		m := &Message{Method: "POST", Path: "/123456789012/q", Body: []byte(body), Header: header.List{}}
		r := aws.Request{Host: "h:1"}
		if err := DecodeRequest(call(t, Query, "sqs", "SendMessage"), m, &r); err != nil || string(r.Input) != want {
			t.Errorf("%s: %s, %v", body, r.Input, err)
		}
	}
}

func TestDecodeQueryRefusals(t *testing.T) {
	for _, body := range []string{"DelaySeconds=x", "DelaySeconds=1.5", "MessageBody=%zz", "MessageAttribute.1.Name=n", "DelaySeconds.x=1",
		strings.Repeat("a.", 100) + "b=1", strings.Repeat("a=1&", 20001)} {
		m := &Message{Method: "POST", Body: []byte(body), Header: header.List{}}
		var r aws.Request
		err := DecodeRequest(call(t, Query, "sqs", "SendMessage"), m, &r)
		if e, ok := err.(*aws.Error); !ok || e.Code != "MalformedInput" {
			t.Errorf("%.60s: %v, input %s", body, err, r.Input)
		}
	}
}

// The answers are written as AWS writes them.
func TestEncodeQuery(t *testing.T) {
	for _, c := range []struct{ service, operation, value, want string }{
		{"sqs", "SendMessage", `{"MessageId":"i","MD5OfMessageBody":"m"}`,
			`<SendMessageResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><SendMessageResult><MessageId>i</MessageId><MD5OfMessageBody>m</MD5OfMessageBody></SendMessageResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></SendMessageResponse>`},
		{"sqs", "DeleteMessage", `{}`,
			`<DeleteMessageResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></DeleteMessageResponse>`},
		{"sqs", "ReceiveMessage", `{"Messages":[{"Body":"<x>","Attributes":{"SentTimestamp":"1"},"MessageAttributes":{"a":{"DataType":"String","StringValue":"v"}}}]}`,
			`<ReceiveMessageResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><ReceiveMessageResult><Message><Body>&lt;x&gt;</Body><Attribute><Name>SentTimestamp</Name><Value>1</Value></Attribute><MessageAttribute><Name>a</Name><Value><DataType>String</DataType><StringValue>v</StringValue></Value></MessageAttribute></Message></ReceiveMessageResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></ReceiveMessageResponse>`},
		{"sqs", "ListQueues", `{"QueueUrls":["a","b"]}`,
			`<ListQueuesResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><ListQueuesResult><QueueUrl>a</QueueUrl><QueueUrl>b</QueueUrl></ListQueuesResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></ListQueuesResponse>`},
		{"iam", "ListRoles", `{"Roles":[{"RoleName":"r","CreateDate":1700000000}],"IsTruncated":false}`,
			`<ListRolesResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListRolesResult><Roles><member><RoleName>r</RoleName><CreateDate>2023-11-14T22:13:20Z</CreateDate></member></Roles><IsTruncated>false</IsTruncated></ListRolesResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></ListRolesResponse>`},
		{"sns", "GetTopicAttributes", `{"Attributes":{"Owner":"1"}}`,
			`<GetTopicAttributesResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><GetTopicAttributesResult><Attributes><entry><key>Owner</key><value>1</value></entry></Attributes></GetTopicAttributesResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></GetTopicAttributesResponse>`},
	} {
		m, err := EncodeAnswer(call(t, Query, c.service, c.operation), &aws.Output{Value: json.RawMessage(c.value)})
		if err != nil || string(m.Body) != c.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", c.operation, err, m.Body, c.want)
		}
	}
}

func TestEncodeErrors(t *testing.T) {
	missing := aws.Errorf("QueueDoesNotExist", "no <queue>")
	for _, c := range []struct {
		protocol           Protocol
		service, operation string
		err                *aws.Error
		status             int
		header             http.Header
		body               string
	}{
		{JSON, "states", "StartExecution", &aws.Error{Code: "ValidationException", Message: "m", Fields: map[string]any{"reason": "R"}}, 400,
			http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, `{"__type":"ValidationException","message":"m","reason":"R"}`},
		{JSON, "sqs", "SendMessage", missing, 400, http.Header{"x-amzn-query-error": {"AWS.SimpleQueueService.NonExistentQueue;Sender"}},
			`{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no <queue>"}`},
		{Query, "sqs", "SendMessage", missing, 400, http.Header{"Content-Type": {"text/xml"}},
			`<ErrorResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><Error><Type>Sender</Type><Code>AWS.SimpleQueueService.NonExistentQueue</Code><Message>no &lt;queue&gt;</Message></Error><RequestId>id</RequestId></ErrorResponse>`},
		{Query, "iam", "GetRole", aws.Errorf("NoSuchEntity", "m"), 404, nil,
			`<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>m</Message></Error><RequestId>id</RequestId></ErrorResponse>`},
		{RESTJSON, "lambda", "GetFunction", aws.Errorf("ResourceNotFoundException", "m"), 404, http.Header{"x-amzn-ErrorType": {"ResourceNotFoundException"}},
			`{"Type":"User","Message":"m"}`},
		{RESTXML, "s3", "GetObject", &aws.Error{Code: "NoSuchKey", Message: "m", Status: 404, Fields: map[string]any{"Key": "k&"}}, 404, http.Header{"Content-Type": {"application/xml"}},
			"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>m</Message><Key>k&amp;</Key><RequestId>id</RequestId><HostId>" + aws.ExtendedRequestID("id") + "</HostId></Error>"},
		{JSON, "dynamodb", "PutItem", &aws.Error{Code: "InternalServerError", Message: "m", Fault: true}, 500, nil,
			`{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"m"}`},
	} {
		m := EncodeError(call(t, c.protocol, c.service, c.operation), c.err)
		if m.Status != c.status || string(m.Body) != c.body {
			t.Errorf("%s %s: %d %s\nwant %d %s", c.protocol, c.err.Code, m.Status, m.Body, c.status, c.body)
		}
		for k, v := range c.header {
			if !reflect.DeepEqual(m.Header.Values(k), v) {
				t.Errorf("%s %s: header %s %v, want %v", c.protocol, c.err.Code, k, m.Header.Values(k), v)
			}
		}
		got := decodeError(&Call{}, &Message{Status: m.Status, Header: header.Of(m.Header.HTTP()), Body: m.Body})
		e, ok := got.(*aws.Error)
		if want := c.err.Code; !ok || e.Code != want && e.Code != "AWS.SimpleQueueService.NonExistentQueue" || e.Message != c.err.Message || e.Fault != (c.status >= 500) {
			t.Errorf("%s %s: the client reads %+v", c.protocol, c.err.Code, got)
		}
	}
}

// What the client half writes the server half reads, and the other way round, in every protocol.
func TestRoundTrip(t *testing.T) {
	for _, c := range []struct {
		protocol                  Protocol
		service, operation        string
		input, body, output, blob string
	}{
		{JSON, "states", "StartExecution", `{"stateMachineArn":"a","input":"{\"n\":1.00}"}`, "", `{"executionArn":"e","startDate":1700000000.123}`, ""},
		{JSON, "dynamodb", "PutItem", `{"TableName":"t","Item":{"a":{"B":"AAE="}}}`, "", `{}`, ""},
		{Query, "sqs", "SendMessage", `{"QueueUrl":"q","MessageBody":"é\n<&>","MessageAttributes":{"k":{"DataType":"Binary","BinaryValue":"/w=="}}}`, "", `{"MessageId":"i"}`, ""},
		{Query, "sqs", "CreateQueue", `{"QueueName":"q","Attributes":{"A":"1"},"tags":{"t":"v"}}`, "", `{"QueueUrl":"u"}`, ""},
		{Query, "sqs", "ReceiveMessage", `{"QueueUrl":"q","AttributeNames":["All"],"MaxNumberOfMessages":3}`, "", `{"Messages":[{"Body":"b","Attributes":{"x":"1"}},{"Body":"c"}]}`, ""},
		{Query, "iam", "CreateRole", `{"RoleName":"r","AssumeRolePolicyDocument":"{}","Tags":[{"Key":"k","Value":"v"}]}`, "", `{"Role":{"RoleName":"r","CreateDate":1700000000.5,"Tags":[]}}`, ""},
		{Query, "monitoring", "PutMetricData", `{"Namespace":"n","MetricData":[{"MetricName":"m","Timestamp":1700000000,"Values":[1,2.5]}]}`, "", `{}`, ""},
		{RESTJSON, "lambda", "Invoke", `{"FunctionName":"arn:aws:lambda:us-east-1:1:function:f","InvocationType":"Event","LogType":"Tail","Qualifier":"a b"}`, `{"x":1}`, `{"StatusCode":202,"FunctionError":"Unhandled"}`, `"out"`},
		{RESTJSON, "lambda", "CreateFunction", `{"FunctionName":"f","Role":"r","Code":{"ZipFile":"UEs="}}`, "", `{"FunctionArn":"x","Timeout":3}`, ""},
		{RESTJSON, "lambda", "ListFunctions", `{"MaxItems":5,"Marker":"&="}`, "", `{"Functions":[{"FunctionName":"f"}]}`, ""},
		{RESTJSON, "apigatewayv2", "GetApis", `{"MaxResults":"2"}`, "", `{"Items":[{"Name":"n","ProtocolType":"HTTP","CreatedDate":1700000000}],"NextToken":"t"}`, ""},
		{RESTJSON, "scheduler", "TagResource", `{"ResourceArn":"arn:x/y z","Tags":[{"Key":"k","Value":"v"}]}`, "", `{}`, ""},
		{RESTXML, "s3", "PutObject", `{"Bucket":"b","Key":"a/b c+é","ContentType":"text/plain","Metadata":{"k":"v"}}`, "data", `{"ETag":"\"e\""}`, ""},
		{RESTXML, "s3", "GetObject", `{"Bucket":"b","Key":"k","IfModifiedSince":1700000000}`, "", `{"ETag":"e","LastModified":1700000000,"ContentLength":4,"ContentType":"text/plain"}`, "data"},
		{RESTXML, "s3", "PutBucketTagging", `{"Bucket":"b","Tagging":{"TagSet":[{"Key":"k","Value":"<v>"}]}}`, "", `{}`, ""},
		{RESTXML, "s3", "ListObjectsV2", `{"Bucket":"b","Prefix":"p","MaxKeys":3}`, "", `{"Name":"b","Contents":[{"Key":"k","Size":5,"LastModified":1700000000}],"CommonPrefixes":[{"Prefix":"p/"}],"IsTruncated":false}`, ""},
		{RESTXML, "route53", "CreateHostedZone", `{"Name":"n","CallerReference":"c","HostedZoneConfig":{"PrivateZone":true}}`, "", `{"Location":"l","HostedZone":{"Id":"i","Name":"n","CallerReference":"c"}}`, ""},
	} {
		cl := call(t, c.protocol, c.service, c.operation)
		m, err := EncodeRequest(cl, &aws.Request{Input: []byte(c.input), Body: []byte(c.body)})
		if err != nil {
			t.Errorf("%s: %v", c.operation, err)
			continue
		}
		cl.Labels = labels(cl.Operation.URI, m.Path)
		m.Header = header.Of(m.Header.HTTP())
		var r aws.Request
		if err := DecodeRequest(cl, m, &r); err != nil || !equalJSON(r.Input, []byte(c.input)) || string(r.Body) != c.body {
			t.Errorf("%s %s: input %s, body %q, %v\nwant %s, %q\nwire %s %s %s", c.protocol, c.operation, r.Input, r.Body, err, c.input, c.body, m.Path, m.Query, m.Body)
		}
		out := &aws.Output{Value: json.RawMessage(c.output)}
		if c.blob != "" {
			out.Body = []byte(c.blob)
		}
		if m, err = EncodeAnswer(cl, out); err != nil {
			t.Errorf("%s: %v", c.operation, err)
			continue
		}
		m.Header = header.Of(m.Header.HTTP())
		got, err := DecodeAnswer(cl, m)
		if err != nil || !equalJSON(got.Value.(json.RawMessage), []byte(c.output)) || string(got.Body) != c.blob {
			t.Errorf("%s %s: output %s, %v\nwant %s\nwire %v %s", c.protocol, c.operation, got.Value, err, c.output, m.Header, m.Body)
		}
	}
}

// labels reads the labels of a path as a router would.
func labels(uri, path string) map[string]string {
	uri, _, _ = strings.Cut(uri, "?")
	want, got := strings.Split(uri, "/"), strings.Split(path, "/")
	out := map[string]string{}
	for i, w := range want {
		if name, ok := strings.CutPrefix(w, "{"); ok && i < len(got) {
			value := got[i]
			if strings.HasSuffix(name, "+}") {
				value = strings.Join(got[i:], "/")
			}
			out[strings.TrimRight(name, "+}")] = unescapePath(value)
		}
	}
	return out
}

func unescapePath(s string) string {
	u, err := url.PathUnescape(s)
	if err != nil {
		return s
	}
	return u
}

// A value in CBOR as clients of CloudWatch send it, with definite and indefinite lengths, tags and all float sizes.
func TestCBOR(t *testing.T) {
	c := call(t, CBOR, "monitoring", "PutMetricData")
	body := "\xbf" + // {_
		"\x69Namespace\x61n" +
		"\x6aMetricData\x9f" + // [_
		"\xa4\x6aMetricName\x7f\x61a\x61b\xff\x65Value\xf9\x3e\x00\x69Timestamp\xc1\xfb\x41\xd9\x54\xfc\x40\x00\x00\x00\x71StorageResolution\x01" +
		"\xa1\x66Values\x82\x20\xfa\x3f\x80\x00\x00" +
		"\xff\xff"
	var r aws.Request
	err := DecodeRequest(c, &Message{Body: []byte(body)}, &r)
	want := `{"Namespace":"n","MetricData":[{"MetricName":"ab","Value":1.5,"Timestamp":1700000000,"StorageResolution":1},{"Values":[-1,1]}]}`
	if err != nil || string(r.Input) != want {
		t.Errorf("%s, %v\nwant %s", r.Input, err, want)
	}
	for _, bad := range []string{"\xbf", "\x61", "\xa1\x01\x01", "\x80", "\xa0\xa0", "\xa1\x61a\x1c", strings.Repeat("\xa1\x61a", 600), "\xa1\x61a\x5b\xff\xff\xff\xff\xff\xff\xff\xff"} {
		if err := DecodeRequest(c, &Message{Body: []byte(bad)}, &r); err == nil {
			t.Errorf("%q was taken as %s", bad[:min(len(bad), 20)], r.Input)
		}
	}
	out := `{"MetricAlarms":[{"AlarmName":"é","Threshold":2.5,"Period":-70000,"ActionsEnabled":true,"StateUpdatedTimestamp":1700000000.25,"Dimensions":[]}]}`
	m, err := EncodeAnswer(call(t, CBOR, "monitoring", "DescribeAlarms"), &aws.Output{Value: json.RawMessage(out)})
	if err != nil {
		t.Fatal(err)
	}
	d := cborReader{data: m.Body}
	back, err := d.value(nil, nil, 0)
	if err != nil || !equalJSON(back, []byte(out)) {
		t.Errorf("%x is %s, %v", m.Body, back, err)
	}
}

// Digits, order and blanks of a JSON body arrive as they were sent.
func TestJSONPassesThrough(t *testing.T) {
	body := ` {"stateMachineArn" : "a", "input":"x", "name": "n", "unknown": 1.000e+05} `
	var r aws.Request
	if err := DecodeRequest(call(t, JSON, "states", "StartExecution"), &Message{Body: []byte(body)}, &r); err != nil || string(r.Input) != strings.TrimSpace(body) {
		t.Errorf("%s, %v", r.Input, err)
	}
	for _, bad := range []string{"[]", "1", `{"a":}`, `{"a":1}{"b":2}`, "\xef\xbb\xbf{}", strings.Repeat("[", 20000)} {
		if err := DecodeRequest(call(t, JSON, "states", "StartExecution"), &Message{Body: []byte(bad)}, &r); err == nil {
			t.Errorf("%.20q was taken", bad)
		}
	}
}

// What must not be in a header does not get into one.
func TestHeaderText(t *testing.T) {
	m, err := EncodeAnswer(call(t, RESTXML, "s3", "HeadObject"), &aws.Output{Value: json.RawMessage(`{"ContentType":"a\r\nX-Evil: b\u0000","Metadata":{"k":"v\u007f\u0006w"}}`)})
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Header.Get("Content-Type"); got != "a  X-Evil: b " {
		t.Errorf("%q", got)
	}
	if got := m.Header.Get("x-amz-meta-k"); got != "v  w" {
		t.Errorf("%q", got)
	}
}
