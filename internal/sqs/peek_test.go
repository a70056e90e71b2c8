package sqs

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
	"time"
)

// TestPeek: looking changes neither who can receive a message nor how often it was received.
func TestPeek(t *testing.T) {
	w := newWorld(t)
	url := w.create("q", nil)
	w.do("SendMessage", object{"QueueUrl": url, "MessageBody": "first"})
	w.now = w.now.Add(time.Second)
	w.do("SendMessage", object{"QueueUrl": url, "MessageBody": "second"})
	w.do("SendMessage", object{"QueueUrl": url, "MessageBody": "late", "DelaySeconds": 60})
	w.do("ReceiveMessage", object{"QueueUrl": url, "VisibilityTimeout": 30})
	for range 3 {
		seen := w.do("PeekMessages", object{"QueueUrl": url})["Messages"].([]any)
		want := []struct {
			body, state string
			received    float64
		}{{"first", "in flight", 1}, {"second", "ready", 0}, {"late", "delayed", 0}}
		if len(seen) != len(want) {
			t.Fatalf("seen %v", seen)
		}
		for i, x := range want {
			m := seen[i].(object)
			if m["Body"] != x.body || m["State"] != x.state || m["ReceiveCount"] != x.received {
				t.Errorf("message %d: %v, want %v", i, m, x)
			}
		}
	}
	got := w.do("ReceiveMessage", object{"QueueUrl": url, "AttributeNames": []string{"All"}})["Messages"].([]any)[0].(object)
	if got["Body"] != "second" || got["Attributes"].(object)["ApproximateReceiveCount"] != "1" {
		t.Errorf("received %v", got)
	}
	w.now = w.now.Add(31 * time.Second) // nobody has looked since: the visibility timeout is over all the same
	m := w.do("PeekMessages", object{"QueueUrl": url, "MaxNumberOfMessages": 1})["Messages"].([]any)
	if len(m) != 1 || m[0].(object)["State"] != "ready" {
		t.Errorf("after the timeout: %v", m)
	}
	w.fails("PeekMessages", object{"QueueUrl": url + "x"}, "AWS.SimpleQueueService.NonExistentQueue", "")
}

func TestPeekHandler(t *testing.T) {
	w := newWorld(t)
	url := w.create("q", nil)
	w.do("SendMessage", object{"QueueUrl": url, "MessageBody": "<one>"})
	for query, status := range map[string]int{"?queue=" + url + "&max=5": 200, "?queue=nothing": 400, "": 400} {
		rec := httptest.NewRecorder()
		w.s.Peek().ServeHTTP(rec, httptest.NewRequest("GET", PeekPath+query, nil))
		var out struct {
			Messages []struct{ Body string }
			Code     string
		}
		if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil || rec.Code != status {
			t.Fatalf("%s: %d %s", query, rec.Code, rec.Body)
		}
		if status == 200 && (len(out.Messages) != 1 || out.Messages[0].Body != "<one>") || status != 200 && out.Code == "" {
			t.Errorf("%s: %s", query, rec.Body)
		}
	}
}
