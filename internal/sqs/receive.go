package sqs

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

type receiveInput struct {
	MaxNumberOfMessages         *int64
	VisibilityTimeout           *int64
	WaitTimeSeconds             *int64
	AttributeNames              []string
	MessageSystemAttributeNames []string
	MessageAttributeNames       []string
}

var systemAttributes = []string{"SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp",
	"SequenceNumber", "MessageDeduplicationId", "MessageGroupId", "AWSTraceHeader", "DeadLetterQueueSourceArn"}

const receiveMax = 10

func (in *receiveInput) check() error {
	if n := in.MaxNumberOfMessages; n != nil && (*n < 1 || *n > receiveMax) {
		return invalidValue(*n, "MaxNumberOfMessages", "Must be between 1 and 10, if provided.")
	}
	if n := in.VisibilityTimeout; n != nil && (*n < 0 || *n > visibilityMax) {
		return invalidValue(*n, "VisibilityTimeout", "Must be >= 0 and <= 43200, if provided.")
	}
	if n := in.WaitTimeSeconds; n != nil && (*n < 0 || *n > waitMax) {
		return invalidValue(*n, "WaitTimeSeconds", "Must be >= 0 and <= 20, if provided.")
	}
	in.AttributeNames = append(in.AttributeNames, in.MessageSystemAttributeNames...)
	for _, name := range in.AttributeNames {
		_, isNumber := numbers[name]
		_, isText := texts[name]
		_, isChoice := choices[name]
		switch {
		case name == "All", slices.Contains(systemAttributes, name):
		case isNumber, isText, computed[name] != nil, isChoice:
			// AttributeNames was once typed as the names of queue attributes too; they select nothing.
		default:
			return invalidAttributeName(name)
		}
	}
	return nil
}

// receivedMessage is a message as a receiver gets it.
type receivedMessage struct {
	MessageID     string `json:"MessageId"`
	ReceiptHandle string
	BodyMD5       string `json:"MD5OfBody"`
	Body          string
	Attributes    map[string]string    `json:",omitempty"`
	AttributesMD5 string               `json:"MD5OfMessageAttributes,omitempty"`
	UserValues    map[string]attribute `json:"MessageAttributes,omitempty"`
}

func (in *receiveInput) message(b *box, k id, st *state, m *message) receivedMessage {
	out := receivedMessage{MessageID: m.ID, Body: m.Body, BodyMD5: m.BodyMD5,
		ReceiptHandle: handle{b.Generation, k, st.received}.String()}
	all := map[string]string{
		"SenderId":                         m.Sender,
		"SentTimestamp":                    strconv.FormatInt(k.sent, 10),
		"ApproximateReceiveCount":          strconv.FormatUint(uint64(st.received), 10),
		"ApproximateFirstReceiveTimestamp": strconv.FormatInt(st.first, 10),
		"AWSTraceHeader":                   m.Trace,
		"MessageGroupId":                   m.Group,
		"MessageDeduplicationId":           m.Dedup,
		"SequenceNumber":                   m.Sequence,
		"DeadLetterQueueSourceArn":         m.Source,
	}
	for name, v := range all {
		if v != "" && (slices.Contains(in.AttributeNames, name) || slices.Contains(in.AttributeNames, "All")) {
			if out.Attributes == nil {
				out.Attributes = map[string]string{}
			}
			out.Attributes[name] = v
		}
	}
	if len(m.Attributes) > 0 {
		out.UserValues = wanted(m.Attributes, in.MessageAttributeNames)
		out.AttributesMD5 = attributesMD5(out.UserValues)
	}
	return out
}

// moveMax bounds the messages that one receive sends off to the dead-letter queue.
const moveMax = 100

// take hands out up to the wanted number of ready messages, in the order in which they were sent, and puts those that were
// received too often into the outbox.
func (b *box) take(in *receiveInput) (messages []receivedMessage, moved int, err error) {
	most, timeout := 1, b.seconds("VisibilityTimeout")
	if in.MaxNumberOfMessages != nil {
		most = int(*in.MaxNumberOfMessages)
	}
	if in.VisibilityTimeout != nil {
		timeout = *in.VisibilityTimeout
	}
	policy, redrives := b.redrive()
	err = b.candidates(func(k id, st *state) error {
		if len(messages) == most || moved == moveMax {
			return errEnough
		}
		b.leave(k, st)
		if redrives && !st.kept && int64(st.received) >= policy.max {
			b.moveOut(k, st)
			moved++
			return nil
		}
		body, err := b.tx.Get(k.append(b.key(rowBody)))
		if err != nil {
			return err
		}
		m, err := decodeRow(b.env, b.address, body)
		if err != nil {
			return err
		}
		st.kept, st.last = false, b.now
		if st.received++; st.received == 1 {
			st.first = b.now
		}
		if timeout > 0 {
			st.where, st.visibleAt = rowWaiting, b.now+timeout*1000
		}
		b.enter(k, st)
		messages = append(messages, in.message(b, k, st, m))
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, 0, err
	}
	b.received += len(messages)
	return messages, moved, b.settle()
}

var errEnough = errors.New("sqs: enough messages were taken")

// attempt is what one look into the queue came to.
type attempt struct {
	out         any // the answer; only if found
	found       bool
	moved       int
	outbox      bool  // there are messages to be delivered to the dead-letter queue
	waitSeconds int64 // the queue's own
}

var errNothing = errors.New("sqs: nothing to receive")

// receiveOnce is one transaction. Under a token only an answer with messages is kept: an empty one has no effect, and
// the receiver may go on to wait.
func (s *Service) receiveOnce(ctx context.Context, r *aws.Request, in *receiveInput, name string, p store.Partition) (attempt, error) {
	var at attempt
	fn := s.on(func(c *service.Context, b *box) (any, error) {
		at = attempt{waitSeconds: b.seconds("ReceiveMessageWaitTimeSeconds")}
		if err := b.tend(); err != nil {
			return nil, err
		}
		messages, moved, err := b.take(in)
		if err != nil {
			return nil, err
		}
		b.woken, b.visibleAt = 0, b.next()
		at.moved, at.outbox, at.found = moved, b.outbox > 0, len(messages) > 0
		if c.Token.Seq != 0 && !at.found {
			return nil, errNothing
		}
		c.Protection = b.protection(b.address)
		return map[string]any{"Messages": messages}, nil
	})
	at.found = true // as it stays if the answer was kept under the token
	out, err := s.Update(ctx, &service.Context{Request: r, Key: name, Env: s.Env, Now: s.Env.Now()}, p, fn)
	at.out = out
	return at, err
}

func (s *Service) receiveMessage(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in receiveInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	name, err := keyURL(c.Request)
	if err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	a := address{c.Account, c.Region, name}
	p := s.partition(a)
	anonymous := *c.Request
	anonymous.Token = aws.Token{}

	me := s.waiting.join(a)
	defer s.waiting.leave(a, me)
	var over <-chan time.Time
	for {
		at, err := s.receiveOnce(ctx, c.Request, &in, name, p)
		if errors.Is(err, errNothing) {
			at, err = s.receiveOnce(ctx, &anonymous, &in, name, p)
		}
		if err != nil {
			return nil, service.Wire(err)
		}
		if at.outbox {
			s.deliver(ctx, a)
		}
		switch {
		case at.found:
			return service.Answer(at.out), nil
		case at.moved > 0:
			continue
		case over == nil:
			wait := at.waitSeconds
			if in.WaitTimeSeconds != nil {
				wait = *in.WaitTimeSeconds
			}
			if wait == 0 {
				return service.Answer(nil), nil
			}
			t := time.NewTimer(time.Duration(wait) * time.Second)
			defer t.Stop()
			over = t.C
		}
		select {
		case _, open := <-me.wake:
			if !open {
				return service.Answer(nil), nil
			}
		case <-over:
			return service.Answer(nil), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
