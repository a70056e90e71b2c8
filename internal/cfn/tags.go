package cfn

import (
	"github.com/newel-run/newel/asl/value"
)

// Templates write tags as [{Key, Value}]; the services want that list, a map, or the list with small letters.

func tagList(tags value.Value) value.Value { return tags }

func tagMap(tags value.Value) value.Value {
	o := value.NewObject()
	list, _ := tags.(value.Array)
	for _, t := range list {
		o.Set(member(t, "Key"), member(t, "Value"))
	}
	return o
}

func lowerTags(tags value.Value) value.Value {
	list, _ := tags.(value.Array)
	out := make(value.Array, len(list))
	for i, t := range list {
		out[i] = value.NewObject(value.Member{Name: "key", Value: member(t, "Key")}, value.Member{Name: "value", Value: member(t, "Value")})
	}
	return out
}

// tagMembers are the names of the members that carry tags and tag keys in a service's tagging operations.
var tagMembers = map[string][2]string{
	"dynamodb": {"Tags", "TagKeys"}, "sqs": {"Tags", "TagKeys"}, "iam": {"Tags", "TagKeys"},
	"lambda": {"Tags", "TagKeys"}, "states": {"tags", "tagKeys"}, "sns": {"Tags", "TagKeys"}, "logs": {"tags", "tagKeys"},
	"monitoring": {"Tags", "TagKeys"}, "events": {"Tags", "TagKeys"}, "kms": {"Tags", "TagKeys"}, "apigateway": {"tags", "tagKeys"},
	"secretsmanager": {"Tags", "TagKeys"},
}

// retag makes the calls that bring a resource's tags to what the template says.
func retag(i, old *Instance, service, set, unset, idMember, id string, form func(value.Value) value.Value) []Call {
	if !changed(i, old, "Tags") {
		return nil
	}
	names := tagMembers[service]
	now, before := tagMap(i.get("Tags")).(*value.Object), tagMap(old.get("Tags")).(*value.Object)
	var calls []Call
	gone := value.Array{}
	for k := range before.All() {
		if _, kept := now.Get(k); !kept {
			gone = append(gone, k)
		}
	}
	if len(gone) > 0 {
		c := call(service, unset, idMember, id)
		c.Input.Set(names[1], gone)
		calls = append(calls, c)
	}
	if now.Len() > 0 {
		c := call(service, set, idMember, id)
		c.Input.Set(names[0], form(i.get("Tags")))
		calls = append(calls, c)
	}
	return calls
}

// keyTags is the form that KMS wants.
func keyTags(tags value.Value) value.Value {
	out := value.Array{}
	for _, t := range items(tags) {
		out = append(out, object("TagKey", member(t, "Key"), "TagValue", member(t, "Value")))
	}
	return out
}
