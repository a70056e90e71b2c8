package serverless

import (
	"regexp"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cfn/build"
)

// permission is something that a state of the machine needs.
type permission struct {
	actions   []string
	resources []*cfn.Node
}

// role makes the role of a state machine out of what its Task states call.
func (m *machine) role(definition *cfn.Node) {
	var needs []permission
	for _, task := range tasks(definition.Get("States")) {
		needs = append(needs, m.needs(task)...)
	}
	if !absent(m.n.Get("loggingConfig")) {
		needs = append(needs, m.any("logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery",
			"logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups"))
	}
	if !absent(m.n.Get("tracingConfig")) {
		needs = append(needs, m.any("xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"))
	}
	statements := m.at.List()
	for _, p := range joined(needs) {
		var resource any = p.resources
		if len(p.resources) == 1 && isStar(p.resources[0]) {
			resource = "*"
		}
		statements.Items = append(statements.Items, m.at.Object("Effect", "Allow", "Action", p.actions, "Resource", resource))
	}
	statements.Items = append(statements.Items, m.items(m.n, "iamRoleStatements")...)
	if len(statements.Items) == 0 {
		statements.Items = append(statements.Items, m.at.Object("Effect", "Deny", "Action", "*", "Resource", "*"))
	}
	m.put(m.id+"Role", m.at.Object("Type", "AWS::IAM::Role", "Properties", m.at.Object(
		"AssumeRolePolicyDocument", m.at.Object("Version", "2012-10-17", "Statement", m.at.List(m.at.Object(
			"Effect", "Allow", "Principal", m.at.Object("Service", m.at.Sub("states.${AWS::Region}.amazonaws.com")), "Action", "sts:AssumeRole"))),
		"Policies", m.at.List(m.at.Object("PolicyName", strings.Join([]string{m.Stage, m.Name, "statemachine"}, "-"),
			"PolicyDocument", m.at.Object("Version", "2012-10-17", "Statement", statements))))))
}

// tasks are the Task states of a machine, also those within Parallel and Map states.
func tasks(states *cfn.Node) []*cfn.Node {
	if states == nil {
		return nil
	}
	var out []*cfn.Node
	for _, f := range states.Fields {
		switch kind, _ := f.Value.Get("Type").Text(); kind {
		case "Task":
			out = append(out, f.Value)
		case "Parallel":
			if b := f.Value.Get("Branches"); b != nil {
				for _, branch := range b.Items {
					out = append(out, tasks(branch.Get("States"))...)
				}
			}
		case "Map":
			out = append(out, tasks(first(f.Value.Get("ItemProcessor"), f.Value.Get("Iterator")).Get("States"))...)
		}
	}
	return out
}

func isStar(n *cfn.Node) bool {
	s, ok := n.Text()
	return ok && s == "*"
}

// joined makes one permission of those with the same actions, and then of those with the same resources.
func joined(list []permission) []permission {
	var byAction []permission
	for _, p := range list {
		k := slices.IndexFunc(byAction, func(o permission) bool { return slices.Equal(o.actions, p.actions) })
		if k < 0 {
			byAction = append(byAction, permission{actions: p.actions})
			k = len(byAction) - 1
		}
		for _, r := range p.resources {
			if !slices.ContainsFunc(byAction[k].resources, func(o *cfn.Node) bool { return build.Equal(o, r) }) {
				byAction[k].resources = append(byAction[k].resources, r)
			}
		}
	}
	var out []permission
	for _, p := range byAction {
		if slices.ContainsFunc(p.resources, isStar) {
			p.resources = []*cfn.Node{build.Of(p.resources[0]).Node("*")}
		}
		k := slices.IndexFunc(out, func(o permission) bool { return slices.EqualFunc(o.resources, p.resources, build.Equal) })
		if k < 0 {
			out = append(out, p)
			continue
		}
		out[k].actions = unique(append(slices.Clone(out[k].actions), p.actions...))
	}
	return out
}

// any is a permission for all resources.
func (m *machine) any(actions ...string) permission {
	return permission{actions, []*cfn.Node{m.at.Node("*")}}
}

var (
	partition   = regexp.MustCompile(`^arn:aws(-[a-z]+)*:`)
	integration = regexp.MustCompile(`^arn:aws:states:::(.*?)(\.sync|\.sync:2|\.waitForTaskToken)?$`)
	lambdaARN   = regexp.MustCompile(`^arn:aws:lambda:`)
	queueURL    = regexp.MustCompile(`^https://sqs\.(.*)\.amazonaws\.com/(.*)/(.*)$`)
)

// needs is what one Task state needs. Of an integration that the plugin does not know it derives nothing: the service
// says in iamRoleStatements or role what such a state needs.
func (m *machine) needs(task *cfn.Node) []permission {
	resource := task.Get("Resource")
	text, isText := resource.Text()
	if !isText {
		if resource == nil {
			return nil
		}
		return m.invoke(m.local(build.Clone(resource)))
	}
	text = partition.ReplaceAllString(text, "arn:aws:")
	if lambdaARN.MatchString(text) {
		parts := strings.Split(text, ":")
		return m.invoke(m.at.Node(strings.Join(parts[:min(len(parts), 7)], ":")))
	}
	found := integration.FindStringSubmatch(text)
	if found == nil {
		return nil
	}
	parameters := first(task.Get("Parameters"), task.Get("Arguments"))
	switch name := strings.TrimPrefix(found[1], "aws-sdk:"); name {
	case "sqs:sendMessage":
		return m.one("sqs:SendMessage", parameters, "QueueUrl", m.queueARN)
	case "sns:publish":
		return m.one("sns:Publish", parameters, "TopicArn", build.Clone)
	case "dynamodb:putItem", "dynamodb:getItem", "dynamodb:updateItem", "dynamodb:deleteItem":
		return m.one("dynamodb:"+upperFirst(strings.TrimPrefix(name, "dynamodb:")), parameters, "TableName", m.tableARN)
	case "lambda:invoke":
		return m.invokeParameters(parameters)
	case "states:startExecution":
		return m.nested(parameters)
	case "events:putEvents":
		return m.putEvents(parameters)
	}
	return nil
}

// one is an action on the resource that a parameter names; a path to it means any.
func (m *machine) one(action string, parameters *cfn.Node, name string, arn func(*cfn.Node) *cfn.Node) []permission {
	p := parameters.Get(name)
	if p == nil || parameters.Get(name+".$") != nil {
		if parameters.Get(name+".$") == nil {
			return nil
		}
		return []permission{m.any(action)}
	}
	return []permission{{[]string{action}, []*cfn.Node{arn(p)}}}
}

func (m *machine) queueARN(n *cfn.Node) *cfn.Node {
	if text, ok := n.Text(); ok {
		if found := queueURL.FindStringSubmatch(text); found != nil {
			return m.at.Node("arn:" + partitionOf(found[1]) + ":sqs:" + found[1] + ":" + found[2] + ":" + found[3])
		}
	} else if n.Fn == "Ref" {
		return m.at.GetAtt(logicalID(n), "Arn")
	}
	return m.at.Node("*")
}

func partitionOf(region string) string {
	switch {
	case strings.HasPrefix(region, "us-gov"):
		return "aws-us-gov"
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	}
	return "aws"
}

func (m *machine) tableARN(n *cfn.Node) *cfn.Node {
	table := any(m.at.Join("/", "table", build.Clone(n)))
	if text, ok := n.Text(); ok {
		table = "table/" + text
	} else if n.Kind == cfn.Function && n.Fn == "Ref" {
		return m.at.GetAtt(logicalID(n), "Arn")
	}
	return m.at.Join(":", "arn", m.at.Ref("AWS::Partition"), "dynamodb", m.at.Ref("AWS::Region"), m.at.Ref("AWS::AccountId"), table)
}

// invoke is the permission to call a function, whatever its version or alias.
func (m *machine) invoke(arn *cfn.Node) []permission {
	return []permission{{[]string{"lambda:InvokeFunction"}, []*cfn.Node{arn, m.at.Sub("${functionArn}:*", "functionArn", build.Clone(arn))}}}
}

func (m *machine) invokeParameters(parameters *cfn.Node) []permission {
	n := parameters.Get("FunctionName")
	if n == nil {
		if allowed := parameters.Get("AllowedFunctions"); allowed != nil {
			return []permission{{[]string{"lambda:InvokeFunction"}, []*cfn.Node{allowed}}}
		}
		return []permission{m.any("lambda:InvokeFunction")}
	}
	arn := "arn:${AWS::Partition}:lambda:${AWS::Region}:"
	text, ok := n.Text()
	parts := strings.Split(text, ":")
	switch {
	case ok && partition.MatchString(text):
		return []permission{{[]string{"lambda:InvokeFunction"}, []*cfn.Node{n, m.at.Node(text + ":*")}}}
	case ok && len(parts) == 3:
		return []permission{{[]string{"lambda:InvokeFunction"}, []*cfn.Node{m.at.Sub(arn + text), m.at.Sub(arn + text + ":*")}}}
	case ok:
		arn += "${AWS::AccountId}:function:" + text
		return []permission{{[]string{"lambda:InvokeFunction"}, []*cfn.Node{m.at.Sub(arn), m.at.Sub(arn + ":*")}}}
	case n.Kind == cfn.Function && n.Fn == "Ref":
		f := m.local(build.Clone(n))
		arn += "${AWS::AccountId}:function:${functionArn}"
		return []permission{{[]string{"lambda:InvokeFunction"}, []*cfn.Node{m.at.Sub(arn, "functionArn", f), m.at.Sub(arn+":*", "functionArn", build.Clone(f))}}}
	}
	return m.invoke(m.local(build.Clone(n)))
}

func (m *machine) nested(parameters *cfn.Node) []permission {
	rule := m.at.Sub("arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule")
	start := m.one("states:StartExecution", parameters, "StateMachineArn", build.Clone)
	return append(start, m.any("states:DescribeExecution", "states:StopExecution"),
		permission{[]string{"events:PutTargets", "events:PutRule", "events:DescribeRule"}, []*cfn.Node{rule}})
}

func (m *machine) putEvents(parameters *cfn.Node) []permission {
	p := permission{actions: []string{"events:PutEvents"}}
	entries := parameters.Get("Entries")
	if entries == nil || entries.Kind != cfn.List {
		return []permission{m.any("events:PutEvents")}
	}
	for _, e := range entries.Items {
		bus := orElse(e.Get("EventBusName"), m.at.Node("default"))
		p.resources = append(p.resources, m.at.Sub("arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/${eventBus}", "eventBus", build.Clone(bus)))
	}
	return []permission{p}
}
