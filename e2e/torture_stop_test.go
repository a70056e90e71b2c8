package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestTortureStop is TestTortureKill with a server that is stopped in good order: it ends with exit status 0 each time.
func TestTortureStop(t *testing.T) {
	disturbed(t, "SIGTERM under load", 10, func(s *server) { s.terminate(); s.start() })
}

// answersLate is a function that says when it begins and takes its time.
const answersLate = `
import os, time

def handler(event, context):
    open(os.path.join(event["marks"], str(event["n"])), "w").close()
    time.sleep(0.7)
    return event["n"]
`

// TestTortureDrain stops a server while requests are under way: those are answered, new ones find nobody, and the process
// ends with exit status 0 before the drain time is over.
func TestTortureDrain(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("SKIPPED: python3 is not here")
	}
	const requests = 6
	s := newServer(t, "--limit", fmt.Sprintf("lambda-workers=%d", requests))
	s.start()
	createFunction(t, s, "late", answersLate)
	var machine struct{ StateMachineArn string }
	definition := `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","End":true,"Parameters":{"FunctionName":"late","Payload.$":"$"},"OutputPath":"$.Payload"}}}`
	if err := s.states("CreateStateMachine", map[string]any{"name": "late", "type": "EXPRESS", "definition": definition, "roleArn": "arn:aws:iam::000000000000:role/r"}, &machine); err != nil {
		t.Fatal(err)
	}
	marks := t.TempDir()
	var clients sync.WaitGroup
	var answered atomic.Int32
	for n := range requests {
		clients.Go(func() {
			var out struct{ Status, Output string }
			input, _ := json.Marshal(map[string]any{"n": n, "marks": marks})
			err := s.states("StartSyncExecution", map[string]any{"stateMachineArn": machine.StateMachineArn, "input": string(input)}, &out)
			if err != nil || out.Status != "SUCCEEDED" || out.Output != fmt.Sprint(n) {
				t.Errorf("request %d: %+v, %v", n, out, err)
				return
			}
			answered.Add(1)
		})
	}
	poller := make(chan error, 1)
	go func() { // a long poll is ended, not waited for
		poller <- s.states("GetActivityTask", map[string]any{"activityArn": "arn:aws:states:us-east-1:000000000000:activity:none"}, nil)
	}()
	s.eventually("all functions have begun", func() bool {
		begun, err := os.ReadDir(marks)
		return err == nil && len(begun) == requests
	})
	began := time.Now()
	s.terminate()
	took := time.Since(began)
	clients.Wait()
	<-poller
	if took > 9*time.Second { // the drain time is 10 s: it is not what has ended this
		t.Errorf("the stop took %v", took)
	}
	report(t, "SIGTERM with requests under way", "%d of %d were answered, exit status 0 after %.1f s", answered.Load(), requests, took.Seconds())
}

// TestTortureSecondServer starts a second server on a directory that one serves, and one on its port.
func TestTortureSecondServer(t *testing.T) {
	first := newServer(t)
	first.start()
	queue := func(s *server, name string) error {
		return s.json("sqs", "AmazonSQS.CreateQueue", map[string]any{"QueueName": name}, nil)
	}
	if err := queue(first, "before"); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, data, listen string
		says               []string
	}{
		{"one data directory", first.dataDir(), "127.0.0.1:0", []string{"the data is in use by another server", first.dataDir(), "--data"}},
		{"one port", filepath.Join(t.TempDir(), "other"), first.listen, []string{first.listen, "--listen"}},
	} {
		second := newServer(t)
		second.args = []string{"serve", "--listen", test.listen, "--data", test.data}
		code, text := second.run()
		if code != 1 || strings.Contains(text, "goroutine ") {
			t.Errorf("%s: exit status %d: %s", test.name, code, text)
		}
		for _, part := range test.says {
			if !strings.Contains(text, part) {
				t.Errorf("%s: the second server says %q, without %q", test.name, text, part)
			}
		}
		report(t, "a second server", "%s: exit status %d, %s", test.name, code, strings.ReplaceAll(strings.TrimSpace(text), test.data, "DIR"))
	}
	if err := queue(first, "after"); err != nil {
		t.Errorf("the first server: %v", err)
	}
	first.terminate()
	first.start()
	for _, name := range []string{"before", "after"} {
		if err := first.json("sqs", "AmazonSQS.GetQueueUrl", map[string]any{"QueueName": name}, nil); err != nil {
			t.Errorf("queue %s: %v", name, err)
		}
	}
}
