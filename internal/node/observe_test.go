package node

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/newel-run/newel/internal/observe"
	"github.com/newel-run/newel/machine"
)

// TestSnapshot: what executions do is counted, and those that are open are also after a restart.
func TestSnapshot(t *testing.T) {
	d := newDisk(t)
	activity := d.must("states", "CreateActivity", object{"name": "a"})["activityArn"].(string)
	create := func(name, kind, definition string) any {
		return d.must("states", "CreateStateMachine", object{"name": name, "type": kind, "roleArn": "arn:aws:iam::" + account + ":role/r", "definition": definition})["stateMachineArn"]
	}
	waits := create("waits", "STANDARD", `{"StartAt":"P","States":{"P":{"Type":"Pass","Next":"A"},"A":{"Type":"Task","Resource":"`+activity+`","End":true}}}`)
	fails := create("fails", "STANDARD", `{"StartAt":"F","States":{"F":{"Type":"Fail","Error":"E"}}}`)
	quick := create("quick", "EXPRESS", `{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}`)
	for range 3 {
		d.must("states", "StartExecution", object{"stateMachineArn": waits})
	}
	d.must("states", "StartExecution", object{"stateMachineArn": fails})
	d.must("states", "StartSyncExecution", object{"stateMachineArn": quick})
	d.must("states", "SendTaskSuccess", object{"taskToken": d.must("states", "GetActivityTask", object{"activityArn": activity})["taskToken"], "output": "1"})
	s := d.node.Snapshot()
	if e := &s.Engine; e.Standard.Open != 2 || e.Standard.Started != 4 || e.Standard.Ended[machine.Succeeded] != 1 || e.Standard.Ended[machine.Failed] != 1 ||
		e.Express.Started != 1 || e.Express.Open != 0 || e.Transitions != 8 {
		t.Errorf("the engine counts %+v", s.Engine)
	}
	i := slices.IndexFunc(s.Calls, func(c observe.Call) bool { return c.Operation == "StartExecution" })
	if i < 0 || s.Calls[i].Status[200] != 4 || s.Calls[i].Took.Count != 4 || s.Store == nil || s.Store.Commits == 0 || s.Store.Sync.Count == 0 {
		t.Errorf("calls %+v, store %+v", s.Calls, s.Store)
	}
	d.stop()
	d.start()
	defer d.stop()
	if open := d.node.Snapshot().Engine.Standard.Open; open != 2 {
		t.Errorf("after a restart %d executions are open", open)
	}
	resp, err := http.Get(d.node.URL() + observe.MetricsPath)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(text), "\nnewel_executions_open{type=\"STANDARD\"} 2\n") || strings.Contains(string(text), "arn:") {
		t.Errorf("%v, %s", err, text)
	}
}
