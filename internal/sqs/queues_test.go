package sqs

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
)

func TestCreateIsIdempotentUnlessAnAttributeDiffers(t *testing.T) {
	w := newWorld(t)
	url := w.create("orders", object{"DelaySeconds": "5"})
	if url != "http://127.0.0.1:4566/000000000000/orders" {
		t.Errorf("url %s", url)
	}
	w.create("orders", nil)
	w.create("orders", object{"DelaySeconds": "5", "VisibilityTimeout": "30"})
	w.fails("CreateQueue", object{"QueueName": "orders", "Attributes": object{"DelaySeconds": "6"}},
		"QueueAlreadyExists", "A queue already exists with the same name and a different value for attribute DelaySeconds")
}

func TestInvalidQueues(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name       string
		attributes object
		code, text string
	}{
		{"", nil, "MissingParameter", "The request must contain the parameter QueueName."},
		{"a b", nil, "InvalidParameterValue", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"},
		{strings.Repeat("a", 81), nil, "InvalidParameterValue", "1 to 80 in length"},
		{"q.fifo", nil, "InvalidParameterValue", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"},
		{"q", object{"FifoQueue": "true"}, "InvalidParameterValue", "must end with .fifo suffix and be 1 to 80 in length"},
		{"q", object{"FifoQueue": "false"}, "InvalidAttributeName", "Unknown Attribute FifoQueue."},
		{"q.fifo", object{"FifoQueue": "true", "DeduplicationScope": "x"}, "InvalidAttributeValue", "DeduplicationScope"},
		{"q", object{"Color": "red"}, "InvalidAttributeName", "Unknown Attribute Color."},
		{"q", object{"VisibilityTimeout": "43201"}, "InvalidAttributeValue", "Invalid value for the parameter VisibilityTimeout."},
		{"q", object{"MessageRetentionPeriod": "59"}, "InvalidAttributeValue", "MessageRetentionPeriod"},
		{"q", object{"DelaySeconds": "x"}, "InvalidAttributeValue", "DelaySeconds"},
		{"q", object{"Policy": "{"}, "InvalidAttributeValue", "Policy"},
		{"q", object{"RedrivePolicy": "x"}, "InvalidParameterValue", "Redrive policy is not a valid JSON map."},
		{"q", object{"RedrivePolicy": `{"maxReceiveCount":1}`}, "InvalidParameterValue", "mandatory attribute: deadLetterTargetArn"},
		{"q", object{"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:d","maxReceiveCount":0}`},
			"InvalidParameterValue", "Invalid value for maxReceiveCount: 0, valid values are from 1 to 1000 both inclusive."},
		{"q", object{"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:d","maxReceiveCount":"3"}`},
			"InvalidParameterValue", "Dead letter target does not exist."},
	} {
		w.fails("CreateQueue", object{"QueueName": c.name, "Attributes": c.attributes}, c.code, c.text)
	}
	if out := w.do("ListQueues", nil); out["QueueUrls"] != nil {
		t.Errorf("a refused queue exists: %v", out)
	}
}

func TestAttributes(t *testing.T) {
	w := newWorld(t)
	url := w.create("orders", nil)
	want := object{
		"QueueArn": "arn:aws:sqs:us-east-1:000000000000:orders", "CreatedTimestamp": "1700000000", "LastModifiedTimestamp": "1700000000",
		"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0", "ApproximateNumberOfMessagesDelayed": "0",
		"DelaySeconds": "0", "MaximumMessageSize": "1048576", "MessageRetentionPeriod": "345600", "ReceiveMessageWaitTimeSeconds": "0",
		"VisibilityTimeout": "30", "SqsManagedSseEnabled": "true",
	}
	all := object{"QueueUrl": url, "AttributeNames": []string{"All"}}
	if got := w.do("GetQueueAttributes", all)["Attributes"]; !reflect.DeepEqual(got, any(want)) {
		t.Errorf("attributes of a new queue:\n%v, want\n%v", got, want)
	}
	w.now = w.now.Add(time.Minute)
	w.do("SetQueueAttributes", object{"QueueUrl": url, "Attributes": object{"VisibilityTimeout": "0", "KmsMasterKeyId": "alias/k", "Policy": `{"Statement": []}`}})
	want["VisibilityTimeout"], want["KmsMasterKeyId"], want["Policy"] = "0", "alias/k", `{"Statement": []}`
	want["SqsManagedSseEnabled"], want["KmsDataKeyReusePeriodSeconds"], want["LastModifiedTimestamp"] = "false", "300", "1700000060"
	if got := w.do("GetQueueAttributes", all)["Attributes"]; !reflect.DeepEqual(got, any(want)) {
		t.Errorf("attributes:\n%v, want\n%v", got, want)
	}
	w.do("SetQueueAttributes", object{"QueueUrl": url, "Attributes": object{"Policy": ""}})
	if got := w.do("GetQueueAttributes", object{"QueueUrl": url, "AttributeNames": []string{"Policy"}}); len(got) != 0 {
		t.Errorf("an emptied policy is still there: %v", got)
	}
	if got := w.do("GetQueueAttributes", object{"QueueUrl": url}); len(got) != 0 {
		t.Errorf("attributes that nobody asked for: %v", got)
	}
	w.fails("GetQueueAttributes", object{"QueueUrl": url, "AttributeNames": []string{"Foo"}}, "InvalidAttributeName", "Unknown Attribute Foo.")
	w.fails("SetQueueAttributes", object{"QueueUrl": url, "Attributes": object{"QueueArn": "x"}}, "InvalidAttributeName", "QueueArn")
}

func TestListQueuesPages(t *testing.T) {
	w := newWorld(t)
	for i := range 25 {
		w.create(fmt.Sprintf("a-%02d", i), nil)
	}
	w.create("b", nil)
	var got []string
	in := object{"QueueNamePrefix": "a-", "MaxResults": 10}
	pages := 0
	for {
		out := w.do("ListQueues", in)
		pages++
		for _, u := range out["QueueUrls"].([]any) {
			got = append(got, u.(string)[strings.LastIndex(u.(string), "/")+1:])
		}
		if out["NextToken"] == nil {
			break
		}
		in["NextToken"] = out["NextToken"]
	}
	if len(got) != 25 || pages != 3 || got[0] != "a-00" || got[24] != "a-24" {
		t.Errorf("%d pages: %v", pages, got)
	}
	w.fails("ListQueues", object{"MaxResults": 1001}, "InvalidParameterValue", "MaxResults")
}

func TestQueueDoesNotExist(t *testing.T) {
	w := newWorld(t)
	url := w.create("q", nil)
	w.do("DeleteQueue", object{"QueueUrl": url})
	for _, op := range []string{"DeleteQueue", "SendMessage", "ReceiveMessage", "GetQueueAttributes", "PurgeQueue", "ListQueueTags"} {
		w.fails(op, object{"QueueUrl": url, "MessageBody": "x"}, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
	}
	w.fails("GetQueueUrl", object{"QueueName": "q"}, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
	w.fails("SendMessage", object{"MessageBody": "x"}, "MissingParameter", "The request must contain the parameter QueueUrl.")
}

func TestDeletedQueueLeavesNothingBehind(t *testing.T) {
	w := newWorld(t)
	url := w.create("q", nil)
	w.sendBody(url, "old")
	old := w.expect(url, "old")[0]["ReceiptHandle"]
	w.sendBody(url, "old2")
	w.do("DeleteQueue", object{"QueueUrl": url})
	w.create("q", nil)
	w.now = w.now.Add(time.Hour)
	w.expect(url, "")
	w.counts(url, "0/0/0")
	w.fails("DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": old}, "ReceiptHandleIsInvalid", "is not a valid receipt handle")
}

func TestForeignAddresses(t *testing.T) {
	w := newWorld(t)
	w.sendBody(w.create("q", nil), "mine")
	for _, url := range []string{
		"https://sqs.us-east-1.amazonaws.com/304000509264/q", "https://sqs.eu-west-1.amazonaws.com/304000509264/q",
		"https://eu-west-1.queue.amazonaws.com/000000000000/q", "http://localhost:9324/queue/q", "q",
	} {
		if got := w.receive(url, object{"VisibilityTimeout": 0}); bodies(got) != "mine" {
			t.Errorf("%s leads to %q", url, bodies(got))
		}
	}
	other := request("CreateQueue", object{"QueueName": "q"})
	other.Account, other.Region = "304000509264", "eu-west-1"
	if _, err := call(w.s, other); err != nil {
		t.Fatal(err)
	}
	if got := w.receive("https://sqs.eu-west-1.amazonaws.com/304000509264/q", nil); len(got) != 0 {
		t.Errorf("the named account's own queue was passed over: %v", got)
	}
	in := object{"QueueName": "q", "QueueOwnerAWSAccountId": "111111111111"}
	if u := w.do("GetQueueUrl", in)["QueueUrl"]; u != "http://127.0.0.1:4566/000000000000/q" {
		t.Errorf("GetQueueUrl of a foreign owner: %v", u)
	}
	r := request("GetQueueUrl", object{"QueueName": "q"})
	r.Host = "newel:4566"
	if out, _ := call(w.s, r); out["QueueUrl"] != "http://newel:4566/000000000000/q" {
		t.Errorf("the client's own host is not in the URL: %v", out)
	}
}

func TestTagsAndPermissions(t *testing.T) {
	w := newWorld(t)
	url := w.do("CreateQueue", object{"QueueName": "q", "tags": object{"a": "1"}})["QueueUrl"].(string)
	w.do("TagQueue", object{"QueueUrl": url, "Tags": object{"b": "2"}})
	w.do("UntagQueue", object{"QueueUrl": url, "TagKeys": []string{"a"}})
	if got := w.do("ListQueueTags", object{"QueueUrl": url})["Tags"]; !reflect.DeepEqual(got, any(object{"b": "2"})) {
		t.Errorf("tags %v", got)
	}
	add := object{"QueueUrl": url, "Label": "l", "AWSAccountIds": []string{"111111111111"}, "Actions": []string{"SendMessage"}}
	w.do("AddPermission", add)
	want := `{"Version":"2008-10-17","Id":"arn:aws:sqs:us-east-1:000000000000:q/SQSDefaultPolicy","Statement":[{"Sid":"l","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"SQS:SendMessage","Resource":"arn:aws:sqs:us-east-1:000000000000:q"}]}`
	if got := w.attribute(url, "Policy"); got != want {
		t.Errorf("policy %s", got)
	}
	w.fails("AddPermission", add, "InvalidParameterValue", "Already exists")
	w.do("RemovePermission", object{"QueueUrl": url, "Label": "l"})
	if got := w.do("GetQueueAttributes", object{"QueueUrl": url, "AttributeNames": []string{"Policy"}}); len(got) != 0 {
		t.Errorf("policy after removal: %v", got)
	}
	w.fails("RemovePermission", object{"QueueUrl": url, "Label": "l"}, "InvalidParameterValue", "can't find label on existing policy.")
}

func TestUnknownOperation(t *testing.T) {
	w := newWorld(t)
	_, err := call(w.s, request("StartMessageMoveTask", nil))
	if e, ok := asError(err); !ok || e.Code != "NotImplemented" || e.Status != 501 {
		t.Errorf("got %v", err)
	}
	var _ aws.Caller = w.s
}
