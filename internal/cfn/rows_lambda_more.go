package cfn

import (
	"strings"

	"github.com/newel-run/newel/asl/value"
)

var lambdaMissing = []string{"ResourceNotFoundException"}

var permission = &Type{
	Name: "AWS::Lambda::Permission",
	Properties: properties("lambda:AddPermission", "FunctionName!~", "Action!~", "Principal!~", "SourceArn~", "SourceAccount~",
		"EventSourceToken~", "FunctionUrlAuthType~", "PrincipalOrgID~", "InvokedViaFunctionUrl~"),
	NameMax: 100, Missing: lambdaMissing, Attributes: []string{"Id"},
	Create: func(i *Instance) ([]Call, error) {
		name, qualifier := qualified(i.text("FunctionName"))
		in := i.input("Action", "Principal", "SourceArn", "SourceAccount", "EventSourceToken", "FunctionUrlAuthType", "PrincipalOrgID", "InvokedViaFunctionUrl")
		in.Set("StatementId", i.Name)
		in.Set("FunctionName", name)
		if qualifier != "" {
			in.Set("Qualifier", qualifier)
		}
		return []Call{{Service: "lambda", Operation: "AddPermission", Input: in}}, nil
	},
	Identify: func(i *Instance, _ *value.Object) (string, map[string]string) {
		return i.Name, map[string]string{"Id": i.Name}
	},
	Delete: func(i *Instance) []Call {
		name, qualifier := qualified(i.text("FunctionName"))
		c := call("lambda", "RemovePermission", "FunctionName", name, "StatementId", i.Name)
		if qualifier != "" {
			c.Input.Set("Qualifier", qualifier)
		}
		return []Call{c}
	},
}

// qualified takes a version or alias off a function's name or ARN.
func qualified(name string) (function, qualifier string) {
	parts := strings.Split(name, ":")
	if strings.HasPrefix(name, "arn:") && len(parts) == 8 {
		return strings.Join(parts[:7], ":"), parts[7]
	}
	if len(parts) == 2 {
		return parts[0], parts[1]
	}
	return name, ""
}

var version = &Type{
	Name: "AWS::Lambda::Version",
	Properties: rows(properties("lambda:PublishVersion", "FunctionName!~", "Description~", "CodeSha256~"),
		without("functions start from their process pool, and on the runtimes that this machine has", "RuntimePolicy", "ProvisionedConcurrencyConfig")),
	Attributes: []string{"FunctionArn", "Version"}, Missing: lambdaMissing,
	Create: func(i *Instance) ([]Call, error) {
		return []Call{{Service: "lambda", Operation: "PublishVersion", Input: i.input("FunctionName", "Description", "CodeSha256")}}, nil
	},
	Identify: func(_ *Instance, answer *value.Object) (string, map[string]string) {
		arn, v := member(answer, "FunctionArn"), member(answer, "Version")
		if !strings.HasSuffix(arn, ":"+v) {
			arn += ":" + v
		}
		return arn, map[string]string{"FunctionArn": arn, "Version": v}
	},
	Delete: func(i *Instance) []Call {
		name, v := qualified(i.Ref)
		return []Call{call("lambda", "DeleteFunction", "FunctionName", name, "Qualifier", v)}
	},
}

var alias = &Type{
	Name: "AWS::Lambda::Alias",
	Properties: rows(properties("lambda:CreateAlias", "FunctionName!~", "Name!~", "FunctionVersion!", "Description"), nest("RoutingConfig", "AdditionalVersionWeights"),
		without("versions run from the same process pool", "ProvisionedConcurrencyConfig")),
	Attributes: []string{"AliasArn"}, Missing: lambdaMissing, NameProperty: "Name",
	Create: func(i *Instance) ([]Call, error) {
		in := i.input("FunctionName", "Name", "FunctionVersion", "Description")
		return []Call{Call{Service: "lambda", Operation: "CreateAlias", Input: in}.with("RoutingConfig", aliasRouting(i))}, nil
	},
	Identify: func(_ *Instance, answer *value.Object) (string, map[string]string) {
		arn := member(answer, "AliasArn")
		return arn, map[string]string{"AliasArn": arn}
	},
	Update: func(i, _ *Instance) ([]Call, error) {
		in := i.input("FunctionName", "Name", "FunctionVersion", "Description")
		return []Call{Call{Service: "lambda", Operation: "UpdateAlias", Input: in}.with("RoutingConfig", either(aliasRouting(i), object("AdditionalVersionWeights", value.NewObject())))}, nil
	},
	Delete: func(i *Instance) []Call {
		name, a := qualified(i.Ref)
		return []Call{call("lambda", "DeleteAlias", "FunctionName", name, "Name", a)}
	},
}

func aliasRouting(i *Instance) value.Value {
	list := items(at(i.get("RoutingConfig"), "AdditionalVersionWeights"))
	if list == nil {
		return nil
	}
	weights := value.NewObject()
	for _, w := range list {
		weights.Set(member(w, "FunctionVersion"), at(w, "FunctionWeight"))
	}
	return object("AdditionalVersionWeights", weights)
}

var mappingSettings = []string{"FunctionName", "Enabled", "BatchSize", "MaximumBatchingWindowInSeconds", "FilterCriteria", "FunctionResponseTypes",
	"ScalingConfig", "ParallelizationFactor", "DestinationConfig", "MaximumRecordAgeInSeconds", "BisectBatchOnFunctionError", "MaximumRetryAttempts",
	"TumblingWindowInSeconds"}

var eventSourceMapping = &Type{
	Name: "AWS::Lambda::EventSourceMapping",
	Properties: properties("lambda:CreateEventSourceMapping", "EventSourceArn~", "FunctionName!", "Enabled", "BatchSize", "MaximumBatchingWindowInSeconds",
		"FilterCriteria", "FunctionResponseTypes", "ScalingConfig", "ParallelizationFactor", "DestinationConfig", "MaximumRecordAgeInSeconds",
		"BisectBatchOnFunctionError", "MaximumRetryAttempts", "TumblingWindowInSeconds", "StartingPosition~", "StartingPositionTimestamp~", "Tags"),
	Attributes: []string{"Id", "EventSourceMappingArn"}, Missing: lambdaMissing,
	Create: func(i *Instance) ([]Call, error) {
		in := i.input(append([]string{"EventSourceArn", "StartingPosition", "StartingPositionTimestamp"}, mappingSettings...)...)
		c := Call{Service: "lambda", Operation: "CreateEventSourceMapping", Input: in}
		if t := i.get("Tags"); t != nil {
			c = c.with("Tags", tagMap(t))
		}
		return []Call{c}, nil
	},
	Identify: func(i *Instance, answer *value.Object) (string, map[string]string) {
		id := member(answer, "UUID")
		return id, map[string]string{"Id": id, "EventSourceMappingArn": firstText(member(answer, "EventSourceMappingArn"), i.arn("lambda", "event-source-mapping:"+id))}
	},
	Update: func(i, old *Instance) ([]Call, error) {
		var calls []Call
		if changed(i, old, mappingSettings...) {
			in := i.input(mappingSettings...)
			in.Set("UUID", i.Ref)
			calls = append(calls, Call{Service: "lambda", Operation: "UpdateEventSourceMapping", Input: in})
		}
		return append(calls, retag(i, old, "lambda", "TagResource", "UntagResource", "Resource", i.arn("lambda", "event-source-mapping:"+i.Ref), tagMap)...), nil
	},
	Delete: func(i *Instance) []Call { return []Call{call("lambda", "DeleteEventSourceMapping", "UUID", i.Ref)} },
}

var layerVersion = &Type{
	Name: "AWS::Lambda::LayerVersion",
	Properties: properties("lambda:PublishLayerVersion", "LayerName~", "Content!~", "Description~", "CompatibleRuntimes~", "CompatibleArchitectures~",
		"LicenseInfo~"),
	NameProperty: "LayerName", NameMax: 140, Attributes: []string{"LayerVersionArn"}, Missing: lambdaMissing,
	Create: func(i *Instance) ([]Call, error) {
		in := i.input("Content", "Description", "CompatibleRuntimes", "CompatibleArchitectures", "LicenseInfo")
		in.Set("LayerName", i.Name)
		return []Call{{Service: "lambda", Operation: "PublishLayerVersion", Input: in}}, nil
	},
	Identify: func(_ *Instance, answer *value.Object) (string, map[string]string) {
		arn := member(answer, "LayerVersionArn")
		return arn, map[string]string{"LayerVersionArn": arn}
	},
	Delete: func(i *Instance) []Call {
		layer, v := qualified(i.Ref)
		return []Call{call("lambda", "DeleteLayerVersion", "LayerName", layer, "VersionNumber", v)}
	},
}

var eventInvokeConfig = &Type{
	Name: "AWS::Lambda::EventInvokeConfig",
	Properties: properties("lambda:PutFunctionEventInvokeConfig", "FunctionName!~", "Qualifier!~", "MaximumRetryAttempts", "MaximumEventAgeInSeconds",
		"DestinationConfig"),
	Missing: lambdaMissing,
	Create:  func(i *Instance) ([]Call, error) { return putInvokeConfig(i), nil },
	Update:  func(i, _ *Instance) ([]Call, error) { return putInvokeConfig(i), nil },
	Delete: func(i *Instance) []Call {
		return []Call{{Service: "lambda", Operation: "DeleteFunctionEventInvokeConfig", Input: i.input("FunctionName", "Qualifier")}}
	},
}

func putInvokeConfig(i *Instance) []Call {
	return []Call{{Service: "lambda", Operation: "PutFunctionEventInvokeConfig", Input: i.input("FunctionName", "Qualifier", "MaximumRetryAttempts",
		"MaximumEventAgeInSeconds", "DestinationConfig")}}
}

var functionURL = &Type{
	Name:       "AWS::Lambda::Url",
	Properties: rows(properties("lambda:CreateFunctionUrlConfig", "AuthType!", "Cors", "InvokeMode", "Qualifier~"), properties("", "TargetFunctionArn!~")),
	Attributes: []string{"FunctionArn", "FunctionUrl"}, Missing: lambdaMissing,
	Create: func(i *Instance) ([]Call, error) { return []Call{urlConfig(i, "CreateFunctionUrlConfig")}, nil },
	Identify: func(_ *Instance, answer *value.Object) (string, map[string]string) {
		arn := member(answer, "FunctionArn")
		return arn, map[string]string{"FunctionArn": arn, "FunctionUrl": member(answer, "FunctionUrl")}
	},
	Update: func(i, _ *Instance) ([]Call, error) { return []Call{urlConfig(i, "UpdateFunctionUrlConfig")}, nil },
	Delete: func(i *Instance) []Call {
		return []Call{call("lambda", "DeleteFunctionUrlConfig", "FunctionName", i.text("TargetFunctionArn")).with("Qualifier", i.get("Qualifier"))}
	},
}

func urlConfig(i *Instance, operation string) Call {
	in := i.input("AuthType", "Cors", "InvokeMode", "Qualifier")
	in.Set("FunctionName", i.text("TargetFunctionArn"))
	return Call{Service: "lambda", Operation: operation, Input: in}
}
