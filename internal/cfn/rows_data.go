package cfn

import (
	"slices"

	"github.com/newel-run/newel/asl/value"
)

var table = &Type{
	Name: "AWS::DynamoDB::Table",
	Properties: rows(
		properties("dynamodb:CreateTable", "TableName~", "AttributeDefinitions", "KeySchema!~", "LocalSecondaryIndexes~", "GlobalSecondaryIndexes",
			"BillingMode", "ProvisionedThroughput", "TableClass", "DeletionProtectionEnabled", "Tags"),
		nest("SSESpecification", "SSEEnabled", "SSEType", "KMSMasterKeyId"),
		nest("StreamSpecification", "StreamViewType"),
		properties("dynamodb:UpdateTimeToLive", "TimeToLiveSpecification"),
		properties("dynamodb:UpdateContinuousBackups", "PointInTimeRecoverySpecification"),
	),
	NameProperty: "TableName", NameMax: 255, Named: true,
	Attributes: []string{"Arn", "StreamArn"},
	Missing:    []string{"ResourceNotFoundException"},
	Create: func(i *Instance) ([]Call, error) {
		in := i.input("AttributeDefinitions", "KeySchema", "LocalSecondaryIndexes", "GlobalSecondaryIndexes", "BillingMode", "ProvisionedThroughput",
			"TableClass", "DeletionProtectionEnabled", "Tags")
		in.Set("TableName", i.Name)
		c := Call{Service: "dynamodb", Operation: "CreateTable", Input: in}.with("SSESpecification", tableEncryption(i), "StreamSpecification", tableStream(i))
		return append([]Call{c}, tableExtras(i, &Instance{Properties: value.NewObject()})...), nil
	},
	Read: func(i *Instance) Call {
		return call("dynamodb", "DescribeTable", "TableName", i.Name)
	},
	Identify: func(i *Instance, answer *value.Object) (string, map[string]string) {
		attrs := map[string]string{"Arn": member(answer, "Table", "TableArn")}
		if s := member(answer, "Table", "LatestStreamArn"); s != "" {
			attrs["StreamArn"] = s
		}
		return i.Name, attrs
	},
	Update: func(i, old *Instance) ([]Call, error) {
		var calls []Call
		update := func(members ...any) {
			calls = append(calls, call("dynamodb", "UpdateTable", "TableName", i.Name).with(members...))
		}
		if changed(i, old, "BillingMode", "ProvisionedThroughput") {
			update("BillingMode", i.get("BillingMode"), "ProvisionedThroughput", i.get("ProvisionedThroughput"))
		}
		if changed(i, old, "TableClass", "DeletionProtectionEnabled") {
			update("TableClass", i.get("TableClass"), "DeletionProtectionEnabled", either(i.get("DeletionProtectionEnabled"), false))
		}
		if changed(i, old, "SSESpecification") {
			update("SSESpecification", either(tableEncryption(i), object("Enabled", false)))
		}
		if changed(i, old, "StreamSpecification") {
			update("StreamSpecification", either(tableStream(i), object("StreamEnabled", false)))
		}
		for _, change := range indexChanges(i, old) {
			update("AttributeDefinitions", i.get("AttributeDefinitions"), "GlobalSecondaryIndexUpdates", value.Array{change})
		}
		calls = append(calls, tableExtras(i, old)...)
		return append(calls, retag(i, old, "dynamodb", "TagResource", "UntagResource", "ResourceArn", i.arn("dynamodb", "table/"+i.Name), tagList)...), nil
	},
	Delete: func(i *Instance) []Call { return []Call{call("dynamodb", "DeleteTable", "TableName", i.Ref)} },
}

func tableEncryption(i *Instance) value.Value {
	s := i.get("SSESpecification")
	if s == nil {
		return nil
	}
	return object("Enabled", at(s, "SSEEnabled"), "SSEType", at(s, "SSEType"), "KMSMasterKeyId", at(s, "KMSMasterKeyId"))
}

func tableStream(i *Instance) value.Value {
	s := i.get("StreamSpecification")
	if s == nil {
		return nil
	}
	return object("StreamEnabled", true, "StreamViewType", at(s, "StreamViewType"))
}

// tableExtras are settings that have operations of their own.
func tableExtras(i, old *Instance) []Call {
	var calls []Call
	if changed(i, old, "TimeToLiveSpecification") {
		spec := either(i.get("TimeToLiveSpecification"), object("Enabled", false, "AttributeName", at(old.get("TimeToLiveSpecification"), "AttributeName")))
		calls = append(calls, call("dynamodb", "UpdateTimeToLive", "TableName", i.Name).with("TimeToLiveSpecification", spec))
	}
	if changed(i, old, "PointInTimeRecoverySpecification") {
		spec := either(i.get("PointInTimeRecoverySpecification"), object("PointInTimeRecoveryEnabled", false))
		calls = append(calls, call("dynamodb", "UpdateContinuousBackups", "TableName", i.Name).with("PointInTimeRecoverySpecification", spec))
	}
	return calls
}

// indexChanges are the updates that bring a table's global indexes to what the template says, one for each call.
func indexChanges(i, old *Instance) []value.Value {
	named := func(list value.Value, name string) value.Value {
		for _, x := range items(list) {
			if member(x, "IndexName") == name {
				return x
			}
		}
		return nil
	}
	now, before := i.get("GlobalSecondaryIndexes"), old.get("GlobalSecondaryIndexes")
	var out []value.Value
	for _, x := range items(before) {
		name := member(x, "IndexName")
		if digestText(named(now, name)) != digestText(x) {
			out = append(out, object("Delete", object("IndexName", name)))
		}
	}
	for _, x := range items(now) {
		if digestText(named(before, member(x, "IndexName"))) != digestText(x) {
			out = append(out, object("Create", x))
		}
	}
	return out
}

// queueDefaults are what a queue attribute goes back to when a template no longer sets it.
var queueDefaults = []struct{ name, value string }{
	{"DelaySeconds", "0"}, {"MaximumMessageSize", "262144"}, {"MessageRetentionPeriod", "345600"},
	{"ReceiveMessageWaitTimeSeconds", "0"}, {"VisibilityTimeout", "30"}, {"KmsMasterKeyId", ""}, {"KmsDataKeyReusePeriodSeconds", "300"},
	{"SqsManagedSseEnabled", "true"}, {"ContentBasedDeduplication", "false"}, {"DeduplicationScope", "queue"}, {"FifoThroughputLimit", "perQueue"},
	{"RedrivePolicy", ""}, {"RedriveAllowPolicy", ""},
}

var queue = &Type{
	Name: "AWS::SQS::Queue",
	Properties: properties("", "QueueName~", "FifoQueue~", "DelaySeconds", "MaximumMessageSize", "MessageRetentionPeriod",
		"ReceiveMessageWaitTimeSeconds", "VisibilityTimeout", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled",
		"ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit", "RedrivePolicy", "RedriveAllowPolicy", "Tags"),
	NameProperty: "QueueName", NameMax: 75, Named: true, Suffix: fifoSuffix("FifoQueue"),
	Attributes: []string{"Arn", "QueueName", "QueueUrl"},
	Missing:    []string{"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"},
	Create: func(i *Instance) ([]Call, error) {
		attrs := value.NewObject()
		for _, a := range queueDefaults {
			if v := i.get(a.name); v != nil {
				attrs.Set(a.name, attributeText(v))
			}
		}
		if i.text("FifoQueue") == "true" {
			attrs.Set("FifoQueue", "true")
		}
		c := call("sqs", "CreateQueue", "QueueName", i.Name)
		if attrs.Len() > 0 {
			c = c.with("Attributes", attrs)
		}
		if t := i.get("Tags"); t != nil {
			c = c.with("tags", tagMap(t))
		}
		return []Call{c}, nil
	},
	Read: func(i *Instance) Call { return call("sqs", "GetQueueUrl", "QueueName", i.Name) },
	Identify: func(i *Instance, answer *value.Object) (string, map[string]string) {
		url := member(answer, "QueueUrl")
		return url, map[string]string{"Arn": i.arn("sqs", i.Name), "QueueName": i.Name, "QueueUrl": url}
	},
	Update: func(i, old *Instance) ([]Call, error) {
		var calls []Call
		attrs := value.NewObject()
		for _, a := range queueDefaults {
			switch v := i.get(a.name); {
			case !changed(i, old, a.name):
			case v == nil:
				attrs.Set(a.name, a.value)
			default:
				attrs.Set(a.name, attributeText(v))
			}
		}
		if attrs.Len() > 0 {
			calls = append(calls, call("sqs", "SetQueueAttributes", "QueueUrl", i.Ref).with("Attributes", attrs))
		}
		return append(calls, retag(i, old, "sqs", "TagQueue", "UntagQueue", "QueueUrl", i.Ref, tagMap)...), nil
	},
	Delete: func(i *Instance) []Call { return []Call{call("sqs", "DeleteQueue", "QueueUrl", i.Ref)} },
}

func fifoSuffix(property string) func(*Instance) string {
	return func(i *Instance) string {
		if i.text(property) == "true" {
			return ".fifo"
		}
		return ""
	}
}

var queuePolicy = &Type{
	Name:       "AWS::SQS::QueuePolicy",
	Properties: properties("", "PolicyDocument!", "Queues!"),
	Attributes: []string{"Id"},
	Missing:    queue.Missing,
	Create: func(i *Instance) ([]Call, error) {
		return queuePolicies(texts(i.get("Queues")), jsonText(i.get("PolicyDocument"))), nil
	},
	Identify: func(i *Instance, _ *value.Object) (string, map[string]string) {
		return i.Name, map[string]string{"Id": i.Name}
	},
	Update: func(i, old *Instance) ([]Call, error) {
		now := texts(i.get("Queues"))
		gone := slices.DeleteFunc(texts(old.get("Queues")), func(q string) bool { return slices.Contains(now, q) })
		return append(queuePolicies(gone, ""), queuePolicies(now, jsonText(i.get("PolicyDocument")))...), nil
	},
	Delete: func(i *Instance) []Call { return queuePolicies(texts(i.get("Queues")), "") },
}

func queuePolicies(urls []string, document string) []Call {
	var calls []Call
	for _, u := range urls {
		calls = append(calls, call("sqs", "SetQueueAttributes", "QueueUrl", u).with("Attributes", object("Policy", document)))
	}
	return calls
}
