package node

import (
	"fmt"
	"strings"
	"testing"

	"github.com/newel-run/newel/internal/aws"
)

// client calls as a client over the network does.
func (d *disk) client(name, operation, input string) (code string) {
	d.Helper()
	_, err := d.node.Caller().Call(d.Context(), &aws.Request{Service: name, Operation: operation, Account: account, Region: "us-east-1", Input: []byte(input), Host: "localhost"})
	if e, ok := err.(*aws.Error); ok {
		return e.Code
	}
	if err != nil {
		d.Fatal(err)
	}
	return ""
}

// TestLimits: --limit throttles clients' calls and starts, in each service's words, and counts; what the server does itself
// is not throttled.
func TestLimits(t *testing.T) {
	d := &disk{T: t, dir: t.TempDir()}
	var err error
	d.node, err = Start(t.Context(), Config{Listen: "127.0.0.1:0", Memory: true, CacheDir: t.TempDir(), Limits: map[string]string{
		"StartExecution": "2/0.001", "StartExecution.EXPRESS": "1/0.001", "sqs:SendMessage": "1/0.001", "open-executions": "3", "activity-pollers": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.stop()
	queue := d.queue("q")
	define := func(name, kind string) string {
		return d.must("states", "CreateStateMachine", object{"name": name, "type": kind, "roleArn": "arn:aws:iam::" + account + ":role/r",
			"definition": `{"StartAt":"S","States":{"S":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","Parameters":{"QueueUrl":"` + queue + `","MessageBody":"m"},"Next":"W"},"W":{"Type":"Wait","Seconds":3600,"End":true}}}`})["stateMachineArn"].(string)
	}
	start := `{"stateMachineArn":"` + define("m", "STANDARD") + `"}`
	express := `{"stateMachineArn":"` + define("x", "EXPRESS") + `"}`
	var codes []string
	for range 3 {
		codes = append(codes, d.client("states", "StartExecution", start))
	}
	codes = append(codes, d.client("states", "StartExecution", express), d.client("states", "StartExecution", express))
	for range 2 {
		codes = append(codes, d.client("sqs", "SendMessage", `{"QueueUrl":"`+queue+`","MessageBody":"m"}`))
	}
	if got := fmt.Sprintf("%q", codes); got != `["" "" "ThrottlingException" "" "ThrottlingException" "" "RequestThrottled"]` {
		t.Errorf("the answers are %s", got)
	}
	now := d.node.metrics.Env.Now().UTC()
	stats := d.must("monitoring", "GetMetricStatistics", object{"Namespace": "AWS/States", "MetricName": "ThrottledEvents", "StartTime": now.Unix() - 3600, "EndTime": now.Unix() + 3600,
		"Period": 86400, "Statistics": []string{"Sum"}, "Dimensions": []object{{"Name": "APIName", "Value": "StartExecution"}}})
	if points, _ := stats["Datapoints"].([]any); len(points) != 1 || points[0].(object)["Sum"] != 2.0 {
		t.Errorf("ThrottledEvents: %v", stats)
	}
	if _, message, code := d.call("states", "StartExecution", object{"stateMachineArn": strings.Split(start, `"`)[3]}); code != "" {
		t.Errorf("inside, where rates are not limited: %s %s", code, message)
	}
	if _, _, code := d.call("states", "StartExecution", object{"stateMachineArn": strings.Split(start, `"`)[3]}); code != "ExecutionLimitExceeded" {
		t.Errorf("a fourth open execution: %q", code)
	}
}

func TestUnknownLimits(t *testing.T) {
	for name, value := range map[string]string{"StartExecutions": "1/1", "sqs:Send": "1/1", "nothing:SendMessage": "1/1", "StartExecution": "x", "sqs:SendMessage": "0/1", "tasks-at-once": "-1"} {
		if _, err := (Config{Limits: map[string]string{name: value}}).settings(); err == nil {
			t.Errorf("limit %s=%s is taken", name, value)
		}
	}
}
