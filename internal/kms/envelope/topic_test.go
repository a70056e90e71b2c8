package envelope_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/sns"
)

// TestTopic: what a topic with a key owes to its subscribers is kept encrypted, is delivered after a restart, and waits
// while the key is disabled.
func TestTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var topics *sns.Service
		down := true
		restart := func() {
			if topics != nil {
				topics.Close()
			}
			w.start()
			queues := w.services["sqs"]
			w.services["sqs"] = aws.CallerFunc(func(ctx context.Context, r *aws.Request) (*aws.Output, error) {
				if r.Operation == "SendMessage" && down {
					return nil, &aws.Error{Code: "InternalError", Fault: true}
				}
				return queues.Call(ctx, r)
			})
			topics = sns.New(w.env)
			w.services["sns"] = topics
			if err := topics.Start(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		restart()
		defer func() { topics.Close() }()
		w.do("sqs", "CreateQueue", object{"QueueName": "q", "Attributes": object{"KmsMasterKeyId": w.key, "VisibilityTimeout": "0"}})
		topic := w.do("sns", "CreateTopic", object{"Name": "t", "Attributes": object{"KmsMasterKeyId": "alias/SB-KMS"}})["TopicArn"]
		publish := object{"TopicArn": topic, "Message": secret}
		w.do("kms", "DisableKey", object{"KeyId": w.key})
		w.fails("sns", "Publish", publish, "KMSDisabledException")
		w.do("kms", "EnableKey", object{"KeyId": w.key})
		w.do("sns", "Subscribe", object{"TopicArn": topic, "Protocol": "sqs", "Endpoint": "arn:aws:sqs:us-east-1:000000000000:q"})
		w.do("sns", "Publish", publish)
		synctest.Wait()
		if w.stored(secret) {
			t.Error("the store has the plaintext of a delivery that is owed")
		}
		w.do("kms", "DisableKey", object{"KeyId": w.key})
		down = false
		restart()
		time.Sleep(time.Minute)
		w.do("kms", "EnableKey", object{"KeyId": w.key})
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := w.do("sqs", "ReceiveMessage", object{"QueueUrl": queue, "MaxNumberOfMessages": 10})["Messages"].([]any); len(got) != 1 {
			t.Errorf("received %v", got)
		}
	})
}
