package serverless

import (
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/cfn"
	"github.com/newel-run/newel/internal/cfn/build"
)

// events expands a state machine's events.
func (m *machine) events() {
	schedules, rules := 0, 0
	for _, e := range m.items(m.n, "events") {
		f, ok := single(e)
		switch {
		case ok && f.Name == "http":
			m.http(f)
		case ok && f.Name == "schedule":
			schedules++
			m.schedule(f, schedules)
		case ok && (f.Name == "cloudwatchEvent" || f.Name == "eventBridge"):
			rules++
			m.rule(f, rules)
		default:
			m.fail(e, "state machine %s: the event %q is not supported; supported: http, schedule, cloudwatchEvent, eventBridge", m.key, f.Name)
		}
	}
}

// startRole makes a role with which another service starts the state machine.
func (s *Service) startRole(at build.At, id, service, policy string, actions []string, resource *cfn.Node) {
	s.put(id, at.Object("Type", "AWS::IAM::Role", "Properties", at.Object(
		"AssumeRolePolicyDocument", at.Object("Version", "2012-10-17", "Statement", at.List(at.Object(
			"Effect", "Allow", "Principal", at.Object("Service", service), "Action", "sts:AssumeRole"))),
		"Policies", at.List(at.Object("PolicyName", policy, "PolicyDocument", at.Object("Version", "2012-10-17", "Statement", at.List(at.Object(
			"Effect", "Allow", "Action", actions, "Resource", resource))))))))
}

func (m *machine) policyName(kind string) string {
	return strings.Join([]string{m.Stage, m.Region, m.Name, m.key, kind}, "-")
}

func (m *machine) schedule(f cfn.Field, number int) {
	n, at := f.Value, build.OfField(f)
	rate := n
	if n.Kind == cfn.Map {
		if !m.members(n, "schedule event", "rate", "enabled", "name", "description", "input", "inputPath", "role") {
			return
		}
		rate = n.Get("rate")
	}
	if text, ok := rate.Text(); !ok || text == "" {
		m.fail(n, "Missing \"rate\" property for schedule event in stateMachine %s The correct syntax is: schedule: rate(10 minutes) OR an object with \"rate\" property.", m.key)
		return
	}
	t := m.target(at, n, at.Ref(m.id), m.key+"StepFunctionsSchedule")
	if role := present(n.Get("role")); role != nil {
		build.Set(t, "RoleArn", role)
	} else {
		id := normal(m.key) + "ScheduleToStepFunctionsRole"
		m.startRole(at, id, "events.amazonaws.com", m.policyName("schedule"), []string{"states:StartExecution"}, at.Ref(m.id))
		build.Set(t, "RoleArn", at.GetAtt(id, "Arn"))
	}
	m.put(normal(m.key)+"StepFunctionsEventsRuleSchedule"+strconv.Itoa(number), at.Object("Type", "AWS::Events::Rule", "Properties", at.Object(
		"ScheduleExpression", rate, "State", state(m.yes(n, "enabled", true)), "Name", present(n.Get("name")), "Description", present(n.Get("description")),
		"Targets", at.List(t))))
}

func (m *machine) rule(f cfn.Field, number int) {
	n, at := f.Value, build.OfField(f)
	if !m.members(n, f.Name+" event", "event", "enabled", "name", "description", "input", "inputPath", "inputTransformer", "eventBusName", "iamRole", "deadLetterConfig") {
		return
	}
	if absent(n.Get("event")) {
		m.fail(n, "Missing \"event\" property for cloudwatch event in stateMachine %s", m.key)
		return
	}
	t := m.target(at, n, at.Ref(m.id), m.key+"CloudWatchEvent")
	if q := present(n.Get("deadLetterConfig")); q != nil {
		build.Set(t, "DeadLetterConfig", at.Object("Arn", q))
	}
	if role := present(n.Get("iamRole")); role != nil {
		build.Set(t, "RoleArn", role)
	} else {
		id := normal(m.key) + "EventToStepFunctionsRole"
		m.startRole(at, id, "events.amazonaws.com", m.policyName("event"), []string{"states:StartExecution"}, at.Ref(m.id))
		build.Set(t, "RoleArn", at.GetAtt(id, "Arn"))
	}
	m.put(normal(m.key)+"EventsRuleCloudWatchEvent"+strconv.Itoa(number), at.Object("Type", "AWS::Events::Rule", "Properties", at.Object(
		"EventBusName", present(n.Get("eventBusName")), "EventPattern", n.Get("event"), "State", state(m.yes(n, "enabled", true)),
		"Name", present(n.Get("name")), "Description", present(n.Get("description")), "Targets", at.List(t))))
}

// The mapping templates of the plugin's integration. In the proxy form the input is an object like the event that a
// function of a proxy integration gets.
const (
	startTemplate = `#set( $body = $util.escapeJavaScript($input.json('$')).replaceAll("\\'", "'") )
{"input": "$body", "name": "$context.requestId", "stateMachineArn":"${StateMachineArn}"}`

	proxyTemplate = `#set( $params = $input.params() )
#define( $members ){#foreach( $key in $map.keySet() )"$util.escapeJavaScript($key)": "$util.escapeJavaScript($map.get($key)).replaceAll("\\'", "'")"#if( $foreach.hasNext ), #end#end}#end
#define( $event ){
"resource": "$context.resourcePath", "path": "$context.path", "httpMethod": "$context.httpMethod",
#set( $map = $params.header )"headers": $members,
#set( $map = $params.querystring )"queryStringParameters": #if( $map.size() == 0 )null#else$members#end,
#set( $map = $params.path )"pathParameters": #if( $map.size() == 0 )null#else$members#end,
#set( $map = $stageVariables )"stageVariables": #if( $map.size() == 0 )null#else$members#end,
"requestContext": {"resourceId": "$context.resourceId", "resourcePath": "$context.resourcePath", "httpMethod": "$context.httpMethod",
"extendedRequestId": "$context.extendedRequestId", "requestTime": "$context.requestTime", "path": "$context.path", "accountId": "${AccountId}",
"protocol": "$context.protocol", "stage": "$context.stage", "domainPrefix": "$context.domainPrefix", "requestTimeEpoch": $context.requestTimeEpoch,
"requestId": "$context.requestId", #set( $map = $context.identity )"identity": $members, "domainName": "$context.domainName",
#set( $map = $context.authorizer )"authorizer": $members, "apiId": "$context.apiId"},
"body": "$util.escapeJavaScript("$input.body").replaceAll("\\'", "'")", "isBase64Encoded": false}
#end
{"input": "$util.escapeJavaScript("$event").replaceAll("\\'", "'")", "name": "$context.requestId", "stateMachineArn": "${StateMachineArn}"}`
)

// http lets a route of the REST API start the state machine.
func (m *machine) http(f cfn.Field) {
	n, at := f.Value, build.OfField(f)
	if n.Kind == cfn.Map && !m.members(n, "http event", "path", "method", "cors", "private", "action", "iamRole", "request", "response", "authorizer") {
		return
	}
	path, method, ok := m.httpEvent(n, "state machine "+m.key)
	if !ok {
		return
	}
	role := present(n.Get("iamRole"))
	if role == nil {
		role = at.GetAtt("ApigatewayToStepFunctionsRole", "Arn")
		m.apiRole(at, m.text(n, "action"))
	}
	action, passthrough := "StartExecution", "NEVER"
	if a := m.text(n, "action"); a != "" {
		action, passthrough = a, "WHEN_NO_TEMPLATES"
	}
	origin := m.cors(at, n, path, method)
	answers, declared := m.responses(at, n, origin)
	m.addRoute(route{path: path, method: method, at: at, properties: at.Object(
		"RequestParameters", at.Object(), "AuthorizationType", m.authorization(n), "ApiKeyRequired", m.yes(n, "private", false),
		"Integration", at.Object("IntegrationHttpMethod", "POST", "Type", "AWS", "Credentials", role,
			"Uri", at.Join("", "arn:", at.Ref("AWS::Partition"), ":apigateway:", at.Ref("AWS::Region"), ":states:action/"+action),
			"PassthroughBehavior", passthrough, "RequestTemplates", m.requestTemplates(at, n), "IntegrationResponses", answers),
		"MethodResponses", declared)})
}

// apiRole is the one role with which the API starts all state machines.
func (m *machine) apiRole(at build.At, action string) {
	const id = "ApigatewayToStepFunctionsRole"
	actions := []string{"states:StartExecution"}
	if old := m.resource(id); old != nil {
		for _, a := range old.Get("Properties").Get("Policies").Items[0].Get("PolicyDocument").Get("Statement").Items[0].Get("Action").Items {
			text, _ := a.Text()
			actions = append(actions, text)
		}
	}
	if action != "" {
		actions = append(actions, "states:"+action)
	}
	m.startRole(at, id, "apigateway.amazonaws.com", "apigatewaytostepfunctions", unique(actions), at.Node("*"))
}

func (m *machine) requestTemplates(at build.At, n *cfn.Node) *cfn.Node {
	given := n.Get("request").Get("template")
	if n.Get("request") != nil {
		m.members(n.Get("request"), "request", "template")
	}
	arn := func() *cfn.Node { return at.Ref(m.id) }
	sub := func() *cfn.Node { return at.Sub(startTemplate, "StateMachineArn", arn()) }
	if text, ok := given.Text(); ok {
		if text != "lambda_proxy" {
			m.fail(given, "request.template must be lambda_proxy or an object of templates by content type")
		}
		proxy := func() *cfn.Node {
			return at.Sub(proxyTemplate, "StateMachineArn", arn(), "AccountId", at.Ref("AWS::AccountId"))
		}
		return at.Object("application/json", proxy())
	}
	if absent(given) && m.text(n, "action") != "" {
		return at.Object()
	}
	templates := at.Object("application/json", sub(), "application/x-www-form-urlencoded", sub())
	if !absent(given) {
		mergeDeep(templates, given)
	}
	return templates
}

// responses are the answers of the integration and those that the method declares.
func (m *machine) responses(at build.At, n *cfn.Node, origin string) (answers, declared *cfn.Node) {
	response := n.Get("response")
	if response != nil {
		m.members(response, "response", "headers", "template")
	}
	headers := at.Object()
	if h := response.Get("headers"); !absent(h) {
		for _, f := range h.Fields {
			build.Set(headers, "method.response.header."+f.Name, f.Value)
		}
	}
	templates := orElse(response.Get("template"), at.Object())
	answers, declared = at.List(), at.List()
	for k, status := range []int{200, 400} {
		parameters, t := at.Object(), at.Object()
		if k == 0 {
			parameters, t = build.Clone(headers), templates
		}
		if origin != "" {
			build.Set(parameters, "method.response.header.Access-Control-Allow-Origin", at.Node("'"+origin+"'"))
		}
		answers.Items = append(answers.Items, at.Object("StatusCode", status, "SelectionPattern", status, "ResponseParameters", parameters, "ResponseTemplates", t))
		declared.Items = append(declared.Items, at.Object("ResponseParameters", build.Clone(parameters), "ResponseModels", at.Object(), "StatusCode", status))
	}
	return answers, declared
}
