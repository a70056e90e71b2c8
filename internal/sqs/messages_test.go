package sqs

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
)

func text(s string) *string { return &s }

// The digests are AWS's own: the example of its API reference, and one recorded from its answers. The binary one is the
// rule's, computed by hand: SDKs check answers by the same rule.
func TestMD5(t *testing.T) {
	if got := hexMD5("This is a test message"); got != "fafb00f5732ab283681e124bf8747ed1" {
		t.Errorf("body: %s", got)
	}
	for _, c := range []struct {
		attributes map[string]attribute
		want       string
	}{
		{nil, ""},
		{map[string]attribute{
			"my_attribute_name_1": {DataType: "String", StringValue: text("my_attribute_value_1")},
			"my_attribute_name_2": {DataType: "String", StringValue: text("my_attribute_value_2")},
		}, "c48838208d2b4e14e3ca0093a8443f09"},
		{map[string]attribute{"timestamp": {DataType: "Number", StringValue: text("1493147359900")}}, "235c5c510d26fb653d073faed50ae77c"},
		{map[string]attribute{
			"s": {DataType: "String", StringValue: text("é")},
			"b": {DataType: "Binary.png", BinaryValue: []byte{0, 1, 255}},
		}, "0ce1a95b68947d359e3a857240164215"},
	} {
		if got := attributesMD5(c.attributes); got != c.want {
			t.Errorf("%v: %s, want %s", c.attributes, got, c.want)
		}
	}
}

func TestSendAndReceive(t *testing.T) {
	w := newWorld(t)
	url := w.create("q", nil)
	r := request("SendMessage", object{"QueueUrl": url, "MessageBody": "This is a test message", "MessageGroupId": "g",
		"MessageAttributes": object{
			"my_attribute_name_1": object{"DataType": "String", "StringValue": "my_attribute_value_1"},
			"my_attribute_name_2": object{"DataType": "String", "StringValue": "my_attribute_value_2"},
		},
		"MessageSystemAttributes": object{"AWSTraceHeader": object{"DataType": "String", "StringValue": "Root=1"}}})
	r.Principal = "arn:aws:sts::000000000000:assumed-role/worker/me"
	sent, err := call(w.s, r)
	if err != nil {
		t.Fatal(err)
	}
	id := sent["MessageId"].(string)
	if sent["MD5OfMessageBody"] != "fafb00f5732ab283681e124bf8747ed1" || sent["MD5OfMessageAttributes"] != "c48838208d2b4e14e3ca0093a8443f09" || len(id) != 36 {
		t.Errorf("sent %v", sent)
	}
	w.now = w.now.Add(1500 * time.Millisecond)
	m := w.receive(url, nil)[0]
	want := object{
		"MessageId": id, "ReceiptHandle": m["ReceiptHandle"], "Body": "This is a test message", "MD5OfBody": "fafb00f5732ab283681e124bf8747ed1",
		"Attributes": object{"SenderId": aws.UniqueID("AROA", account, "worker") + ":me", "SentTimestamp": "1700000000000",
			"ApproximateReceiveCount": "1", "ApproximateFirstReceiveTimestamp": "1700000001500", "AWSTraceHeader": "Root=1", "MessageGroupId": "g"},
		"MD5OfMessageAttributes": "c48838208d2b4e14e3ca0093a8443f09",
		"MessageAttributes": object{
			"my_attribute_name_1": object{"DataType": "String", "StringValue": "my_attribute_value_1"},
			"my_attribute_name_2": object{"DataType": "String", "StringValue": "my_attribute_value_2"},
		},
	}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("received\n%v, want\n%v", m, want)
	}
	w.counts(url, "0/1/0")
	w.now = w.now.Add(31 * time.Second)
	m = w.receive(url, object{"AttributeNames": nil, "MessageSystemAttributeNames": []string{"ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp"}, "MessageAttributeNames": []string{"my_attribute_name_1.*"}})[0]
	if !reflect.DeepEqual(m["Attributes"], any(object{"ApproximateReceiveCount": "2", "ApproximateFirstReceiveTimestamp": "1700000001500"})) || len(m["MessageAttributes"].(object)) != 1 {
		t.Errorf("second receive: %v", m)
	}
	w.do("DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": m["ReceiptHandle"]})
	w.do("DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": m["ReceiptHandle"]})
	w.counts(url, "0/0/0")
	w.now = w.now.Add(time.Hour)
	w.expect(url, "")
}

func TestInvalidMessages(t *testing.T) {
	w := newWorld(t)
	url := w.create("q", object{"MaximumMessageSize": "1024"})
	attributes := func(n int) object {
		o := object{}
		for i := range n {
			o[fmt.Sprint("a", i)] = object{"DataType": "String", "StringValue": "v"}
		}
		return o
	}
	one := func(name string, a object) object { return object{"MessageAttributes": object{name: a}} }
	for _, c := range []struct {
		in         object
		code, text string
	}{
		{object{"MessageBody": ""}, "MissingParameter", "The request must contain the parameter MessageBody."},
		{object{"DelaySeconds": 901}, "InvalidParameterValue", "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."},
		{object{"MessageBody": strings.Repeat("x", 1025)}, "InvalidParameterValue", "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes."},
		{object{"MessageBody": "a\x00"}, "InvalidMessageContents", "Invalid binary character '#x0' was found in the message body"},
		{object{"MessageDeduplicationId": "d"}, "InvalidParameterValue", "MessageDeduplicationId"},
		{object{"MessageAttributes": attributes(11)}, "InvalidParameterValue", "Number of message attributes [11] exceeds the allowed maximum [10]."},
		{one("a", object{"DataType": "Text", "StringValue": "v"}), "InvalidParameterValue", "supported type prefixes: Binary, Number, String."},
		{one("a", object{"DataType": "String"}), "InvalidParameterValue", "Message (user) attribute 'a' must contain a non-empty value of type 'String'."},
		{one("a", object{"StringValue": "v"}), "InvalidParameterValue", "must contain a non-empty message attribute type."},
		{one("a", object{"DataType": "Number", "StringValue": "v"}), "InvalidParameterValue", "Can't cast the value of message (user) attribute 'a' to a number."},
		{one("a", object{"DataType": "Binary"}), "InvalidParameterValue", "non-empty value of type 'Binary'."},
		{one("aws.x", object{"DataType": "String", "StringValue": "v"}), "InvalidParameterValue", "reserved for internal use"},
		{object{"MessageSystemAttributes": attributes(1)}, "InvalidParameterValue", "Message system attribute name 'a0' is invalid."},
	} {
		in := object{"QueueUrl": url, "MessageBody": "x"}
		for k, v := range c.in {
			in[k] = v
		}
		w.fails("SendMessage", in, c.code, c.text)
	}
	w.counts(url, "0/0/0")
	w.fails("ReceiveMessage", object{"QueueUrl": url, "MaxNumberOfMessages": 11}, "InvalidParameterValue", "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.")
	w.fails("ReceiveMessage", object{"QueueUrl": url, "WaitTimeSeconds": 21}, "InvalidParameterValue", "Must be >= 0 and <= 20, if provided.")
	w.fails("ReceiveMessage", object{"QueueUrl": url, "VisibilityTimeout": -1}, "InvalidParameterValue", "Must be >= 0 and <= 43200, if provided.")
	w.fails("ReceiveMessage", object{"QueueUrl": url, "AttributeNames": []string{"Foo"}}, "InvalidAttributeName", "Unknown Attribute Foo.")
}

func TestBatches(t *testing.T) {
	w := newWorld(t)
	url := w.create("q", nil)
	entry := func(id, body string) object { return object{"Id": id, "MessageBody": body} }
	out := w.do("SendMessageBatch", object{"QueueUrl": url, "Entries": []object{entry("a", "1"), entry("b", ""), entry("c", "3")}})
	if len(out["Successful"].([]any)) != 2 {
		t.Errorf("sent %v", out)
	}
	want := []any{object{"Id": "b", "SenderFault": true, "Code": "MissingParameter", "Message": "The request must contain the parameter MessageBody."}}
	if !reflect.DeepEqual(out["Failed"], any(want)) {
		t.Errorf("failed %v", out["Failed"])
	}
	var entries []object
	for i, m := range w.expect(url, "1 3") {
		entries = append(entries, object{"Id": fmt.Sprint("m", i), "ReceiptHandle": m["ReceiptHandle"], "VisibilityTimeout": 0})
	}
	entries = append(entries, object{"Id": "bad", "ReceiptHandle": "x", "VisibilityTimeout": 0})
	out = w.do("ChangeMessageVisibilityBatch", object{"QueueUrl": url, "Entries": entries})
	if len(out["Successful"].([]any)) != 2 || out["Failed"].([]any)[0].(object)["Code"] != "ReceiptHandleIsInvalid" {
		t.Errorf("changed %v", out)
	}
	w.expect(url, "1 3")
	out = w.do("DeleteMessageBatch", object{"QueueUrl": url, "Entries": entries})
	if len(out["Successful"].([]any)) != 2 || len(out["Failed"].([]any)) != 1 {
		t.Errorf("deleted %v", out)
	}
	w.counts(url, "0/0/0")

	var many []object
	for i := range 11 {
		many = append(many, entry(fmt.Sprint(i), "x"))
	}
	big := strings.Repeat("x", 600*1024)
	const prefix = "AWS.SimpleQueueService."
	for _, c := range []struct {
		entries    []object
		code, text string
	}{
		{nil, "EmptyBatchRequest", "There should be at least one SendMessageBatchRequestEntry in the request."},
		{many, "TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10. You have sent 11."},
		{[]object{entry("a", "x"), entry("a", "y")}, "BatchEntryIdsNotDistinct", "Id a repeated."},
		{[]object{entry("a b", "x")}, "InvalidBatchEntryId", "alphanumeric characters, hyphens and underscores"},
		{[]object{entry("a", big), entry("b", big)}, "BatchRequestTooLong", "Batch requests cannot be longer than 1048576 bytes. You have sent 1228800 bytes."},
	} {
		w.fails("SendMessageBatch", object{"QueueUrl": url, "Entries": c.entries}, prefix+c.code, c.text)
	}
}

func TestDelay(t *testing.T) {
	w := newWorld(t)
	url := w.create("q", object{"DelaySeconds": "10"})
	w.sendBody(url, "later")
	w.do("SendMessage", object{"QueueUrl": url, "MessageBody": "now", "DelaySeconds": 0})
	w.expect(url, "now")
	w.counts(url, "0/1/1")
	w.now = w.now.Add(10*time.Second - time.Millisecond)
	w.expect(url, "")
	w.now = w.now.Add(time.Millisecond)
	w.expect(url, "later")
}

func TestVisibility(t *testing.T) {
	w := newWorld(t)
	url := w.create("q", nil)
	w.sendBody(url, "m")
	first := w.expect(url, "m")[0]["ReceiptHandle"]
	change := func(handle any, seconds int) object {
		return object{"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": seconds}
	}
	w.do("ChangeMessageVisibility", change(first, 100))
	w.now = w.now.Add(99 * time.Second)
	w.expect(url, "")
	w.now = w.now.Add(time.Second)
	w.counts(url, "1/0/0")
	w.fails("ChangeMessageVisibility", change(first, 5), "AWS.SimpleQueueService.MessageNotInflight", "not available for visibility timeout change")
	second := w.expect(url, "m")[0]["ReceiptHandle"]
	w.fails("ChangeMessageVisibility", change(first, 5), "InvalidParameterValue", "Message does not exist or is not available for visibility timeout change.")
	w.now = w.now.Add(10 * time.Second)
	w.fails("ChangeMessageVisibility", change(second, 43200), "InvalidParameterValue", "Total VisibilityTimeout for the message is beyond the limit [43200 seconds].")
	w.fails("ChangeMessageVisibility", change(second, 43201), "InvalidParameterValue", "VisibilityTimeout must be an integer between 0 and 43200.")
	w.do("ChangeMessageVisibility", change(second, 0))
	w.expect(url, "m")
	w.do("DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": first})
	w.counts(url, "0/0/0")
	w.fails("ChangeMessageVisibility", change(second, 1), "InvalidParameterValue", "Message does not exist")
	w.fails("DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": "abc"}, "ReceiptHandleIsInvalid", `The input receipt handle "abc" is not a valid receipt handle.`)
}

func TestOrderFollowsTheTimeOfSending(t *testing.T) {
	w := newWorld(t)
	url := w.create("q", nil)
	for _, b := range []string{"1", "2", "3"} {
		w.sendBody(url, b)
		w.now = w.now.Add(time.Second)
	}
	w.receive(url, object{"MaxNumberOfMessages": 1, "VisibilityTimeout": 5})
	w.sendBody(url, "4")
	w.now = w.now.Add(5 * time.Second)
	w.expect(url, "1 2 3 4")
}

func TestZeroVisibilityTimeoutLeavesMessagesVisible(t *testing.T) {
	w := newWorld(t)
	url := w.create("q", object{"VisibilityTimeout": "0"})
	w.sendBody(url, "m")
	first := w.expect(url, "m")[0]
	second := w.expect(url, "m")[0]
	if second["Attributes"].(object)["ApproximateReceiveCount"] != "2" {
		t.Errorf("second receive: %v", second)
	}
	w.counts(url, "1/0/0")
	w.do("DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": first["ReceiptHandle"]})
	w.counts(url, "0/0/0")
}

func TestRetention(t *testing.T) {
	w := newWorld(t)
	url := w.create("q", object{"MessageRetentionPeriod": "60", "VisibilityTimeout": "100"})
	w.sendBody(url, "in flight")
	w.expect(url, "in flight")
	w.sendBody(url, "old")
	w.now = w.now.Add(30 * time.Second)
	w.sendBody(url, "new")
	w.do("SendMessage", object{"QueueUrl": url, "MessageBody": "delayed", "DelaySeconds": 900})
	w.now = w.now.Add(30 * time.Second)
	w.counts(url, "1/0/1")
	w.expect(url, "new")
	w.now = w.now.Add(30 * time.Second)
	w.counts(url, "0/0/0")
}

func TestPurge(t *testing.T) {
	w := newWorld(t)
	url := w.create("q", nil)
	w.sendBody(url, "1")
	w.expect(url, "1")
	w.sendBody(url, "2")
	w.do("SendMessage", object{"QueueUrl": url, "MessageBody": "3", "DelaySeconds": 5})
	w.do("PurgeQueue", object{"QueueUrl": url})
	w.sendBody(url, "4")
	w.now = w.now.Add(time.Hour)
	w.counts(url, "1/0/0")
	w.expect(url, "4")
}

func TestTokenMakesSendAndReceiveRepeatable(t *testing.T) {
	w := newWorld(t)
	url := w.create("q", nil)
	send := request("SendMessage", object{"QueueUrl": url, "MessageBody": "m"})
	send.Token = aws.Token{Source: "p1", Seq: 1, Low: 1}
	first, err := call(w.s, send)
	again, err2 := call(w.s, send)
	if err != nil || err2 != nil || !reflect.DeepEqual(first, again) {
		t.Errorf("repeated send: %v %v, %v %v", first, err, again, err2)
	}
	w.counts(url, "1/0/0")
	receive := request("ReceiveMessage", object{"QueueUrl": url})
	receive.Token = aws.Token{Source: "p1", Seq: 2, Low: 2}
	first, err = call(w.s, receive)
	again, err2 = call(w.s, receive)
	if err != nil || err2 != nil || bodies(messagesOf(first)) != "m" || !reflect.DeepEqual(first, again) {
		t.Errorf("repeated receive: %v %v, %v %v", first, err, again, err2)
	}
}
