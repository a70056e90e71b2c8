package sqs

import (
	"maps"
	"testing"
	"time"
)

// totals is a service.Recorder that adds up.
type totals map[string]float64

func (s totals) Add(_, _, namespace, metric, _ string, v float64, _ time.Time, dimensions ...string) {
	s[namespace+" "+metric+" "+dimensions[1]] += v
}

func TestMetrics(t *testing.T) {
	w := newWorld(t)
	got := totals{}
	w.s.Env.Metrics = got
	url := w.create("q", nil)
	w.do("SendMessage", object{"QueueUrl": url, "MessageBody": "12345"})
	w.do("SendMessage", object{"QueueUrl": url, "MessageBody": "1"})
	received := w.do("ReceiveMessage", object{"QueueUrl": url})["Messages"].([]any)
	w.do("DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": received[0].(object)["ReceiptHandle"]})
	w.do("GetQueueAttributes", object{"QueueUrl": url, "AttributeNames": []string{"All"}})
	want := totals{"AWS/SQS NumberOfMessagesSent q": 2, "AWS/SQS NumberOfMessagesReceived q": 1, "AWS/SQS NumberOfMessagesDeleted q": 1, "AWS/SQS SentMessageSize q": 6,
		// 1 and 2 after the sends, 1 after the receive and the deletion; one in flight between them
		"AWS/SQS ApproximateNumberOfMessagesVisible q": 5, "AWS/SQS ApproximateNumberOfMessagesNotVisible q": 1, "AWS/SQS ApproximateNumberOfMessagesDelayed q": 0}
	if !maps.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}
