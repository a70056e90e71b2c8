package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type object = map[string]any

// steps is a chain of n states that are all like state.
func steps(n int, state object) object {
	states := object{}
	for i := range n {
		s := object{}
		for k, v := range state {
			s[k] = v
		}
		if i == n-1 {
			s["End"] = true
		} else {
			s["Next"] = fmt.Sprintf("S%d", i+1)
		}
		states[fmt.Sprintf("S%d", i)] = s
	}
	return object{"StartAt": "S0", "States": states}
}

var pass = object{"Type": "Pass"}

const input = `{"a":"hello"}`

func latency(ctx context.Context, r *run) error {
	s, _, err := startServer(ctx, r, r.newDir())
	if err != nil {
		return err
	}
	defer s.kill()
	machine, err := s.createMachine(ctx, "STANDARD", "one", steps(1, pass))
	if err != nil {
		return err
	}
	var took []time.Duration
	for end := time.Now().Add(r.Duration); time.Now().Before(end); {
		start := time.Now()
		if err := s.execute(ctx, machine, "", input); err != nil {
			return err
		}
		took = append(took, time.Since(start))
	}
	text := quantiles(took)
	r.say("  %s; p50 is %.1f times an fdatasync", text, float64(quantile(took, .5))/float64(r.limits.fsync))
	return nil
}

func chain(ctx context.Context, r *run) error {
	s, _, err := startServer(ctx, r, r.newDir())
	if err != nil {
		return err
	}
	defer s.kill()
	queue, err := s.createQueue(ctx, "effects")
	if err != nil {
		return err
	}
	send := object{"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "ResultPath": nil,
		"Parameters": object{"QueueUrl": queue, "MessageBody": "x"}}
	crew, err := newCrew(ctx, s)
	if err != nil {
		return err
	}
	defer crew.stop()
	for _, c := range []struct {
		name  string
		state object
		pause time.Duration
	}{{"ten Pass states", pass, 0}, {"ten sqs:sendMessage", send, 0}, {"ten activities", crew.task(), 100 * time.Millisecond}} {
		machine, err := s.createMachine(ctx, "STANDARD", strings.ReplaceAll(strings.ReplaceAll(c.name, " ", "-"), ":", "-"), steps(10, c.state))
		if err != nil {
			return err
		}
		s.pause = c.pause
		for _, clients := range r.Clients {
			before, requests := s.use(), s.requests.Load()
			rate, err := hammer(clients, r.Duration, func(int) func() error {
				return func() error { return s.execute(ctx, machine, "", input) }
			})
			if err != nil {
				return err
			}
			cpu := s.use().cpu - before.cpu
			n := rate * r.Duration.Seconds()
			each := float64(s.requests.Load()-requests) / n
			r.say("  %-20s %3d clients  %7.0f executions/s  server CPU %.2f ms each  requests: %.1f each, %2.0f %% of the bare server's",
				c.name, clients, rate, cpu.Seconds()*1000/n, each, 100*each*rate/r.limits.http)
		}
	}
	return nil
}

func fanOut(ctx context.Context, r *run) error {
	s, _, err := startServer(ctx, r, r.newDir())
	if err != nil {
		return err
	}
	defer s.kill()
	if err := s.fanOut(ctx, r, "Pass", pass, 1000, 6000); err != nil {
		return err
	}
	large, _, err := startServer(ctx, r, r.newDir(), "--limit", "history-events=1000000")
	if err != nil {
		return err
	}
	defer large.kill()
	crew, err := newCrew(ctx, large)
	if err != nil {
		return err
	}
	defer crew.stop()
	const limit = ", at most 1,000,000 events"
	if err := large.fanOut(ctx, r, "Pass"+limit, pass, 10_000); err != nil {
		return err
	}
	return large.fanOut(ctx, r, "activity"+limit, crew.task(), 6000)
}

// fanOut runs an inline Map over each number of items.
func (s *server) fanOut(ctx context.Context, r *run, name string, state object, numbers ...int) error {
	machine, err := s.createMachine(ctx, "STANDARD", "map-"+state["Type"].(string), object{"StartAt": "M", "States": object{"M": object{"Type": "Map", "ItemsPath": "$.items",
		"End": true, "ResultPath": nil, "ItemProcessor": steps(1, state)}}})
	if err != nil {
		return err
	}
	for _, n := range numbers {
		items := make([]int, n)
		for i := range items {
			items[i] = i
		}
		text, err := json.Marshal(object{"items": items})
		if err != nil {
			return err
		}
		start := time.Now()
		if err := s.execute(ctx, machine, "", string(text)); err != nil {
			return err
		}
		took := time.Since(start)
		r.say("  %5d items (%s)  %s  %.0f items/s", n, name, took.Round(time.Millisecond), float64(n)/took.Seconds())
	}
	return nil
}

func (s *server) createQueue(ctx context.Context, name string) (string, error) {
	var out struct{ QueueUrl string }
	err := s.call(ctx, "sqs", "CreateQueue", object{"QueueName": name}, &out)
	return out.QueueUrl, err
}

// waiters is a machine whose executions send their token to a queue and wait for its answer.
type waiters struct {
	*server
	machine, queue string
}

func newWaiters(ctx context.Context, s *server) (*waiters, error) {
	queue, err := s.createQueue(ctx, "tokens")
	if err != nil {
		return nil, err
	}
	machine, err := s.createMachine(ctx, "STANDARD", "wait", steps(1, object{"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
		"Parameters": object{"QueueUrl": queue, "MessageBody.$": "$$.Task.Token"}}))
	return &waiters{s, machine, queue}, err
}

// start starts n executions and returns their ARNs.
func (w *waiters) start(ctx context.Context, n int) ([]string, error) {
	arns := make([]string, n)
	err := spread(n, func(i int) (err error) {
		arns[i], err = w.server.start(ctx, w.machine, "", input)
		return err
	})
	return arns, err
}

// tokens receives n tokens from the queue.
func (w *waiters) tokens(ctx context.Context, n int) ([]string, error) {
	var tokens []string
	for len(tokens) < n {
		var out struct {
			Messages []struct{ Body, ReceiptHandle string }
		}
		if err := w.call(ctx, "sqs", "ReceiveMessage", object{"QueueUrl": w.queue, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 5, "VisibilityTimeout": 600}, &out); err != nil {
			return nil, err
		}
		if len(out.Messages) == 0 {
			return nil, fmt.Errorf("%d of %d tokens arrived", len(tokens), n)
		}
		for _, m := range out.Messages {
			tokens = append(tokens, m.Body)
		}
	}
	return tokens, nil
}

// answer answers all tokens and returns when all executions have succeeded.
func (w *waiters) answer(ctx context.Context, tokens, arns []string) error {
	err := spread(len(tokens), func(i int) error {
		return w.call(ctx, "states", "SendTaskSuccess", object{"taskToken": tokens[i], "output": `{"ok":1}`}, nil)
	})
	if err != nil {
		return err
	}
	return spread(len(arns), func(i int) error { return w.await(ctx, arns[i]) })
}

// spread does n things from 64 clients.
func spread(n int, f func(i int) error) error {
	var next atomic.Int64
	var mu sync.Mutex
	var failed error
	var wg sync.WaitGroup
	for range min(64, n) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := f(i); err != nil {
					mu.Lock()
					failed = errors.Join(failed, err)
					mu.Unlock()
					return
				}
			}
		})
	}
	wg.Wait()
	return failed
}

func waiting(ctx context.Context, r *run) error {
	s, _, err := startServer(ctx, r, r.newDir())
	if err != nil {
		return err
	}
	defer s.kill()
	w, err := newWaiters(ctx, s)
	if err != nil {
		return err
	}
	before, start := s.use(), time.Now()
	arns, err := w.start(ctx, r.Waiting)
	if err != nil {
		return err
	}
	took, after := time.Since(start), s.use()
	r.say("  %.0f starts/s; resident memory %.0f MiB before, %.0f MiB after %d: %d bytes each", float64(r.Waiting)/took.Seconds(),
		mib(before.rss), mib(after.rss), r.Waiting, (after.rss-before.rss)/int64(r.Waiting))
	tokens, err := w.tokens(ctx, r.Waiting)
	if err != nil {
		return err
	}
	start = time.Now()
	if err := w.answer(ctx, tokens, arns); err != nil {
		return err
	}
	r.say("  all answered and done in %s", time.Since(start).Round(time.Millisecond))
	s.kill()
	if err := growth(ctx, r); err != nil {
		return err
	}
	return waitingMany(ctx, r)
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }
func gib(n int64) float64 { return float64(n) / (1 << 30) }

func coldStart(ctx context.Context, r *run) error {
	start := time.Now()
	s, ready, err := startServer(ctx, r, r.newDir())
	if err != nil {
		return err
	}
	defer s.kill()
	machine, err := s.createMachine(ctx, "STANDARD", "one", steps(1, pass))
	if err == nil {
		err = s.execute(ctx, machine, "", input)
	}
	if err != nil {
		return err
	}
	r.say("  process start to ready %s, to first execution done %s; idle %.0f MiB resident", ready.Round(time.Millisecond),
		time.Since(start).Round(time.Millisecond), mib(s.use().rss))
	return nil
}

func crash(ctx context.Context, r *run) error {
	const n = 1000
	data := r.newDir()
	s, _, err := startServer(ctx, r, data)
	if err != nil {
		return err
	}
	w, err := newWaiters(ctx, s)
	if err != nil {
		s.kill()
		return err
	}
	arns, err := w.start(ctx, n)
	if err != nil {
		s.kill()
		return err
	}
	tokens, err := w.tokens(ctx, n)
	s.kill()
	if err != nil {
		return err
	}
	again, ready, err := startServer(ctx, r, data)
	if err != nil {
		return err
	}
	defer again.kill()
	w.server = again
	start := time.Now()
	if err := w.answer(ctx, tokens, arns); err != nil {
		return err
	}
	r.say("  restart to ready %s; %d answered and done in %s; nothing lost", ready.Round(time.Millisecond), n, time.Since(start).Round(time.Millisecond))
	return nil
}
