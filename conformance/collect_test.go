package conformance

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// listed tells whether a version or alias is (or, by the kind's name, is not) in a machine's list.
func (r *replay) listed(ctx context.Context, a object, operation, member, name, kind string) (bool, error) {
	v, err := r.api(ctx, "states", operation, object{"stateMachineArn": a["stateMachineArn"]})
	there := slices.ContainsFunc(objects(v[member]), func(x object) bool { return x[name] == a[name] })
	return there != strings.Contains(kind, "_not_"), err
}

// collectMessages receives and deletes messages until there are as many as wanted or the last one's status says so.
func (r *replay) collectMessages(ctx context.Context, s object) error {
	queue, err := r.value(s["queueUrl"])
	if err != nil {
		return err
	}
	until, _ := s["until"].(string)
	var got []any
	for time.Now().Before(r.deadline) {
		v, err := r.api(ctx, "sqs", "ReceiveMessage", object{"QueueUrl": queue, "MaxNumberOfMessages": number(10), "WaitTimeSeconds": number(1)})
		if err != nil {
			return err
		}
		for _, m := range objects(v["Messages"]) {
			var body value
			if err := decode([]byte(m["Body"].(string)), &body); err != nil {
				return err
			}
			got = append(got, body)
			if _, err := r.api(ctx, "sqs", "DeleteMessage", object{"QueueUrl": queue, "ReceiptHandle": m["ReceiptHandle"]}); err != nil {
				return err
			}
		}
		sortMessages(got, s["sort_by"])
		if until == "count" && encode(len(got)) == encode(s["count"]) || strings.HasPrefix(until, "last.") && ended(got) {
			r.save(s, got)
			r.capture(s["expect_snapshot_key"], got)
			return nil
		}
	}
	return errors.New("the messages did not arrive in time")
}

func sortMessages(got []any, by value) {
	key := func(v any) string {
		o, _ := v.(object)
		if by == "detail" {
			return encode(o["detail"])
		}
		return encode(o["time"])
	}
	if by != nil {
		slices.SortStableFunc(got, func(a, b any) int { return strings.Compare(key(a), key(b)) })
	}
}

func ended(got []any) bool {
	if len(got) == 0 {
		return false
	}
	o, _ := got[len(got)-1].(object)
	detail, _ := o["detail"].(object)
	return detail["status"] != nil && detail["status"] != "RUNNING"
}

// collectLogs reads a log group's events until the execution's end is among them, or as many as were recorded.
func (r *replay) collectLogs(ctx context.Context, s object) error {
	group, err := r.value(s["logGroupName"])
	if err != nil {
		return err
	}
	key, _ := s["expect_snapshot_key"].(string)
	if key == "" {
		key = "logged_execution_events"
	}
	expected, _ := r.c.Expected[key].([]any)
	var got []any
	for end := min(time.Until(r.deadline), 10*time.Second); end > 0; end -= 20 * time.Millisecond {
		if got, err = r.logEvents(ctx, group); err != nil {
			return err
		}
		last, _ := lastOf(got).(object)
		kind, _ := last["type"].(string)
		if s["until"] == "terminal_event" && strings.HasPrefix(kind, "Execution") && kind != "ExecutionStarted" || s["until"] != "terminal_event" && len(got) >= len(expected) {
			break
		}
		pause(ctx)
	}
	r.save(s, got)
	r.capture(s["expect_snapshot_key"], got)
	return nil
}

func lastOf(l []any) any {
	if len(l) == 0 {
		return nil
	}
	return l[len(l)-1]
}

func (r *replay) logEvents(ctx context.Context, group value) (got []any, err error) {
	streams, err := r.api(ctx, "logs", "DescribeLogStreams", object{"logGroupName": group})
	if err != nil {
		return nil, err
	}
	for _, stream := range objects(streams["logStreams"]) {
		v, err := r.api(ctx, "logs", "GetLogEvents", object{"logGroupName": group, "logStreamName": stream["logStreamName"], "startFromHead": true})
		if err != nil {
			return nil, err
		}
		for _, ev := range objects(v["events"]) {
			var message value
			if err := decode([]byte(ev["message"].(string)), &message); err != nil {
				return nil, err
			}
			got = append(got, message)
		}
	}
	return got, nil
}

// waitStacks waits until no stack is being worked on: the only thing here that goes on after its call is answered.
func (r *replay) waitStacks(ctx context.Context) error {
	for {
		v, err := r.api(ctx, "cloudformation", "DescribeStacks", object{})
		busy := slices.ContainsFunc(objects(v["Stacks"]), func(s object) bool {
			status, _ := s["StackStatus"].(string)
			return strings.HasSuffix(status, "IN_PROGRESS")
		})
		if err != nil || !busy {
			return err
		}
		pause(ctx)
	}
}
