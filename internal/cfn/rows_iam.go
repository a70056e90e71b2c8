package cfn

import (
	"slices"

	"github.com/newel-run/newel/asl/value"
)

var role = &Type{
	Name: "AWS::IAM::Role",
	Properties: []Property{
		{Name: "RoleName", Replace: true}, {Name: "Path", Replace: true},
		{Name: "AssumeRolePolicyDocument", Required: true},
		{Name: "Description"}, {Name: "MaxSessionDuration"}, {Name: "ManagedPolicyArns"}, {Name: "Policies"}, {Name: "Tags"},
	},
	NameProperty: "RoleName", NameMax: 64,
	Attributes: []string{"Arn", "RoleId"},
	Missing:    []string{"NoSuchEntity"},
	Create: func(i *Instance) ([]Call, error) {
		in := i.input("Path", "Description", "MaxSessionDuration", "Tags")
		in.Set("RoleName", i.Name)
		in.Set("AssumeRolePolicyDocument", jsonText(i.get("AssumeRolePolicyDocument")))
		create := Call{Service: "iam", Operation: "CreateRole", Input: in}
		return append([]Call{create}, rolePolicies(i, &Instance{Properties: value.NewObject()})...), nil
	},
	Read: func(i *Instance) Call { return call("iam", "GetRole", "RoleName", i.Name) },
	Identify: func(i *Instance, answer *value.Object) (string, map[string]string) {
		return i.Name, map[string]string{"Arn": member(answer, "Role", "Arn"), "RoleId": member(answer, "Role", "RoleId")}
	},
	Update: func(i, old *Instance) ([]Call, error) {
		var calls []Call
		if changed(i, old, "AssumeRolePolicyDocument") {
			calls = append(calls, call("iam", "UpdateAssumeRolePolicy", "RoleName", i.Name,
				"PolicyDocument", jsonText(i.get("AssumeRolePolicyDocument"))))
		}
		if changed(i, old, "Description", "MaxSessionDuration") {
			in := i.input("Description", "MaxSessionDuration")
			in.Set("RoleName", i.Name)
			calls = append(calls, Call{Service: "iam", Operation: "UpdateRole", Input: in})
		}
		calls = append(calls, rolePolicies(i, old)...)
		return append(calls, retag(i, old, "iam", "TagRole", "UntagRole", "RoleName", i.Name, tagList)...), nil
	},
	Delete: func(i *Instance) []Call {
		bare := *i
		bare.Properties = value.NewObject()
		return append(rolePolicies(&bare, i), call("iam", "DeleteRole", "RoleName", i.Ref))
	},
}

// rolePolicies makes the calls that bring a role's policies from old's to i's.
func rolePolicies(i, old *Instance) []Call {
	var calls []Call
	now, before := arns(i), arns(old)
	for _, arn := range before {
		if !slices.Contains(now, arn) {
			c := call("iam", "DetachRolePolicy", "RoleName", i.Name, "PolicyArn", arn)
			c.Ignore = []string{"NoSuchEntity"}
			calls = append(calls, c)
		}
	}
	for _, arn := range now {
		if !slices.Contains(before, arn) {
			calls = append(calls, call("iam", "AttachRolePolicy", "RoleName", i.Name, "PolicyArn", arn))
		}
	}
	inline, was := policies(i), policies(old)
	for name := range was.All() {
		if _, kept := inline.Get(name); !kept {
			c := call("iam", "DeleteRolePolicy", "RoleName", i.Name, "PolicyName", name)
			c.Ignore = []string{"NoSuchEntity"}
			calls = append(calls, c)
		}
	}
	for name, document := range inline.All() {
		if before, ok := was.Get(name); !ok || digestText(before) != digestText(document) {
			calls = append(calls, call("iam", "PutRolePolicy", "RoleName", i.Name, "PolicyName", name, "PolicyDocument", jsonText(document)))
		}
	}
	return calls
}

func arns(i *Instance) []string {
	list, _ := i.get("ManagedPolicyArns").(value.Array)
	out := make([]string, len(list))
	for k, a := range list {
		out[k] = textOf(a)
	}
	return out
}

// policies are a role's inline policies by name.
func policies(i *Instance) *value.Object {
	out := value.NewObject()
	list, _ := i.get("Policies").(value.Array)
	for _, p := range list {
		if o, ok := p.(*value.Object); ok {
			document, _ := o.Get("PolicyDocument")
			out.Set(member(o, "PolicyName"), document)
		}
	}
	return out
}

// jsonText is a document given as an object, or as text already.
func jsonText(v value.Value) string {
	if s, ok := v.(string); ok {
		return s
	}
	return string(value.Append(nil, v))
}
