package envelope_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/newel-run/newel/asl"
	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/states"
)

// echo answers a task with its arguments once it is let; until then it hangs, as a call under way does.
type echo struct{ let chan struct{} }

func (e echo) Run(ctx context.Context, d engine.Dispatch) engine.Outcome {
	select {
	case <-e.let:
	case <-ctx.Done():
	}
	return engine.Outcome{Kind: engine.TaskSucceeded, Output: value.Text(d.Task.Arguments.Bytes())}
}

func (echo) Cancel(context.Context, engine.Dispatch) error { return nil }

// TestMachine: what the executions of a machine with a key say is encrypted wherever it lies, also while a task is under
// way; a server starts while the key is disabled, refuses what needs the key and goes on once it is enabled.
func TestMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		task := echo{make(chan struct{})}
		var s *states.Service
		restart := func() {
			if s != nil {
				s.Close()
			}
			w.start()
			s = states.New(states.Config{Env: w.env, Dispatcher: task, Resource: func(asl.Integration, string) string { return "" }})
			w.services["states"] = s
			if err := s.Start(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		restart()
		defer func() { s.Close() }()
		definition := `{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","ResultPath":"$.r","Next":"P"},` +
			`"P":{"Type":"Parallel","Branches":[{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":60,"End":true}}}],"End":true}}}`
		machine := w.do("states", "CreateStateMachine", object{"name": "m", "definition": definition, "roleArn": "arn:aws:iam::000000000000:role/r",
			"encryptionConfiguration": object{"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "alias/SB-KMS", "kmsDataKeyReusePeriodSeconds": 60}})["stateMachineArn"]
		input, _ := json.Marshal(object{"v": secret})
		start := object{"stateMachineArn": machine, "input": string(input), "name": "e"}
		execution := object{"executionArn": w.do("states", "StartExecution", start)["executionArn"]}
		synctest.Wait()
		if w.stored(secret) {
			t.Error("the store has the plaintext while the task is under way")
		}
		w.do("kms", "DisableKey", object{"KeyId": w.key})
		restart()
		start["name"] = "other"
		for operation, in := range map[string]object{"StartExecution": start, "DescribeExecution": execution, "GetExecutionHistory": execution,
			"DescribeStateMachine": {"stateMachineArn": machine}} {
			_, err := w.call("states", operation, in)
			var e *aws.Error
			if !errors.As(err, &e) || e.Code != "KmsInvalidStateException" || e.Fields["kmsKeyState"] != "DISABLED" {
				t.Errorf("%s: %v", operation, err)
			}
		}
		if m := w.do("states", "DescribeStateMachine", object{"stateMachineArn": machine, "includedData": "METADATA_ONLY"}); m["definition"] != "{}" || m["status"] != "ACTIVE" {
			t.Errorf("the machine's metadata %v", m)
		}
		w.do("kms", "EnableKey", object{"KeyId": w.key})
		if m := w.do("states", "DescribeStateMachine", object{"stateMachineArn": machine}); m["definition"] != definition {
			t.Errorf("the definition came back as %v", m["definition"])
		}
		close(task.let)
		time.Sleep(time.Minute)
		synctest.Wait()
		if w.stored(secret) {
			t.Error("the store has the plaintext while the execution waits")
		}
		restart()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if w.stored(secret) {
			t.Error("the store has the plaintext after the end")
		}
		out := w.do("states", "DescribeExecution", execution)
		if out["status"] != "SUCCEEDED" || strings.Count(out["output"].(string), secret) != 2 || !strings.Contains(out["input"].(string), secret) {
			t.Errorf("execution %v", out)
		}
		history, _ := json.Marshal(w.do("states", "GetExecutionHistory", execution))
		if strings.Count(string(history), secret) < 4 {
			t.Errorf("history %s", history)
		}
	})
}
