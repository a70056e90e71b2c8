package states

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

// An activity's queue is an index of tasks that wait for a worker: rows in the activity's partition, in the order in
// which the tasks were scheduled, each with the token and the input. A poll takes the first row that no other poll is
// looking at, claims the task in a transaction of the EXECUTION, which writes ActivityStarted and starts the timers, and
// only then removes the row and answers. A crash in between leaves a row whose claim will be refused, and which the next
// poll removes; a task is never handed out twice.

// activity is a registered activity.
type activity struct {
	ARN        string          `json:"arn"`
	Name       string          `json:"name"`
	Created    int64           `json:"created"` // epoch milliseconds
	Encryption json.RawMessage `json:"encryption,omitempty"`
	Tags       []tag           `json:"tags,omitempty"`
	Last       uint64          `json:"last"` // number of the last task
}

// waitingTask is a row of an activity's queue. Where the activity or the task's machine has a customer managed key the
// input is kept encrypted.
type waitingTask struct {
	Token      string              `json:"t"`
	Input      json.RawMessage     `json:"i,omitempty"`
	Protection *service.Protection `json:"p,omitempty"`
	Sealed     []byte              `json:"s,omitempty"`
}

// protection is how the inputs of an activity's tasks are kept: under the activity's key, else under that of the machine.
func (a *activity) protection(ofMachine *service.Protection) *service.Protection {
	if p := protectionOf(a.ARN, activityContext, a.Encryption); p != nil {
		return p
	}
	return ofMachine
}

func activityKey(arn string) store.Key { return store.K(store.TableActivity, "activity", arn) }
func waitingKey(arn string) store.Key  { return store.K(store.TableActivity, "task", arn) }

func noActivity(arn string) *aws.Error {
	return aws.Errorf("ActivityDoesNotExist", "Activity Does Not Exist: '%s'", arn)
}

func readActivity(rd store.Reader, arn string) (*activity, error) {
	b, err := rd.Get(activityKey(arn))
	if err != nil || b == nil {
		return nil, err
	}
	a := &activity{}
	return a, json.Unmarshal(b, a)
}

func writeActivity(tx store.Tx, a *activity) error {
	b, err := service.Marshal(a)
	if err == nil {
		tx.Set(activityKey(a.ARN), b)
	}
	return err
}

func activityByName(r *aws.Request) (string, error) {
	var in struct{ Name string }
	if err := service.Decode(r, &in); err != nil {
		return "", err
	}
	return newARN(r, "activity:"+in.Name), nil
}

func activityByARN(r *aws.Request) (string, error) {
	var in struct{ ActivityArn string }
	if err := service.Decode(r, &in); err != nil {
		return "", err
	}
	_, err := parseType(in.ActivityArn, "activity")
	return in.ActivityArn, err
}

func (s *Service) createActivity(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		Name                    string
		Tags                    []tag
		EncryptionConfiguration json.RawMessage
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if err := checkName(in.Name); err != nil {
		return nil, err
	}
	if _, err := checkEncryption(in.EncryptionConfiguration); err != nil {
		return nil, err
	}
	arn := newARN(c.Request, "activity:"+in.Name)
	a, err := readActivity(tx, arn)
	if err != nil {
		return nil, err
	}
	encryption := rawOr(in.EncryptionConfiguration, "")
	if a != nil && !bytes.Equal(a.Encryption, encryption) {
		return nil, aws.Errorf("ActivityAlreadyExists", "Activity Already Exists: '%s'", arn)
	}
	if a == nil {
		a = &activity{ARN: arn, Name: in.Name, Created: c.Now.UnixMilli(), Encryption: encryption}
		if a.Tags, err = mergeTags(nil, in.Tags); err != nil {
			return nil, err
		}
		if err := usable(c, a.protection(nil)); err != nil {
			return nil, err
		}
		if err := writeActivity(tx, a); err != nil {
			return nil, err
		}
	}
	return map[string]any{"activityArn": arn, "creationDate": epoch(a.Created)}, nil
}

func (s *Service) describeActivity(c *service.Context, rd store.Reader) (any, error) {
	arn, err := activityByARN(c.Request)
	if err != nil {
		return nil, err
	}
	a, err := readActivity(rd, arn)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, noActivity(arn)
	}
	return map[string]any{"activityArn": a.ARN, "name": a.Name, "creationDate": epoch(a.Created),
		"encryptionConfiguration": rawOr(a.Encryption, `{"type":"AWS_OWNED_KEY"}`)}, nil
}

// deleteActivity answers success for an activity that is not there, as AWS does. Tasks that wait are not handed out any
// more; they end by their timeouts.
func (s *Service) deleteActivity(c *service.Context, tx store.Tx) (any, error) {
	arn, err := activityByARN(c.Request)
	if err != nil {
		return nil, err
	}
	tx.Delete(activityKey(arn))
	tx.DeleteRange(waitingKey(arn), waitingKey(arn).End())
	return nil, nil
}

// scheduleActivityTask puts a task into its activity's queue. It is not an operation of AWS's API, so only the engine's
// tasks reach it.
func (s *Service) scheduleActivityTask(ctx context.Context, c *service.Context) (any, error) {
	var in scheduleInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	id, err := machine.ParseToken(in.TaskToken)
	if err != nil {
		return nil, engine.ErrToken
	}
	p, err := s.protectionOfExecution(ctx, id.ExecutionARN)
	if err != nil {
		return nil, err
	}
	return s.Update(ctx, c, s.PartitionOf("", "", in.ActivityArn), func(c *service.Context, tx store.Tx) (any, error) {
		return s.enqueueTask(c, tx, &in, p)
	})
}

type scheduleInput struct {
	ActivityArn, TaskToken string
	Input                  json.RawMessage
}

func (s *Service) enqueueTask(c *service.Context, tx store.Tx, in *scheduleInput, ofMachine *service.Protection) (any, error) {
	a, err := readActivity(tx, in.ActivityArn)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, aws.Errorf("ActivityDoesNotExist", "The activity %s does not exist.", in.ActivityArn)
	}
	a.Last++
	task := waitingTask{Token: in.TaskToken, Input: in.Input}
	if p := a.protection(ofMachine); p != nil {
		task.Input, task.Protection = nil, p
		if task.Sealed, err = c.Env.Seal(p, in.Input); err != nil {
			return nil, err
		}
	}
	b, err := service.Marshal(task)
	if err != nil {
		return nil, err
	}
	tx.Set(waitingKey(a.ARN).U64(a.Last), b)
	c.After = append(c.After, func() { s.polls.wake(a.ARN) })
	return nil, writeActivity(tx, a)
}

// activityGone is engine.Config.Gone. It asks at the seam, as the task's hand-over does, so that both see the same
// activity; where there is no answer the hand-over finds out.
func (s *Service) activityGone(ctx context.Context, execution, activity string) bool {
	of, _ := aws.ParseARN(execution)
	input := append(value.AppendString([]byte(`{"activityArn":`), activity), '}')
	_, err := s.env.Caller.Call(ctx, &aws.Request{Service: "states", Operation: "DescribeActivity", Account: of.Account, Region: of.Region, Input: input})
	var e *aws.Error
	return errors.As(err, &e) && e.Code == "ActivityDoesNotExist"
}

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
	for {
		key, task, err := s.firstTask(ctx, p, arn)
		if err != nil || task == nil {
			return nil, err
		}
		if err := s.openTask(ctx, task); err != nil {
			s.polls.done(key)
			return nil, err
		}
		answer, err := s.engine.AnswerToken(ctx, task.Token, machine.Event{Kind: machine.ActivityClaimed, Worker: worker})
		if err == nil {
			err = s.env.Store.Update(store.Finishing(ctx), p, func(tx store.Tx) error { tx.Delete(key); return nil })
		}
		s.polls.done(key)
		if err != nil {
			return nil, err
		}
		if answer == machine.Taken {
			b := value.AppendString([]byte(`{"taskToken":`), task.Token)
			b = value.AppendString(append(b, `,"input":`...), string(task.Input))
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

// firstTask finds the first row that no other poll is looking at; the caller gives it up with polls.done.
func (s *Service) firstTask(ctx context.Context, p store.Partition, arn string) (key []byte, task *waitingTask, err error) {
	err = s.env.Store.View(ctx, p, func(rd store.Reader) error {
		if a, err := readActivity(rd, arn); err != nil || a == nil {
			if err == nil {
				err = noActivity(arn)
			}
			return err
		}
		for k, v := range rd.Scan(waitingKey(arn), waitingKey(arn).End(), false) {
			if !s.polls.take(k) {
				continue
			}
			key, task = bytes.Clone(k), &waitingTask{}
			return json.Unmarshal(v, task)
		}
		return nil
	})
	if err != nil && key != nil {
		s.polls.done(key)
	}
	return key, task, err
}

// polls are the workers that wait, first come first served, and the rows that are being claimed.
type polls struct {
	mu       sync.Mutex
	waiting  map[string][]chan struct{} // by activity ARN
	claiming map[string]bool            // by row key
	present  map[string]int             // polls, by activity ARN
}

func newPolls() *polls {
	return &polls{waiting: map[string][]chan struct{}{}, claiming: map[string]bool{}, present: map[string]int{}}
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

func (p *polls) take(key []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.claiming[string(key)] {
		return false
	}
	p.claiming[string(key)] = true
	return true
}

func (p *polls) done(key []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.claiming, string(key))
}
