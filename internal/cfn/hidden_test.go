package cfn

import (
	"strings"
	"testing"
)

const hiddenTemplate = `
Parameters:
  Secret: {Type: String, NoEcho: true}
  Secrets: {Type: CommaDelimitedList, NoEcho: true}
  Open: {Type: String}
Resources:
  Q: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref Open, Tags: [{Key: a, Value: !Ref Secret}, {Key: b, Value: !Select [1, !Ref Secrets]}]}}
  T: {Type: AWS::SNS::Topic, Properties: {TopicName: t, DisplayName: !Sub "${Open}-${Secret}"}}
`

// TestHidden: the resources get the values of NoEcho parameters, a stack's events do not show them, after a creation, an
// update and a deletion.
func TestHidden(t *testing.T) {
	w := newWorld(t)
	w.call("CreateStack", "StackName", "s", "TemplateBody", hiddenTemplate, "Parameters", parameter("Secret", "first", "Secrets", "one,two", "Open", "seen"))
	id := w.rest("s").ID
	attributes := func(displayName string) {
		t.Helper()
		w.want(w.must("sns", "GetTopicAttributes", "TopicArn", "arn:aws:sns:us-east-1:000000000000:t"), displayName)
	}
	attributes("seen-first")
	w.want(w.must("sqs", "ListQueueTags", "QueueUrl", "http://here/"+account+"/seen"), "first", "two")
	w.call("UpdateStack", "StackName", "s", "TemplateBody", hiddenTemplate, "Parameters", parameter("Secret", "second", "Secrets", "one,two", "Open", "seen"))
	w.rest("s")
	attributes("seen-second")
	w.call("DeleteStack", "StackName", "s")
	w.rest(id)
	events := w.call("DescribeStackEvents", "StackName", id)
	w.want(events, "UPDATE_COMPLETE", "DELETE_COMPLETE", `\"DisplayName\":\"seen-****\"`, `\"Value\":\"****\"`)
	for _, secret := range []string{"first", "second", "two"} {
		if strings.Contains(events, secret) {
			t.Errorf("the events show %s: %s", secret, events)
		}
	}
}
