package cfn

import (
	"github.com/newel-run/newel/asl/value"
)

var stateMachine = &Type{
	Name: "AWS::StepFunctions::StateMachine",
	Properties: rows(
		properties("", "StateMachineName~", "StateMachineType~", "RoleArn!", "DefinitionString", "Definition", "DefinitionSubstitutions", "Tags"),
		nest("DefinitionS3Location", "Bucket", "Key", "Version"),
		properties("states:CreateStateMachine", "LoggingConfiguration", "TracingConfiguration", "EncryptionConfiguration"),
	),
	NameProperty: "StateMachineName", NameMax: 80, Named: true,
	Attributes: []string{"Arn", "Name", "StateMachineRevisionId"},
	Missing:    []string{"StateMachineDoesNotExist"},
	Object: func(i *Instance) (Location, bool) {
		at := i.get("DefinitionS3Location")
		return Location{Bucket: member(at, "Bucket"), Key: member(at, "Key"), Version: member(at, "Version")}, at != nil
	},
	Create: func(i *Instance) ([]Call, error) {
		text, err := definition(i)
		if err != nil {
			return nil, err
		}
		c := call("states", "CreateStateMachine", "name", i.Name, "definition", text, "roleArn", i.text("RoleArn")).with(
			"type", i.get("StateMachineType"), "loggingConfiguration", i.get("LoggingConfiguration"),
			"tracingConfiguration", i.get("TracingConfiguration"), "encryptionConfiguration", i.get("EncryptionConfiguration"))
		if t := i.get("Tags"); t != nil {
			c = c.with("tags", lowerTags(t))
		}
		return []Call{c}, nil
	},
	Read: func(i *Instance) Call {
		return call("states", "DescribeStateMachine", "stateMachineArn", machineARN(i))
	},
	Identify: func(i *Instance, answer *value.Object) (string, map[string]string) {
		arn := member(answer, "stateMachineArn")
		return arn, map[string]string{"Arn": arn, "Name": i.Name, "StateMachineRevisionId": firstText(member(answer, "revisionId"), "INITIAL")}
	},
	Update: func(i, old *Instance) ([]Call, error) {
		var calls []Call
		if changed(i, old, "Definition", "DefinitionString", "DefinitionS3Location", "DefinitionSubstitutions", "RoleArn", "LoggingConfiguration",
			"TracingConfiguration", "EncryptionConfiguration") {
			text, err := definition(i)
			if err != nil {
				return nil, err
			}
			c := call("states", "UpdateStateMachine", "stateMachineArn", machineARN(i), "definition", text, "roleArn", i.text("RoleArn"))
			if v := either(i.get("LoggingConfiguration"), object("level", "OFF")); changed(i, old, "LoggingConfiguration") {
				c = c.with("loggingConfiguration", v)
			}
			if v := either(i.get("TracingConfiguration"), object("enabled", false)); changed(i, old, "TracingConfiguration") {
				c = c.with("tracingConfiguration", v)
			}
			if v := either(i.get("EncryptionConfiguration"), object("type", "AWS_OWNED_KEY")); changed(i, old, "EncryptionConfiguration") {
				c = c.with("encryptionConfiguration", v)
			}
			calls = append(calls, c)
		}
		return append(calls, retag(i, old, "states", "TagResource", "UntagResource", "resourceArn", machineARN(i), lowerTags)...), nil
	},
	Delete: func(i *Instance) []Call {
		return []Call{call("states", "DeleteStateMachine", "stateMachineArn", i.Ref)}
	},
}

func machineARN(i *Instance) string { return i.arn("states", "stateMachine:"+i.Name) }

var activity = &Type{
	Name:         "AWS::StepFunctions::Activity",
	Properties:   rows(properties("", "Name!~", "Tags"), properties("states:CreateActivity", "EncryptionConfiguration~")),
	NameProperty: "Name", NameMax: 80, Named: true,
	Attributes: []string{"Arn", "Name"},
	Missing:    []string{"ActivityDoesNotExist"},
	Create: func(i *Instance) ([]Call, error) {
		c := call("states", "CreateActivity", "name", i.Name).with("encryptionConfiguration", i.get("EncryptionConfiguration"))
		if t := i.get("Tags"); t != nil {
			c = c.with("tags", lowerTags(t))
		}
		return []Call{c}, nil
	},
	Read: func(i *Instance) Call {
		return call("states", "DescribeActivity", "activityArn", i.arn("states", "activity:"+i.Name))
	},
	Identify: func(i *Instance, answer *value.Object) (string, map[string]string) {
		arn := member(answer, "activityArn")
		return arn, map[string]string{"Arn": arn, "Name": i.Name}
	},
	Update: func(i, old *Instance) ([]Call, error) {
		return retag(i, old, "states", "TagResource", "UntagResource", "resourceArn", i.Ref, lowerTags), nil
	},
	Delete: func(i *Instance) []Call { return []Call{call("states", "DeleteActivity", "activityArn", i.Ref)} },
}
