package cfn

import (
	"slices"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
)

var role = &Type{
	Name: "AWS::IAM::Role",
	Properties: properties("", "RoleName~", "Path~", "AssumeRolePolicyDocument!", "Description", "MaxSessionDuration", "ManagedPolicyArns",
		"Policies", "PermissionsBoundary", "Tags"),
	NameProperty: "RoleName", NameMax: 64, Named: true, Capability: "CAPABILITY_IAM",
	Attributes: []string{"Arn", "RoleId"},
	Missing:    []string{"NoSuchEntity"},
	Create: func(i *Instance) ([]Call, error) {
		in := i.input("Path", "Description", "MaxSessionDuration", "PermissionsBoundary", "Tags")
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
		if changed(i, old, "PermissionsBoundary") {
			c := call("iam", "DeleteRolePermissionsBoundary", "RoleName", i.Name)
			if b := i.text("PermissionsBoundary"); b != "" {
				c = call("iam", "PutRolePermissionsBoundary", "RoleName", i.Name, "PermissionsBoundary", b)
			}
			calls = append(calls, c)
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

// holders are those that a policy can be given to: the property that lists them, and the service's word for one.
var holders = []struct{ property, kind string }{{"Roles", "Role"}, {"Users", "User"}, {"Groups", "Group"}}

var policy = &Type{
	Name:         "AWS::IAM::Policy",
	Properties:   properties("", "PolicyName!~", "PolicyDocument!", "Roles", "Users", "Groups"),
	NameProperty: "PolicyName", NameMax: 128, Capability: "CAPABILITY_IAM",
	Attributes: []string{"Id"},
	Missing:    []string{"NoSuchEntity"},
	Create: func(i *Instance) ([]Call, error) {
		return inlinePolicies(i, func(string, string) bool { return true }, "Put"), nil
	},
	Identify: func(i *Instance, _ *value.Object) (string, map[string]string) {
		return i.Name, map[string]string{"Id": i.Name}
	},
	Update: func(i, old *Instance) ([]Call, error) {
		gone := inlinePolicies(old, func(property, name string) bool { return !slices.Contains(texts(i.get(property)), name) }, "Delete")
		for k := range gone {
			gone[k].Ignore = []string{"NoSuchEntity"}
		}
		return append(gone, inlinePolicies(i, func(string, string) bool { return true }, "Put")...), nil
	},
	Delete: func(i *Instance) []Call {
		return inlinePolicies(i, func(string, string) bool { return true }, "Delete")
	},
}

// inlinePolicies makes the calls that put a policy to, or delete it from, those who hold it.
func inlinePolicies(i *Instance, holds func(property, name string) bool, verb string) []Call {
	var calls []Call
	for _, h := range holders {
		for _, name := range texts(i.get(h.property)) {
			if !holds(h.property, name) {
				continue
			}
			c := call("iam", verb+h.kind+"Policy", h.kind+"Name", name, "PolicyName", i.Name)
			if verb == "Put" {
				c = c.with("PolicyDocument", jsonText(i.get("PolicyDocument")))
			}
			calls = append(calls, c)
		}
	}
	return calls
}

var managedPolicy = &Type{
	Name:         "AWS::IAM::ManagedPolicy",
	Properties:   properties("", "ManagedPolicyName~", "Path~", "Description~", "PolicyDocument!", "Roles", "Users", "Groups"),
	NameProperty: "ManagedPolicyName", NameMax: 128, Named: true, Capability: "CAPABILITY_IAM",
	Attributes: []string{"PolicyArn", "PolicyId"},
	Missing:    []string{"NoSuchEntity"},
	Create: func(i *Instance) ([]Call, error) {
		c := call("iam", "CreatePolicy", "PolicyName", i.Name, "PolicyDocument", jsonText(i.get("PolicyDocument"))).with(
			"Path", i.get("Path"), "Description", i.get("Description"))
		return append([]Call{c}, attachments(i, &Instance{Properties: value.NewObject()}, "Attach")...), nil
	},
	Read: func(i *Instance) Call { return call("iam", "GetPolicy", "PolicyArn", policyARN(i)) },
	Identify: func(i *Instance, answer *value.Object) (string, map[string]string) {
		arn := member(answer, "Policy", "Arn")
		return arn, map[string]string{"PolicyArn": arn, "PolicyId": member(answer, "Policy", "PolicyId")}
	},
	Update: func(i, old *Instance) ([]Call, error) {
		calls := append(attachments(old, i, "Detach"), attachments(i, old, "Attach")...)
		if changed(i, old, "PolicyDocument") {
			calls = append(calls, call("iam", "CreatePolicyVersion", "PolicyArn", policyARN(i), "PolicyDocument", jsonText(i.get("PolicyDocument"))).with("SetAsDefault", true))
		}
		return calls, nil
	},
	Delete: func(i *Instance) []Call {
		return append(attachments(i, &Instance{Properties: value.NewObject()}, "Detach"), call("iam", "DeletePolicy", "PolicyArn", i.Ref))
	},
}

func policyARN(i *Instance) string {
	path := firstText(i.text("Path"), "/")
	return aws.ARN{Service: "iam", Account: i.Account, Resource: "policy" + path + i.Name}.String()
}

// attachments makes the calls for those who hold the policy of one instance and not of the other.
func attachments(i, other *Instance, verb string) []Call {
	var calls []Call
	for _, h := range holders {
		for _, name := range texts(i.get(h.property)) {
			if slices.Contains(texts(other.get(h.property)), name) {
				continue
			}
			c := call("iam", verb+h.kind+"Policy", h.kind+"Name", name, "PolicyArn", policyARN(i))
			if verb == "Detach" {
				c.Ignore = []string{"NoSuchEntity"}
			}
			calls = append(calls, c)
		}
	}
	return calls
}
