package cfn

import (
	"strings"

	"github.com/newel-run/newel/asl/value"
)

var logGroup = &Type{
	Name: "AWS::Logs::LogGroup",
	Properties: rows(properties("logs:CreateLogGroup", "LogGroupName~", "KmsKeyId", "LogGroupClass~"), properties("", "RetentionInDays", "Tags"),
		without("there is no masking of log data here", "DataProtectionPolicy"), without("log lines are searched as they are", "FieldIndexPolicies")),
	NameProperty: "LogGroupName", NameMax: 512, Named: true,
	Attributes: []string{"Arn"},
	Missing:    []string{"ResourceNotFoundException"},
	Create: func(i *Instance) ([]Call, error) {
		c := call("logs", "CreateLogGroup", "logGroupName", i.Name).with("kmsKeyId", i.get("KmsKeyId"), "logGroupClass", i.get("LogGroupClass"))
		if t := i.get("Tags"); t != nil {
			c = c.with("tags", tagMap(t))
		}
		return append([]Call{c}, retention(i, &Instance{Properties: value.NewObject()})...), nil
	},
	Read: func(i *Instance) Call { return call("logs", "DescribeLogGroups", "logGroupNamePrefix", i.Name) },
	Absent: func(i *Instance, answer *value.Object) bool {
		return elementNamed(at(answer, "logGroups"), "logGroupName", i.Name) == nil
	},
	Identify: func(i *Instance, _ *value.Object) (string, map[string]string) {
		return i.Name, map[string]string{"Arn": i.arn("logs", "log-group:"+i.Name+":*")}
	},
	Update: func(i, old *Instance) ([]Call, error) {
		calls := retention(i, old)
		if changed(i, old, "KmsKeyId") {
			c := call("logs", "DisassociateKmsKey", "logGroupName", i.Name)
			if k := i.text("KmsKeyId"); k != "" {
				c = call("logs", "AssociateKmsKey", "logGroupName", i.Name, "kmsKeyId", k)
			}
			calls = append(calls, c)
		}
		return append(calls, retag(i, old, "logs", "TagResource", "UntagResource", "resourceArn", i.arn("logs", "log-group:"+i.Name), tagMap)...), nil
	},
	Delete: func(i *Instance) []Call { return []Call{call("logs", "DeleteLogGroup", "logGroupName", i.Ref)} },
}

// elementNamed is the element of a list that has a name, nil if none has.
func elementNamed(list value.Value, by, name string) value.Value {
	for _, x := range items(list) {
		if member(x, by) == name {
			return x
		}
	}
	return nil
}

func retention(i, old *Instance) []Call {
	switch days := i.get("RetentionInDays"); {
	case !changed(i, old, "RetentionInDays"):
		return nil
	case days == nil:
		return []Call{call("logs", "DeleteRetentionPolicy", "logGroupName", i.Name)}
	default:
		return []Call{call("logs", "PutRetentionPolicy", "logGroupName", i.Name).with("retentionInDays", days)}
	}
}

var alarmProperties = []string{"AlarmDescription", "ActionsEnabled", "OKActions", "AlarmActions", "InsufficientDataActions", "MetricName",
	"Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit", "EvaluationPeriods", "DatapointsToAlarm", "Threshold",
	"ComparisonOperator", "TreatMissingData", "EvaluateLowSampleCountPercentile", "Metrics", "ThresholdMetricId"}

var alarm = &Type{
	Name:         "AWS::CloudWatch::Alarm",
	Properties:   properties("monitoring:PutMetricAlarm", append([]string{"AlarmName~", "Tags"}, alarmProperties...)...),
	NameProperty: "AlarmName", NameMax: 255, Named: true,
	Attributes: []string{"Arn"},
	Missing:    []string{"ResourceNotFound"},
	Create:     func(i *Instance) ([]Call, error) { return []Call{putAlarm(i).with("Tags", i.get("Tags"))}, nil },
	Read: func(i *Instance) Call {
		return call("monitoring", "DescribeAlarms").with("AlarmNames", value.Array{i.Name})
	},
	Absent: func(i *Instance, answer *value.Object) bool {
		return elementNamed(at(answer, "MetricAlarms"), "AlarmName", i.Name) == nil
	},
	Identify: func(i *Instance, _ *value.Object) (string, map[string]string) {
		return i.Name, map[string]string{"Arn": i.arn("cloudwatch", "alarm:"+i.Name)}
	},
	Update: func(i, old *Instance) ([]Call, error) {
		return append([]Call{putAlarm(i)}, retag(i, old, "monitoring", "TagResource", "UntagResource", "ResourceARN", i.arn("cloudwatch", "alarm:"+i.Name), tagList)...), nil
	},
	Delete: func(i *Instance) []Call {
		return []Call{call("monitoring", "DeleteAlarms").with("AlarmNames", value.Array{i.Ref})}
	},
}

func putAlarm(i *Instance) Call {
	in := i.input(alarmProperties...)
	in.Set("AlarmName", i.Name)
	return Call{Service: "monitoring", Operation: "PutMetricAlarm", Input: in}
}

var rule = &Type{
	Name: "AWS::Events::Rule",
	Properties: rows(properties("events:PutRule", "Name~", "EventBusName~", "ScheduleExpression", "State", "Description", "RoleArn", "Tags"),
		properties("", "EventPattern"), properties("events:PutTargets", "Targets")),
	NameProperty: "Name", NameMax: 64, Named: true,
	Attributes: []string{"Arn"},
	Missing:    []string{"ResourceNotFoundException"},
	Create: func(i *Instance) ([]Call, error) {
		return append([]Call{putRule(i).with("Tags", i.get("Tags"))}, putTargets(i)...), nil
	},
	Read: func(i *Instance) Call { return onBus(i, call("events", "DescribeRule", "Name", i.Name)) },
	Identify: func(i *Instance, answer *value.Object) (string, map[string]string) {
		ref := i.Name
		if bus := i.text("EventBusName"); bus != "" && bus != "default" {
			ref = bus[strings.LastIndexByte(bus, '/')+1:] + "|" + i.Name
		}
		return ref, map[string]string{"Arn": member(answer, "Arn")}
	},
	Update: func(i, old *Instance) ([]Call, error) {
		calls := []Call{putRule(i)}
		now := i.get("Targets")
		var gone value.Array
		for _, t := range items(old.get("Targets")) {
			if id := member(t, "Id"); elementNamed(now, "Id", id) == nil {
				gone = append(gone, id)
			}
		}
		if gone != nil {
			calls = append(calls, onBus(i, call("events", "RemoveTargets", "Rule", i.Name).with("Ids", gone)))
		}
		calls = append(calls, putTargets(i)...)
		return append(calls, retag(i, old, "events", "TagResource", "UntagResource", "ResourceARN", i.Attributes["Arn"], tagList)...), nil
	},
	Delete: func(i *Instance) []Call {
		var calls []Call
		var ids value.Array
		for _, t := range items(i.get("Targets")) {
			ids = append(ids, member(t, "Id"))
		}
		if ids != nil {
			calls = append(calls, onBus(i, call("events", "RemoveTargets", "Rule", i.Name).with("Ids", ids)))
		}
		return append(calls, onBus(i, call("events", "DeleteRule", "Name", i.Name)))
	},
}

func onBus(i *Instance, c Call) Call { return c.with("EventBusName", i.get("EventBusName")) }

func putRule(i *Instance) Call {
	c := Call{Service: "events", Operation: "PutRule", Input: i.input("ScheduleExpression", "State", "Description", "RoleArn")}
	if p := i.get("EventPattern"); p != nil {
		c = c.with("EventPattern", jsonText(p))
	}
	return onBus(i, c.with("Name", i.Name))
}

func putTargets(i *Instance) []Call {
	if len(items(i.get("Targets"))) == 0 {
		return nil
	}
	return []Call{onBus(i, call("events", "PutTargets", "Rule", i.Name).with("Targets", i.get("Targets")))}
}

var eventBus = &Type{
	Name:         "AWS::Events::EventBus",
	Properties:   rows(properties("events:CreateEventBus", "Name!~", "EventSourceName~", "Description", "KmsKeyIdentifier", "DeadLetterConfig", "Tags"), properties("", "Policy")),
	NameProperty: "Name", NameMax: 256, Named: true,
	Attributes: []string{"Arn", "Name"},
	Missing:    []string{"ResourceNotFoundException"},
	Create: func(i *Instance) ([]Call, error) {
		c := Call{Service: "events", Operation: "CreateEventBus", Input: i.input("Name", "EventSourceName", "Description", "KmsKeyIdentifier", "DeadLetterConfig", "Tags")}
		calls := []Call{c}
		if p := i.get("Policy"); p != nil {
			calls = append(calls, call("events", "PutPermission", "EventBusName", i.Name, "Policy", jsonText(p)))
		}
		return calls, nil
	},
	Read: func(i *Instance) Call { return call("events", "DescribeEventBus", "Name", i.Name) },
	Identify: func(i *Instance, answer *value.Object) (string, map[string]string) {
		return i.Name, map[string]string{"Arn": member(answer, "Arn"), "Name": i.Name}
	},
	Update: func(i, old *Instance) ([]Call, error) {
		var calls []Call
		if changed(i, old, "Description", "KmsKeyIdentifier", "DeadLetterConfig") {
			calls = append(calls, Call{Service: "events", Operation: "UpdateEventBus", Input: i.input("Name", "Description", "KmsKeyIdentifier", "DeadLetterConfig")})
		}
		if changed(i, old, "Policy") {
			c := call("events", "RemovePermission", "EventBusName", i.Name).with("RemoveAllPermissions", true)
			if p := i.get("Policy"); p != nil {
				c = call("events", "PutPermission", "EventBusName", i.Name, "Policy", jsonText(p))
			}
			calls = append(calls, c)
		}
		return append(calls, retag(i, old, "events", "TagResource", "UntagResource", "ResourceARN", i.Attributes["Arn"], tagList)...), nil
	},
	Delete: func(i *Instance) []Call { return []Call{call("events", "DeleteEventBus", "Name", i.Ref)} },
}
