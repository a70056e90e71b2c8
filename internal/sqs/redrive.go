package sqs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// redrivePolicy is a RedrivePolicy attribute.
type redrivePolicy struct {
	DeadLetterTargetArn string
	max                 int64 // maxReceiveCount, 1..1000
}

func parseRedrive(text string) (redrivePolicy, *aws.Error) {
	bad := func(reason string, args ...any) (redrivePolicy, *aws.Error) {
		return redrivePolicy{}, invalidValue(text, "RedrivePolicy", fmt.Sprintf(reason, args...))
	}
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &members) != nil {
		return bad("Redrive policy is not a valid JSON map.")
	}
	var p redrivePolicy
	if members["deadLetterTargetArn"] == nil {
		return bad("Redrive policy does not contain mandatory attribute: deadLetterTargetArn.")
	}
	if members["maxReceiveCount"] == nil {
		return bad("Redrive policy does not contain mandatory attribute: maxReceiveCount.")
	}
	arn, ok := aws.ARN{}, false
	if json.Unmarshal(members["deadLetterTargetArn"], &p.DeadLetterTargetArn) == nil {
		arn, ok = aws.ParseARN(p.DeadLetterTargetArn)
	}
	if !ok || arn.Service != "sqs" {
		return bad("Invalid value for deadLetterTargetArn.")
	}
	count := string(bytes.Trim(members["maxReceiveCount"], `"`)) // a number, or one in quotes
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil || n < 1 || n > 1000 {
		return bad("Invalid value for maxReceiveCount: %s, valid values are from 1 to 1000 both inclusive.", count)
	}
	p.max = n
	return p, nil
}

func checkRedriveAllow(text string) *aws.Error {
	var p struct {
		RedrivePermission string   `json:"redrivePermission"`
		SourceQueueArns   []string `json:"sourceQueueArns"`
	}
	if json.Unmarshal([]byte(text), &p) != nil {
		return invalidValue(text, "RedriveAllowPolicy", "Amazon SQS can't create the redrive allow policy, as it's in an unsupported format.")
	}
	switch p.RedrivePermission {
	case "allowAll", "denyAll", "byQueue":
		return nil
	}
	return invalidValue(text, "RedriveAllowPolicy", "Amazon SQS can't create the redrive allow policy, as it's in an unsupported format.")
}

// redrive is the queue's policy, if it has one.
func (q *queue) redrive() (redrivePolicy, bool) {
	text := q.Attributes["RedrivePolicy"]
	if text == "" {
		return redrivePolicy{}, false
	}
	p, err := parseRedrive(text)
	return p, err == nil
}

// target finds the queue that an ARN names by the foreign-ARN rule, as seen from a queue.
func (s *Service) target(ctx context.Context, arn string, from address) (address, error) {
	p, _ := aws.ParseARN(arn)
	return s.find(ctx, address{p.Account, p.Region, p.Resource}, &aws.Request{Account: from.account, Region: from.region})
}

// checkDeadLetterTarget refuses a RedrivePolicy whose queue does not exist. The policy's form is the handler's to check.
func (s *Service) checkDeadLetterTarget(ctx context.Context, r *aws.Request) error {
	if r.Operation != "CreateQueue" && r.Operation != "SetQueueAttributes" || !bytes.Contains(r.Input, []byte("RedrivePolicy")) {
		return nil
	}
	var in struct{ Attributes map[string]string }
	if err := service.Decode(r, &in); err != nil {
		return err
	}
	text := in.Attributes["RedrivePolicy"]
	p, invalid := parseRedrive(text)
	if text == "" || invalid != nil {
		return nil
	}
	a, err := s.target(ctx, p.DeadLetterTargetArn, address{account: r.Account, region: r.Region})
	if err != nil {
		return err
	}
	there, err := s.exists(ctx, a)
	if err != nil {
		return err
	}
	if !there {
		return invalidValue(text, "RedrivePolicy", "Dead letter target does not exist.")
	}
	source := keyURL
	if r.Operation == "CreateQueue" {
		source = keyName
	}
	if name, err := source(r); err != nil || (address{name: name}).isFIFO() != a.isFIFO() {
		return cmp.Or(err, error(invalidValue(text, "RedrivePolicy", "Dead-letter queue must be same type of queue as the source.")))
	}
	return nil
}

// moveOut puts a message that has left its index into the outbox.
func (b *box) moveOut(k id, st *state) {
	st.where, st.visibleAt, st.delayed = rowOutbox, 0, false
	b.enter(k, st)
	b.nextOutbox++ // from 1: a token's sequence is never 0
	b.tx.Set(b.key(rowOutbox).U64(b.nextOutbox), k.append(nil))
	b.tx.Set(b.key(rowPending), nil)
}

// departure is an outbox entry with what it moves.
type departure struct {
	n      uint64
	k      id
	st     *state
	m      *message
	failed bool
}

// Resume delivers what an earlier process left in the outboxes; call it once at start.
func (s *Service) Resume(ctx context.Context) error {
	prefix := append(store.K(store.TableQueue), rowPending)
	for p := range s.Env.Store.Partitions() {
		var found []address
		err := s.Env.Store.View(ctx, store.Partition(p), func(rd store.Reader) error {
			for k := range rd.Scan(prefix, prefix.End(), false) {
				account, rest, _ := store.CutStr(k[len(prefix):])
				region, rest, _ := store.CutStr(rest)
				name, _, ok := store.CutStr(rest)
				if !ok {
					return errCorrupt
				}
				found = append(found, address{account, region, name})
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, a := range found {
			s.deliver(ctx, a)
		}
	}
	return nil
}

// deliver empties a queue's outbox. It fails only with the store: what it could not do is logged, stays in the outbox and
// is tried again by the queue's next receive. One delivery runs at a time, because an idempotency token must not be sent
// after a later one has told the receiver to forget it.
func (s *Service) deliver(ctx context.Context, a address) {
	s.redrive.Lock()
	defer s.redrive.Unlock()
	ctx = context.WithoutCancel(ctx)
	for {
		n, err := s.deliverSome(ctx, a)
		if err != nil {
			s.Env.Log.Error("sqs: messages wait for their dead-letter queue", "queue", a.arn(), "error", err)
			return
		}
		if n < moveMax {
			return
		}
	}
}

// deliverSome delivers up to moveMax entries: each by a transaction of the dead-letter queue, then one of the source
// forgets them. Where there is no dead-letter queue any more, messages go back for one more delivery.
func (s *Service) deliverSome(ctx context.Context, a address) (int, error) {
	q, list, err := s.departures(ctx, a)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	to, err := address{}, error(nil)
	policy, ok := q.redrive()
	if ok {
		if to, err = s.target(ctx, policy.DeadLetterTargetArn, a); err != nil {
			return 0, err
		}
	}
	source := fmt.Sprintf("sqs/%s/%s/%s/%x", a.account, a.region, a.name, q.Generation)
	for i := range list {
		d := &list[i]
		if !ok {
			d.failed = true
			continue
		}
		token := aws.Token{Source: source, Seq: d.n, Low: list[0].n}
		err := s.arrive(ctx, to, a.arn(), d, token)
		if e, isWire := asError(err); isWire && e.Code == "QueueDoesNotExist" {
			d.failed = true
			continue
		}
		if err != nil {
			return 0, err
		}
	}
	return len(list), s.forget(ctx, a, list)
}

func (s *Service) departures(ctx context.Context, a address) (q queue, list []departure, err error) {
	view := func(rd store.Reader) error {
		list = nil
		record, err := rd.Get(a.key(rowQueue))
		if err != nil || record == nil {
			return err
		}
		if q, err = decodeQueue(record); err != nil {
			return err
		}
		outbox := a.key(rowOutbox)
		for k, v := range rd.Scan(outbox, outbox.End(), false) {
			d := departure{n: binary.BigEndian.Uint64(k[len(outbox):]), k: parseID(v)}
			row, err := rd.Get(d.k.append(a.key(rowState)))
			if err != nil {
				return err
			}
			if d.st, err = decodeState(row); err != nil {
				return err
			}
			if row, err = rd.Get(d.k.append(a.key(rowBody))); err != nil {
				return err
			}
			if d.m, err = decodeRow(s.Env, a, row); err != nil {
				return err
			}
			if list = append(list, d); len(list) == moveMax {
				break
			}
		}
		return nil
	}
	err = s.Env.WithKeys(ctx, func() error { return s.Env.Store.View(ctx, s.partition(a), view) })
	return q, list, err
}

// arrive puts a message into its dead-letter queue: same id, same sent time, same receive count.
func (s *Service) arrive(ctx context.Context, to address, from string, d *departure, token aws.Token) error {
	c := &service.Context{Env: s.Env, Now: s.Env.Now(),
		Request: &aws.Request{Service: "sqs", Operation: "SendMessage", Account: to.account, Region: to.region, Token: token}}
	_, err := s.Update(ctx, c, s.partition(to), func(c *service.Context, tx store.Tx) (any, error) {
		b, err := open(c.Env, tx, to, c.Now.UnixMilli())
		if err != nil {
			return nil, err
		}
		m := *d.m
		if m.Source = from; d.st.group != "" {
			m.Sequence = sequenceNumber(b.nextSeq)
		}
		st := &state{where: rowReady, kept: true, group: d.st.group, received: d.st.received, first: d.st.first, last: d.st.last}
		if err := b.put(d.k.sent, &m, st); err != nil {
			return nil, err
		}
		c.After = append(c.After, func() { s.waiting.notify(to, 1, 0) })
		return nil, b.close()
	})
	return err
}

// forget ends departures in their queue.
func (s *Service) forget(ctx context.Context, a address, list []departure) error {
	woken := 0
	err := s.Env.Store.Update(ctx, s.partition(a), func(tx store.Tx) error {
		woken = 0
		b, err := open(s.Env, tx, a, s.Env.Now().UnixMilli())
		if e, ok := asError(err); ok && e.Code == "QueueDoesNotExist" {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range list {
			d := &list[i]
			entry := b.key(rowOutbox).U64(d.n)
			there, err := tx.Get(entry)
			if err != nil {
				return err
			}
			if there == nil {
				return errors.New("sqs: an outbox entry was removed by somebody else")
			}
			tx.Delete(entry)
			if !d.failed {
				b.drop(d.k, d.st)
				continue
			}
			st := *d.st
			b.leave(d.k, &st)
			st.where, st.kept = rowReady, true
			b.enter(d.k, &st)
		}
		if b.outbox == 0 {
			tx.Delete(b.key(rowPending))
		}
		err = b.close()
		woken = b.woken
		return err
	})
	if err == nil {
		s.waiting.notify(a, woken, 0)
	}
	return err
}
