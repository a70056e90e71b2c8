package cfn

import (
	"slices"

	"github.com/newel-run/newel/asl/value"
)

var apiMissing = []string{"NotFoundException"}

var apiSettings = []string{"Description", "Version", "BinaryMediaTypes", "MinimumCompressionSize", "ApiKeySourceType", "EndpointConfiguration", "DisableExecuteApiEndpoint"}

var restAPI = &Type{
	Name: "AWS::ApiGateway::RestApi",
	Properties: rows(properties("apigateway:CreateRestApi", "Name", "Description", "Version", "BinaryMediaTypes~", "MinimumCompressionSize~",
		"EndpointConfiguration~", "DisableExecuteApiEndpoint~"), properties("", "ApiKeySourceType~", "Policy~", "Body", "FailOnWarnings", "Tags")),
	NameProperty: "Name", NameMax: 128,
	Attributes: []string{"RestApiId", "RootResourceId"}, Missing: apiMissing,
	Create: func(i *Instance) ([]Call, error) {
		c := call("apigateway", "CreateRestApi", "name", i.Name)
		for _, s := range apiSettings {
			if v := i.get(s); v != nil {
				c.Input.Set(s, v)
			}
		}
		c.Input = renamed(c.Input, map[string]string{"ApiKeySourceType": "apiKeySource"}).(*value.Object)
		if p := i.get("Policy"); p != nil {
			c = c.with("policy", jsonText(p))
		}
		if t := i.get("Tags"); t != nil {
			c = c.with("tags", tagMap(t))
		}
		return []Call{c}, nil
	},
	Physical: func(_ *Instance, answer *value.Object) string { return member(answer, "id") },
	After: func(i *Instance) ([]Call, error) {
		body := i.get("Body")
		if body == nil {
			return nil, nil
		}
		c := call("apigateway", "PutRestApi", "restApiId", i.Ref, "mode", "overwrite").with("failOnWarnings", i.get("FailOnWarnings"))
		c.Body = []byte(jsonText(body))
		return []Call{c}, nil
	},
	Read: func(i *Instance) Call { return call("apigateway", "GetRestApi", "restApiId", i.Ref) },
	Identify: func(i *Instance, answer *value.Object) (string, map[string]string) {
		return i.Ref, map[string]string{"RestApiId": i.Ref, "RootResourceId": member(answer, "rootResourceId")}
	},
	Update: func(i, old *Instance) ([]Call, error) {
		var calls []Call
		if changed(i, old, "Name", "Description", "Version") {
			calls = append(calls, call("apigateway", "UpdateRestApi", "restApiId", i.Ref).with("patchOperations", patches(
				"/name", i.Name, "/description", i.text("Description"), "/version", i.text("Version"))))
		}
		if body := i.get("Body"); body != nil && changed(i, old, "Body") {
			c := call("apigateway", "PutRestApi", "restApiId", i.Ref, "mode", "overwrite")
			c.Body = []byte(jsonText(body))
			calls = append(calls, c)
		}
		return append(calls, retag(i, old, "apigateway", "TagResource", "UntagResource", "resourceArn", "arn:aws:apigateway:"+i.Region+"::/restapis/"+i.Ref, tagMap)...), nil
	},
	Delete: func(i *Instance) []Call { return []Call{call("apigateway", "DeleteRestApi", "restApiId", i.Ref)} },
}

// patches are replacements for the API's update operations: path, value, path, value...
func patches(pairs ...string) value.Array {
	out := value.Array{}
	for k := 0; k+1 < len(pairs); k += 2 {
		out = append(out, object("op", "replace", "path", pairs[k], "value", pairs[k+1]))
	}
	return out
}

var apiResource = &Type{
	Name:       "AWS::ApiGateway::Resource",
	Properties: properties("apigateway:CreateResource", "RestApiId!~", "ParentId!~", "PathPart!~"),
	Attributes: []string{"ResourceId"}, Missing: apiMissing,
	Create: func(i *Instance) ([]Call, error) {
		return []Call{{Service: "apigateway", Operation: "CreateResource", Input: i.input("RestApiId", "ParentId", "PathPart")}}, nil
	},
	Identify: func(_ *Instance, answer *value.Object) (string, map[string]string) {
		return member(answer, "id"), map[string]string{"ResourceId": member(answer, "id")}
	},
	Delete: func(i *Instance) []Call {
		return []Call{call("apigateway", "DeleteResource", "restApiId", i.text("RestApiId"), "resourceId", i.Ref)}
	},
}

var (
	methodMembers = []string{"RestApiId", "ResourceId", "HttpMethod", "AuthorizationType", "AuthorizerId", "ApiKeyRequired", "OperationName",
		"RequestParameters", "RequestModels", "RequestValidatorId", "AuthorizationScopes"}
	methodKey = methodMembers[:3]
)

var apiMethod = &Type{
	Name: "AWS::ApiGateway::Method",
	Properties: rows(properties("apigateway:PutMethod", "RestApiId!~", "ResourceId!~", "HttpMethod!~", "AuthorizationType", "AuthorizerId",
		"ApiKeyRequired", "OperationName", "RequestParameters", "RequestModels", "RequestValidatorId", "AuthorizationScopes"),
		nest("Integration", "Type", "IntegrationHttpMethod", "Uri", "Credentials", "RequestTemplates", "RequestParameters", "PassthroughBehavior",
			"CacheKeyParameters", "CacheNamespace", "ConnectionId", "ConnectionType", "ContentHandling", "TimeoutInMillis", "IntegrationResponses"),
		properties("", "MethodResponses")),
	Missing: apiMissing,
	Create:  func(i *Instance) ([]Call, error) { return methodCalls(i), nil },
	Update: func(i, _ *Instance) ([]Call, error) {
		drop := Call{Service: "apigateway", Operation: "DeleteMethod", Input: i.input(methodKey...), Ignore: apiMissing}
		return append([]Call{drop}, methodCalls(i)...), nil
	},
	Delete: func(i *Instance) []Call {
		return []Call{{Service: "apigateway", Operation: "DeleteMethod", Input: i.input(methodKey...)}}
	},
}

// methodCalls make a method with its integration and both kinds of response.
func methodCalls(i *Instance) []Call {
	api := func(operation string, from value.Value, leave ...string) Call {
		c := Call{Service: "apigateway", Operation: operation, Input: i.input(methodKey...)}
		if o, ok := from.(*value.Object); ok {
			for k, v := range o.All() {
				if !slices.Contains(leave, k) {
					c.Input.Set(k, v)
				}
			}
		}
		return c
	}
	calls := []Call{{Service: "apigateway", Operation: "PutMethod", Input: i.input(methodMembers...)}}
	calls[0] = calls[0].with("AuthorizationType", either(i.get("AuthorizationType"), "NONE"))
	for _, r := range items(i.get("MethodResponses")) {
		calls = append(calls, api("PutMethodResponse", r))
	}
	if in := i.get("Integration"); in != nil {
		calls = append(calls, api("PutIntegration", in, "IntegrationResponses"))
		for _, r := range items(at(in, "IntegrationResponses")) {
			calls = append(calls, api("PutIntegrationResponse", r))
		}
	}
	return calls
}

var apiDeployment = &Type{
	Name: "AWS::ApiGateway::Deployment",
	Properties: rows(properties("apigateway:CreateDeployment", "RestApiId!~", "StageName~"), properties("", "Description"),
		nest("StageDescription", "Description", "Variables", "TracingEnabled", "Tags")),
	Attributes: []string{"DeploymentId"}, Missing: apiMissing,
	Create: func(i *Instance) ([]Call, error) {
		c := Call{Service: "apigateway", Operation: "CreateDeployment", Input: i.input("RestApiId", "StageName", "Description")}
		stage := i.get("StageDescription")
		return []Call{c.with("stageDescription", at(stage, "Description"), "variables", at(stage, "Variables"), "tracingEnabled", at(stage, "TracingEnabled"))}, nil
	},
	Identify: func(_ *Instance, answer *value.Object) (string, map[string]string) {
		return member(answer, "id"), map[string]string{"DeploymentId": member(answer, "id")}
	},
	Update: func(i, _ *Instance) ([]Call, error) {
		return []Call{call("apigateway", "UpdateDeployment", "restApiId", i.text("RestApiId"), "deploymentId", i.Ref).with(
			"patchOperations", patches("/description", i.text("Description")))}, nil
	},
	Delete: func(i *Instance) []Call {
		c := call("apigateway", "DeleteDeployment", "restApiId", i.text("RestApiId"), "deploymentId", i.Ref)
		c.Ignore = []string{"BadRequestException"} // a stage still uses it: it goes with its API
		return []Call{c}
	},
}

var apiStage = &Type{
	Name: "AWS::ApiGateway::Stage",
	Properties: rows(properties("apigateway:CreateStage", "RestApiId!~", "StageName~", "DeploymentId!", "Description", "Variables", "TracingEnabled"),
		properties("", "Tags"),
		without("calls are neither throttled, cached nor logged by stage here", "MethodSettings", "AccessLogSetting", "CacheClusterEnabled",
			"CacheClusterSize", "CanarySetting", "ClientCertificateId", "DocumentationVersion")),
	NameProperty: "StageName", NameMax: 128, Missing: apiMissing,
	Create: func(i *Instance) ([]Call, error) {
		c := Call{Service: "apigateway", Operation: "CreateStage", Input: i.input("RestApiId", "DeploymentId", "Description", "Variables", "TracingEnabled")}
		if t := i.get("Tags"); t != nil {
			c = c.with("tags", tagMap(t))
		}
		return []Call{c.with("stageName", firstText(i.text("StageName"), i.Name))}, nil
	},
	Identify: refOnly(func(i *Instance) string { return firstText(i.text("StageName"), i.Name) }),
	Update: func(i, old *Instance) ([]Call, error) {
		list := patches("/deploymentId", i.text("DeploymentId"), "/description", i.text("Description"))
		if v, ok := i.get("Variables").(*value.Object); ok && changed(i, old, "Variables") {
			for k, e := range v.All() {
				list = append(list, patches("/variables/"+k, textOf(e))...)
			}
		}
		return []Call{call("apigateway", "UpdateStage", "restApiId", i.text("RestApiId"), "stageName", i.Ref).with("patchOperations", list)}, nil
	},
	Delete: func(i *Instance) []Call {
		return []Call{call("apigateway", "DeleteStage", "restApiId", i.text("RestApiId"), "stageName", i.Ref)}
	},
}

var apiAccount = &Type{
	Name:       "AWS::ApiGateway::Account",
	Properties: properties("", "CloudWatchRoleArn"),
	Attributes: []string{"Id"}, Missing: apiMissing,
	Create: func(i *Instance) ([]Call, error) { return accountCalls(i), nil },
	Identify: func(i *Instance, _ *value.Object) (string, map[string]string) {
		return i.Name, map[string]string{"Id": i.Name}
	},
	Update: func(i, _ *Instance) ([]Call, error) { return accountCalls(i), nil },
}

func accountCalls(i *Instance) []Call {
	if i.get("CloudWatchRoleArn") == nil {
		return nil
	}
	return []Call{call("apigateway", "UpdateAccount").with("patchOperations", patches("/cloudwatchRoleArn", i.text("CloudWatchRoleArn")))}
}
