package sqs

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// peekMessages is an operation that AWS does not have: it shows what is in a queue and changes nothing, neither visibility
// nor receive counts. The API's clients cannot name it; Peek serves it.
const peekMessages = "PeekMessages"

// PeekPath is where Peek is served.
const PeekPath = "/_newel/sqs/messages"

const peekMax = 1000

// peeked is a message as PeekMessages shows it.
type peeked struct {
	MessageID    string `json:"MessageId"`
	Body         string
	State        string    // "ready", "in flight", "delayed", "moving" (to the dead-letter queue)
	Sent         time.Time // by the server's clock, as all times
	VisibleAt    time.Time `json:",omitzero"` // in flight, delayed
	ReceiveCount uint32
	Group        string               `json:"MessageGroupId,omitempty"`
	Source       string               `json:"DeadLetterQueueSourceArn,omitempty"`
	Attributes   map[string]attribute `json:"MessageAttributes,omitempty"`
}

// peek answers the messages in the order in which they were sent, at most MaxNumberOfMessages of them (default 10).
func (s *Service) peek(c *service.Context, rd store.Reader) (any, error) {
	in := struct {
		QueueURL string `json:"QueueUrl"`
		Most     int    `json:"MaxNumberOfMessages"`
	}{Most: receiveMax}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	a := address{c.Account, c.Region, parseURL(in.QueueURL).name}
	record, err := rd.Get(a.key(rowQueue))
	if err != nil || record == nil {
		return nil, errors.Join(err, queueDoesNotExist())
	}
	q, err := decodeQueue(record)
	if err != nil {
		return nil, err
	}
	row, err := rd.Get(a.key(rowTally))
	if err != nil {
		return nil, err
	}
	count, err := decodeTally(row)
	if err != nil {
		return nil, err
	}
	now := c.Now.UnixMilli()
	b := box{queue: q}
	cutoff := now - b.seconds("MessageRetentionPeriod")*1000
	messages := []peeked{}
	states := a.key(rowState)
	for k, v := range rd.Scan(states.U64(uint64(max(cutoff+1, 0))), states.End(), false) {
		if len(messages) == min(in.Most, peekMax) {
			break
		}
		st, err := decodeState(v)
		if err != nil {
			return nil, err
		}
		m := parseID(k[len(states):])
		body, err := rd.Get(m.append(a.key(rowBody)))
		if err != nil {
			return nil, err
		}
		text, err := decodeRow(c.Env, a, body)
		if err != nil {
			return nil, err
		}
		messages = append(messages, show(m, st, text, now))
	}
	total := count.ready + count.inFlight + count.delayed + count.outbox
	return map[string]any{"QueueName": a.name, "Messages": messages, "ApproximateTotal": total}, nil
}

func show(m id, st *state, text *message, now int64) peeked {
	out := peeked{
		MessageID: text.ID, Body: text.Body, State: "ready", Sent: time.UnixMilli(m.sent).UTC(), ReceiveCount: st.received,
		Group: text.Group, Source: text.Source, Attributes: text.Attributes,
	}
	switch {
	case st.where == rowOutbox:
		out.State = "moving"
	case st.where == rowWaiting && st.visibleAt > now:
		out.State, out.VisibleAt = "in flight", time.UnixMilli(st.visibleAt).UTC()
		if st.delayed {
			out.State = "delayed"
		}
	}
	return out
}

// Peek serves PeekMessages to tools: GET PeekPath?queue=URL&region=R&max=N answers JSON.
func (s *Service) Peek() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in := map[string]any{"QueueUrl": r.FormValue("queue")}
		if n, err := strconv.Atoi(r.FormValue("max")); err == nil {
			in["MaxNumberOfMessages"] = max(n, 0)
		}
		input, err := service.Marshal(in)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		region := r.FormValue("region")
		if region == "" {
			region = s.Env.Region
		}
		status, answer := http.StatusOK, any(nil)
		out, err := s.Call(r.Context(), &aws.Request{Service: "sqs", Operation: peekMessages, Account: s.Env.Account, Region: region, Input: input})
		if e, ok := asError(err); ok {
			status, answer = e.HTTPStatus(), map[string]string{"Code": e.Code, "Message": e.Message}
		} else if err != nil {
			s.Env.Log.Error("a queue could not be read", "error", err)
			status, answer = http.StatusInternalServerError, map[string]string{"Code": "InternalFailure", "Message": "The queue could not be read."}
		} else {
			answer = out.Value
		}
		b, err := service.Marshal(answer)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(append(b, '\n')) // the client is gone if this fails
	})
}
