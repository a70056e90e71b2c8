package cfn

import (
	"slices"
	"sync"

	"github.com/newel-run/newel/asl/value"
)

// types is the table. A type that gains a property gains it in its row, in Create and in Update.
var types = sync.OnceValue(func() []*Type {
	return slices.Concat(
		[]*Type{nestedStack, customResource, waitHandle, cdkMetadata},
		[]*Type{function, permission, version, alias, eventSourceMapping, layerVersion, eventInvokeConfig, functionURL},
		[]*Type{stateMachine, activity, table, queue, queuePolicy, topic, subscription, topicPolicy},
		[]*Type{role, policy, managedPolicy, logGroup, alarm, rule, eventBus, connection, apiDestination, bucket, bucketPolicy, key, keyAlias, secret, ssmParameter},
		[]*Type{restAPI, apiResource, apiMethod, apiDeployment, apiStage, apiAccount},
	)
})

// waitHandle is a URL that nobody waits for: wait conditions are not supported.
var waitHandle = &Type{Name: "AWS::CloudFormation::WaitConditionHandle"}

var cdkMetadata = &Type{Name: "AWS::CDK::Metadata", Properties: without("it is CDK's own statistics", "Analytics")}

// call makes a Call with string members: name, value, name, value...
func call(service, operation string, members ...string) Call {
	in := value.NewObject()
	for k := 0; k+1 < len(members); k += 2 {
		in.Set(members[k], members[k+1])
	}
	return Call{Service: service, Operation: operation, Input: in}
}

// with sets further members of a call, leaving out those that are nil.
func (c Call) with(members ...any) Call {
	for k := 0; k+1 < len(members); k += 2 {
		if members[k+1] != nil {
			c.Input.Set(members[k].(string), members[k+1])
		}
	}
	return c
}

// changed reports whether one of the properties is not what was deployed before.
func changed(i, old *Instance, properties ...string) bool {
	return slices.ContainsFunc(properties, func(p string) bool {
		return digestText(i.get(p)) != digestText(old.get(p))
	})
}

// object makes an object of name, value, name, value...; nil values are left out.
func object(members ...any) *value.Object {
	o := value.NewObject()
	for k := 0; k+1 < len(members); k += 2 {
		if members[k+1] != nil {
			o.Set(members[k].(string), members[k+1])
		}
	}
	return o
}

// at is the value at a path of members, nil where there is none.
func at(v value.Value, path ...string) value.Value {
	for _, name := range path {
		o, ok := v.(*value.Object)
		if !ok || o == nil {
			return nil
		}
		v, _ = o.Get(name)
	}
	return v
}

// either is the first value that is not nil.
func either(list ...value.Value) value.Value {
	for _, v := range list {
		if v != nil {
			return v
		}
	}
	return nil
}

// items are the elements of a list, none for anything else.
func items(v value.Value) value.Array {
	list, _ := v.(value.Array)
	return list
}

// jsonText is a document given as an object, or as text already.
func jsonText(v value.Value) string {
	if s, ok := v.(string); ok {
		return s
	}
	return string(value.Append(nil, v))
}

// attributeText is a property as a service's string attribute: documents as JSON, lists and scalars as text.
func attributeText(v value.Value) value.Value {
	switch v.(type) {
	case nil:
		return nil
	case *value.Object, value.Array:
		return jsonText(v)
	}
	return textOf(v)
}

// refOnly is an Identify that gives a Ref and no attributes.
func refOnly(ref func(i *Instance) string) func(*Instance, *value.Object) (string, map[string]string) {
	return func(i *Instance, _ *value.Object) (string, map[string]string) { return ref(i), nil }
}
