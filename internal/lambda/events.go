package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/lambda/runtime"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// event is an asynchronous invocation that is still to be made, as it is stored. V is the format: 1.
type event struct {
	V             int
	Function      identity
	Qualifier     string `json:",omitempty"` // version or alias that was invoked
	RequestID     string
	ARN           string
	Payload       []byte
	ClientContext string
	TraceID       string
	Accepted      time.Time
	NotBefore     time.Time
	Failures      int // attempts that ended with a function error
	Deferrals     int // attempts that did not reach the function
}

const (
	eventAgeMax   = 6 * time.Hour
	eventRetryMax = 2
)

// eventsAtOnce bounds the events that are in work at a time; the others wait in the store, known by their keys alone.
const eventsAtOnce = 256

// eventRef names a stored event.
type eventRef struct {
	part store.Partition
	key  string
}

// events makes the asynchronous invocations. Authoritative are the rows; memory holds only their keys.
type events struct {
	s    *Service
	ctx  context.Context
	end  context.CancelFunc
	wake chan struct{}
	wg   sync.WaitGroup

	mu      sync.Mutex
	queue   []eventRef
	running int
	timers  map[*time.Timer]struct{}
}

func newEvents(s *Service) *events {
	e := &events{s: s, wake: make(chan struct{}, 1), timers: map[*time.Timer]struct{}{}}
	e.ctx, e.end = context.WithCancel(context.Background())
	return e
}

func eventKey(id identity, requestID string) store.Key {
	return store.K(store.TableFunction, "event", id.Account, id.Region, id.Name, requestID)
}

// start takes up what is stored.
func (e *events) start(ctx context.Context) error {
	all := store.K(store.TableFunction, "event")
	for p := range e.s.Env.Store.Partitions() {
		part := store.Partition(p)
		err := e.s.Env.Store.View(ctx, part, func(r store.Reader) error {
			for k, b := range r.Scan(all, all.End(), false) {
				var ev event
				if err := json.Unmarshal(b, &ev); err != nil {
					return err
				}
				e.enqueue(eventRef{part, string(k)}, ev.NotBefore)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	e.wg.Add(1)
	go e.run()
	return nil
}

// accept stores an event; when it returns, the event is durable.
func (e *events) accept(ctx context.Context, c *service.Context, f *record, inv runtime.Invocation) error {
	ev := &event{V: 1, Function: f.identity, Qualifier: strings.TrimPrefix(strings.TrimPrefix(inv.ARN, f.arn()), ":"), RequestID: inv.RequestID, ARN: inv.ARN, Payload: inv.Payload,
		ClientContext: inv.ClientContext, TraceID: inv.TraceID, Accepted: c.Now}
	ref := eventRef{e.s.PartitionOf(f.Account, f.Region, ""), string(eventKey(f.identity, inv.RequestID))}
	b, err := json.Marshal(ev)
	if err != nil {
		return err
	}
	_, err = e.s.Update(ctx, c, ref.part, func(c *service.Context, tx store.Tx) (any, error) {
		tx.Set([]byte(ref.key), b)
		c.After = append(c.After, func() { e.enqueue(ref, time.Time{}) })
		return nil, nil
	})
	return err
}

// enqueue makes an event ready at its time.
func (e *events) enqueue(ref eventRef, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ctx.Err() != nil {
		return
	}
	if wait := at.Sub(e.s.Env.Now()); !at.IsZero() && wait > 0 {
		var t *time.Timer
		t = time.AfterFunc(wait, func() {
			e.mu.Lock()
			delete(e.timers, t)
			e.mu.Unlock()
			e.enqueue(ref, time.Time{})
		})
		e.timers[t] = struct{}{}
		return
	}
	e.queue = append(e.queue, ref)
	e.signal()
}

func (e *events) signal() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// run hands ready events to goroutines, a bounded number at a time.
func (e *events) run() {
	defer e.wg.Done()
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-e.wake:
		}
		e.mu.Lock()
		for len(e.queue) > 0 && e.running < eventsAtOnce {
			ref := e.queue[0]
			e.queue = e.queue[1:]
			e.running++
			e.wg.Add(1)
			go func() {
				defer e.wg.Done()
				if err := e.attempt(ref); err != nil && e.ctx.Err() == nil {
					e.s.Env.Log.Error("asynchronous invocation is put off until the next start", "error", err)
				}
				e.mu.Lock()
				e.running--
				e.mu.Unlock()
				e.signal()
			}()
		}
		e.mu.Unlock()
	}
}

// attempt makes one attempt at an event and stores what follows from it.
func (e *events) attempt(ref eventRef) error {
	ev, err := e.read(ref)
	if err != nil || ev == nil {
		return err
	}
	f, err := e.s.loadQualified(e.ctx, ev.Function, ev.Qualifier)
	if errors.Is(err, errNoSuchFunction) {
		return e.store(ref, nil) // as on AWS, events of a deleted function are dropped
	}
	if err != nil {
		return err
	}
	r, err := e.s.execute(e.ctx, f, runtime.Invocation{RequestID: ev.RequestID, ARN: ev.ARN, Payload: ev.Payload,
		ClientContext: ev.ClientContext, TraceID: ev.TraceID})
	if err != nil && e.ctx.Err() != nil {
		return nil // the server stops: the next start takes the event up
	}
	age, retries := f.EventInvokeConfig.limits()
	now := e.s.Env.Now()
	switch {
	case err == nil && r.FunctionError == "":
		return e.store(ref, nil)
	case err == nil && ev.Failures >= retries, now.Sub(ev.Accepted) > age:
		e.giveUp(f, ev, r, err)
		return e.store(ref, nil)
	case err == nil:
		d := e.s.cfg.RetryDelays
		if len(d) > 0 {
			ev.NotBefore = now.Add(d[min(ev.Failures, len(d)-1)])
		}
		ev.Failures++
	default: // throttled, or not to be run at all: tried again for hours, as on AWS
		ev.NotBefore = now.Add(min(time.Second<<min(ev.Deferrals, 10), 5*time.Minute))
		ev.Deferrals++
	}
	if err = e.store(ref, ev); err == nil {
		e.enqueue(ref, ev.NotBefore)
	}
	return err
}

func (e *events) read(ref eventRef) (ev *event, err error) {
	err = e.s.Env.Store.View(e.ctx, ref.part, func(r store.Reader) error {
		b, err := r.Get([]byte(ref.key))
		if err != nil || b == nil {
			return err
		}
		ev = new(event)
		return json.Unmarshal(b, ev)
	})
	return ev, err
}

// store writes an event back, or removes it if ev is nil.
func (e *events) store(ref eventRef, ev *event) error {
	b, err := json.Marshal(ev)
	if err != nil {
		return err
	}
	// What was done is noted even while the server stops.
	return e.s.Env.Store.Update(context.WithoutCancel(e.ctx), ref.part, func(tx store.Tx) error {
		if ev == nil {
			tx.Delete([]byte(ref.key))
		} else {
			tx.Set([]byte(ref.key), b)
		}
		return nil
	})
}

// giveUp sends an event that failed for good to the function's dead-letter queue or topic, if it has one.
func (e *events) giveUp(f *record, ev *event, r *runtime.Result, cause error) {
	message := ""
	if r != nil {
		message = string(r.Payload[:min(len(r.Payload), 1024)])
	} else if cause != nil {
		message = cause.Error()
	}
	e.s.Env.Log.Warn("asynchronous invocation failed for good", "function", f.Name, "request", ev.RequestID, "error", message)
	a, ok := aws.ParseARN(f.DeadLetterArn)
	if !ok || e.s.Env.Caller == nil {
		return
	}
	text := func(v string) map[string]string { return map[string]string{"DataType": "String", "StringValue": v} }
	attributes := map[string]any{"RequestID": text(ev.RequestID), "ErrorCode": map[string]string{"DataType": "Number", "StringValue": "200"}}
	if message != "" {
		attributes["ErrorMessage"] = text(message)
	}
	q := &aws.Request{Account: a.Account, Region: a.Region}
	input := map[string]any{"MessageAttributes": attributes}
	switch a.Service {
	case "sqs":
		q.Service, q.Operation = "sqs", "SendMessage"
		input["QueueUrl"], input["MessageBody"] = strings.Join([]string{e.s.Env.BaseURL(), a.Account, a.Resource}, "/"), string(ev.Payload)
	case "sns":
		q.Service, q.Operation = "sns", "Publish"
		input["TopicArn"], input["Message"] = f.DeadLetterArn, string(ev.Payload)
	default:
		return
	}
	b, err := json.Marshal(input)
	if err == nil {
		q.Input = b
		_, err = e.s.Env.Caller.Call(context.WithoutCancel(e.ctx), q)
	}
	if err != nil {
		e.s.Env.Log.Error("dead letter could not be sent", "function", f.Name, "to", f.DeadLetterArn, "error", err)
	}
}

func (e *events) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.end()
	for t := range e.timers {
		t.Stop()
	}
}

func (e *events) wait() { e.wg.Wait() }
