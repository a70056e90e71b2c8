package serverless

import (
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cfn/build"
)

// alarmMetrics are the metrics that an alarm may watch, with what its description says.
var alarmMetrics = map[string][2]string{
	"executionsTimedOut":  {"ExecutionsTimedOut", "executions timed out"},
	"executionsFailed":    {"ExecutionsFailed", "executions failed"},
	"executionsAborted":   {"ExecutionsAborted", "executions were aborted"},
	"executionThrottled":  {"ExecutionThrottled", "execution were throttled"},
	"executionsSucceeded": {"ExecutionsSucceeded", "executions succeeded"},
}

// alarms makes an alarm for each metric that the state machine names.
func (m *machine) alarms() {
	n := m.n.Get("alarms")
	if absent(n) || !m.members(n, "alarms", "topics", "metrics", "treatMissingData") {
		return
	}
	action := func(name string) *cfn.Node {
		if topic := present(n.Get("topics").Get(name)); topic != nil {
			return m.at.List(build.Clone(topic))
		}
		return m.at.List()
	}
	for _, metric := range m.items(n, "metrics") {
		name, ok := metric.Text()
		if !ok {
			name = m.text(metric, "metric")
		}
		row, known := alarmMetrics[name]
		if !known {
			m.fail(metric, "alarms: the metric %q is not known; there are %s", name, strings.Join(sortedKeys(alarmMetrics), ", "))
			continue
		}
		id := firstText(m.text(metric, "logicalId"), m.id+row[0]+"Alarm")
		missing := firstText(m.text(metric, "treatMissingData"), m.text(n, "treatMissingData"), "missing")
		m.put(id, m.at.Object("Type", "AWS::CloudWatch::Alarm", "Properties", m.at.Object(
			"Namespace", "AWS/States", "MetricName", row[0], "AlarmDescription", m.name+"["+m.Stage+"]["+m.Region+"]: "+row[1],
			"Threshold", 1, "Period", 60, "EvaluationPeriods", 1, "ComparisonOperator", "GreaterThanOrEqualToThreshold", "Statistic", "Sum",
			"OKActions", action("ok"), "AlarmActions", action("alarm"), "InsufficientDataActions", action("insufficientData"),
			"TreatMissingData", missing, "Dimensions", m.at.List(m.at.Object("Name", "StateMachineArn", "Value", m.at.Ref(m.id))))))
	}
}

var executionStatuses = []string{"ABORTED", "FAILED", "RUNNING", "SUCCEEDED", "TIMED_OUT"}

// targetActions are the services that a notification may go to, with what the rule's role needs; "" means that the
// target's own policy says it.
var targetActions = map[string]string{"sns": "", "sqs": "", "lambda": "", "stepFunctions": "states:StartExecution"}

// notifications makes a rule for each execution status that somebody wants to hear of.
func (m *machine) notifications() {
	n := m.n.Get("notifications")
	if absent(n) || !m.members(n, "notifications", executionStatuses...) {
		return
	}
	if m.text(m.n, "type") == "EXPRESS" {
		m.fail(n, "state machine %s: notifications are not supported on Express Workflows", m.key)
		return
	}
	index := 0
	role := m.at.List()
	var rules []*cfn.Node
	for _, status := range executionStatuses {
		targets := m.at.List()
		for k, t := range m.items(n, status) {
			f, ok := single(t)
			if _, known := targetActions[f.Name]; !ok || !known {
				m.fail(t, "notifications: the target %q is not supported; supported: %s", f.Name, strings.Join(sortedKeys(targetActions), ", "))
				continue
			}
			targets.Items = append(targets.Items, m.notify(f, status, k, index, role))
			index++
		}
		if len(targets.Items) == 0 {
			continue
		}
		props := m.at.Object(
			"Description", "["+status+"] status notification for state machine ["+m.name+"]",
			"EventPattern", m.at.Object("source", []string{"aws.states"}, "detail-type", []string{"Step Functions Execution Status Change"},
				"detail", m.at.Object("status", []string{status}, "stateMachineArn", m.at.List(m.at.Ref(m.id)))),
			"Name", m.name+"-"+status+"-notification", "Targets", targets)
		m.put(m.id+"Notifications"+strings.Replace(status, "_", "", 1)+"EventRule", m.at.Object("Type", "AWS::Events::Rule", "Properties", props))
		rules = append(rules, props)
	}
	if len(role.Items) > 0 {
		for _, r := range rules {
			build.Set(r, "RoleArn", m.at.GetAtt(m.id+"NotificationsIamRole", "Arn"))
		}
		m.put(m.id+"NotificationsIamRole", m.at.Object("Type", "AWS::IAM::Role", "Properties", m.at.Object(
			"AssumeRolePolicyDocument", m.at.Object("Statement", m.at.Object("Effect", "Allow", "Action", "sts:AssumeRole",
				"Principal", m.at.Object("Service", "events.amazonaws.com"))), "Policies", role)))
	}
}

// notify makes one target and the policy that lets the rule reach it.
func (m *machine) notify(f cfn.Field, status string, place, index int, role *cfn.Node) *cfn.Node {
	at := build.OfField(f)
	arn := f.Value
	t := at.Object()
	if f.Name == "sqs" && arn.Kind == cfn.Map {
		m.members(arn, "sqs target", "arn", "messageGroupId")
		build.Set(t, "SqsParameters", at.Object("MessageGroupId", present(arn.Get("messageGroupId"))))
		arn = orElse(arn.Get("arn"), at.Node(""))
	}
	build.Set(t, "Arn", arn)
	build.Set(t, "Id", at.Node(m.name+"-"+status+"-"+shortHash(pair("target", t.Plain(), "index", value.Int(int64(place))), 5)))
	if action := targetActions[f.Name]; action != "" {
		build.Set(t, "RoleArn", at.GetAtt(m.id+"NotificationsIamRole", "Arn"))
		name := policyName(status, f.Name, action, arn)
		if !slices.ContainsFunc(role.Items, func(o *cfn.Node) bool { s, _ := o.Get("PolicyName").Text(); return s == name }) {
			role.Items = append(role.Items, at.Object("PolicyName", name, "PolicyDocument", at.Object("Version", "2012-10-17",
				"Statement", at.List(at.Object("Effect", "Allow", "Action", action, "Resource", build.Clone(arn))))))
		}
		return t
	}
	policy := m.targetPolicy(at, f.Name, status, arn)
	m.put(m.id+"ResourcePolicy"+shortHash(pair("index", value.Int(int64(index)), "resource", policy.Plain()), 5), policy)
	return t
}

// pair is an object of two members: what the plugin makes its hashes of.
func pair(name string, v value.Value, name2 string, v2 value.Value) *value.Object {
	return value.NewObject(value.Member{Name: name, Value: v}, value.Member{Name: name2, Value: v2})
}

func policyName(status, kind, action string, arn *cfn.Node) string {
	return status + "-" + kind + "-" + shortHash(pair("action", action, "resource", arn.Plain()), 5)
}

func (m *machine) targetPolicy(at build.At, kind, status string, arn *cfn.Node) *cfn.Node {
	document := func(action string) *cfn.Node {
		return at.Object("Version", "2012-10-17", "Statement", at.Object("Sid", policyName(status, kind, action, arn),
			"Principal", at.Object("Service", "events.amazonaws.com"), "Effect", "Allow", "Action", action, "Resource", build.Clone(arn)))
	}
	switch kind {
	case "sns":
		return at.Object("Type", "AWS::SNS::TopicPolicy", "Properties", at.Object("PolicyDocument", document("sns:Publish"), "Topics", at.List(build.Clone(arn))))
	case "sqs":
		url := at.Sub("https://sqs.${AWS::Region}.amazonaws.com/${AWS::AccountId}/" + lastOfARN(arn))
		if arn.Kind == cfn.Function && arn.Fn == "Fn::GetAtt" {
			url = at.Ref(logicalID(arn))
		}
		return at.Object("Type", "AWS::SQS::QueuePolicy", "Properties", at.Object("PolicyDocument", document("sqs:SendMessage"), "Queues", at.List(url)))
	}
	return at.Object("Type", "AWS::Lambda::Permission", "Properties", at.Object("Action", "lambda:InvokeFunction", "FunctionName", build.Clone(arn), "Principal", "events.amazonaws.com"))
}
