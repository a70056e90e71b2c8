package events

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/newel-run/newel/internal/aws"
)

func TestBusesAndRules(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	arn := w.Do("CreateEventBus", object{"Name": "b", "Description": "d", "Tags": []object{{"Key": "k", "Value": "v"}}})["EventBusArn"]
	w.Fails("CreateEventBus", object{"Name": "b"}, "ResourceAlreadyExistsException", "Event bus b already exists.")
	w.Fails("CreateEventBus", object{"Name": "default"}, "ResourceAlreadyExistsException", "Event bus default already exists.")
	w.Fails("DescribeEventBus", object{"Name": "none"}, "ResourceNotFoundException", "Event bus none does not exist.")
	if n := len(w.Do("ListEventBuses", object{})["EventBuses"].([]any)); n != 2 {
		t.Errorf("%d buses", n)
	}
	rule := w.Do("PutRule", object{"Name": "r", "EventBusName": arn, "EventPattern": `{"source":["a"]}`})["RuleArn"]
	if rule != "arn:aws:events:us-east-1:000000000000:rule/b/r" {
		t.Errorf("rule %v", rule)
	}
	w.Do("TagResource", object{"ResourceARN": rule, "Tags": []object{{"Key": "x", "Value": "y"}}})
	if tags := fmt.Sprint(w.Do("ListTagsForResource", object{"ResourceARN": rule})["Tags"]); tags != "[map[Key:x Value:y]]" {
		t.Errorf("tags %s", tags)
	}
	w.Fails("DeleteEventBus", object{"Name": "b"}, "ValidationException", "Event bus can't be deleted since it has rules.")
	w.Do("PutTargets", object{"Rule": "r", "EventBusName": "b", "Targets": []object{{"Id": "1", "Arn": queueARN}}})
	w.Fails("DeleteRule", object{"Name": "r", "EventBusName": "b"}, "ValidationException", "Rule can't be deleted since it has targets.")
	if names := fmt.Sprint(w.Do("ListRuleNamesByTarget", object{"TargetArn": queueARN, "EventBusName": "b"})["RuleNames"]); names != "[r]" {
		t.Errorf("rules of the queue: %s", names)
	}
	out := w.Do("RemoveTargets", object{"Rule": "r", "EventBusName": "b", "Ids": []string{"1", "2"}})
	if out["FailedEntryCount"] != 1.0 {
		t.Errorf("removed %v", out)
	}
	w.Do("DeleteRule", object{"Name": "r", "EventBusName": "b"})
	w.Do("DeleteRule", object{"Name": "r", "EventBusName": "b"})
	w.Do("DeleteEventBus", object{"Name": "b"})
	w.Fails("DescribeRule", object{"Name": "r"}, "ResourceNotFoundException", "Rule r does not exist on EventBus default.")
	w.Do("PutRule", object{"Name": "r", "EventPattern": `{"source":["a"]}`})
	w.Do("DisableRule", object{"Name": "r"})
	if state := w.Do("DescribeRule", object{"Name": "r"})["State"]; state != "DISABLED" {
		t.Errorf("state %v", state)
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	w.Do("CreateEventBus", object{"Name": "b"})
	w.rule("r", `{"source":["a"]}`)
	w.Fails("PutRule", object{"Name": "x"}, "ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified.")
	w.Fails("PutRule", object{"Name": "x", "ScheduleExpression": "rate(1 minutes)"}, "ValidationException", "Parameter ScheduleExpression is not valid.")
	w.Fails("PutRule", object{"Name": "x", "EventBusName": "b", "ScheduleExpression": "rate(1 minute)"}, "ValidationException", "ScheduleExpression is supported only on the default event bus.")
	w.Fails("PutRule", object{"Name": "x", "EventPattern": `{"source":"a"}`}, "InvalidEventPatternException", `Event pattern is not valid. Reason: "source" must be an object or an array`)
	w.Fails("PutRule", object{"Name": "x", "EventBusName": "none", "EventPattern": `{"source":["a"]}`}, "ResourceNotFoundException", "Event bus none does not exist.")
	w.Fails("CreateArchive", object{"ArchiveName": "a", "EventSourceArn": "arn:aws:events:us-east-1:000000000000:event-bus/default"}, "NotImplemented", "events:CreateArchive")
	states := "arn:aws:states:us-east-1:000000000000:stateMachine:m"
	for message, target := range map[string]object{
		"Newel does not deliver events to arn:aws:kinesis":            {"Arn": "arn:aws:kinesis:us-east-1:000000000000:stream/s"},
		"Provided Arn is not in correct format":                       {"Arn": "queue"},
		"RoleArn is required for target " + states:                    {"Arn": states},
		"Only one of Input, InputPath, or InputTransformer":           {"Arn": queueARN, "Input": "{}", "InputPath": "$.detail"},
		"JSON syntax error in input":                                  {"Arn": queueARN, "Input": "{"},
		"Invalid InputPath":                                           {"Arn": queueARN, "InputPath": "detail["},
		"contains invalid placeholder":                                {"Arn": queueARN, "InputTransformer": object{"InputTemplate": "<nope>"}},
		"Newel does not implement KinesisParameters of a target":      {"Arn": queueARN, "KinesisParameters": object{"PartitionKeyPath": "$.id"}},
		"Parameter(s) SqsParameters must be specified for target: 1.": {"Arn": queueARN + ".fifo"},
		"cannot be a target of its own rules":                         {"Arn": "arn:aws:events:us-east-1:000000000000:event-bus/default"},
	} {
		target["Id"] = "1"
		w.Fails("PutTargets", object{"Rule": "r", "Targets": []object{target}}, "ValidationException", message)
	}
	w.Fails("PutEvents", object{"Entries": []object{{"Source": "a", "DetailType": "t", "Detail": `{"x":"` + strings.Repeat("x", sizeMax) + `"}`}}}, "ValidationException", "Total size of the entries in the request is over the limit.")
	got := fmt.Sprint(w.put(object{"DetailType": "t", "Detail": "{}"}, object{"Source": "a", "Detail": "{}"}, object{"Source": "a", "DetailType": "t"},
		object{"Source": "a", "DetailType": "t", "Detail": "[]"}, object{"Source": "aws.ec2", "DetailType": "t", "Detail": "{}"}))
	for _, want := range []string{"Source is a required argument.", "DetailType is a required argument.", "Detail is a required argument.", "MalformedDetail", "NotAuthorizedForSourceException"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	w.Fails("TestEventPattern", object{"EventPattern": `{"a":["b"]}`, "Event": "x"}, "ValidationException", "Parameter Event is not valid.")
	if !w.Do("TestEventPattern", object{"EventPattern": `{"a":["b"]}`, "Event": `{"a":"b"}`})["Result"].(bool) {
		t.Error("the event does not match its pattern")
	}
}

func TestTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.Do("CreateEventBus", object{"Name": "other"})
		role := "arn:aws:iam::000000000000:role/r"
		w.rule("all", `{"source":[{"prefix":"my."}]}`,
			object{"Id": "sfn", "Arn": "arn:aws:states:us-east-1:000000000000:stateMachine:m", "RoleArn": role, "InputPath": "$.detail"},
			object{"Id": "fn", "Arn": "arn:aws:lambda:us-east-1:000000000000:function:f", "Input": `{"const":1}`},
			object{"Id": "sns", "Arn": "arn:aws:sns:us-east-1:000000000000:t", "InputTransformer": object{
				"InputPathsMap": object{"n": "$.detail.n", "o": "$.detail", "gone": "$.detail.gone"}, "InputTemplate": `{"n":<n>,"text":"n is <n> <gone>of <aws.events.rule-name>","o":<o>,"gone":<gone>}`}},
			object{"Id": "logs", "Arn": "arn:aws:logs:us-east-1:000000000000:log-group:/aws/events/g:*"},
		)
		w.Do("PutTargets", object{"Rule": "all", "Targets": []object{{"Id": "bus", "Arn": "arn:aws:events:us-east-1:000000000000:event-bus/other"}}})
		w.Do("PutRule", object{"Name": "copy", "EventBusName": "other", "EventPattern": `{"source":["my.app"]}`})
		w.Do("PutTargets", object{"Rule": "copy", "EventBusName": "other", "Targets": []object{{"Id": "q", "Arn": queueARN}}})
		w.put(object{"Source": "my.app", "DetailType": "t", "Detail": ` {"n" : 1.50} `, "Resources": []string{"a"}, "Time": 1700000000})
		synctest.Wait()
		slices.Sort(w.calls)
		got := strings.Join(w.calls, "\n")
		for _, want := range []string{
			`lambda:Invoke {"FunctionName":"arn:aws:lambda:us-east-1:000000000000:function:f","InvocationType":"Event"} {"const":1}`,
			`states:StartExecution {"input":"{\"n\":1.50}","stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:m"}`,
			`{"n":1.50,"text":"n is 1.50 of all","o":{"n":1.50},"gone":null}`,
			`logs:PutLogEvents {"logEvents":[{"message":`,
		} {
			if !strings.Contains(strings.ReplaceAll(got, `\"`, `"`), strings.ReplaceAll(want, `\"`, `"`)) {
				t.Errorf("no call %s in\n%s", want, got)
			}
		}
		copied := w.drain("q")
		if len(copied) != 1 || !strings.Contains(copied[0], `"detail-type":"t","source":"my.app","account":"000000000000","time":"2023-11-14T22:13:20Z","region":"us-east-1","resources":["a"],"detail":{"n":1.50}}`) {
			t.Errorf("on the other bus: %v", copied)
		}
	})
}

func TestExactlyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.rule("r", `{"source":["s"]}`, object{"Id": "1", "Arn": queueARN, "InputPath": "$.detail.n"}, object{"Id": "2", "Arn": queueARN, "InputPath": "$.detail.n"})
		w.broken = func(r *aws.Request) error { // the message is stored and the answer is lost
			if r.Operation != "SendMessage" {
				return nil
			}
			if _, err := w.sqs.Call(t.Context(), r); err != nil {
				return err
			}
			return io.ErrUnexpectedEOF
		}
		for i := range 5 {
			w.put(object{"Source": "s", "DetailType": "t", "Detail": fmt.Sprintf(`{"n":%d}`, i)})
		}
		synctest.Wait()
		w.close()
		w.broken = nil
		w.open()
		defer w.close()
		synctest.Wait()
		got := w.drain("q")
		slices.Sort(got)
		if strings.Join(got, "") != "0011223344" {
			t.Errorf("received %v", got)
		}
	})
}

// TestRepeatedDelivery puts the same internal delivery twice: the second is answered as the first and does nothing.
func TestRepeatedDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.rule("r", `{"source":["aws.s3"]}`, object{"Id": "1", "Arn": queueARN})
		var answers []string
		for range 2 {
			out, err := w.events.Call(t.Context(), &aws.Request{Service: "events", Operation: "PutEvents", Account: account, Region: region, Principal: "s3.amazonaws.com",
				Token: aws.Token{Source: "s3/1", Seq: 7, Low: 7}, Input: []byte(`{"Entries":[{"Source":"aws.s3","DetailType":"Object Created","Detail":"{}"}]}`)})
			if err != nil {
				t.Fatal(err)
			}
			b, err := json.Marshal(out.Value)
			if err != nil {
				t.Fatal(err)
			}
			answers = append(answers, string(b))
		}
		synctest.Wait()
		if got := w.drain("q"); answers[0] != answers[1] || len(got) != 1 {
			t.Errorf("answers %v, events %v", answers, got)
		}
	})
}

func TestRefusedEventGoesToItsDeadLetterQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.rule("r", `{"source":["s"]}`, object{"Id": "1", "Arn": "arn:aws:sqs:us-east-1:000000000000:gone", "InputPath": "$.detail",
			"DeadLetterConfig": object{"Arn": "arn:aws:sqs:us-east-1:000000000000:dead"}})
		w.put(object{"Source": "s", "DetailType": "t", "Detail": `{"n":1}`})
		synctest.Wait()
		if got := w.drain("dead"); len(got) != 1 || got[0] != `{"n":1}` {
			t.Errorf("the dead-letter queue got %v", got)
		}
	})
}

func TestRetryPolicyGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		attempts := 0
		w.broken = func(r *aws.Request) error {
			if r.Service != "lambda" {
				return nil
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			attempts++
			return io.ErrUnexpectedEOF
		}
		w.rule("r", `{"source":["s"]}`, object{"Id": "1", "Arn": "arn:aws:lambda:us-east-1:000000000000:function:f", "RetryPolicy": object{"MaximumRetryAttempts": 2}})
		w.put(object{"Source": "s", "DetailType": "t", "Detail": `{}`})
		time.Sleep(time.Hour) // of the bubble's clock
		synctest.Wait()
		if attempts != 3 {
			t.Errorf("%d attempts", attempts)
		}
	})
}

func TestSchedules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the bubble's clock begins at 2000-01-01T00:00:00Z
		w := newWorld(t)
		target := object{"Id": "1", "Arn": queueARN, "InputPath": "$.time"}
		for name, expression := range map[string]string{"five": "rate(5 minutes)", "noon": "cron(0 12 * * ? *)"} {
			w.Do("PutRule", object{"Name": name, "ScheduleExpression": expression})
			w.Do("PutTargets", object{"Rule": name, "Targets": []object{target}})
		}
		time.Sleep(12 * time.Minute)
		synctest.Wait()
		if got := strings.Join(w.drain("q"), " "); got != `"2000-01-01T00:05:00Z" "2000-01-01T00:10:00Z"` {
			t.Errorf("in 12 minutes: %s", got)
		}
		w.Do("DisableRule", object{"Name": "five"})
		time.Sleep(12 * time.Hour)
		synctest.Wait()
		if got := strings.Join(w.drain("q"), " "); got != `"2000-01-01T12:00:00Z"` {
			t.Errorf("in 12 hours: %s", got)
		}
		w.Do("EnableRule", object{"Name": "five"})
		w.close()
		time.Sleep(16 * time.Minute) // down at 12:17, 12:22 and 12:27
		w.open()
		defer w.close()
		synctest.Wait()
		if got := strings.Join(w.drain("q"), " "); got != `"2000-01-01T12:17:00Z"` {
			t.Errorf("at the start: %s", got)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if got := strings.Join(w.drain("q"), " "); got != `"2000-01-01T12:32:00Z"` {
			t.Errorf("after the start: %s", got)
		}
	})
}

func TestCouldMatch(t *testing.T) {
	w := newWorld(t)
	could := func() bool { return w.events.CouldMatch(account, region, "aws.states", "x") }
	if could() {
		t.Error("an event could match where there is no rule")
	}
	w.rule("other", `{"source":["aws.s3"]}`)
	if could() {
		t.Error("an event could match a rule for another source")
	}
	w.rule("r", `{"source":["aws.states"],"detail":{"a":["b"]}}`)
	if !could() || w.events.CouldMatch(account, "eu-west-1", "aws.states", "x") {
		t.Error("an event could not match its rule, or one of another region")
	}
	w.close()
	w.open()
	defer w.close()
	if !could() {
		t.Error("forgotten after a restart")
	}
	w.Do("DisableRule", object{"Name": "r"})
	if could() {
		t.Error("an event could match a disabled rule")
	}
}
