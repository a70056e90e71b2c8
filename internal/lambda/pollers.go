package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/lambda/source"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// pollers feed functions from queues. Authoritative are the rows of the mappings, and the queues: a poller keeps nothing.
// It receives by long polling, so that a queue where nothing happens costs one call in 20 seconds; invokes the function;
// and deletes what the function has dealt with. A crash between receive and delete leaves the messages in the queue, to
// be received again when their visibility timeout is over: at least once, as on AWS.
type pollers struct {
	s    *Service
	ctx  context.Context
	end  context.CancelFunc
	wg   sync.WaitGroup
	mu   sync.Mutex
	live map[string]context.CancelFunc // by key of the mapping
}

const (
	receiveMax        = 10
	pollSeconds       = 20
	batchBytesMax     = 6<<20 - 64<<10 // of the messages in one event
	concurrentDefault = 5              // batches of one mapping at a time; AWS begins with five too
)

func newPollers(s *Service) *pollers {
	p := &pollers{s: s, live: map[string]context.CancelFunc{}}
	p.ctx, p.end = context.WithCancel(context.Background())
	return p
}

// start takes up the mappings that are stored.
func (p *pollers) start(ctx context.Context) error {
	all := store.K(store.TableMapping)
	for n := range p.s.Env.Store.Partitions() {
		var found []mapping
		err := p.s.Env.Store.View(ctx, store.Partition(n), func(rd store.Reader) error {
			found = found[:0]
			for _, b := range rd.Scan(all, all.End(), false) {
				var m mapping
				if err := json.Unmarshal(b, &m); err != nil {
					return fmt.Errorf("%w: event source mapping: %w", store.ErrCorrupt, err)
				}
				found = append(found, m)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, m := range found {
			p.refresh(m.Account, m.Region, m.UUID)
		}
	}
	return nil
}

// refresh makes a mapping's poller what the mapping's row says: it starts, ends or begins anew.
func (p *pollers) refresh(account, region, uuid string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil || p.s.pool == nil {
		return
	}
	key := string(mappingsKey(account, region).Str(uuid))
	if end := p.live[key]; end != nil {
		end()
		delete(p.live, key)
	}
	var m *mapping
	err := p.s.Env.Store.View(p.ctx, p.s.PartitionOf(account, region, ""), func(rd store.Reader) (err error) {
		m, err = getMapping(rd, account, region, uuid)
		return err
	})
	if err != nil {
		p.s.Env.Log.Error("an event source mapping could not be read", "uuid", uuid, "error", err)
		return
	}
	if m == nil || !m.Enabled {
		return
	}
	filters, err := source.ParseFilters(m.Filters)
	if err != nil {
		p.s.Env.Log.Error("an event source mapping does not run", "uuid", uuid, "error", err)
		return
	}
	ctx, end := context.WithCancel(p.ctx)
	p.live[key] = end
	p.wg.Add(1)
	go func() {
		defer p.wg.Done()
		(&poller{p, m, filters}).run(ctx)
	}()
}

func (p *pollers) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end()
}

func (p *pollers) wait() { p.wg.Wait() }

// call calls an operation of a mapping's queue.
func (p *pollers) call(ctx context.Context, m *mapping, operation string, input map[string]any, into any) error {
	a, _ := aws.ParseARN(m.Source)
	// This form of URL says the queue's region too.
	input["QueueUrl"] = fmt.Sprintf("https://sqs.%s.amazonaws.com/%s/%s", a.Region, a.Account, a.Resource)
	b, err := json.Marshal(input)
	if err != nil {
		return err
	}
	out, err := p.s.Env.Caller.Call(ctx, &aws.Request{Service: "sqs", Operation: operation, Account: m.Account, Region: m.Region, Input: b})
	if err != nil || into == nil {
		return err
	}
	if b, err = service.Marshal(out.Value); err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// poller feeds one function from one queue until its context ends.
type poller struct {
	*pollers
	m       *mapping
	filters source.Filters
}

func (p *poller) run(ctx context.Context) {
	most := p.m.Concurrency
	if most == 0 {
		most = concurrentDefault
	}
	slots := make(chan struct{}, most)
	failures := 0
	for ctx.Err() == nil {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		began := time.Now()
		batch, err := p.collect(ctx)
		if len(batch) > 0 {
			failures = 0
			p.wg.Add(1)
			go func() {
				defer p.wg.Done()
				p.handle(p.ctx, batch) // goes on when the mapping is changed
				<-slots
			}()
			continue
		}
		<-slots
		switch {
		case err != nil:
			if failures++; failures == 1 && ctx.Err() == nil {
				p.s.Env.Log.Warn("an event source mapping cannot receive", "function", p.m.functionARN(), "source", p.m.Source, "error", err)
			}
			pause(ctx, min(time.Second<<min(failures-1, 6), time.Minute))
		case time.Since(began) < time.Second:
			pause(ctx, time.Second) // the queue does not let anybody wait
		default:
			failures = 0
		}
	}
}

// pause waits for a time or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// collect gathers a batch of messages that pass the filters: as many as are there at once or, with a window, until it is
// full or the window is over.
func (p *poller) collect(ctx context.Context) ([]source.Message, error) {
	var batch []source.Message
	var until time.Time
	bytes := 0
	for {
		wait := pollSeconds
		if !until.IsZero() {
			left := time.Until(until)
			if left <= 0 {
				return batch, nil
			}
			wait = min(pollSeconds, int((left+time.Second-1)/time.Second))
		}
		some, err := p.receive(ctx, min(receiveMax, p.m.BatchSize-len(batch)), wait)
		if err != nil || len(batch) == 0 && len(some) == 0 {
			return batch, err
		}
		for i := range some {
			bytes += len(some[i].Body)
		}
		if some = p.filter(ctx, some); len(some) > 0 && until.IsZero() {
			until = time.Now().Add(time.Duration(p.m.WindowSeconds) * time.Second)
		}
		batch = append(batch, some...)
		if len(batch) > 0 && (p.m.WindowSeconds == 0 || len(batch) >= p.m.BatchSize || bytes > batchBytesMax) {
			return batch, nil
		}
	}
}

func (p *poller) receive(ctx context.Context, most, wait int) ([]source.Message, error) {
	var out struct{ Messages []source.Message }
	err := p.call(ctx, p.m, "ReceiveMessage", map[string]any{"MaxNumberOfMessages": most, "WaitTimeSeconds": wait,
		"AttributeNames": []string{"All"}, "MessageAttributeNames": []string{"All"}}, &out)
	return out.Messages, err
}

// filter deletes the messages that no filter wants, as AWS does, and returns the others.
func (p *poller) filter(ctx context.Context, messages []source.Message) []source.Message {
	if len(p.filters) == 0 {
		return messages
	}
	var wanted, unwanted []source.Message
	for _, m := range messages {
		e := m.Event(p.m.Source)
		if p.filters.Pass(&e) {
			wanted = append(wanted, m)
		} else {
			unwanted = append(unwanted, m)
		}
	}
	p.remove(ctx, unwanted)
	return wanted
}

// remove deletes messages that are done with, even while the server stops.
func (p *poller) remove(ctx context.Context, messages []source.Message) {
	for some := range slices.Chunk(messages, receiveMax) {
		entries := make([]map[string]string, len(some))
		for i, m := range some {
			entries[i] = map[string]string{"Id": strconv.Itoa(i), "ReceiptHandle": m.ReceiptHandle}
		}
		if err := p.call(context.WithoutCancel(ctx), p.m, "DeleteMessageBatch", map[string]any{"Entries": entries}, nil); err != nil {
			p.s.Env.Log.Warn("messages that a function has dealt with could not be deleted: they will be delivered again",
				"function", p.m.functionARN(), "source", p.m.Source, "error", err)
		}
	}
}

// handle invokes the function with a batch and deletes what it has dealt with. What is left becomes visible in the queue
// again, whose redrive policy counts the attempts.
func (p *poller) handle(ctx context.Context, batch []source.Message) {
	payload, failed, err := p.invoke(ctx, batch)
	switch {
	case err != nil:
		if ctx.Err() == nil {
			p.s.Env.Log.Warn("a function could not be invoked for its queue", "function", p.m.functionARN(), "source", p.m.Source, "error", err)
		}
		return
	case failed:
		return
	case p.m.ItemFailures:
		items, err := source.FailedItems(payload, batch)
		if err != nil {
			return
		}
		batch = slices.DeleteFunc(batch, func(m source.Message) bool { return items[m.MessageID] })
	}
	p.remove(ctx, batch)
}

// invoke runs the function. While it is throttled the batch is offered again, as long as its messages are invisible to
// others.
func (p *poller) invoke(ctx context.Context, batch []source.Message) (payload []byte, failed bool, err error) {
	records := make([]source.Event, len(batch))
	for i := range batch {
		records[i] = batch[i].Event(p.m.Source)
	}
	body, err := service.Marshal(map[string]any{"Records": records})
	if err != nil {
		return nil, false, err
	}
	input, err := json.Marshal(map[string]string{"FunctionName": p.m.functionARN()})
	if err != nil {
		return nil, false, err
	}
	var until time.Time
	for try := 0; ; try++ {
		out, err := p.s.Env.Caller.Call(ctx, &aws.Request{Service: "lambda", Operation: "Invoke", Account: p.m.Account, Region: p.m.Region, Input: input, Body: body})
		if err == nil {
			return out.Body, out.Header.Get("X-Amz-Function-Error") != "", nil
		}
		var e *aws.Error
		if !errors.As(err, &e) || e.Code != "TooManyRequestsException" {
			return nil, false, err
		}
		if try == 0 {
			timeout, err := p.s.visibility(ctx, p.m)
			if err != nil {
				return nil, false, err
			}
			until = time.Now().Add(timeout)
		}
		wait := min(100*time.Millisecond<<min(try, 6), 5*time.Second)
		if time.Now().Add(wait).After(until) {
			return nil, false, err
		}
		pause(ctx, wait)
	}
}
