package states

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/machine"
)

// An activity's queue is an index of tasks that wait for a worker: rows in the activity's partition, in the order in
// which the tasks were scheduled, each with the token and the input. Its beginning is in memory while there are polls: its line.
// A poll takes the first task of the line and claims it in a transaction of the EXECUTION, which writes ActivityStarted
// and starts the timers. Then it answers; the row is removed with those of other polls. A crash in between leaves a row whose
// claim will be refused, and which the next poll removes: a task is never handed out twice.

// longPoll is how long a poll waits for a task.
const longPoll = 60 * time.Second

func (s *Service) getActivityTask(ctx context.Context, c *service.Context) (any, error) {
	var in struct{ ActivityArn, WorkerName string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if _, err := parseType(in.ActivityArn, "activity"); err != nil {
		return nil, err
	}
	if !s.polls.enter(in.ActivityArn, s.pollersMost) {
		return nil, aws.Errorf("ActivityWorkerLimitExceeded", "The maximum number of workers concurrently polling for activity tasks has been reached.")
	}
	defer s.polls.exit(in.ActivityArn)
	end := time.NewTimer(longPoll)
	defer end.Stop()
	for {
		woken := s.polls.wait(in.ActivityArn)
		task, err := s.takeTask(ctx, in.ActivityArn, in.WorkerName)
		if err != nil || task != nil {
			s.polls.leave(in.ActivityArn, woken)
			return task, err
		}
		select {
		case <-woken:
			continue
		case <-end.C:
		case <-aws.Draining(ctx):
		case <-ctx.Done():
		}
		s.polls.leave(in.ActivityArn, woken)
		return nil, nil
	}
}

// takeTask claims the first task that waits, or answers nil.
func (s *Service) takeTask(ctx context.Context, arn, worker string) (any, error) {
	p := s.PartitionOf("", "", arn)
	l := s.lines.of(arn)
	for {
		t, err := l.first(ctx, s, p)
		if err != nil || t == nil {
			return nil, err
		}
		if err := s.openTask(ctx, t.task); err != nil {
			l.giveBack(t)
			return nil, err
		}
		answer, err := s.engine.AnswerToken(ctx, t.task.Token, machine.Event{Kind: machine.ActivityClaimed, Worker: worker})
		if err != nil {
			l.giveBack(t)
			return nil, err
		}
		l.remove(s, p, t.number)
		if answer == machine.Taken {
			b := value.AppendString([]byte(`{"taskToken":`), t.task.Token)
			b = value.AppendString(append(b, `,"input":`...), string(t.task.Input))
			return json.RawMessage(append(b, '}')), nil
		}
	}
}

// openTask makes a task's input readable. It comes before the claim: a task whose key cannot be used stays in the queue.
func (s *Service) openTask(ctx context.Context, task *waitingTask) error {
	if task.Sealed == nil {
		return nil
	}
	return s.env.WithKeys(ctx, func() (err error) {
		task.Input, err = s.env.Open(task.Protection, task.Sealed)
		return err
	})
}

// polls are the workers that wait, first come first served.
type polls struct {
	mu      sync.Mutex
	waiting map[string][]chan struct{} // by activity ARN
	present map[string]int             // polls, by activity ARN
}

func newPolls() *polls {
	return &polls{waiting: map[string][]chan struct{}{}, present: map[string]int{}}
}

// enter counts a poll of an activity; it is refused when most of them are there already (0: as many as come).
func (p *polls) enter(arn string, most int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if most > 0 && p.present[arn] >= most {
		return false
	}
	p.present[arn]++
	return true
}

func (p *polls) exit(arn string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.present[arn]--; p.present[arn] == 0 {
		delete(p.present, arn)
	}
}

// wait joins the line; the channel is closed when it is this poll's turn to look.
func (p *polls) wait(arn string) chan struct{} {
	c := make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting[arn] = append(p.waiting[arn], c)
	return c
}

// leave gives up a place in the line. A poll that was woken and does not look passes the turn on.
func (p *polls) leave(arn string, c chan struct{}) {
	p.mu.Lock()
	i := slices.Index(p.waiting[arn], c)
	if i >= 0 {
		p.waiting[arn] = slices.Delete(p.waiting[arn], i, i+1)
		if len(p.waiting[arn]) == 0 {
			delete(p.waiting, arn)
		}
	}
	p.mu.Unlock()
	if i < 0 {
		p.wake(arn)
	}
}

// wake gives the first poll in the line its turn.
func (p *polls) wake(arn string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := p.waiting[arn]
	if len(line) == 0 {
		return
	}
	close(line[0])
	if p.waiting[arn] = line[1:]; len(line) == 1 {
		delete(p.waiting, arn)
	}
}
