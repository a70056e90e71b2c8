"""SNS, EventBridge and the mail sink as their clients use them."""
import json
import sys
import urllib.request

import boto3
from botocore.exceptions import ClientError

base = sys.argv[1]
clients = {name: boto3.client(name, endpoint_url=base, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
           for name in ("sns", "sqs", "events", "stepfunctions", "logs")}
sns, sqs, events, sfn, logs = (clients[n] for n in ("sns", "sqs", "events", "stepfunctions", "logs"))


def receive(url, n):
    bodies = []
    while len(bodies) < n:
        found = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, MaxNumberOfMessages=10).get("Messages", [])
        assert found, f"{len(bodies)} messages arrived, not {n}"
        for m in found:
            bodies.append(m["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
    return bodies


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
    else:
        raise AssertionError(f"not refused with {code}")


queue = sqs.create_queue(QueueName="q")["QueueUrl"]
queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

topic = sns.create_topic(Name="t", Attributes={"DisplayName": "Team"}, Tags=[{"Key": "a", "Value": "b"}])["TopicArn"]
subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn, Attributes={"FilterPolicy": '{"kind":["a"]}'})["SubscriptionArn"]
sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com")
sns.set_subscription_attributes(SubscriptionArn=subscription, AttributeName="FilterPolicyScope", AttributeValue="MessageAttributes")
assert sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]["Protocol"] == "sqs"
batch = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[
    {"Id": k, "Message": "message " + k, "Subject": "s", "MessageAttributes": {"kind": {"DataType": "String", "StringValue": k}}} for k in "ab"])
assert len(batch["Successful"]) == 2, batch
note = json.loads(receive(queue, 1)[0])
assert note["Message"] == "message a" and note["MessageAttributes"]["kind"] == {"Type": "String", "Value": "a"}, note
refused("NotFound", sns.publish, TopicArn=topic + "x", Message="m")
refused("InvalidParameter", sns.publish, TopicArn=topic, Message="")
urllib.request.urlopen(note["UnsubscribeURL"]).read()
assert len(sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]) == 1
assert sns.list_tags_for_resource(ResourceArn=topic)["Tags"] == [{"Key": "a", "Value": "b"}]

machine = sfn.create_state_machine(name="m", roleArn="arn:aws:iam::000000000000:role/r", definition=json.dumps({
    "StartAt": "Put", "States": {"Put": {"Type": "Task", "Resource": "arn:aws:states:::events:putEvents", "End": True, "Parameters": {
        "Entries": [{"Source": "my.app", "DetailType": "d", "Detail": {"n.$": "$.n"}}]}}}}))["stateMachineArn"]
events.put_rule(Name="mine", EventPattern='{"source":["my.app"],"detail":{"n":[{"numeric":[">",5]}]}}')
events.put_targets(Rule="mine", Targets=[{"Id": "q", "Arn": queue_arn, "InputTransformer": {
    "InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": '{"got":<n>}'}}])
events.put_rule(Name="status", EventPattern=json.dumps({"source": ["aws.states"], "detail": {"stateMachineArn": [machine], "status": ["SUCCEEDED"]}}))
events.put_targets(Rule="status", Targets=[{"Id": "q", "Arn": queue_arn, "InputPath": "$.detail.name"}])
sfn.start_execution(stateMachineArn=machine, name="few", input='{"n":5}')
sfn.start_execution(stateMachineArn=machine, name="many", input='{"n":6.50}')
assert sorted(receive(queue, 3)) == ['"few"', '"many"', '{"got":6.50}']
answer = events.put_events(Entries=[{"Source": "aws.ec2", "DetailType": "d", "Detail": "{}"}])
assert answer["FailedEntryCount"] == 1 and answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException", answer
refused("InvalidEventPatternException", events.put_rule, Name="bad", EventPattern='{"source":"x"}')
refused("ResourceNotFoundException", events.describe_rule, Name="none")
assert events.test_event_pattern(EventPattern='{"a":[{"wildcard":"x*z"}]}', Event='{"a":"xyz"}')["Result"]

mails = json.load(urllib.request.urlopen(base + "/_newel/mail"))["Mails"]
assert {m["To"] for m in mails} == {"a@example.com"} and len(mails) == 2, mails
print("ok")
