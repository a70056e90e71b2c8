package sam

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cfn/build"
)

//go:embed policies.txt
var policyText string

// policyTemplates are SAM's policy templates by name.
var policyTemplates = parsePolicies(policyText)

// policyTemplate is a row of policies.txt: parameters, and statements whose resources name them as ${Parameter}.
type policyTemplate struct {
	parameters []string
	statements []statement
}

type statement struct {
	actions, resources  []string
	operator, key, test string // a condition, if operator is not ""
	service             string // the principal, of a resource's policy
}

// parsePolicies reads lines "Name Parameter...", each followed by lines "allow action...", "on resource..." and
// "if operator key value".
func parsePolicies(text string) map[string]policyTemplate {
	out := map[string]policyTemplate{}
	name := ""
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if line[0] != '\t' {
			name = words[0]
			out[name] = policyTemplate{parameters: words[1:]}
			continue
		}
		p := out[name]
		p.statements = addStatement(p.statements, words)
		out[name] = p
	}
	return out
}

func addStatement(list []statement, words []string) []statement {
	if words[0] == "allow" {
		return append(list, statement{actions: words[1:]})
	}
	last := &list[len(list)-1]
	switch words[0] {
	case "on":
		last.resources = words[1:]
	case "if":
		last.operator, last.key, last.test = words[1], words[2], words[3]
	case "to":
		last.service = words[1]
	}
	return list
}

// serviceRoles are managed policies whose ARN has the path service-role/.
var serviceRoles = []string{
	"AWSLambdaBasicExecutionRole", "AWSLambdaDynamoDBExecutionRole", "AWSLambdaKinesisExecutionRole", "AWSLambdaMSKExecutionRole",
	"AWSLambdaRole", "AWSLambdaSQSQueueExecutionRole", "AWSLambdaVPCAccessExecutionRole", "AWSLambdaENIManagementAccess",
	"AmazonAPIGatewayPushToCloudWatchLogs", "AWSBatchServiceRole", "AWSGlueServiceRole", "AmazonS3ObjectLambdaExecutionRolePolicy",
}

// managedPolicy is the ARN of one of AWS's managed policies; an ARN is its own.
func managedPolicy(name string) string {
	switch {
	case strings.HasPrefix(name, "arn:") || strings.HasPrefix(name, "{{resolve:"):
		return name
	case slices.Contains(serviceRoles, name):
		return "arn:aws:iam::aws:policy/service-role/" + name
	}
	return "arn:aws:iam::aws:policy/" + name
}

// role is what a generated execution role consists of.
type role struct {
	id, service string
	mark        string // tag that says that SAM made it
	managed     []string
	inline      []*cfn.Node
}

// execution makes an execution role of Policies, RolePath, PermissionsBoundary and AssumeRolePolicyDocument.
func (i *item) execution(r role) {
	managed := i.at.List()
	for _, name := range r.managed {
		managed.Items = append(managed.Items, i.at.Node(managedPolicy(name)))
	}
	for k, p := range i.policyList() {
		i.policy(p, k, &r, managed)
	}
	assume := i.prop("AssumeRolePolicyDocument")
	if assume == nil {
		assume = i.assume(r.service)
	}
	props := i.at.Object("AssumeRolePolicyDocument", assume, "ManagedPolicyArns", managed)
	if len(r.inline) > 0 {
		build.Set(props, "Policies", i.at.Node(r.inline))
	}
	build.Set(props, "Path", i.prop("RolePath"))
	pass(i.props, props, "PermissionsBoundary")
	build.Set(props, "Tags", i.tagList(r.mark, build.Clone(i.prop("Tags"))))
	i.emit(r.id, "AWS::IAM::Role", props)
}

func (i *item) assume(service string) *cfn.Node {
	return i.at.Object("Version", "2012-10-17", "Statement", i.at.List(i.at.Object(
		"Action", []string{"sts:AssumeRole"}, "Effect", "Allow", "Principal", i.at.Object("Service", []string{service}))))
}

func (i *item) policyList() []*cfn.Node {
	switch p := i.prop("Policies"); {
	case p == nil:
		return nil
	case p.Kind == cfn.List:
		return p.Items
	default:
		return []*cfn.Node{p}
	}
}

// policy adds one entry of Policies: a managed policy, a document or a policy template.
func (i *item) policy(p *cfn.Node, index int, r *role, managed *cfn.Node) {
	add := func(n *cfn.Node) {
		if !slices.ContainsFunc(managed.Items, func(m *cfn.Node) bool { return build.Equal(m, n) }) {
			managed.Items = append(managed.Items, n)
		}
	}
	switch {
	case p.Kind == cfn.Map:
		if doc := i.document(p, index); doc != nil {
			r.inline = append(r.inline, i.named(r.id, index, doc))
		}
	case p.Kind == cfn.Function && p.Fn == "Fn::If":
		i.conditionalPolicy(p, index, r, add)
	case p.Kind == cfn.Function:
		add(p)
	default:
		name, ok := p.Text()
		if !ok {
			i.fail(p, "Policy at index %d in the 'Policies' property is not valid", index)
			return
		}
		add(build.Of(p).Node(managedPolicy(name)))
	}
}

func (i *item) named(roleID string, index int, document *cfn.Node) *cfn.Node {
	return i.at.Object("PolicyName", roleID+"Policy"+strconv.Itoa(index), "PolicyDocument", document)
}

// conditionalPolicy is an Fn::If whose two sides are policies of one kind.
func (i *item) conditionalPolicy(p *cfn.Node, index int, r *role, add func(*cfn.Node)) {
	if p.Arg.Kind != cfn.List || len(p.Arg.Items) != 3 {
		i.fail(p, "Fn::If needs a condition and two values")
		return
	}
	documents := false
	sides := make([]any, 3)
	sides[0] = p.Arg.Items[0]
	for k, side := range p.Arg.Items[1:] {
		text, isText := side.Text()
		switch {
		case side.Kind == cfn.Map:
			documents = true
			if doc := i.document(side, index); doc != nil {
				side = i.named(r.id, index, doc)
			}
		case isText:
			side = build.Of(side).Node(managedPolicy(text))
		}
		sides[k+1] = side
	}
	whole := build.Of(p).Function("Fn::If", build.Of(p).List(sides...))
	if documents {
		r.inline = append(r.inline, whole)
		return
	}
	add(whole)
}

// document is a policy document as it is, or made of a policy template.
func (i *item) document(p *cfn.Node, index int) *cfn.Node {
	if p.Get("Statement") != nil {
		return p
	}
	if len(p.Fields) != 1 {
		i.fail(p, "Policy at index %d in the 'Policies' property is not valid: it is neither a policy document nor one policy template", index)
		return nil
	}
	name, given := p.Fields[0].Name, p.Fields[0].Value
	template, ok := policyTemplates[name]
	if !ok {
		i.fail(p, "Policy at index %d in the 'Policies' property is not valid: there is no policy template %q", index, name)
		return nil
	}
	if given.Kind != cfn.Map {
		if len(template.parameters) > 0 || given.Value != nil {
			i.fail(given, "the policy template %s needs an object with its parameters %s", name, strings.Join(template.parameters, ", "))
			return nil
		}
		given = build.Of(given).Object()
	}
	for _, parameter := range template.parameters {
		if given.Get(parameter) == nil {
			i.fail(given, "Following required parameters of policy template '%s' don't have values: %s", name, parameter)
			return nil
		}
	}
	for _, f := range given.Fields {
		if !slices.Contains(template.parameters, f.Name) {
			i.fail(f.Value, "the policy template %s has no parameter %q", name, f.Name)
			return nil
		}
	}
	return template.document(build.Of(p), given)
}

func (p policyTemplate) document(at build.At, given *cfn.Node) *cfn.Node {
	statements := at.List()
	for _, s := range p.statements {
		resources := []*cfn.Node{}
		for _, r := range s.resources {
			resources = append(resources, p.fill(at, r, given))
		}
		var resource any = resources
		if len(resources) == 1 {
			resource = resources[0]
		}
		n := at.Object("Effect", "Allow", "Action", s.actions, "Resource", resource)
		if s.operator != "" {
			build.Set(n, "Condition", at.Object(s.operator, at.Object(s.key, p.fill(at, s.test, given))))
		}
		statements.Items = append(statements.Items, n)
	}
	return at.Object("Statement", statements)
}

// fill makes an Fn::Sub of a text with pseudo parameters and the template's own parameters.
func (p policyTemplate) fill(at build.At, text string, given *cfn.Node) *cfn.Node {
	if !strings.Contains(text, "${") {
		return at.Node(text)
	}
	var variables []any
	for _, name := range p.parameters {
		if strings.Contains(text, "${"+name+"}") {
			variables = append(variables, name, build.Clone(given.Get(name)))
		}
	}
	return at.Sub(text, variables...)
}
