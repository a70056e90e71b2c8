package sam

import (
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cfn/build"
)

// event is one entry of Events that is being expanded.
type event struct {
	*item
	name  string // in Events
	id    string // logical id of what is made of it
	props *cfn.Node
}

// functionEvent is a row of the table of a function's events: the properties and how they become resources. needs is a
// managed policy that the function's role then has.
type functionEvent struct {
	properties []string
	expand     func(e *event, to *target)
	needs      string
}

var ruleProperties = []string{"EventBusName", "Pattern", "RuleName", "Input", "InputPath", "InputTransformer", "DeadLetterConfig", "RetryPolicy", "State", "Enabled", "Target"}

var scheduleProperties = []string{"Schedule", "Input", "Name", "Description", "DeadLetterConfig", "RetryPolicy", "State", "Enabled"}

// functionEventTypes is the table; unsupportedEvents are SAM's other types.
var functionEventTypes = map[string]functionEvent{
	"Api":             {properties: []string{"Path", "Method", "RestApiId"}, expand: (*event).apiCall},
	"CloudWatchEvent": {properties: ruleProperties, expand: (*event).functionRule},
	"EventBridgeRule": {properties: ruleProperties, expand: (*event).functionRule},
	"S3":              {properties: []string{"Bucket", "Events", "Filter"}, expand: (*event).bucket},
	"SNS":             {properties: []string{"Topic", "FilterPolicy", "FilterPolicyScope", "Region", "RedrivePolicy"}, expand: (*event).topic},
	"SQS": {properties: []string{"Queue", "BatchSize", "Enabled", "FilterCriteria", "FunctionResponseTypes", "MaximumBatchingWindowInSeconds", "ScalingConfig"},
		expand: (*event).queue, needs: "AWSLambdaSQSQueueExecutionRole"},
	"Schedule": {properties: scheduleProperties, expand: (*event).functionRule},
}

var machineEventTypes = map[string]struct {
	properties []string
	expand     func(e *event)
}{
	"Api":             {[]string{"Path", "Method", "RestApiId", "UnescapeMappingTemplate"}, (*event).apiStart},
	"CloudWatchEvent": {ruleProperties, (*event).machineRule},
	"EventBridgeRule": {ruleProperties, (*event).machineRule},
	"Schedule":        {append([]string{"RoleArn", "Target"}, scheduleProperties...), (*event).machineRule},
}

// functionEvents expands a function's events; it returns managed policies that its role needs for them.
func (i *item) functionEvents(to *target) []string {
	var needs []string
	for _, e := range i.events() {
		kind := i.text(e.node, "Type")
		row, ok := functionEventTypes[kind]
		if !ok {
			i.unknownEvent(e, kind, keys(functionEventTypes))
			continue
		}
		if i.members(e.props, "event "+e.name+" of type "+kind, row.properties...) {
			row.expand(e, to)
			if row.needs != "" && !slices.Contains(needs, row.needs) {
				needs = append(needs, row.needs)
			}
		}
	}
	return needs
}

func (i *item) machineEvents() {
	for _, e := range i.events() {
		kind := i.text(e.node, "Type")
		row, ok := machineEventTypes[kind]
		if !ok {
			i.unknownEvent(e, kind, keys(machineEventTypes))
			continue
		}
		if i.members(e.props, "event "+e.name+" of type "+kind, row.properties...) {
			row.expand(e)
		}
	}
}

func keys[V any](m map[string]V) []string {
	var names []string
	for k := range m {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

func (i *item) unknownEvent(e *event, kind string, known []string) {
	i.fail(e.node, "event %s: type %q is not supported; supported: %s", e.name, kind, strings.Join(known, ", "))
}

func (i *item) events() []*event {
	n := i.prop("Events")
	if n == nil {
		return nil
	}
	if n.Kind != cfn.Map {
		i.fail(n, "Events must be an object")
		return nil
	}
	var list []*event
	for _, f := range n.Fields {
		if !i.members(f.Value, "event "+f.Name, "Type", "Properties") {
			continue
		}
		at := build.OfField(f)
		props := f.Value.Get("Properties")
		if props == nil {
			props = at.Object()
		}
		of := &item{t: i.t, id: i.id, node: withAttributes(f.Value, i.node), at: at, props: i.props}
		list = append(list, &event{item: of, name: f.Name, id: i.id + f.Name, props: props})
	}
	return list
}

// withAttributes is an event that has the attributes of its function or state machine which apply to it too.
func withAttributes(event, of *cfn.Node) *cfn.Node {
	n := *event
	n.Fields = slices.Clone(event.Fields)
	for _, name := range commonAttributes {
		build.Set(&n, name, of.Get(name))
	}
	return &n
}

// required is a property that must be there.
func (e *event) required(name string) *cfn.Node {
	n := e.props.Get(name)
	if n == nil {
		e.fail(e.node, "event %s: property %s is required", e.name, name)
		return e.at.Node("")
	}
	return n
}

func (e *event) permission(to *target, id, principal string, sourceArn, sourceAccount *cfn.Node) {
	e.emit(id, "AWS::Lambda::Permission", e.at.Object("Action", "lambda:InvokeFunction", "FunctionName", build.Clone(to.name),
		"Principal", principal, "SourceArn", sourceArn, "SourceAccount", sourceAccount))
}

func (e *event) queue(to *target) {
	props := e.at.Object("EventSourceArn", e.required("Queue"), "FunctionName", build.Clone(to.name))
	pass(e.props, props, "BatchSize", "Enabled", "FilterCriteria", "FunctionResponseTypes", "MaximumBatchingWindowInSeconds", "ScalingConfig")
	e.emit(e.id, "AWS::Lambda::EventSourceMapping", props)
}

func (e *event) topic(to *target) {
	topic := e.required("Topic")
	props := e.at.Object("Protocol", "lambda", "Endpoint", build.Clone(to.arn), "TopicArn", topic)
	pass(e.props, props, "Region", "FilterPolicy", "FilterPolicyScope", "RedrivePolicy")
	e.emit(e.id, "AWS::SNS::Subscription", props)
	e.permission(to, e.id+"Permission", "sns.amazonaws.com", build.Clone(topic), nil)
}

// bucket adds a notification to a bucket of the same template.
func (e *event) bucket(to *target) {
	n := e.required("Bucket")
	var bucket *cfn.Node
	if n.Kind == cfn.Function && n.Fn == "Ref" {
		id, _ := n.Arg.Text()
		bucket = e.t.resources.Get(id)
	}
	if kind, _ := bucket.Get("Type").Text(); kind != "AWS::S3::Bucket" {
		e.fail(n, "event %s: S3 events must reference an S3 bucket in the same template.", e.name)
		return
	}
	if c := e.node.Get("Condition"); c != nil {
		e.fail(c, "event %s: an S3 event of a function with a Condition is not supported", e.name)
		return
	}
	props := bucket.Get("Properties")
	if props == nil || props.Kind != cfn.Map {
		props = build.Of(bucket).Object()
		build.Set(bucket, "Properties", props)
	}
	notifications := props.Get("NotificationConfiguration")
	if notifications == nil {
		notifications = e.at.Object()
		build.Set(props, "NotificationConfiguration", notifications)
	}
	kinds := e.required("Events")
	if kinds.Kind != cfn.List {
		kinds = build.Of(kinds).List(kinds)
	}
	for _, kind := range kinds.Items {
		entry := e.at.Object("Function", build.Clone(to.arn), "Filter", build.Clone(e.props.Get("Filter")), "Event", kind)
		if list := notifications.Get("LambdaConfigurations"); list == nil || !slices.ContainsFunc(list.Items, func(o *cfn.Node) bool { return build.Equal(o, entry) }) {
			build.Append(notifications, "LambdaConfigurations", entry)
		}
	}
	build.Append(bucket, "DependsOn", e.at.Node(e.id+"Permission"))
	e.permission(to, e.id+"Permission", "s3.amazonaws.com", nil, e.at.Ref("AWS::AccountId"))
}

// rule makes the rule of a Schedule or an event pattern; target are the members that only this kind of target has.
func (e *event) rule(suffix string, arn, roleArn *cfn.Node) {
	props := e.at.Object()
	if e.props.Get("Pattern") == nil && e.props.Get("Schedule") == nil {
		e.fail(e.node, "event %s: Schedule or Pattern is required", e.name)
	}
	build.Set(props, "ScheduleExpression", e.props.Get("Schedule"))
	build.Set(props, "EventPattern", e.props.Get("Pattern"))
	build.Set(props, "Name", e.props.Get("RuleName"))
	pass(e.props, props, "EventBusName", "Name", "Description", "State")
	if on := e.props.Get("Enabled"); on != nil {
		state, known := map[any]string{true: "ENABLED", false: "DISABLED"}[on.Value]
		if !known || on.Kind != cfn.Scalar {
			e.fail(on, "event %s: Enabled must be true or false", e.name)
		}
		if e.props.Get("State") != nil {
			e.fail(on, "event %s: State and Enabled Properties cannot both be specified.", e.name)
		}
		build.Set(props, "State", e.at.Node(state))
	}
	var id any = e.id[:min(len(e.id), 64-len(suffix))] + suffix
	if given := e.props.Get("Target").Get("Id"); given != nil {
		id = given
	}
	to := e.at.Object("Arn", arn, "Id", id, "RoleArn", roleArn)
	pass(e.props, to, "Input", "InputPath", "RetryPolicy", "InputTransformer")
	build.Set(to, "DeadLetterConfig", e.ruleDeadLetters())
	build.Set(props, "Targets", e.at.List(to))
	e.emit(e.id, "AWS::Events::Rule", props)
}

// ruleDeadLetters is a target's dead-letter queue: given by its ARN, or made.
func (e *event) ruleDeadLetters() *cfn.Node {
	c := e.props.Get("DeadLetterConfig")
	if c == nil || !e.members(c, "DeadLetterConfig", "Arn", "Type", "QueueLogicalId") {
		return nil
	}
	arn, kind := c.Get("Arn"), e.text(c, "Type")
	switch {
	case arn != nil && kind == "":
		return e.at.Object("Arn", arn)
	case arn != nil || kind != "SQS":
		e.fail(c, "event %s: DeadLetterConfig needs either Arn or Type: SQS", e.name)
		return nil
	}
	queue := e.id + "Queue"
	if id := e.text(c, "QueueLogicalId"); id != "" {
		queue = id
	}
	e.emit(queue, "AWS::SQS::Queue", e.at.Object())
	e.emit(e.id+"QueuePolicy", "AWS::SQS::QueuePolicy", e.at.Object("Queues", e.at.List(e.at.Ref(queue)),
		"PolicyDocument", e.at.Object("Version", "2012-10-17", "Statement", e.at.List(e.at.Object(
			"Effect", "Allow", "Principal", e.at.Object("Service", "events.amazonaws.com"), "Action", "sqs:SendMessage",
			"Resource", e.at.GetAtt(queue, "Arn"),
			"Condition", e.at.Object("ArnEquals", e.at.Object("aws:SourceArn", e.at.GetAtt(e.id, "Arn"))))))))
	return e.at.Object("Arn", e.at.GetAtt(queue, "Arn"))
}

func (e *event) functionRule(to *target) {
	e.rule("LambdaTarget", build.Clone(to.arn), nil)
	e.permission(to, e.id+"Permission", "events.amazonaws.com", e.at.GetAtt(e.id, "Arn"), nil)
}

func (e *event) machineRule() {
	given := e.props.Get("RoleArn")
	if given == nil {
		e.startRole("events.amazonaws.com")
		given = e.at.GetAtt(e.id+"Role", "Arn")
	}
	e.rule("StepFunctionsTarget", e.at.Ref(e.item.id), given)
}

// startRole makes the role with which another service starts the state machine.
func (e *event) startRole(service string) {
	id := e.id + "Role"
	props := e.at.Object("AssumeRolePolicyDocument", e.assume(service), "Policies", e.at.List(e.at.Object(
		"PolicyName", id+"StartExecutionPolicy", "PolicyDocument", e.at.Object("Statement", e.at.List(e.at.Object(
			"Action", "states:StartExecution", "Effect", "Allow", "Resource", e.at.Ref(e.item.id)))))))
	build.Set(props, "PermissionsBoundary", e.item.props.Get("PermissionsBoundary"))
	e.emit(id, "AWS::IAM::Role", props)
}
