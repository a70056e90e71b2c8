package envelope_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/states"
	"github.com/newel-run/newel/internal/store"
)

// handOver puts the tasks of activities into their queues.
type handOver struct{ w *world }

func (h handOver) Run(ctx context.Context, d engine.Dispatch) engine.Outcome {
	input, _ := json.Marshal(object{"activityArn": d.Task.Resource, "taskToken": d.Task.Token, "input": json.RawMessage(d.Task.Arguments.Bytes())})
	_, err := h.w.services["states"].Call(ctx, &aws.Request{Service: "states", Operation: "ScheduleActivityTask", Token: d.Token, Account: "000000000000", Region: "us-east-1", Input: input})
	if err != nil {
		h.w.t.Error(err)
	}
	return engine.Outcome{Kind: engine.TaskQueued}
}

func (handOver) Cancel(context.Context, engine.Dispatch) error { return nil }

// TestActivity: the input of a task that waits for a worker is encrypted under the activity's key or else its machine's, is
// not handed out while that key is disabled, and is once it is enabled, also after a restart.
func TestActivity(t *testing.T) {
	configuration := object{"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "alias/SB-KMS"}
	for name, of := range map[string][2]object{"the activity's key": {configuration, nil}, "the machine's key": {nil, configuration}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.t = t
				var s *states.Service
				restart := func() {
					if s != nil {
						s.Close()
					}
					w.start()
					s = states.New(states.Config{Env: w.env, Dispatcher: handOver{w}, Resource: func(asl.Integration, string) string { return "" }})
					w.services["states"] = s
					if err := s.Start(context.Background()); err != nil {
						t.Fatal(err)
					}
				}
				restart()
				defer func() { s.Close() }()
				with := func(in object, c object) object {
					if c != nil {
						in["encryptionConfiguration"] = c
					}
					return in
				}
				activity := w.do("states", "CreateActivity", with(object{"name": "a"}, of[0]))["activityArn"].(string)
				machine := w.do("states", "CreateStateMachine", with(object{"name": "m", "roleArn": "arn:aws:iam::000000000000:role/r",
					"definition": `{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"` + activity + `","End":true}}}`}, of[1]))["stateMachineArn"]
				w.do("states", "StartExecution", object{"stateMachineArn": machine, "input": `{"v":"` + secret + `"}`})
				synctest.Wait()
				if rows, plain := w.activityRows(); rows != 2 || plain {
					t.Errorf("%d rows of activities and their tasks, with the plaintext: %v", rows, plain)
				}
				w.do("kms", "DisableKey", object{"KeyId": w.key})
				restart()
				poll := object{"activityArn": activity}
				_, err := w.call("states", "GetActivityTask", poll)
				var e *aws.Error
				if !errors.As(err, &e) || e.Code != "KmsInvalidStateException" || e.Fields["kmsKeyState"] != "DISABLED" {
					t.Errorf("a poll while the key is disabled: %v", err)
				}
				w.do("kms", "EnableKey", object{"KeyId": w.key})
				if got := w.do("states", "GetActivityTask", poll); !strings.Contains(got["input"].(string), secret) {
					t.Errorf("the worker was given %v", got)
				}
			})
		})
	}
}

// activityRows counts the rows of activities and their queues, and says whether one has the secret.
func (w *world) activityRows() (n int, plain bool) {
	w.t.Helper()
	table := store.K(store.TableActivity)
	for p := range w.store.Partitions() {
		err := w.store.View(context.Background(), store.Partition(p), func(rd store.Reader) error {
			for _, v := range rd.Scan(table, table.End(), false) {
				n++
				plain = plain || strings.Contains(string(v), secret)
			}
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return n, plain
}
