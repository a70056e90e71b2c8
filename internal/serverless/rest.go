package serverless

import (
	"crypto/sha1"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cfn/build"
)

// restAPI collects the routes of functions and state machines: they share one API, ApiGatewayRestApi.
type restAPI struct {
	routes []route
	cors   map[string]*preflight // by path
	paths  []string              // of cors, in order
}

type route struct {
	path, method string
	properties   *cfn.Node // of the method, without the ids
	dependsOn    string
	at           build.At
}

// preflight is what the OPTIONS method of a path answers.
type preflight struct {
	origins, headers, methods []string
	credentials               bool
	maxAge                    *cfn.Node
	at                        build.At
}

var httpMethods = []string{"get", "post", "put", "patch", "options", "head", "delete", "any"}

// httpEvent reads path and method of an http event: "METHOD path" or an object.
func (s *Service) httpEvent(n *cfn.Node, of string) (path, method string, ok bool) {
	if text, isText := n.Text(); isText {
		method, path, _ = strings.Cut(text, " ")
	} else {
		path, method = s.text(n, "path"), s.text(n, "method")
	}
	method = strings.ToLower(strings.TrimSpace(method))
	path = strings.Trim(strings.TrimSpace(path), "/")
	if !slices.Contains(httpMethods, method) || n.Kind == cfn.Map && n.Get("path") == nil {
		s.fail(n, "%s: an http event needs a path and one of the methods %s", of, strings.Join(httpMethods, ", "))
		return "", "", false
	}
	return path, strings.ToUpper(method), true
}

func (s *Service) addRoute(r route) {
	if slices.ContainsFunc(s.rest.routes, func(o route) bool { return o.path == r.path && o.method == r.method }) {
		s.fail(r.properties, "%s /%s is there twice", r.method, r.path)
	}
	s.rest.routes = append(s.rest.routes, r)
}

// http is a function's http event: a proxy integration.
func (c *call) http() {
	n := c.event
	if n.Kind == cfn.Map && !c.members(n, "http event", "path", "method", "cors", "private", "integration", "authorizer") {
		return
	}
	path, method, ok := c.httpEvent(n, "function "+c.function)
	if !ok {
		return
	}
	if i := strings.ToLower(strings.ReplaceAll(c.text(n, "integration"), "_", "-")); i != "" && i != "lambda-proxy" && i != "aws-proxy" {
		c.fail(n.Get("integration"), "function %s: the integration %q is not supported; supported: lambda-proxy", c.function, i)
	}
	permission := normal(c.function) + "LambdaPermissionApiGateway"
	props := c.at.Object("RequestParameters", c.at.Object(), "ApiKeyRequired", c.yes(n, "private", false), "AuthorizationType", c.authorization(n),
		"Integration", c.at.Object("IntegrationHttpMethod", "POST", "Type", "AWS_PROXY", "Uri", c.at.Join("", "arn:", c.at.Ref("AWS::Partition"), ":apigateway:",
			c.at.Ref("AWS::Region"), ":lambda:path/2015-03-31/functions/", c.arn(), "/invocations")), "MethodResponses", c.at.List())
	c.cors(c.at, n, path, method)
	c.addRoute(route{path, method, props, permission, c.at})
	c.permission(permission, "apigateway.amazonaws.com", c.at.Join("", "arn:", c.at.Ref("AWS::Partition"), ":execute-api:", c.at.Ref("AWS::Region"), ":",
		c.at.Ref("AWS::AccountId"), ":", c.at.Ref("ApiGatewayRestApi"), "/*/*"))
}

// authorization is NONE or AWS_IAM; other authorizers are refused.
func (s *Service) authorization(n *cfn.Node) string {
	a := n.Get("authorizer")
	if absent(a) {
		return "NONE"
	}
	kind, ok := a.Text()
	if !ok {
		kind = s.text(a, "type")
	}
	if strings.ToUpper(kind) != "AWS_IAM" {
		s.fail(a, "the authorizer %q is not supported; supported: AWS_IAM", kind)
	}
	return "AWS_IAM"
}

var corsHeaders = []string{"Content-Type", "X-Amz-Date", "Authorization", "X-Api-Key", "X-Amz-Security-Token", "X-Amz-User-Agent"}

// cors notes what the OPTIONS method of the path is to answer; it returns the origin, "" if there is no cors.
func (s *Service) cors(at build.At, n *cfn.Node, path, method string) string {
	c := n.Get("cors")
	if absent(c) || c.Value == false {
		return ""
	}
	p := preflight{origins: []string{"*"}, headers: corsHeaders, methods: []string{"OPTIONS"}, at: at}
	if c.Kind == cfn.Map {
		s.members(c, "cors", "origin", "origins", "headers", "methods", "allowCredentials", "maxAge")
		if o := s.text(c, "origin"); o != "" {
			p.origins = []string{o}
		} else if list := s.texts(c, "origins"); len(list) > 0 {
			p.origins = list
		}
		if list := s.texts(c, "headers"); len(list) > 0 {
			p.headers = list
		}
		if list := s.texts(c, "methods"); len(list) > 0 {
			p.methods = append(list, "OPTIONS")
		}
		p.credentials, p.maxAge = s.yes(c, "allowCredentials", false), present(c.Get("maxAge"))
	}
	p.methods = append(p.methods, method)
	if old := s.rest.cors[path]; old != nil {
		p.methods = append(old.methods, p.methods...)
		p.headers = append(slices.Clone(old.headers), p.headers...)
	} else {
		s.rest.paths = append(s.rest.paths, path)
	}
	p.methods, p.headers = unique(p.methods), unique(p.headers)
	if s.rest.cors == nil {
		s.rest.cors = map[string]*preflight{}
	}
	s.rest.cors[path] = &p
	return strings.Join(p.origins, ",")
}

func unique(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// options makes the properties of the OPTIONS method.
func (p *preflight) options() *cfn.Node {
	methods := strings.Replace(strings.Join(p.methods, ","), "ANY", "DELETE,GET,HEAD,PATCH,POST,PUT", 1)
	headers := [][2]string{{"Access-Control-Allow-Origin", strings.Join(p.origins, ",")}, {"Access-Control-Allow-Headers", strings.Join(p.headers, ",")}, {"Access-Control-Allow-Methods", methods}}
	if p.credentials {
		headers = append(headers, [2]string{"Access-Control-Allow-Credentials", "true"})
	}
	if p.maxAge != nil {
		age, _ := plainText(p.maxAge)
		headers = append(headers, [2]string{"Access-Control-Max-Age", age})
	}
	declared, answered := p.at.Object(), p.at.Object()
	for _, h := range headers {
		build.Set(declared, "method.response.header."+h[0], p.at.Node(true))
		build.Set(answered, "method.response.header."+h[0], p.at.Node("'"+h[1]+"'"))
	}
	return p.at.Object("AuthorizationType", "NONE",
		"MethodResponses", p.at.List(p.at.Object("StatusCode", "200", "ResponseParameters", declared, "ResponseModels", p.at.Object())),
		"Integration", p.at.Object("Type", "MOCK", "RequestTemplates", p.at.Object("application/json", "{statusCode:200}"), "ContentHandling", "CONVERT_TO_TEXT",
			"IntegrationResponses", p.at.List(p.at.Object("StatusCode", "200", "ResponseParameters", answered, "ResponseTemplates", p.at.Object("application/json", "")))))
}

// writeRest makes the API, if there are routes, with a resource for each part of a path, and a deployment.
func (s *Service) writeRest() {
	if len(s.rest.routes) == 0 {
		return
	}
	for _, path := range s.rest.paths {
		p := s.rest.cors[path]
		if !slices.ContainsFunc(s.rest.routes, func(r route) bool { return r.path == path && r.method == "OPTIONS" }) {
			s.rest.routes = append(s.rest.routes, route{path, "OPTIONS", p.options(), "", p.at})
		}
	}
	at := build.Of(s.provider)
	if a := s.provider.Get("apiGateway"); !absent(a) {
		s.members(a, "provider.apiGateway", "shouldStartNameWithService", "binaryMediaTypes", "minimumCompressionSize", "apiKeySourceType", "disableDefaultEndpoint", "description")
	}
	settings := s.provider.Get("apiGateway")
	name := s.Stage + "-" + s.Name
	if s.version3 || s.yes(settings, "shouldStartNameWithService", false) {
		name = s.canonical()
	}
	endpoint := strings.ToUpper(firstText(s.text(s.provider, "endpointType"), "EDGE"))
	s.put("ApiGatewayRestApi", at.Object("Type", "AWS::ApiGateway::RestApi", "Properties", at.Object(
		"Name", firstText(s.text(s.provider, "apiName"), name), "Description", present(settings.Get("description")),
		"BinaryMediaTypes", present(settings.Get("binaryMediaTypes")), "MinimumCompressionSize", present(settings.Get("minimumCompressionSize")),
		"ApiKeySourceType", present(settings.Get("apiKeySourceType")), "DisableExecuteApiEndpoint", present(settings.Get("disableDefaultEndpoint")),
		"EndpointConfiguration", at.Object("Types", []string{endpoint}))))
	content := value.Array{}
	var methods []string
	for _, r := range s.rest.routes {
		id := "ApiGatewayMethod" + pathID(r.path) + upperFirst(strings.ToLower(r.method))
		props := build.Clone(r.properties)
		build.Set(props, "HttpMethod", r.at.Node(r.method))
		build.Set(props, "ResourceId", s.pathResource(r))
		build.Set(props, "RestApiId", r.at.Ref("ApiGatewayRestApi"))
		n := r.at.Object("Type", "AWS::ApiGateway::Method", "Properties", props)
		if r.dependsOn != "" {
			build.Append(n, "DependsOn", r.at.Node(r.dependsOn))
		}
		s.put(id, n)
		content = append(content, r.path, props.Plain())
		methods = append(methods, id)
	}
	sum := sha1.Sum(value.Append(nil, content))
	s.put("ApiGatewayDeployment"+hex.EncodeToString(sum[:])[:13], at.Object("Type", "AWS::ApiGateway::Deployment", "Properties", at.Object(
		"RestApiId", at.Ref("ApiGatewayRestApi"), "StageName", s.Stage), "DependsOn", methods))
	s.output(at, "ServiceEndpoint", "URL of the service endpoint", at.Join("", "https://", at.Ref("ApiGatewayRestApi"), ".execute-api.",
		at.Ref("AWS::Region"), ".", at.Ref("AWS::URLSuffix"), "/"+s.Stage))
}

// pathResource makes the resources of a path, as far as they are not there, and returns the id of the last.
func (s *Service) pathResource(r route) *cfn.Node {
	parent := r.at.GetAtt("ApiGatewayRestApi", "RootResourceId")
	path := ""
	for _, part := range strings.Split(r.path, "/") {
		if part == "" {
			continue
		}
		path = strings.TrimPrefix(path+"/"+part, "/")
		id := "ApiGatewayResource" + pathID(path)
		if s.resource(id) == nil {
			s.put(id, r.at.Object("Type", "AWS::ApiGateway::Resource", "Properties", r.at.Object(
				"ParentId", parent, "PathPart", part, "RestApiId", r.at.Ref("ApiGatewayRestApi"))))
		}
		parent = r.at.Ref(id)
	}
	return parent
}
