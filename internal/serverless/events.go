package serverless

import (
	"crypto/md5"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cfn/build"
)

// call is one event of a function.
type call struct {
	*Service
	function string // its name in the file
	full     string // its name in AWS
	at       build.At
	event    *cfn.Node
	number   int // of the event among those of its kind, from 1
	place    int // of the event among all, from 1
}

// functionEventKinds is the table of events; everything else is refused.
var functionEventKinds = map[string]func(c *call){
	"http":            (*call).http,
	"sqs":             (*call).sqs,
	"sns":             (*call).sns,
	"schedule":        (*call).schedule,
	"cloudwatchEvent": (*call).cloudwatch,
	"eventBridge":     (*call).eventBridge,
}

func (s *Service) functionEvents(f cfn.Field) {
	counts := map[string]int{}
	for k, e := range s.items(f.Value, "events") {
		kind, ok := single(e)
		if text, isText := e.Text(); isText {
			kind, ok = cfn.Field{Name: text, Value: e, Line: e.Line, Column: e.Column}, true
		}
		expand := functionEventKinds[kind.Name]
		if !ok || expand == nil {
			s.fail(e, "function %s: the event %q is not supported; supported: %s", f.Name, kind.Name, strings.Join(sortedKeys(functionEventKinds), ", "))
			continue
		}
		counts[kind.Name]++
		expand(&call{s, f.Name, s.functionName(f), build.OfField(kind), kind.Value, counts[kind.Name], k + 1})
	}
}

func (c *call) arn() *cfn.Node { return c.at.GetAtt(functionID(c.function), "Arn") }

func (c *call) permission(id, principal string, source *cfn.Node) {
	c.put(id, c.at.Object("Type", "AWS::Lambda::Permission", "Properties", c.at.Object(
		"FunctionName", c.arn(), "Action", "lambda:InvokeFunction", "Principal", principal, "SourceArn", source)))
}

// lastOfARN is the name at the end of an ARN, or of the function that makes it.
func lastOfARN(n *cfn.Node) string {
	if text, ok := n.Text(); ok {
		return text[strings.LastIndexByte(text, ':')+1:]
	}
	if n.Kind != cfn.Function {
		return ""
	}
	arg := n.Arg
	switch n.Fn {
	case "Fn::GetAtt":
		arg = arg.Items[0]
	case "Fn::Join":
		if arg.Kind == cfn.List && len(arg.Items) == 2 && len(arg.Items[1].Items) > 0 {
			arg = arg.Items[1].Items[len(arg.Items[1].Items)-1]
		}
	}
	s, _ := arg.Text()
	return s[strings.LastIndexByte(s, ':')+1:]
}

func (c *call) sqs() {
	arn := c.event
	if arn.Kind == cfn.Map {
		if !c.members(c.event, "sqs event", "arn", "batchSize", "enabled", "maximumBatchingWindow", "functionResponseType", "filterPatterns") {
			return
		}
		arn = c.event.Get("arn")
	}
	if absent(arn) || lastOfARN(arn) == "" {
		c.fail(c.event, "function %s: an sqs event needs the queue's arn", c.function)
		return
	}
	props := c.at.Object("BatchSize", orElse(c.event.Get("batchSize"), c.at.Node(10)),
		"MaximumBatchingWindowInSeconds", present(c.event.Get("maximumBatchingWindow")),
		"EventSourceArn", arn, "FunctionName", c.arn(), "Enabled", c.yes(c.event, "enabled", true))
	if t := present(c.event.Get("functionResponseType")); t != nil {
		build.Set(props, "FunctionResponseTypes", c.at.List(t))
	}
	if list := c.items(c.event, "filterPatterns"); len(list) > 0 {
		filters := c.at.List()
		for _, p := range list {
			filters.Items = append(filters.Items, c.at.Object("Pattern", jsonText(p)))
		}
		build.Set(props, "FilterCriteria", c.at.Object("Filters", filters))
	}
	r := c.at.Object("Type", "AWS::Lambda::EventSourceMapping", "Properties", props)
	if c.role != nil {
		build.Append(r, "DependsOn", c.at.Node("IamRoleLambdaExecution"))
	}
	c.put(normal(c.function)+"EventSourceMappingSQS"+alphanumeric(lastOfARN(arn)), r)
	c.allow(c.at, []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}, build.Clone(arn))
}

func orElse(n, otherwise *cfn.Node) *cfn.Node {
	if absent(n) {
		return otherwise
	}
	return n
}

func jsonText(n *cfn.Node) string { return string(value.Append(nil, n.Plain())) }

func (c *call) sns() {
	var arn *cfn.Node
	name := ""
	if c.event.Kind == cfn.Map {
		if !c.members(c.event, "sns event", "arn", "topicName", "displayName", "filterPolicy") {
			return
		}
		arn, name = present(c.event.Get("arn")), c.text(c.event, "topicName")
	} else if text, ok := c.event.Text(); ok && !strings.HasPrefix(text, "arn:") {
		name = text
	} else {
		arn = c.event
	}
	if text, ok := arn.Text(); ok && name == "" {
		name = text[strings.LastIndexByte(text, ':')+1:]
	}
	if name == "" {
		c.fail(c.event, "Missing \"sns.topicName\" setting (it needs to be provided if \"sns.arn\" is not provided as plain ARN string)")
		return
	}
	subscription := c.at.Object("Endpoint", c.arn(), "Protocol", "lambda", "FilterPolicy", present(c.event.Get("filterPolicy")))
	id := normal(c.function) + "SnsSubscription" + alphanumeric(name)
	if arn == nil {
		topic := "SNSTopic" + alphanumeric(name)
		if c.resource(topic) == nil {
			c.put(topic, c.at.Object("Type", "AWS::SNS::Topic", "Properties", c.at.Object("TopicName", name, "DisplayName", present(c.event.Get("displayName")))))
		}
		arn = c.at.Join("", "arn:", c.at.Ref("AWS::Partition"), ":sns:", c.at.Ref("AWS::Region"), ":", c.at.Ref("AWS::AccountId"), ":", name)
		if subscription.Get("FilterPolicy") == nil {
			build.Append(c.resource(topic).Get("Properties"), "Subscription", subscription)
		} else {
			build.Set(subscription, "TopicArn", c.at.Ref(topic))
			c.put(id, c.at.Object("Type", "AWS::SNS::Subscription", "Properties", subscription))
		}
	} else {
		build.Set(subscription, "TopicArn", arn)
		c.put(id, c.at.Object("Type", "AWS::SNS::Subscription", "Properties", subscription))
	}
	c.permission(normal(c.function)+"LambdaPermission"+alphanumeric(name)+"SNS", "sns.amazonaws.com", build.Clone(arn))
}

func state(on bool) string {
	if on {
		return "ENABLED"
	}
	return "DISABLED"
}

// target is a rule's target; its input is given as an object, a text, a path or a transformer.
func (s *Service) target(at build.At, n, arn *cfn.Node, id string) *cfn.Node {
	t := at.Object("Arn", arn, "Id", id)
	given := 0
	if in := present(n.Get("input")); in != nil {
		given++
		text, ok := in.Text()
		if !ok {
			text = jsonText(in)
		}
		build.Set(t, "Input", at.Node(text))
	}
	if p := present(n.Get("inputPath")); p != nil {
		given++
		build.Set(t, "InputPath", p)
	}
	if x := present(n.Get("inputTransformer")); x != nil {
		given++
		build.Set(t, "InputTransformer", at.Object("InputPathsMap", present(x.Get("inputPathsMap")), "InputTemplate", x.Get("inputTemplate")))
	}
	if given > 1 {
		s.fail(n, "You can only set one of input, inputPath, or inputTransformer properties at the same time for an event.")
	}
	return t
}

func (c *call) schedule() {
	rates := []*cfn.Node{c.event}
	n := c.event
	if n.Kind == cfn.Map {
		if !c.members(n, "schedule event", "rate", "enabled", "name", "description", "input", "inputPath", "inputTransformer") {
			return
		}
		rates = []*cfn.Node{n.Get("rate")}
		if n.Get("rate") != nil && n.Get("rate").Kind == cfn.List {
			rates = n.Get("rate").Items
		}
	}
	for k, rate := range rates {
		if text, ok := rate.Text(); !ok || text == "" {
			c.fail(c.event, "function %s: a schedule event needs a rate", c.function)
			return
		}
		number := strconv.Itoa(c.number + k)
		id := normal(c.function) + "EventsRuleSchedule" + number
		c.put(id, c.at.Object("Type", "AWS::Events::Rule", "Properties", c.at.Object(
			"ScheduleExpression", rate, "State", state(c.yes(n, "enabled", true)), "Name", present(n.Get("name")), "Description", present(n.Get("description")),
			"Targets", c.at.List(c.target(c.at, n, c.arn(), c.function+"Schedule")))))
		c.permission(normal(c.function)+"LambdaPermissionEventsRuleSchedule"+number, "events.amazonaws.com", c.at.GetAtt(id, "Arn"))
	}
}

func (c *call) cloudwatch() {
	n := c.event
	if !c.members(n, "cloudwatchEvent event", "event", "enabled", "name", "description", "input", "inputPath", "inputTransformer") {
		return
	}
	if absent(n.Get("event")) {
		c.fail(n, "function %s: a cloudwatchEvent needs the event's pattern: event", c.function)
		return
	}
	number := strconv.Itoa(c.number)
	id := normal(c.function) + "EventsRuleCloudWatchEvent" + number
	c.put(id, c.at.Object("Type", "AWS::Events::Rule", "Properties", c.at.Object(
		"EventPattern", n.Get("event"), "State", state(c.yes(n, "enabled", true)), "Name", present(n.Get("name")), "Description", present(n.Get("description")),
		"Targets", c.at.List(c.target(c.at, n, c.arn(), c.function+"CloudWatchEvent")))))
	c.permission(normal(c.function)+"LambdaPermissionEventsRuleCloudWatchEvent"+number, "events.amazonaws.com", c.at.GetAtt(id, "Arn"))
}

// limited shortens a name of more than 64 characters the way the framework does, with a hash.
func limited(name, suffix string) string {
	if len(name) <= 64 {
		return name
	}
	sum := md5.Sum([]byte(name))
	return name[:31-len(suffix)] + hex.EncodeToString(sum[:]) + "-" + suffix
}

// eventBridge makes rules as the framework does with provider.eventBridge.useCloudFormation; without it the framework
// makes the same rules from a custom resource.
func (c *call) eventBridge() {
	n := c.event
	if !c.members(n, "eventBridge event", "eventBus", "schedule", "enabled", "pattern", "input", "inputPath", "inputTransformer", "retryPolicy", "deadLetterQueueArn") {
		return
	}
	if absent(n.Get("pattern")) && absent(n.Get("schedule")) {
		c.fail(n, "function %s: an eventBridge event needs a pattern or a schedule", c.function)
		return
	}
	number := strconv.Itoa(c.place)
	rule := c.full + "-rule-" + number
	name := limited(rule, "rule-"+number)
	bus := present(n.Get("eventBus"))
	r := c.at.Object("Type", "AWS::Events::Rule")
	if text, ok := bus.Text(); ok {
		switch {
		case text == "default":
			bus = nil
		case strings.HasPrefix(text, "arn:"):
			bus = c.at.Node(text[strings.IndexByte(text, '/')+1:])
		default:
			id := normal(text) + "EventBridgeEventBus"
			c.put(id, c.at.Object("Type", "AWS::Events::EventBus", "Properties", c.at.Object("Name", text)))
			build.Set(r, "DependsOn", c.at.Node(id))
		}
	}
	t := c.target(c.at, n, c.arn(), limited(name+"-target", "target"))
	if p := present(n.Get("retryPolicy")); p != nil {
		build.Set(t, "RetryPolicy", c.at.Object("MaximumEventAgeInSeconds", present(p.Get("maximumEventAge")), "MaximumRetryAttempts", present(p.Get("maximumRetryAttempts"))))
	}
	if q := present(n.Get("deadLetterQueueArn")); q != nil {
		build.Set(t, "DeadLetterConfig", c.at.Object("Arn", q))
	}
	build.Set(r, "Properties", c.at.Object("EventBusName", bus, "EventPattern", present(n.Get("pattern")), "Name", name,
		"ScheduleExpression", present(n.Get("schedule")), "State", state(c.yes(n, "enabled", true)), "Targets", c.at.List(t)))
	c.put(alphanumeric(rule)+"EventBridgeRule", r)
	path := []any{"rule"}
	if bus != nil {
		path = append(path, build.Clone(bus))
	}
	c.permission(normal(c.function)+"EventBridgeLambdaPermission"+number, "events.amazonaws.com", c.at.Join(":", "arn", c.at.Ref("AWS::Partition"), "events",
		c.at.Ref("AWS::Region"), c.at.Ref("AWS::AccountId"), c.at.Join("/", append(path, name)...)))
}
