package sqs

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

var validName = aws.Lazy(`^[a-zA-Z0-9_-]{1,80}$`)

// checkName validates a new queue's name, which must end in ".fifo" exactly if the queue is a FIFO queue.
func (a address) checkName(fifo bool) error {
	stem := strings.TrimSuffix(a.name, ".fifo")
	switch {
	case fifo && (!a.isFIFO() || !validName.MatchString(stem) || len(a.name) > 80):
		return invalidParameter("The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length")
	case !fifo && !validName.MatchString(a.name):
		return invalidParameter("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	return nil
}

func (s *Service) createQueue(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		QueueName  string
		Attributes map[string]string
		Tags       map[string]string `json:"tags"`
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	a := address{c.Account, c.Region, in.QueueName}
	if err := a.checkName(in.Attributes["FifoQueue"] == "true"); err != nil {
		return nil, err
	}
	if err := checkAttributes(in.Attributes, a.isFIFO()); err != nil {
		return nil, err
	}
	record, err := tx.Get(a.key(rowQueue))
	if err != nil {
		return nil, err
	}
	if record != nil {
		q, err := decodeQueue(record)
		if err != nil {
			return nil, err
		}
		for _, name := range slices.Sorted(maps.Keys(in.Attributes)) {
			if in.Attributes[name] != q.attribute(name) {
				return nil, queueNameExists(name)
			}
		}
		return map[string]any{"QueueUrl": a.url(c)}, nil
	}
	var generation [8]byte
	rand.Read(generation[:])
	q := queue{Version: recordVersion, Created: c.Now.Unix(), Modified: c.Now.Unix(), Tags: in.Tags,
		Generation: binary.BigEndian.Uint64(generation[:])}
	q.set(in.Attributes)
	if record, err = json.Marshal(q); err != nil {
		return nil, err
	}
	tx.Set(a.key(rowQueue), record)
	tx.Set(a.key(rowTally), (&tally{}).encode())
	return map[string]any{"QueueUrl": a.url(c)}, nil
}

func (s *Service) getQueueURL(c *service.Context, rd store.Reader) (any, error) {
	name, err := keyName(c.Request)
	if err != nil {
		return nil, err
	}
	a := address{c.Account, c.Region, name}
	record, err := rd.Get(a.key(rowQueue))
	if err != nil {
		return nil, err
	}
	if record == nil {
		return nil, queueDoesNotExist()
	}
	return map[string]any{"QueueUrl": a.url(c)}, nil
}

func (s *Service) deleteQueue(c *service.Context, b *box) (any, error) {
	for _, kind := range []byte{rowQueue, rowTally, rowPending} {
		b.tx.Delete(b.key(kind))
	}
	for _, kind := range []byte{rowBody, rowState, rowReady, rowWaiting, rowOutbox, rowMember, rowGroup, rowSent, rowSentTime} {
		b.tx.DeleteRange(b.key(kind), b.key(kind).End())
	}
	b.deleted = true
	a := b.address
	c.After = append(c.After, func() { s.waiting.notifyAll(a) })
	return nil, nil
}

// purgeQueue drops every message but those that have already left for the dead-letter queue. Being one transaction, it
// reaches exactly the messages that were sent before it.
func (s *Service) purgeQueue(_ *service.Context, b *box) (any, error) {
	type moving struct {
		k    id
		s    *state
		body []byte
	}
	var kept []moving
	outbox := b.key(rowOutbox)
	for _, v := range b.tx.Scan(outbox, outbox.End(), false) {
		k := parseID(v)
		st, err := b.state(k)
		if err != nil {
			return nil, err
		}
		body, err := b.tx.Get(k.append(b.key(rowBody)))
		if err != nil {
			return nil, err
		}
		kept = append(kept, moving{k, st, bytes.Clone(body)})
	}
	for _, kind := range []byte{rowBody, rowState, rowReady, rowWaiting, rowMember, rowGroup} {
		b.tx.DeleteRange(b.key(kind), b.key(kind).End())
	}
	b.ready, b.inFlight, b.delayed = 0, 0, 0
	for _, m := range kept {
		b.tx.Set(m.k.append(b.key(rowBody)), m.body)
		b.tx.Set(m.k.append(b.key(rowState)), m.s.encode())
	}
	return nil, nil
}

// queues calls fn with every queue of an account and region, in the order of their names.
func (s *Service) queues(ctx context.Context, account, region string, fn func(a address, q *queue)) error {
	type entry struct {
		a address
		q queue
	}
	var all []entry
	prefix := append(store.K(store.TableQueue), rowQueue).Str(account).Str(region)
	for p := range s.Env.Store.Partitions() {
		err := s.Env.Store.View(ctx, store.Partition(p), func(rd store.Reader) error {
			for k, v := range rd.Scan(prefix, prefix.End(), false) {
				name, _, ok := store.CutStr(k[len(prefix):])
				q, err := decodeQueue(v)
				if err != nil || !ok {
					return errCorrupt
				}
				all = append(all, entry{address{account, region, name}, q})
			}
			return nil
		})
		if err != nil {
			return service.Wire(err)
		}
	}
	slices.SortFunc(all, func(x, y entry) int { return strings.Compare(x.a.name, y.a.name) })
	for i := range all {
		fn(all[i].a, &all[i].q)
	}
	return nil
}

const listMax = 1000

// page cuts a sorted list of names into AWS's pages; the token is the last name given.
func page(names []string, limit *int64, token string) (part []string, next string, err error) {
	n := int64(listMax)
	if limit != nil {
		if n = *limit; n < 1 || n > listMax {
			return nil, "", invalidValue(n, "MaxResults", "MaxResults must be an integer between 1 and 1000.")
		}
	}
	after, decodeErr := base64.URLEncoding.DecodeString(token)
	if decodeErr != nil {
		return nil, "", invalidParameter("Invalid or expired next token.")
	}
	at, found := slices.BinarySearch(names, string(after))
	if found {
		at++
	}
	part = names[at:]
	if int64(len(part)) <= n {
		return part, "", nil
	}
	part = part[:n]
	if limit == nil {
		return part, "", nil
	}
	return part, base64.URLEncoding.EncodeToString([]byte(part[n-1])), nil
}

func (s *Service) listQueues(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in struct {
		QueueNamePrefix, NextToken string
		MaxResults                 *int64
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	return s.list(ctx, c, "QueueUrls", in.MaxResults, in.NextToken, func(a address, _ *queue) bool {
		return strings.HasPrefix(a.name, in.QueueNamePrefix)
	})
}

func (s *Service) listDeadLetterSources(ctx context.Context, c *service.Context) (*aws.Output, error) {
	var in struct {
		QueueUrl, NextToken string
		MaxResults          *int64
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	name, err := keyURL(c.Request)
	if err != nil {
		return nil, err
	}
	target := address{c.Account, c.Region, name}
	there, err := s.exists(ctx, target)
	if err != nil {
		return nil, service.Wire(err)
	}
	if !there {
		return nil, queueDoesNotExist()
	}
	return s.list(ctx, c, "queueUrls", in.MaxResults, in.NextToken, func(_ address, q *queue) bool {
		p, ok := q.redrive()
		return ok && p.DeadLetterTargetArn == target.arn()
	})
}

func (s *Service) list(ctx context.Context, c *service.Context, member string, limit *int64, token string, want func(address, *queue) bool) (*aws.Output, error) {
	var names []string
	err := s.queues(ctx, c.Account, c.Region, func(a address, q *queue) {
		if want(a, q) {
			names = append(names, a.name)
		}
	})
	if err != nil {
		return nil, err
	}
	names, next, err := page(names, limit, token)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	urls := make([]string, len(names))
	for i, n := range names {
		urls[i] = address{c.Account, c.Region, n}.url(c)
	}
	if len(urls) > 0 || member == "queueUrls" {
		out[member] = urls
	}
	if next != "" {
		out["NextToken"] = next
	}
	return service.Answer(out), nil
}

func (s *Service) tagQueue(c *service.Context, b *box) (any, error) {
	var in struct{ Tags map[string]string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if len(in.Tags) == 0 {
		return nil, missingParameter("Tags")
	}
	if b.Tags == nil {
		b.Tags = map[string]string{}
	}
	maps.Copy(b.Tags, in.Tags)
	if len(b.Tags) > 50 {
		return nil, invalidParameter("Too many tags added for queue %s.", b.name)
	}
	b.changed = true
	return nil, nil
}

func (s *Service) untagQueue(c *service.Context, b *box) (any, error) {
	var in struct{ TagKeys []string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if len(in.TagKeys) == 0 {
		return nil, wire("InvalidParameterValueException", "InvalidParameterValue", "Tag keys must be between 1 and 128 characters in length.")
	}
	for _, k := range in.TagKeys {
		delete(b.Tags, k)
	}
	b.changed = true
	return nil, nil
}

func (s *Service) listTags(_ *service.Context, b *box) (any, error) {
	if len(b.Tags) == 0 {
		return nil, nil
	}
	return map[string]any{"Tags": b.Tags}, nil
}
