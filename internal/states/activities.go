package states

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/machine"
)

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
		// Numbers go on from the time, so that an activity that is made again does not use those of the one before.
		a = &activity{ARN: arn, Name: in.Name, Created: c.Now.UnixMilli(), Encryption: encryption, Last: uint64(c.Now.UnixMicro())}
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
	c.After = append(c.After, func() { s.lines.close(arn) })
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
	number := a.Last
	c.After = append(c.After, func() {
		s.lines.add(a.ARN, number, &task, len(b))
		s.polls.wake(a.ARN)
	})
	return nil, writeActivity(tx, a)
}

// activityGone is engine.Config.Gone. It asks at the seam, as the task's hand-over does, so that both see the same
// activity; where there is no answer the hand-over finds out.
func (s *Service) activityGone(ctx context.Context, execution, activity string) bool {
	if s.lines.polled(activity) {
		return false
	}
	of, _ := aws.ParseARN(execution)
	input := append(value.AppendString([]byte(`{"activityArn":`), activity), '}')
	_, err := s.env.Caller.Call(ctx, &aws.Request{Service: "states", Operation: "DescribeActivity", Account: of.Account, Region: of.Region, Input: input})
	var e *aws.Error
	return errors.As(err, &e) && e.Code == "ActivityDoesNotExist"
}
