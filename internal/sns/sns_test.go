package sns

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/newel-run/newel/internal/aws"
)

func TestTopics(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	arn := w.topic("t", members{"DisplayName": "a"})
	if again := w.topic("t", nil); again != arn {
		t.Errorf("the same topic has the ARNs %s and %s", arn, again)
	}
	w.Fails("CreateTopic", members{"Name": "t", "Attributes": members{"DisplayName": "b"}}, "InvalidParameter", "Topic already exists with different attributes")
	w.Fails("CreateTopic", members{"Name": "not valid"}, "InvalidParameter", "Invalid parameter: Topic Name")
	w.Fails("CreateTopic", members{"Name": "t", "Attributes": members{"FifoTopic": "true"}}, "InvalidParameter", "Fifo Topic names must end with .fifo")
	w.Fails("CreateTopic", members{"Name": "u", "Attributes": members{"Nope": "1"}}, "InvalidParameter", "Invalid parameter: AttributeName")
	w.Fails("SetTopicAttributes", members{"TopicArn": arn, "AttributeName": "Policy", "AttributeValue": "{"}, "InvalidParameter", "Policy")
	w.Fails("GetTopicAttributes", members{"TopicArn": arn + "x"}, "NotFound", "Topic does not exist")
	w.Fails("GetTopicAttributes", members{"TopicArn": "t"}, "InvalidParameter", "An ARN must have at least 6 elements, not 1")
	w.Do("SetTopicAttributes", members{"TopicArn": arn, "AttributeName": "DisplayName", "AttributeValue": ""})
	w.Do("AddPermission", members{"TopicArn": arn, "Label": "l", "AWSAccountId": []string{"111122223333"}, "ActionName": []string{"Publish"}})
	got := w.Do("GetTopicAttributes", members{"TopicArn": arn})["Attributes"].(members)
	if got["DisplayName"] != "" || !strings.Contains(got["Policy"].(string), `"AWS":"arn:aws:iam::111122223333:root"`) {
		t.Errorf("attributes %v", got)
	}
	w.Do("TagResource", members{"ResourceArn": arn, "Tags": []members{{"Key": "k", "Value": "v"}}})
	w.Do("UntagResource", members{"ResourceArn": arn, "TagKeys": []string{"none"}})
	if tags := fmt.Sprint(w.Do("ListTagsForResource", members{"ResourceArn": arn})["Tags"]); tags != "[map[Key:k Value:v]]" {
		t.Errorf("tags %s", tags)
	}
	w.Do("DeleteTopic", members{"TopicArn": arn})
	w.Do("DeleteTopic", members{"TopicArn": arn})
	w.Fails("TagResource", members{"ResourceArn": arn, "Tags": []members{}}, "ResourceNotFound", "Resource does not exist")
	if list := w.Do("ListTopics", nil)["Topics"].([]any); len(list) != 0 {
		t.Errorf("topics after the deletion: %v", list)
	}
}

func TestListsInPages(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	for i := range listMax + 5 {
		w.topic(fmt.Sprintf("t%03d", i), nil)
	}
	first := w.Do("ListTopics", nil)
	second := w.Do("ListTopics", members{"NextToken": first["NextToken"]})
	if n, m := len(first["Topics"].([]any)), len(second["Topics"].([]any)); n != listMax || m != 5 || second["NextToken"] != nil {
		t.Errorf("pages of %d and %d topics, then %v", n, m, second["NextToken"])
	}
}

func TestSubscribeRefusals(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	arn := w.topic("t", nil)
	for _, c := range []struct{ protocol, endpoint, message string }{
		{"sqs", "http://x", "SQS endpoint ARN"},
		{"sqs", "arn:aws:sqs:us-east-1:000000000000:q.fifo", "FIFO SQS Queues can not be subscribed to standard SNS topics"},
		{"lambda", "arn:aws:sqs:us-east-1:000000000000:q", "Lambda endpoint ARN"},
		{"http", "https://x", "Endpoint must match the specified protocol"},
		{"email", "nobody", "Email address"},
		{"application", "x", "Newel does not implement subscriptions of the protocol application"},
		{"pigeon", "x", "Amazon SNS does not support this protocol string: pigeon"},
	} {
		w.Fails("Subscribe", members{"TopicArn": arn, "Protocol": c.protocol, "Endpoint": c.endpoint}, "InvalidParameter", c.message)
	}
	q := w.queue("q")
	w.Fails("Subscribe", members{"TopicArn": arn, "Protocol": "sqs", "Endpoint": q, "Attributes": members{"FilterPolicy": `{"a":"b"}`}}, "InvalidParameter", `FilterPolicy: "a" must be an object or an array`)
	w.Fails("Subscribe", members{"TopicArn": arn, "Protocol": "sqs", "Endpoint": q, "Attributes": members{"FilterPolicy": `{"a":{"b":["c"]}}`}}, "InvalidParameter", "does not support nested")
	w.Fails("Subscribe", members{"TopicArn": arn, "Protocol": "email", "Endpoint": "a@b.c", "Attributes": members{"RawMessageDelivery": "true"}}, "InvalidParameter", "Delivery protocol [email] does not support raw message delivery.")
	one := w.subscribe(arn, "sqs", q, nil)
	if two := w.subscribe(arn, "sqs", q, nil); one != two {
		t.Errorf("subscribed twice: %s, %s", one, two)
	}
	w.Fails("Subscribe", members{"TopicArn": arn, "Protocol": "sqs", "Endpoint": q, "Attributes": members{"RawMessageDelivery": "true"}}, "InvalidParameter", "Subscription already exists with different attributes")
	w.Do("Unsubscribe", members{"SubscriptionArn": one})
	w.Do("Unsubscribe", members{"SubscriptionArn": one})
	w.Fails("GetSubscriptionAttributes", members{"SubscriptionArn": one}, "NotFound", "Subscription does not exist")
	if n := w.Do("GetTopicAttributes", members{"TopicArn": arn})["Attributes"].(members)["SubscriptionsDeleted"]; n != "1" {
		t.Errorf("%v subscriptions deleted", n)
	}
}

func TestPublishRefusals(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	arn := w.topic("t", nil)
	for message, in := range map[string]members{
		"Empty message":    {"TopicArn": arn, "Message": ""},
		"Message too long": {"TopicArn": arn, "Message": strings.Repeat("x", bytesMax+1)},
		"Subject":          {"TopicArn": arn, "Message": "m", "Subject": "two\nlines"},
		"TopicArn or TargetArn Reason: no value for required parameter": {"Message": "m"},
		"No default entry in JSON message body":                         {"TopicArn": arn, "Message": `{"sqs":"x"}`, "MessageStructure": "json"},
		"JSON message body failed to parse":                             {"TopicArn": arn, "Message": `x`, "MessageStructure": "json"},
		"MessageDeduplicationId":                                        {"TopicArn": arn, "Message": "m", "MessageDeduplicationId": "d"},
	} {
		w.Fails("Publish", in, "InvalidParameter", message)
	}
	w.Fails("Publish", members{"TopicArn": arn, "Message": "m", "MessageAttributes": members{"a": members{"DataType": "Wrong", "StringValue": "x"}}}, "ParameterValueInvalid", "the set of supported type prefixes is Binary, Number, and String")
	w.Fails("Publish", members{"TopicArn": arn + "x", "Message": "m"}, "NotFound", "Topic does not exist")
	w.Fails("PublishBatch", members{"TopicArn": arn, "PublishBatchRequestEntries": []members{}}, "EmptyBatchRequest", "")
	w.Fails("PublishBatch", members{"TopicArn": arn, "PublishBatchRequestEntries": []members{{"Id": "1", "Message": "m"}, {"Id": "1", "Message": "m"}}}, "BatchEntryIdsNotDistinct", "")
}

func TestFanOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		arn := w.topic("t", members{"DisplayName": "Team"})
		plain, raw, other := w.queue("plain"), w.queue("raw"), w.queue("other")
		w.subscribe(arn, "sqs", plain, nil)
		w.subscribe(arn, "sqs", raw, members{"RawMessageDelivery": "true"})
		w.subscribe(arn, "sqs", other, members{"FilterPolicy": `{"kind":["nothing"]}`})
		w.subscribe(arn, "email", "a@example.com", nil)
		w.subscribe(arn, "sms", "+15550100", nil)
		w.subscribe(arn, "lambda", "arn:aws:lambda:us-east-1:000000000000:function:f", nil)
		id := w.Do("Publish", members{"TopicArn": arn, "Message": `{"default":"d","sqs":"for <queues>","email":"for people"}`, "MessageStructure": "json", "Subject": "s",
			"MessageAttributes": members{"n": members{"DataType": "Number", "StringValue": "1.50"}}})["MessageId"]
		synctest.Wait()

		var envelope struct {
			Type, MessageId, TopicArn, Subject, Message, Timestamp, SignatureVersion, Signature, SigningCertURL, UnsubscribeURL string
			MessageAttributes                                                                                                   map[string]map[string]string
		}
		text := body(w.receive(plain, 1)[0])
		if err := json.Unmarshal([]byte(text), &envelope); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(text, "{\n  \"Type\" : \"Notification\",\n  \"MessageId\" : ") || envelope.MessageId != id || envelope.Message != "for <queues>" || envelope.Signature == "" ||
			envelope.MessageAttributes["n"]["Value"] != "1.50" || envelope.MessageAttributes["n"]["Type"] != "Number" {
			t.Errorf("envelope %s", text)
		}
		m := w.receive(raw, 1)[0]
		if body(m) != "for <queues>" || fmt.Sprint(m["MessageAttributes"]) != "map[n:map[DataType:Number StringValue:1.50]]" {
			t.Errorf("raw message %v", m)
		}
		w.empty(other)

		list := w.mails()
		if len(list) != 2 {
			t.Fatalf("mails %v", list)
		}
		for _, got := range list {
			switch got["Kind"] {
			case "sms":
				if got["Body"] != "d" {
					t.Errorf("text message %v", got)
				}
			case "email":
				if got["Subject"] != "s" || got["From"] != `"Team" <no-reply@sns.amazonaws.com>` || !strings.HasPrefix(got["Body"].(string), "for people\n\n--\nIf you wish to stop receiving notifications") {
					t.Errorf("mail %v", got)
				}
			}
		}
		if len(w.invoked) != 1 || !strings.Contains(w.invoked[0], `{"Records":[{"EventSource":"aws:sns","EventVersion":"1.0"`) || !strings.Contains(w.invoked[0], `"Subject":"s","Message":"d"`) {
			t.Errorf("invoked with %v", w.invoked)
		}
	})
}

// mails are the sink's, with bodies.
func (w *world) mails() (mails []members) {
	w.t.Helper()
	out, err := w.try("newel-mail", "ListMails", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, m := range out["Mails"].([]any) {
		full, err := w.try("newel-mail", "GetMail", members{"Id": m.(members)["Id"]})
		if err != nil {
			w.t.Fatal(err)
		}
		mails = append(mails, full)
	}
	return mails
}

func TestFilterPolicies(t *testing.T) {
	message := func(body string, attributes map[string]attribute) *message {
		return &message{content: content{Message: body, MessageAttributes: attributes}}
	}
	attributes := map[string]attribute{"s": {DataType: "String", StringValue: "red"}, "n": {DataType: "Number", StringValue: "10.0"},
		"a": {DataType: "String.Array", StringValue: `["x","y",true,null,3]`}, "ip": {DataType: "String", StringValue: "10.0.0.7"}}
	for _, c := range []struct {
		scope, policy string
		want          bool
	}{
		{"", `{"s":["red"]}`, true}, {"", `{"s":["blue"]}`, false}, {"", `{"s":[{"prefix":"re"}],"n":[{"numeric":["=",10]}]}`, true},
		{"", `{"s":[{"anything-but":["red","blue"]}]}`, false}, {"", `{"s":[{"anything-but":{"prefix":"b"}}]}`, true},
		{"", `{"missing":[{"exists":false}]}`, true}, {"", `{"missing":[{"anything-but":"x"}]}`, false}, {"", `{"s":[{"exists":false}]}`, false},
		{"", `{"a":["y"]}`, true}, {"", `{"a":[3]}`, true}, {"", `{"a":[{"anything-but":["x"]}]}`, true}, {"", `{"a":["z"]}`, false},
		{"", `{"s":[{"equals-ignore-case":"RED"}]}`, true}, {"", `{"s":[{"suffix":"ed"}]}`, true}, {"", `{"ip":[{"cidr":"10.0.0.0/29"}]}`, true},
		{"", `{"ip":[{"cidr":"10.0.0.8/29"}]}`, false}, {"", `{"$or":[{"s":["blue"]},{"n":[{"numeric":[">",9,"<",11]}]}]}`, true},
		{"MessageBody", `{"o":{"k":["v"]}}`, true}, {"MessageBody", `{"o":{"k":["w"]}}`, false}, {"MessageBody", `{"s":["red"]}`, false},
	} {
		sub := &subscription{Attributes: map[string]string{"FilterPolicy": c.policy, "FilterPolicyScope": c.scope}}
		got, err := sub.wants(message(`{"o":{"k":"v"}}`, attributes))
		if err != nil || got != c.want {
			t.Errorf("%s %s: %v, %v", c.scope, c.policy, got, err)
		}
	}
	sub := &subscription{Attributes: map[string]string{"FilterPolicy": `{"o":[{"exists":false}]}`, "FilterPolicyScope": "MessageBody"}}
	if got, err := sub.wants(message("no JSON", nil)); got || err != nil {
		t.Errorf("a body that is no JSON passes: %v, %v", got, err)
	}
}

// TestExactlyOnce crashes between the publication and each of its deliveries, which are then tried again.
func TestExactlyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		arn := w.topic("t", nil)
		q := w.queue("q")
		w.subscribe(arn, "sqs", q, members{"RawMessageDelivery": "true"})
		w.subscribe(arn, "email", "a@example.com", nil)
		w.broken = func(r *aws.Request) error { // the receiver does its work and the answer is lost
			if r.Operation != "SendMessage" && r.Operation != "SendMail" {
				return nil
			}
			var err error
			if r.Service == "sqs" {
				_, err = w.sqs.Call(t.Context(), r)
			} else {
				_, err = w.mail.Call(t.Context(), r)
			}
			if err != nil {
				return err
			}
			return io.ErrUnexpectedEOF
		}
		for i := range 3 {
			w.Do("Publish", members{"TopicArn": arn, "Message": fmt.Sprint(i)})
		}
		synctest.Wait()
		w.close() // nothing was answered: all six deliveries are still owed
		w.broken = nil
		w.open()
		defer w.close()
		synctest.Wait()
		got := map[string]int{}
		for _, m := range w.receive(q, 3) {
			got[body(m)]++
		}
		w.empty(q)
		if len(got) != 3 || len(w.mails()) != 3 {
			t.Errorf("received %v and %d mails", got, len(w.mails()))
		}
	})
}

func TestRefusedDeliveryGoesToItsDeadLetterQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		arn, dead := w.topic("t", nil), w.queue("dead")
		w.subscribe(arn, "sqs", "arn:aws:sqs:us-east-1:000000000000:gone", members{"RawMessageDelivery": "true", "RedrivePolicy": `{"deadLetterTargetArn":"` + dead + `"}`})
		w.Do("Publish", members{"TopicArn": arn, "Message": "lost"})
		synctest.Wait()
		if got := body(w.receive(dead, 1)[0]); got != "lost" {
			t.Errorf("the dead-letter queue got %q", got)
		}
	})
}

func TestFIFO(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		arn, q := w.topic("t.fifo", members{"FifoTopic": "true"}), w.queue("q.fifo")
		w.Fails("Publish", members{"TopicArn": arn, "Message": "m"}, "InvalidParameter", "The MessageGroupId parameter is required for FIFO topics")
		w.Fails("Publish", members{"TopicArn": arn, "Message": "m", "MessageGroupId": "g"}, "InvalidParameter", "ContentBasedDeduplication")
		w.Fails("Subscribe", members{"TopicArn": arn, "Protocol": "email", "Endpoint": "a@b.c"}, "InvalidParameter", "Please use FIFO SQS queue")
		w.subscribe(arn, "sqs", q, members{"RawMessageDelivery": "true"})
		var want []string
		failures := 0
		w.broken = func(r *aws.Request) error {
			if w.mu.Lock(); r.Operation == "SendMessage" && failures < 5 {
				failures++
				w.mu.Unlock()
				return io.ErrUnexpectedEOF
			}
			w.mu.Unlock()
			return nil
		}
		var first members
		for i := range 20 {
			id := fmt.Sprint(i)
			out := w.Do("Publish", members{"TopicArn": arn, "Message": id, "MessageGroupId": "g", "MessageDeduplicationId": id})
			if again := w.Do("Publish", members{"TopicArn": arn, "Message": id, "MessageGroupId": "g", "MessageDeduplicationId": id}); again["MessageId"] != out["MessageId"] {
				t.Errorf("a repeated message has the ids %v and %v", out["MessageId"], again["MessageId"])
			}
			if want = append(want, id); i == 0 {
				first = out
			}
		}
		var got []string
		for _, m := range w.receive(q, 20) {
			got = append(got, body(m))
		}
		if strings.Join(got, " ") != strings.Join(want, " ") || first["SequenceNumber"] != "10000000000000001000" {
			t.Errorf("received %v; first %v", got, first)
		}
		w.empty(q)
	})
}

func TestHTTPConfirmation(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	type post struct {
		kind string
		body map[string]any
	}
	posts := make(chan post, 10)
	fail := true // the first attempt is answered with an error
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if fail {
			fail = false
			rw.WriteHeader(http.StatusInternalServerError)
			return
		}
		var p post
		p.kind = r.Header.Get("X-Amz-Sns-Message-Type")
		_ = json.NewDecoder(r.Body).Decode(&p.body)
		posts <- p
	}))
	defer server.Close()
	arn := w.topic("t", nil)
	out := w.Do("Subscribe", members{"TopicArn": arn, "Protocol": "http", "Endpoint": server.URL})
	if out["SubscriptionArn"] != "pending confirmation" {
		t.Errorf("subscribed as %v", out)
	}
	asked := <-posts
	if asked.kind != "SubscriptionConfirmation" || asked.body["Type"] != "SubscriptionConfirmation" || asked.body["SubscribeURL"] == nil {
		t.Fatalf("asked by %v", asked)
	}
	w.Do("Publish", members{"TopicArn": arn, "Message": "too early"})
	w.Fails("ConfirmSubscription", members{"TopicArn": arn, "Token": "wrong"}, "InvalidParameter", "Token")
	w.Do("ConfirmSubscription", members{"TopicArn": arn, "Token": asked.body["Token"]})
	w.Do("Publish", members{"TopicArn": arn, "Message": "now"})
	if got := <-posts; got.kind != "Notification" || got.body["Message"] != "now" {
		t.Errorf("notified by %v", got)
	}
}
