package sam

import (
	"regexp"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cfn/build"
)

// implicit is the API of events that name none.
const implicit = "ServerlessRestApi"

// api is a REST API whose routes are being collected; it is written when all resources are known.
type api struct {
	item   *item
	body   bool // it has its own DefinitionBody, events add nothing
	routes []route
}

type route struct {
	path, method string
	properties   *cfn.Node // of the method, without the ids
	condition    *cfn.Node // of the function or state machine
	at           build.At
}

var apiProperties = []string{
	"Name", "Description", "StageName", "DefinitionBody", "EndpointConfiguration", "BinaryMediaTypes", "MinimumCompressionSize",
	"TracingEnabled", "MethodSettings", "Variables", "AccessLogSetting", "Tags", "PropagateTags", "FailOnWarnings",
	"DisableExecuteApiEndpoint", "ApiKeySourceType", "AlwaysDeploy", "OpenApiVersion",
}

// api notes AWS::Serverless::Api.
func (i *item) api() {
	if !i.members(i.props, "AWS::Serverless::Api", apiProperties...) {
		return
	}
	if i.prop("StageName") == nil {
		i.fail(i.node, "Missing required property 'StageName'.")
		return
	}
	i.notPropagated()
	a := i.t.apiNamed(i.id)
	a.item, a.body = i, i.prop("DefinitionBody") != nil
}

func (t *transformer) apiNamed(id string) *api {
	if t.apis == nil {
		t.apis = map[string]*api{}
	}
	if t.apis[id] == nil {
		t.apis[id] = &api{}
	}
	return t.apis[id]
}

// route adds a route to the API that an event names, and returns the API's id and the name of its stage.
func (e *event) route(method *cfn.Node) (id, stage string, r route) {
	path, verb := e.text(e.props, "Path"), strings.ToUpper(e.text(e.props, "Method"))
	if path == "" || verb == "" {
		e.fail(e.node, "event %s: Path and Method are required", e.name)
		return "", "", r
	}
	id, stage = implicit, "Prod"
	if ref := e.props.Get("RestApiId"); ref != nil {
		if ref.Kind == cfn.Function && ref.Fn == "Ref" {
			id, _ = ref.Arg.Text()
		} else {
			id, _ = ref.Text()
		}
		declared := e.t.resources.Get(id)
		if kind, _ := declared.Get("Type").Text(); kind != "AWS::Serverless::Api" {
			e.fail(ref, "event %s: RestApiId property of Api event must reference a valid resource in the same template.", e.name)
			return "", "", r
		}
		if name, ok := declared.Get("Properties").Get("StageName").Text(); ok {
			stage = name
		} else {
			stage = "Stage"
		}
	}
	r = route{path: path, method: verb, properties: method, condition: build.Clone(e.node.Get("Condition")), at: e.at}
	if r.method == "X-AMAZON-APIGATEWAY-ANY-METHOD" {
		r.method = "ANY"
	}
	a := e.t.apiNamed(id)
	if slices.ContainsFunc(a.routes, func(o route) bool { return o.path == r.path && o.method == r.method }) {
		e.fail(e.node, "event %s: API method %q defined multiple times for path %q.", e.name, strings.ToLower(verb), path)
	}
	a.routes = append(a.routes, r)
	return id, stage, r
}

var pathParameter = regexp.MustCompile(`\{[^{}]*\}`)

// apiCall lets a route call the function.
func (e *event) apiCall(to *target) {
	uri := e.at.Sub("arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${__Function__}/invocations", "__Function__", build.Clone(to.arn))
	id, stage, r := e.route(e.at.Object("AuthorizationType", "NONE", "Integration", e.at.Object(
		"Type", "AWS_PROXY", "IntegrationHttpMethod", "POST", "Uri", uri)))
	if id == "" {
		return
	}
	verb := r.method
	if verb == "ANY" {
		verb = "*"
	}
	source := e.at.Sub("arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${__ApiId__}/${__Stage__}/"+verb+pathParameter.ReplaceAllString(r.path, "*"),
		"__ApiId__", e.at.Ref(id), "__Stage__", "*")
	suffix := stage
	if !alphanumeric.MatchString(suffix) {
		suffix = digest(e.at.Node(suffix))
	}
	e.permission(to, e.id+"Permission"+suffix, "apigateway.amazonaws.com", source, nil)
}

// apiStart lets a route start the state machine.
func (e *event) apiStart() {
	input := `$util.escapeJavaScript($input.json('$'))`
	if on := e.props.Get("UnescapeMappingTemplate"); on != nil && on.Value == true {
		input += `.replaceAll("\\'","'")`
	}
	template := `{"input": "` + input + `", "stateMachineArn": "${` + e.item.id + `}"}`
	responses, methodResponses := e.at.List(), e.at.List()
	for _, status := range []string{"200", "400"} {
		responses.Items = append(responses.Items, e.at.Object("StatusCode", status, "SelectionPattern", status))
		methodResponses.Items = append(methodResponses.Items, e.at.Object("StatusCode", status))
	}
	build.Delete(responses.Items[0], "SelectionPattern")
	e.route(e.at.Object("AuthorizationType", "NONE", "MethodResponses", methodResponses, "Integration", e.at.Object(
		"Type", "AWS", "IntegrationHttpMethod", "POST", "Credentials", e.at.GetAtt(e.id+"Role", "Arn"),
		"Uri", e.at.Sub("arn:${AWS::Partition}:apigateway:${AWS::Region}:states:action/StartExecution"),
		"RequestTemplates", e.at.Object("application/json", e.at.Sub(template)), "IntegrationResponses", responses)))
	e.startRole("apigateway.amazonaws.com")
}

// implicitAPI writes all APIs, among them the one that no resource declares.
func (t *transformer) implicitAPI() {
	if a := t.apis[implicit]; a != nil && a.item == nil {
		at := a.routes[0].at
		a.item = &item{t: t, id: implicit, at: at, node: at.Object(), props: at.Object("StageName", "Prod")}
		if g := t.root.Get("Globals").Get("Api"); g != nil {
			a.item.props = merged(g, a.item.props, nil)
			a.item.members(a.item.props, "Globals.Api", apiProperties...)
		}
	}
	for _, id := range keys(t.apis) {
		if a := t.apis[id]; a.item != nil {
			a.write()
		}
	}
}

func (a *api) write() {
	i := a.item
	props := i.at.Object("Body", i.prop("DefinitionBody"))
	pass(i.props, props, "Description", "BinaryMediaTypes", "MinimumCompressionSize", "FailOnWarnings", "DisableExecuteApiEndpoint", "ApiKeySourceType")
	name := i.prop("Name")
	if name == nil {
		name = i.at.Ref("AWS::StackName")
	}
	build.Set(props, "Name", name)
	if c := i.prop("EndpointConfiguration"); c != nil {
		if c.Kind == cfn.Map && c.Get("Type") != nil {
			c = build.Of(c).Object("Types", build.Of(c).List(c.Get("Type")), "VpcEndpointIds", c.Get("VPCEndpointIds"))
		} else if c.Kind != cfn.Map {
			c = build.Of(c).Object("Types", build.Of(c).List(c))
		}
		build.Set(props, "EndpointConfiguration", c)
	}
	if tags := i.tagList("", i.prop("Tags")); len(tags.Items) > 0 {
		build.Set(props, "Tags", tags)
	}
	i.emit(i.id, "AWS::ApiGateway::RestApi", props)
	var methods []string
	content := i.at.List(props)
	if !a.body {
		methods = a.methods(content)
	}
	a.stage(digest(content), methods)
}

// stage makes deployment and stage.
func (a *api) stage(hash string, methods []string) {
	i := a.item
	deployment := i.id + "Deployment" + hash
	i.emit(deployment, "AWS::ApiGateway::Deployment", i.at.Object("RestApiId", i.at.Ref(i.id), "Description", "RestApi deployment id: "+hash), methods...)
	suffix := "Stage"
	if name, ok := i.prop("StageName").Text(); ok {
		if suffix = name + "Stage"; !alphanumeric.MatchString(name) {
			suffix = "Stage" + digest(i.at.Node(name))
		}
	}
	props := i.at.Object("DeploymentId", i.at.Ref(deployment), "RestApiId", i.at.Ref(i.id))
	pass(i.props, props, "StageName", "Variables", "MethodSettings", "TracingEnabled", "AccessLogSetting")
	i.emit(i.id+suffix, "AWS::ApiGateway::Stage", props)
	i.t.referable[i.id+".Stage"], i.t.referable[i.id+".Deployment"] = i.id+suffix, deployment
}

var notInID = regexp.MustCompile(`[^A-Za-z0-9]+`)

// pathID is a path as part of a logical id.
func pathID(path string) string {
	id := ""
	for _, part := range strings.Split(strings.Trim(path, "/"), "/") {
		plain := notInID.ReplaceAllString(part, "")
		if plain != "" {
			plain = strings.ToUpper(plain[:1]) + plain[1:]
		}
		if strings.Contains(part, "{") {
			plain += "Var"
		}
		id += plain
	}
	return id
}

// methods makes a resource for each part of a path and a method for each route; it returns the methods' ids.
func (a *api) methods(content *cfn.Node) []string {
	i := a.item
	var ids []string
	made := map[string]bool{}
	for _, r := range a.routes {
		parent := i.at.GetAtt(i.id, "RootResourceId")
		path := ""
		for _, part := range strings.Split(strings.Trim(r.path, "/"), "/") {
			if part == "" {
				continue
			}
			path += "/" + part
			id := i.id + "Resource" + pathID(path)
			if !made[id] {
				made[id] = true
				i.emit(id, "AWS::ApiGateway::Resource", r.at.Object("RestApiId", i.at.Ref(i.id), "ParentId", parent, "PathPart", part))
			}
			parent = r.at.Ref(id)
		}
		id := i.id + "Method" + pathID(path) + strings.ToUpper(r.method[:1]) + strings.ToLower(r.method[1:])
		props := build.Clone(r.properties)
		build.Set(props, "HttpMethod", r.at.Node(r.method))
		build.Set(props, "ResourceId", parent)
		build.Set(props, "RestApiId", r.at.Ref(i.id))
		build.Set(i.emit(id, "AWS::ApiGateway::Method", props), "Condition", r.condition)
		content.Items = append(content.Items, props, r.at.Node(path))
		ids = append(ids, id)
	}
	return ids
}
