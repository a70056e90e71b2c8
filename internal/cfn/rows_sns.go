package cfn

import (
	"fmt"
	"slices"

	"github.com/newel-run/newel/asl/value"
)

var topicAttributes = []string{"DisplayName", "KmsMasterKeyId", "ContentBasedDeduplication", "TracingConfig", "SignatureVersion", "FifoThroughputScope"}

var topic = &Type{
	Name: "AWS::SNS::Topic",
	Properties: rows(properties("sns:CreateTopic", "TopicName~", "FifoTopic~", "DisplayName", "KmsMasterKeyId", "ContentBasedDeduplication",
		"TracingConfig", "SignatureVersion", "FifoThroughputScope", "Tags"), properties("", "Subscription")),
	NameProperty: "TopicName", NameMax: 250, Named: true, Suffix: fifoSuffix("FifoTopic"),
	Attributes: []string{"TopicArn", "TopicName"},
	Missing:    []string{"NotFound", "NotFoundException"},
	Create: func(i *Instance) ([]Call, error) {
		attrs := value.NewObject()
		for _, a := range append([]string{"FifoTopic"}, topicAttributes...) {
			if v := i.get(a); v != nil {
				attrs.Set(a, attributeText(v))
			}
		}
		c := call("sns", "CreateTopic", "Name", i.Name).with("Tags", i.get("Tags"))
		if attrs.Len() > 0 {
			c = c.with("Attributes", attrs)
		}
		return append([]Call{c}, topicSubscriptions(i)...), nil
	},
	Read: func(i *Instance) Call { return call("sns", "GetTopicAttributes", "TopicArn", i.arn("sns", i.Name)) },
	Identify: func(i *Instance, _ *value.Object) (string, map[string]string) {
		arn := i.arn("sns", i.Name)
		return arn, map[string]string{"TopicArn": arn, "TopicName": i.Name}
	},
	Update: func(i, old *Instance) ([]Call, error) {
		var calls []Call
		for _, a := range topicAttributes {
			if changed(i, old, a) {
				calls = append(calls, call("sns", "SetTopicAttributes", "TopicArn", i.arn("sns", i.Name), "AttributeName", a,
					"AttributeValue", textOf(attributeText(i.get(a)))))
			}
		}
		if changed(i, old, "Subscription") {
			if items(old.get("Subscription")) != nil {
				return nil, fmt.Errorf("a change of Subscription of AWS::SNS::Topic is not supported; use AWS::SNS::Subscription")
			}
			calls = append(calls, topicSubscriptions(i)...)
		}
		return append(calls, retag(i, old, "sns", "TagResource", "UntagResource", "ResourceArn", i.arn("sns", i.Name), tagList)...), nil
	},
	Delete: func(i *Instance) []Call { return []Call{call("sns", "DeleteTopic", "TopicArn", i.Ref)} },
}

func topicSubscriptions(i *Instance) []Call {
	var calls []Call
	for _, s := range items(i.get("Subscription")) {
		calls = append(calls, call("sns", "Subscribe", "TopicArn", i.arn("sns", i.Name)).with("Protocol", at(s, "Protocol"), "Endpoint", at(s, "Endpoint")))
	}
	return calls
}

var subscriptionAttributes = []string{"RawMessageDelivery", "FilterPolicy", "FilterPolicyScope", "RedrivePolicy", "DeliveryPolicy", "SubscriptionRoleArn"}

var subscription = &Type{
	Name: "AWS::SNS::Subscription",
	Properties: rows(properties("", "TopicArn!~", "Protocol!~", "Endpoint~", "RawMessageDelivery", "FilterPolicy", "FilterPolicyScope",
		"RedrivePolicy", "DeliveryPolicy", "SubscriptionRoleArn"), without("a topic is in its own region here", "Region")),
	Attributes: []string{"Arn"},
	Missing:    []string{"NotFound", "NotFoundException"},
	Create: func(i *Instance) ([]Call, error) {
		attrs := value.NewObject()
		for _, a := range subscriptionAttributes {
			if v := i.get(a); v != nil {
				attrs.Set(a, attributeText(v))
			}
		}
		c := Call{Service: "sns", Operation: "Subscribe", Input: i.input("TopicArn", "Protocol", "Endpoint")}.with("ReturnSubscriptionArn", true)
		if attrs.Len() > 0 {
			c = c.with("Attributes", attrs)
		}
		return []Call{c}, nil
	},
	Physical: func(_ *Instance, answer *value.Object) string { return member(answer, "SubscriptionArn") },
	Identify: func(i *Instance, _ *value.Object) (string, map[string]string) {
		return i.Ref, map[string]string{"Arn": i.Ref}
	},
	Update: func(i, old *Instance) ([]Call, error) {
		var calls []Call
		for _, a := range subscriptionAttributes {
			if changed(i, old, a) {
				calls = append(calls, call("sns", "SetSubscriptionAttributes", "SubscriptionArn", i.Ref, "AttributeName", a,
					"AttributeValue", textOf(attributeText(i.get(a)))))
			}
		}
		return calls, nil
	},
	Delete: func(i *Instance) []Call { return []Call{call("sns", "Unsubscribe", "SubscriptionArn", i.Ref)} },
}

var topicPolicy = &Type{
	Name:       "AWS::SNS::TopicPolicy",
	Properties: properties("", "PolicyDocument!", "Topics!"),
	Attributes: []string{"Id"},
	Missing:    []string{"NotFound", "NotFoundException"},
	Create: func(i *Instance) ([]Call, error) {
		return topicPolicies(texts(i.get("Topics")), func(string) string { return jsonText(i.get("PolicyDocument")) }), nil
	},
	Identify: func(i *Instance, _ *value.Object) (string, map[string]string) {
		return i.Name, map[string]string{"Id": i.Name}
	},
	Update: func(i, old *Instance) ([]Call, error) {
		now := texts(i.get("Topics"))
		gone := slices.DeleteFunc(texts(old.get("Topics")), func(t string) bool { return slices.Contains(now, t) })
		return append(topicPolicies(gone, i.defaultTopicPolicy), topicPolicies(now, func(string) string { return jsonText(i.get("PolicyDocument")) })...), nil
	},
	Delete: func(i *Instance) []Call { return topicPolicies(texts(i.get("Topics")), i.defaultTopicPolicy) },
}

func topicPolicies(arns []string, document func(arn string) string) []Call {
	var calls []Call
	for _, a := range arns {
		calls = append(calls, call("sns", "SetTopicAttributes", "TopicArn", a, "AttributeName", "Policy", "AttributeValue", document(a)))
	}
	return calls
}

// defaultTopicPolicy is the policy that a topic has when nobody has given it one.
func (i *Instance) defaultTopicPolicy(arn string) string {
	actions := value.Array{}
	for _, a := range []string{"GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission", "DeleteTopic", "Subscribe", "ListSubscriptionsByTopic", "Publish"} {
		actions = append(actions, "SNS:"+a)
	}
	return jsonText(object("Version", "2008-10-17", "Id", "__default_policy_ID", "Statement", value.Array{object(
		"Sid", "__default_statement_ID", "Effect", "Allow", "Principal", object("AWS", "*"), "Action", actions, "Resource", arn,
		"Condition", object("StringEquals", object("AWS:SourceOwner", i.Account)))}))
}
