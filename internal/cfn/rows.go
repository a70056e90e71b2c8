package cfn

import (
	"slices"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
)

// types is the table. A type that gains a property gains it here, in Create and in Update.
var types = []*Type{function, table, queue, role, stateMachine}

var table = &Type{
	Name: "AWS::DynamoDB::Table",
	Properties: []Property{
		{Name: "TableName", Replace: true},
		{Name: "AttributeDefinitions", Required: true, Replace: true},
		{Name: "KeySchema", Required: true, Replace: true},
		{Name: "BillingMode"}, {Name: "ProvisionedThroughput"}, {Name: "Tags"},
	},
	NameProperty: "TableName", NameMax: 255,
	Attributes: []string{"Arn"},
	Missing:    []string{"ResourceNotFoundException"},
	Create: func(i *Instance) ([]Call, error) {
		in := i.input("AttributeDefinitions", "KeySchema", "BillingMode", "ProvisionedThroughput", "Tags")
		in.Set("TableName", i.Name)
		return []Call{{Service: "dynamodb", Operation: "CreateTable", Input: in}}, nil
	},
	Read: func(i *Instance) Call {
		return call("dynamodb", "DescribeTable", "TableName", i.Name)
	},
	Identify: func(i *Instance, answer *value.Object) (string, map[string]string) {
		return i.Name, map[string]string{"Arn": member(answer, "Table", "TableArn")}
	},
	Update: func(i, old *Instance) ([]Call, error) {
		var calls []Call
		if changed(i, old, "BillingMode", "ProvisionedThroughput") {
			in := i.input("BillingMode", "ProvisionedThroughput")
			in.Set("TableName", i.Name)
			calls = append(calls, Call{Service: "dynamodb", Operation: "UpdateTable", Input: in})
		}
		arn := aws.ARN{Service: "dynamodb", Region: i.Region, Account: i.Account, Resource: "table/" + i.Name}.String()
		return append(calls, retag(i, old, "dynamodb", "TagResource", "UntagResource", "ResourceArn", arn, tagList)...), nil
	},
	Delete: func(i *Instance) []Call { return []Call{call("dynamodb", "DeleteTable", "TableName", i.Ref)} },
}

// queueDefaults are what a queue attribute goes back to when a template no longer sets it.
var queueDefaults = []struct{ name, value string }{
	{"DelaySeconds", "0"}, {"MaximumMessageSize", "262144"}, {"MessageRetentionPeriod", "345600"},
	{"ReceiveMessageWaitTimeSeconds", "0"}, {"VisibilityTimeout", "30"},
}

var queue = &Type{
	Name: "AWS::SQS::Queue",
	Properties: []Property{
		{Name: "QueueName", Replace: true},
		{Name: "DelaySeconds"}, {Name: "MaximumMessageSize"}, {Name: "MessageRetentionPeriod"},
		{Name: "ReceiveMessageWaitTimeSeconds"}, {Name: "VisibilityTimeout"}, {Name: "Tags"},
	},
	NameProperty: "QueueName", NameMax: 80,
	Attributes: []string{"Arn", "QueueName", "QueueUrl"},
	Missing:    []string{"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"},
	Create: func(i *Instance) ([]Call, error) {
		in := value.NewObject(value.Member{Name: "QueueName", Value: i.Name})
		attrs := value.NewObject()
		for _, a := range queueDefaults {
			if v := i.get(a.name); v != nil {
				attrs.Set(a.name, v)
			}
		}
		if attrs.Len() > 0 {
			in.Set("Attributes", attrs)
		}
		if t := i.get("Tags"); t != nil {
			in.Set("tags", tagMap(t))
		}
		return []Call{{Service: "sqs", Operation: "CreateQueue", Input: in}}, nil
	},
	Read: func(i *Instance) Call { return call("sqs", "GetQueueUrl", "QueueName", i.Name) },
	Identify: func(i *Instance, answer *value.Object) (string, map[string]string) {
		url := member(answer, "QueueUrl")
		arn := aws.ARN{Service: "sqs", Region: i.Region, Account: i.Account, Resource: i.Name}.String()
		return url, map[string]string{"Arn": arn, "QueueName": i.Name, "QueueUrl": url}
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
				attrs.Set(a.name, v)
			}
		}
		if attrs.Len() > 0 {
			c := call("sqs", "SetQueueAttributes", "QueueUrl", i.Ref)
			c.Input.Set("Attributes", attrs)
			calls = append(calls, c)
		}
		return append(calls, retag(i, old, "sqs", "TagQueue", "UntagQueue", "QueueUrl", i.Ref, tagMap)...), nil
	},
	Delete: func(i *Instance) []Call { return []Call{call("sqs", "DeleteQueue", "QueueUrl", i.Ref)} },
}

var stateMachine = &Type{
	Name: "AWS::StepFunctions::StateMachine",
	Properties: []Property{
		{Name: "StateMachineName", Replace: true}, {Name: "StateMachineType", Replace: true},
		{Name: "RoleArn", Required: true},
		{Name: "DefinitionString"}, {Name: "Definition"}, {Name: "DefinitionSubstitutions"}, {Name: "Tags"},
	},
	NameProperty: "StateMachineName", NameMax: 80,
	Attributes: []string{"Arn", "Name"},
	Missing:    []string{"StateMachineDoesNotExist"},
	Create: func(i *Instance) ([]Call, error) {
		text, err := definition(i)
		if err != nil {
			return nil, err
		}
		c := call("states", "CreateStateMachine", "name", i.Name, "definition", text, "roleArn", textOf(i.get("RoleArn")))
		if t := i.get("StateMachineType"); t != nil {
			c.Input.Set("type", t)
		}
		if t := i.get("Tags"); t != nil {
			c.Input.Set("tags", lowerTags(t))
		}
		return []Call{c}, nil
	},
	Read: func(i *Instance) Call {
		return call("states", "DescribeStateMachine", "stateMachineArn", machineARN(i))
	},
	Identify: func(i *Instance, answer *value.Object) (string, map[string]string) {
		arn := member(answer, "stateMachineArn")
		return arn, map[string]string{"Arn": arn, "Name": i.Name}
	},
	Update: func(i, old *Instance) ([]Call, error) {
		var calls []Call
		if changed(i, old, "Definition", "DefinitionString", "DefinitionSubstitutions", "RoleArn") {
			text, err := definition(i)
			if err != nil {
				return nil, err
			}
			calls = append(calls, call("states", "UpdateStateMachine",
				"stateMachineArn", machineARN(i), "definition", text, "roleArn", textOf(i.get("RoleArn"))))
		}
		return append(calls, retag(i, old, "states", "TagResource", "UntagResource", "resourceArn", machineARN(i), lowerTags)...), nil
	},
	Delete: func(i *Instance) []Call {
		return []Call{call("states", "DeleteStateMachine", "stateMachineArn", i.Ref)}
	},
}

func machineARN(i *Instance) string {
	return aws.ARN{Service: "states", Region: i.Region, Account: i.Account, Resource: "stateMachine:" + i.Name}.String()
}

// call makes a Call with string members: name, value, name, value...
func call(service, operation string, members ...string) Call {
	in := value.NewObject()
	for k := 0; k+1 < len(members); k += 2 {
		in.Set(members[k], members[k+1])
	}
	return Call{Service: service, Operation: operation, Input: in}
}

// member is the text at a path of members of an answer, "" where there is none.
func member(v value.Value, path ...string) string {
	for _, name := range path {
		o, ok := v.(*value.Object)
		if !ok {
			return ""
		}
		v, _ = o.Get(name)
	}
	return textOf(v)
}

// changed reports whether one of the properties is not what was deployed before.
func changed(i, old *Instance, properties ...string) bool {
	return slices.ContainsFunc(properties, func(p string) bool {
		return digestText(i.get(p)) != digestText(old.get(p))
	})
}
