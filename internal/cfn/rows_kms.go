package cfn

import (
	"github.com/newel-run/newel/asl/value"
)

var key = &Type{
	Name: "AWS::KMS::Key",
	Properties: properties("", "KeyPolicy", "Description", "Enabled", "EnableKeyRotation", "RotationPeriodInDays", "PendingWindowInDays",
		"KeySpec~", "KeyUsage~", "Origin~", "MultiRegion~", "BypassPolicyLockoutSafetyCheck", "Tags"),
	Attributes: []string{"Arn", "KeyId"},
	Missing:    []string{"NotFoundException"},
	Create: func(i *Instance) ([]Call, error) {
		c := Call{Service: "kms", Operation: "CreateKey", Input: i.input("Description", "KeySpec", "KeyUsage", "Origin", "MultiRegion", "BypassPolicyLockoutSafetyCheck")}
		if p := i.get("KeyPolicy"); p != nil {
			c = c.with("Policy", jsonText(p))
		}
		if t := i.get("Tags"); t != nil {
			c = c.with("Tags", keyTags(t))
		}
		return []Call{c}, nil
	},
	Physical: func(_ *Instance, answer *value.Object) string { return member(answer, "KeyMetadata", "KeyId") },
	After:    func(i *Instance) ([]Call, error) { return keyState(i, &Instance{Properties: value.NewObject()}), nil },
	Read:     func(i *Instance) Call { return call("kms", "DescribeKey", "KeyId", i.Ref) },
	Identify: func(i *Instance, answer *value.Object) (string, map[string]string) {
		return i.Ref, map[string]string{"Arn": member(answer, "KeyMetadata", "Arn"), "KeyId": i.Ref}
	},
	Update: func(i, old *Instance) ([]Call, error) {
		var calls []Call
		if changed(i, old, "Description") {
			calls = append(calls, call("kms", "UpdateKeyDescription", "KeyId", i.Ref, "Description", i.text("Description")))
		}
		if p := i.get("KeyPolicy"); p != nil && changed(i, old, "KeyPolicy") {
			calls = append(calls, call("kms", "PutKeyPolicy", "KeyId", i.Ref, "PolicyName", "default", "Policy", jsonText(p)))
		}
		calls = append(calls, keyState(i, old)...)
		return append(calls, retag(i, old, "kms", "TagResource", "UntagResource", "KeyId", i.Ref, keyTags)...), nil
	},
	Delete: func(i *Instance) []Call {
		c := call("kms", "ScheduleKeyDeletion", "KeyId", i.Ref).with("PendingWindowInDays", i.get("PendingWindowInDays"))
		c.Ignore = []string{"KMSInvalidStateException"}
		return []Call{c}
	},
}

// keyState enables and disables a key and its rotation.
func keyState(i, old *Instance) []Call {
	var calls []Call
	if on := i.text("EnableKeyRotation") == "true"; on != (old.text("EnableKeyRotation") == "true") || on && changed(i, old, "RotationPeriodInDays") {
		c := call("kms", "DisableKeyRotation", "KeyId", i.Ref)
		if on {
			c = call("kms", "EnableKeyRotation", "KeyId", i.Ref).with("RotationPeriodInDays", i.get("RotationPeriodInDays"))
		}
		calls = append(calls, c)
	}
	if off := i.text("Enabled") == "false"; off != (old.text("Enabled") == "false") {
		operation := "EnableKey"
		if off {
			operation = "DisableKey"
		}
		calls = append(calls, call("kms", operation, "KeyId", i.Ref))
	}
	return calls
}

var keyAlias = &Type{
	Name:         "AWS::KMS::Alias",
	Properties:   properties("", "AliasName!~", "TargetKeyId!"),
	NameProperty: "AliasName", NameMax: 256,
	Missing: []string{"NotFoundException"},
	Create: func(i *Instance) ([]Call, error) {
		return []Call{call("kms", "CreateAlias", "AliasName", i.Name, "TargetKeyId", i.text("TargetKeyId"))}, nil
	},
	Identify: refOnly(func(i *Instance) string { return i.Name }),
	Update: func(i, _ *Instance) ([]Call, error) {
		return []Call{call("kms", "UpdateAlias", "AliasName", i.Name, "TargetKeyId", i.text("TargetKeyId"))}, nil
	},
	Delete: func(i *Instance) []Call { return []Call{call("kms", "DeleteAlias", "AliasName", i.Ref)} },
}
