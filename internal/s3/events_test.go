package s3_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/s3"
)

// await returns the next n calls that are made, in the order of their text.
func (w *world) await(n int) []*aws.Request {
	w.Helper()
	for range n {
		<-w.told
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.calls) != n {
		w.Fatalf("%d calls, want %d", len(w.calls), n)
	}
	calls := w.calls
	w.calls = nil
	slices.SortFunc(calls, func(a, b *aws.Request) int { return slices.Compare(text(a), text(b)) })
	return calls
}

func text(r *aws.Request) []byte {
	return fmt.Appendf(nil, "%s %s %s", r.Service, r.Operation, r.Input)
}

func parse(t *testing.T, raw []byte) (v map[string]any) {
	t.Helper()
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return v
}

const toAll = `{"Bucket":"bkt","NotificationConfiguration":{
	"QueueConfigurations":[{"Id":"q","QueueArn":"arn:aws:sqs:eu-west-1:123456789012:q","Events":["s3:ObjectCreated:*"],"Filter":{"Key":{"FilterRules":[{"Name":"Prefix","Value":"in/"},{"Name":"suffix","Value":".csv"}]}}}],
	"TopicConfigurations":[{"TopicArn":"arn:aws:sns:us-east-1:123456789012:t","Events":["s3:ObjectRemoved:Delete"]}],
	"LambdaFunctionConfigurations":[{"LambdaFunctionArn":"arn:aws:lambda:us-east-1:123456789012:function:f","Events":["s3:ObjectCreated:Put"]}],
	"EventBridgeConfiguration":{}}}`

func TestNotifications(t *testing.T) {
	w := newWorld(t)
	w.must("CreateBucket", `{"Bucket":"bkt"}`, "")
	w.must("PutBucketNotificationConfiguration", toAll, "")
	calls := w.await(5) // three are asked for, two are greeted
	if got := parse(t, []byte(parse(t, calls[4].Input)["MessageBody"].(string))); got["Event"] != "s3:TestEvent" || got["Bucket"] != "bkt" {
		t.Errorf("greeting %v", got)
	}
	got, _ := w.must("GetBucketNotificationConfiguration", `{"Bucket":"bkt"}`, "")
	if topic := got["TopicConfigurations"].([]any)[0].(map[string]any); topic["Id"] == "" || topic["Id"] == nil {
		t.Errorf("a configuration has no id: %v", got)
	}

	w.must("PutObject", `{"Bucket":"bkt","Key":"in/a b.csv"}`, "12345")
	calls = w.await(2)
	if calls[0].Service != "lambda" || calls[0].Operation != "Invoke" || parse(t, calls[0].Input)["InvocationType"] != "Event" {
		t.Errorf("%s", text(calls[0]))
	}
	queue := parse(t, calls[1].Input)
	if calls[1].Region != "eu-west-1" || queue["QueueUrl"] != "https://sqs.eu-west-1.amazonaws.com/123456789012/q" {
		t.Errorf("%s: %v", calls[1].Region, queue)
	}
	record := parse(t, []byte(queue["MessageBody"].(string)))["Records"].([]any)[0].(map[string]any)
	body := record["s3"].(map[string]any)
	object := body["object"].(map[string]any)
	delete(object, "sequencer")
	want := map[string]any{"key": "in/a+b.csv", "size": 5.0, "eTag": "827ccb0eea8a706c4c34a16891f84e7b"}
	if record["eventName"] != "ObjectCreated:Put" || record["eventSource"] != "aws:s3" || body["configurationId"] != "q" || !reflect.DeepEqual(object, want) {
		t.Errorf("%v", record)
	}
	if lambda := parse(t, calls[0].Body)["Records"]; lambda == nil {
		t.Errorf("%s", calls[0].Body)
	}

	w.must("CopyObject", `{"Bucket":"bkt","Key":"in/b.csv","CopySource":"bkt/in/a%20b.csv"}`, "") // no Put
	if calls = w.await(1); calls[0].Service != "sqs" {
		t.Errorf("%s", text(calls[0]))
	}
	w.must("DeleteObject", `{"Bucket":"bkt","Key":"in/b.csv"}`, "")
	calls = w.await(1)
	if in := parse(t, calls[0].Input); calls[0].Operation != "Publish" || in["Subject"] != "Amazon S3 Notification" {
		t.Errorf("%s", text(calls[0]))
	}
	w.must("DeleteObject", `{"Bucket":"bkt","Key":"never"}`, "")
	w.must("CopyObject", `{"Bucket":"bkt","Key":"elsewhere/b.txt","CopySource":"bkt/in/a%20b.csv"}`, "")
	w.must("PutObject", `{"Bucket":"bkt","Key":"x"}`, "")
	if calls = w.await(1); calls[0].Service != "lambda" {
		t.Errorf("%s", text(calls[0]))
	}
}

func TestNotificationsAreChecked(t *testing.T) {
	w := newWorld(t)
	w.must("CreateBucket", `{"Bucket":"bkt"}`, "")
	for _, c := range []string{
		`{"QueueConfigurations":[{"QueueArn":"arn:aws:sns:us-east-1:1:q","Events":["s3:ObjectCreated:*"]}]}`,
		`{"QueueConfigurations":[{"QueueArn":"arn:aws:sqs:us-east-1:1:q","Events":["s3:ObjectCreated:Nonsense"]}]}`,
		`{"QueueConfigurations":[{"QueueArn":"arn:aws:sqs:us-east-1:1:q","Events":["ObjectCreated:*"]}]}`,
		`{"QueueConfigurations":[{"QueueArn":"arn:aws:sqs:us-east-1:1:q","Events":["s3:ObjectCreated:*"],"Filter":{"Key":{"FilterRules":[{"Name":"infix","Value":"x"}]}}}]}`,
		`{"QueueConfigurations":[{"Id":"a","QueueArn":"arn:aws:sqs:us-east-1:1:q","Events":["s3:ObjectCreated:*"]},{"Id":"a","QueueArn":"arn:aws:sqs:us-east-1:1:q","Events":["s3:ObjectRemoved:*"]}]}`,
	} {
		if _, _, code := w.call("PutBucketNotificationConfiguration", `{"Bucket":"bkt","NotificationConfiguration":`+c+`}`, ""); code != "InvalidArgument" {
			t.Errorf("%s: %q", c, code)
		}
	}
}

func TestBusEvents(t *testing.T) {
	w := newWorld(t)
	w.start(s3.Config{Wanted: func(account, region, source, detailType string) bool {
		return account == "123456789012" && region == "us-east-1" && source == "aws.s3"
	}})
	w.must("CreateBucket", `{"Bucket":"bkt"}`, "")
	w.must("PutObject", `{"Bucket":"bkt","Key":"a b"}`, "12345")
	calls := w.await(1)
	entry := parse(t, calls[0].Input)["Entries"].([]any)[0].(map[string]any)
	detail := parse(t, []byte(entry["Detail"].(string)))
	if calls[0].Service != "events" || calls[0].Operation != "PutEvents" || entry["DetailType"] != "AWS API Call via CloudTrail" || detail["eventName"] != "PutObject" ||
		detail["eventSource"] != "s3.amazonaws.com" || detail["requestParameters"].(map[string]any)["bucketName"] != "bkt" || len(detail["resources"].([]any)) != 2 {
		t.Errorf("%s", calls[0].Input)
	}
	w.must("PutBucketNotificationConfiguration", `{"Bucket":"bkt","NotificationConfiguration":{"EventBridgeConfiguration":{}}}`, "")
	w.must("DeleteObject", `{"Bucket":"bkt","Key":"a b"}`, "")
	calls = w.await(2)
	entry = parse(t, calls[1].Input)["Entries"].([]any)[0].(map[string]any)
	detail = parse(t, []byte(entry["Detail"].(string)))
	if entry["Source"] != "aws.s3" || entry["DetailType"] != "Object Deleted" || detail["deletion-type"] != "Permanently Deleted" ||
		entry["Resources"].([]any)[0] != "arn:aws:s3:::bkt" || detail["object"].(map[string]any)["key"] != "a b" {
		t.Errorf("%s", calls[1].Input)
	}
}
