package sqs

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// modelMessage is what the model knows of a message; it is visible from a time on.
type modelMessage struct {
	body      string
	sent      time.Time
	visibleAt time.Time
	delayed   bool
	received  int
	handle    any
}

// The model is a list of messages in the order of sending. Everything that a client sees of the queue must agree with it.
func TestQueueAgreesWithModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		url := w.create("q", object{"VisibilityTimeout": "20", "MessageRetentionPeriod": "120"})
		var model []*modelMessage
		number := 0
		pick := func(rt *rapid.T, ok func(*modelMessage) bool) *modelMessage {
			var list []*modelMessage
			for _, m := range model {
				if ok(m) {
					list = append(list, m)
				}
			}
			if len(list) == 0 {
				rt.Skip("nothing to pick")
			}
			return rapid.SampledFrom(list).Draw(rt, "message")
		}
		inFlight := func(m *modelMessage) bool { return m.handle != nil && m.visibleAt.After(w.now) }
		expire := func() {
			model = slices.DeleteFunc(model, func(m *modelMessage) bool { return !w.now.Before(m.sent.Add(120 * time.Second)) })
		}
		rt.Repeat(map[string]func(*rapid.T){
			"send": func(rt *rapid.T) {
				delay := rapid.SampledFrom([]int{0, 0, 1, 30}).Draw(rt, "delay")
				number++
				m := &modelMessage{body: fmt.Sprint("m", number), sent: w.now, visibleAt: w.now.Add(time.Duration(delay) * time.Second), delayed: delay > 0}
				w.do("SendMessage", object{"QueueUrl": url, "MessageBody": m.body, "DelaySeconds": delay})
				model = append(model, m)
			},
			"receive": func(rt *rapid.T) {
				most := rapid.IntRange(1, 10).Draw(rt, "most")
				timeout := rapid.SampledFrom([]int{0, 1, 20, 60}).Draw(rt, "timeout")
				var want []string
				var taken []*modelMessage
				for _, m := range model {
					if len(taken) < most && !m.visibleAt.After(w.now) {
						m.received++
						m.visibleAt, m.delayed = w.now.Add(time.Duration(timeout)*time.Second), false
						taken = append(taken, m)
						want = append(want, fmt.Sprint(m.body, "#", m.received))
					}
				}
				var got []string
				for i, m := range w.receive(url, object{"MaxNumberOfMessages": most, "VisibilityTimeout": timeout}) {
					got = append(got, fmt.Sprint(m["Body"], "#", m["Attributes"].(object)["ApproximateReceiveCount"]))
					if i < len(taken) {
						taken[i].handle = m["ReceiptHandle"]
					}
				}
				if !slices.Equal(got, want) {
					rt.Fatalf("received %v, want %v", got, want)
				}
			},
			"delete": func(rt *rapid.T) {
				m := pick(rt, func(m *modelMessage) bool { return m.handle != nil })
				w.do("DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": m.handle})
				model = slices.DeleteFunc(model, func(o *modelMessage) bool { return o == m })
			},
			"change": func(rt *rapid.T) {
				m := pick(rt, inFlight)
				timeout := rapid.SampledFrom([]int{0, 5, 50}).Draw(rt, "timeout")
				w.do("ChangeMessageVisibility", object{"QueueUrl": url, "ReceiptHandle": m.handle, "VisibilityTimeout": timeout})
				m.visibleAt = w.now.Add(time.Duration(timeout) * time.Second)
			},
			"pass time": func(rt *rapid.T) {
				w.now = w.now.Add(time.Duration(rapid.SampledFrom([]int{1, 999, 1000, 20000, 40000}).Draw(rt, "ms")) * time.Millisecond)
				expire()
			},
			"purge": func(rt *rapid.T) {
				if rapid.IntRange(0, 9).Draw(rt, "really") == 0 {
					w.do("PurgeQueue", object{"QueueUrl": url})
					model = nil
				}
			},
			"restart": func(*rapid.T) { w.s = New(testEnv(w.store, func() time.Time { return w.now })) },
			"": func(rt *rapid.T) {
				var visible, flying, delayed int
				for _, m := range model {
					switch {
					case !m.visibleAt.After(w.now):
						visible++
					case m.delayed:
						delayed++
					default:
						flying++
					}
				}
				if got, want := w.tallies(url), fmt.Sprintf("%d/%d/%d", visible, flying, delayed); got != want {
					rt.Fatalf("visible/in flight/delayed are %s, want %s", got, want)
				}
			},
		})
	})
}
