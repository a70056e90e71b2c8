package sqs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func (w *world) createFIFO(name string, attributes object) string {
	all := object{"FifoQueue": "true"}
	for k, v := range attributes {
		all[k] = v
	}
	return w.create(name, all)
}

// put sends messages of the form "GROUP:BODY", each with its body as deduplication id.
func (w *world) put(url string, messages ...string) []object {
	w.t.Helper()
	var out []object
	for _, m := range messages {
		group, body, _ := strings.Cut(m, ":")
		out = append(out, w.do("SendMessage", object{"QueueUrl": url, "MessageBody": body, "MessageGroupId": group, "MessageDeduplicationId": body}))
	}
	return out
}

func (w *world) remove(url string, messages ...object) {
	w.t.Helper()
	for _, m := range messages {
		w.do("DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": m["ReceiptHandle"]})
	}
}

func TestGroupIsLockedWhileAMessageIsInFlight(t *testing.T) {
	w := newWorld(t)
	url := w.createFIFO("q.fifo", nil)
	w.put(url, "a:1", "b:2", "a:3", "b:4", "a:5")
	first := w.receive(url, object{"MaxNumberOfMessages": 2})
	if got := bodies(first); got != "1 3" {
		t.Fatalf("first receive %q", got)
	}
	second := w.receive(url, object{"MaxNumberOfMessages": 1})
	if got := bodies(second); got != "2" {
		t.Fatalf("second receive %q", got)
	}
	w.put(url, "a:6")
	w.expect(url, "")
	w.counts(url, "3/3/0")
	w.remove(url, first[0])
	w.expect(url, "")
	w.remove(url, first[1])
	w.expect(url, "5 6")
	w.now = w.now.Add(31 * time.Second)
	w.expect(url, "2 4 5 6")
	w.fails("DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": second[0]["ReceiptHandle"]}, "InvalidParameterValue", "The receipt handle has expired.")
}

func TestFIFOMessageCarriesItsOrder(t *testing.T) {
	w := newWorld(t)
	url := w.createFIFO("q.fifo", nil)
	sent := w.put(url, "a:1", "a:2")
	one, two := sent[0]["SequenceNumber"].(string), sent[1]["SequenceNumber"].(string)
	if len(one) != 20 || one >= two {
		t.Errorf("sequence numbers %s, %s", one, two)
	}
	a := w.expect(url, "1 2")[0]["Attributes"].(object)
	if a["SequenceNumber"] != one || a["MessageGroupId"] != "a" || a["MessageDeduplicationId"] != "1" {
		t.Errorf("attributes %v", a)
	}
	w.now = w.now.Add(-time.Hour)
	w.put(url, "b:3")
	w.now = w.now.Add(-time.Second)
	w.put(url, "b:4")
	w.expect(url, "3 4")
}

func TestDeduplication(t *testing.T) {
	w := newWorld(t)
	url := w.createFIFO("q.fifo", nil)
	first, again := w.put(url, "a:1")[0], w.put(url, "b:1")[0]
	if first["MessageId"] != again["MessageId"] || first["SequenceNumber"] != again["SequenceNumber"] {
		t.Errorf("sent twice: %v, %v", first, again)
	}
	w.remove(url, w.expect(url, "1")...)
	w.now = w.now.Add(5*time.Minute - time.Millisecond)
	w.put(url, "a:1")
	w.expect(url, "")
	w.now = w.now.Add(time.Millisecond)
	w.put(url, "a:1")
	w.remove(url, w.expect(url, "1")...)

	scoped := w.createFIFO("scoped.fifo", object{"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"})
	w.put(scoped, "a:1", "b:1", "a:1")
	w.expect(scoped, "1 1")

	w.fails("SendMessage", object{"QueueUrl": url, "MessageBody": "x", "MessageGroupId": "g"}, "InvalidParameterValue",
		"The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
	w.do("SetQueueAttributes", object{"QueueUrl": url, "Attributes": object{"ContentBasedDeduplication": "true"}})
	for range 2 {
		w.do("SendMessage", object{"QueueUrl": url, "MessageBody": "x", "MessageGroupId": "g"})
	}
	if a := w.expect(url, "x")[0]["Attributes"].(object); a["MessageDeduplicationId"] != "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" {
		t.Errorf("attributes %v", a)
	}
}

func TestInvalidFIFOMessages(t *testing.T) {
	w := newWorld(t)
	url := w.createFIFO("q.fifo", nil)
	for _, c := range []struct {
		in         object
		code, text string
	}{
		{object{"MessageGroupId": ""}, "MissingParameter", "The request must contain the parameter MessageGroupId."},
		{object{"MessageGroupId": "a b"}, "InvalidParameterValue", "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length."},
		{object{"MessageDeduplicationId": "é"}, "InvalidParameterValue", "MessageDeduplicationId can only include"},
		{object{"DelaySeconds": 1}, "InvalidParameterValue", "not valid for this queue type"},
	} {
		in := object{"QueueUrl": url, "MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": "d"}
		for k, v := range c.in {
			in[k] = v
		}
		w.fails("SendMessage", in, c.code, c.text)
	}
	w.create("dead", nil)
	w.fails("SetQueueAttributes", object{"QueueUrl": url, "Attributes": object{"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":1}`}},
		"InvalidParameterValue", "Dead-letter queue must be same type of queue as the source.")
}

func TestFIFODeadLetters(t *testing.T) {
	w := newWorld(t)
	dead := w.createFIFO("dead.fifo", nil)
	url := w.createFIFO("q.fifo", object{"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead.fifo","maxReceiveCount":1}`})
	w.put(url, "a:1", "a:2")
	w.receive(url, object{"MaxNumberOfMessages": 1})
	w.now = w.now.Add(31 * time.Second)
	w.expect(url, "2")
	m := w.expect(dead, "1")[0]["Attributes"].(object)
	if m["MessageGroupId"] != "a" || m["DeadLetterQueueSourceArn"] == nil {
		t.Errorf("attributes %v", m)
	}
	w.counts(url, "0/1/0")
}

func TestLongPollWakesWhenGroupIsFree(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		url := w.createFIFO("q.fifo", nil)
		w.put(url, "a:1", "a:2")
		first := w.receive(url, object{"MaxNumberOfMessages": 1})
		done := w.poll(t.Context(), url, 10)
		time.Sleep(time.Second)
		w.put(url, "a:3")
		time.Sleep(time.Second)
		w.remove(url, first...)
		want(t, done, "[2 3] after 2s")
		done = w.poll(t.Context(), url, 10)
		time.Sleep(15 * time.Second)
		want(t, w.poll(t.Context(), url, 10), "[2 3] after 15s")
		want(t, done, "[] after 20s")
	})
}

// The model is a list of messages; the rules of message groups are written out over all of it.
func TestFIFOAgreesWithModel(t *testing.T) {
	type message struct {
		group, body string
		visibleAt   time.Time
		handle      object
	}
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		url := w.createFIFO("q.fifo", object{"VisibilityTimeout": "20"})
		var model []*message
		number := 0
		flying := func(m *message) bool { return m.visibleAt.After(w.now) }
		deliverable := func() (list []*message) {
			var groups []string
			for _, m := range model {
				if !slices.Contains(groups, m.group) {
					groups = append(groups, m.group)
				}
			}
			for _, g := range groups {
				of := slices.DeleteFunc(slices.Clone(model), func(m *message) bool { return m.group != g })
				if !slices.ContainsFunc(of, flying) {
					list = append(list, of...)
				}
			}
			return list
		}
		rt.Repeat(map[string]func(*rapid.T){
			"send": func(rt *rapid.T) {
				number++
				m := &message{group: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "group"), body: fmt.Sprint(number)}
				w.put(url, m.group+":"+m.body)
				model = append(model, m)
			},
			"receive": func(rt *rapid.T) {
				most := rapid.IntRange(1, 4).Draw(rt, "most")
				want := deliverable()
				want = want[:min(most, len(want))]
				got := w.receive(url, object{"MaxNumberOfMessages": most})
				var b []string
				for i, m := range want {
					m.visibleAt = w.now.Add(20 * time.Second)
					b = append(b, m.body)
					if i < len(got) {
						m.handle = got[i]
					}
				}
				if strings.Join(b, " ") != bodies(got) {
					rt.Fatalf("received %q, want %q", bodies(got), b)
				}
			},
			"finish": func(rt *rapid.T) {
				i := slices.IndexFunc(model, flying)
				if i < 0 {
					rt.Skip("nothing in flight")
				}
				if rapid.Bool().Draw(rt, "delete") {
					w.remove(url, model[i].handle)
					model = slices.Delete(model, i, i+1)
					return
				}
				w.do("ChangeMessageVisibility", object{"QueueUrl": url, "ReceiptHandle": model[i].handle["ReceiptHandle"], "VisibilityTimeout": 0})
				model[i].visibleAt = time.Time{}
			},
			"pass time": func(*rapid.T) { w.now = w.now.Add(7 * time.Second) },
			"": func(rt *rapid.T) {
				n := 0
				for _, m := range model {
					if flying(m) {
						n++
					}
				}
				if got, want := w.tallies(url), fmt.Sprintf("%d/%d/0", len(model)-n, n); got != want {
					rt.Fatalf("counts %s, want %s", got, want)
				}
			},
		})
	})
}
