package cfn

import (
	"strings"

	"github.com/newel-run/newel/asl/value"
)

var connection = &Type{
	Name:         "AWS::Events::Connection",
	Properties:   properties("events:CreateConnection", "Name~", "Description", "AuthorizationType", "AuthParameters", "InvocationConnectivityParameters", "KmsKeyIdentifier"),
	NameProperty: "Name", NameMax: 64, Named: true,
	Attributes: []string{"Arn", "ArnForPolicy", "SecretArn"},
	Missing:    []string{"ResourceNotFoundException"},
	Create:     func(i *Instance) ([]Call, error) { return []Call{putConnection(i, "CreateConnection")}, nil },
	Read:       func(i *Instance) Call { return call("events", "DescribeConnection", "Name", i.Name) },
	Identify: func(i *Instance, answer *value.Object) (string, map[string]string) {
		arn := member(answer, "ConnectionArn")
		return i.Name, map[string]string{"Arn": arn, "ArnForPolicy": withoutLast(arn), "SecretArn": member(answer, "SecretArn")}
	},
	Update: func(i, _ *Instance) ([]Call, error) { return []Call{putConnection(i, "UpdateConnection")}, nil },
	Delete: func(i *Instance) []Call { return []Call{call("events", "DeleteConnection", "Name", i.Ref)} },
}

func putConnection(i *Instance, operation string) Call {
	in := i.input("Description", "AuthorizationType", "AuthParameters", "InvocationConnectivityParameters", "KmsKeyIdentifier")
	return Call{Service: "events", Operation: operation, Input: in}.with("Name", i.Name)
}

// withoutLast is an ARN without the random id at its end.
func withoutLast(arn string) string { return arn[:max(0, strings.LastIndexByte(arn, '/'))] }

var apiDestination = &Type{
	Name:         "AWS::Events::ApiDestination",
	Properties:   properties("events:CreateApiDestination", "Name~", "Description", "ConnectionArn!", "InvocationEndpoint!", "HttpMethod!", "InvocationRateLimitPerSecond"),
	NameProperty: "Name", NameMax: 64, Named: true,
	Attributes: []string{"Arn", "ArnForPolicy"},
	Missing:    []string{"ResourceNotFoundException"},
	Create:     func(i *Instance) ([]Call, error) { return []Call{putDestination(i, "CreateApiDestination")}, nil },
	Read:       func(i *Instance) Call { return call("events", "DescribeApiDestination", "Name", i.Name) },
	Identify: func(i *Instance, answer *value.Object) (string, map[string]string) {
		arn := member(answer, "ApiDestinationArn")
		return i.Name, map[string]string{"Arn": arn, "ArnForPolicy": withoutLast(arn)}
	},
	Update: func(i, _ *Instance) ([]Call, error) { return []Call{putDestination(i, "UpdateApiDestination")}, nil },
	Delete: func(i *Instance) []Call { return []Call{call("events", "DeleteApiDestination", "Name", i.Ref)} },
}

func putDestination(i *Instance, operation string) Call {
	in := i.input("Description", "ConnectionArn", "InvocationEndpoint", "HttpMethod", "InvocationRateLimitPerSecond")
	return Call{Service: "events", Operation: operation, Input: in}.with("Name", i.Name)
}
