package node

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// api is an HTTP API on the loopback that says what it was asked, and an authorization server.
type api struct {
	*httptest.Server
	mu      sync.Mutex
	tokens  int    // given out
	refused string // a token that is not taken any more
	asked   []string
}

func newAPI(t *testing.T) *api {
	a := &api{}
	mux := http.NewServeMux()
	mux.HandleFunc("/token", a.token)
	mux.HandleFunc("/protected", a.protected)
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header()["X-Many"] = []string{"1", "2"}
		json.NewEncoder(w).Encode(object{"method": r.Method, "query": r.URL.RawQuery, "headers": r.Header, "body": string(body)})
	})
	mux.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/echo")
		var code int
		_ = json.Unmarshal([]byte(r.PathValue("code")), &code)
		w.WriteHeader(code)
		io.WriteString(w, `{"why":"no"}`)
	})
	mux.HandleFunc("/text", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `1`) })
	mux.HandleFunc("/image", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		io.WriteString(w, "x")
	})
	mux.HandleFunc("/binary", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write([]byte{0xff})
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, strings.Repeat("x", 300_000))
	})
	mux.HandleFunc("/hangup", func(w http.ResponseWriter, r *http.Request) {
		c, _, _ := w.(http.Hijacker).Hijack()
		c.Close()
	})
	a.Server = httptest.NewServer(mux)
	t.Cleanup(a.Close)
	return a
}

// token gives out a token for the right credentials.
func (a *api) token(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	if form.Get("client_id") != "me" || form.Get("client_secret") != "my-secret" || form.Get("grant_type") != "client_credentials" || form.Get("scope") != "all" {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tokens++
	json.NewEncoder(w).Encode(object{"access_token": "t" + strings.Repeat("+", a.tokens), "expires_in": 3600, "token_type": "Bearer"})
}

func (a *api) protected(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if got := r.Header.Get("Authorization"); got == a.refused || !strings.HasPrefix(got, "Bearer t+") {
		w.WriteHeader(http.StatusUnauthorized)
	}
	io.WriteString(w, r.Header.Get("Authorization"))
}

// connections makes a connection of every kind and returns the ARNs.
func (d *disk) connections(a *api) map[string]string {
	d.Helper()
	out := map[string]string{}
	for name, in := range map[string]object{
		"key": {"AuthorizationType": "API_KEY", "AuthParameters": object{"ApiKeyAuthParameters": object{"ApiKeyName": "X-Key", "ApiKeyValue": "key-secret"},
			"InvocationHttpParameters": object{
				"HeaderParameters":      []object{{"Key": "X-Shared", "Value": "of-connection"}, {"Key": "X-Hidden", "Value": "header-secret", "IsValueSecret": true}},
				"QueryStringParameters": []object{{"Key": "q", "Value": "of connection"}},
				"BodyParameters":        []object{{"Key": "b", "Value": "body-secret", "IsValueSecret": true}}}}},
		"basic": {"AuthorizationType": "BASIC", "AuthParameters": object{"BasicAuthParameters": object{"Username": "u", "Password": "basic-secret"}}},
		"oauth": {"AuthorizationType": "OAUTH_CLIENT_CREDENTIALS", "AuthParameters": object{"OAuthParameters": object{"AuthorizationEndpoint": a.URL + "/token", "HttpMethod": "POST",
			"ClientParameters":    object{"ClientID": "me", "ClientSecret": "my-secret"},
			"OAuthHttpParameters": object{"BodyParameters": []object{{"Key": "scope", "Value": "all"}}}}}},
		"refused": {"AuthorizationType": "OAUTH_CLIENT_CREDENTIALS", "AuthParameters": object{"OAuthParameters": object{"AuthorizationEndpoint": a.URL + "/token", "HttpMethod": "POST",
			"ClientParameters": object{"ClientID": "me", "ClientSecret": "wrong-secret"}}}},
	} {
		in["Name"] = name
		made, message, code := d.call("events", "CreateConnection", in)
		if code != "" {
			d.Fatalf("%s: %s %s", name, code, message)
		}
		out[name] = made["ConnectionArn"].(string)
	}
	return out
}

// try tests a state that is an HTTP task.
func (d *disk) try(parameters object, more object) object {
	d.Helper()
	definition, _ := json.Marshal(object{"Type": "Task", "Resource": "arn:aws:states:::http:invoke", "Parameters": parameters, "End": true,
		"Catch": []object{{"ErrorEquals": []string{"States.ALL"}, "Next": "Caught"}}})
	in := object{"definition": string(definition), "roleArn": "arn:aws:iam::000000000000:role/r", "input": "{}", "inspectionLevel": "TRACE"}
	for k, v := range more {
		in[k] = v
	}
	out, message, code := d.call("states", "TestState", in)
	if code != "" {
		d.Fatalf("TestState: %s %s", code, message)
	}
	return out
}

func output(t *testing.T, out object) (o object) {
	t.Helper()
	text, _ := out["output"].(string)
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%v: %v", out, err)
	}
	return o
}

func TestHTTPTask(t *testing.T) {
	d, a := newDisk(t), newAPI(t)
	defer d.stop()
	arns := d.connections(a)
	got := d.try(object{"ApiEndpoint": a.URL + "/echo?own=1", "Method": "POST", "InvocationConfig": object{"ConnectionArn": arns["key"]},
		"Headers": object{"X-Shared": "of-task", "X-List": []string{"a", "b"}}, "QueryParameters": object{"q": "task", "n": 1, "l": []string{"x y", "z"}},
		"RequestBody": object{"b": "task", "n": 1.50}}, nil)
	result := output(t, got)
	if result["StatusCode"] != 200.0 || result["StatusText"] != "OK" {
		t.Errorf("result %v", result)
	}
	if b, _ := json.Marshal(result["Headers"].(object)["x-many"]); string(b) != `["1","2"]` {
		t.Errorf("headers %v", result["Headers"])
	}
	said := result["ResponseBody"].(object)
	headers, _ := json.Marshal(said["headers"])
	if said["query"] != "own=1&l=x%20y&l=z&n=1&q=of%20connection" || said["body"] != `{"b":"body-secret","n":1.5}` {
		t.Errorf("asked %v", said)
	}
	for _, want := range []string{`"X-Key":["key-secret"]`, `"X-Shared":["of-connection"]`, `"X-Hidden":["header-secret"]`, `"X-List":["a","b"]`, `"Range":["bytes=0-262144"]`,
		`"User-Agent":["Amazon|StepFunctions|HttpInvoke|us-east-1"]`, `"Content-Type":["application/json; charset=UTF-8"]`} {
		if !strings.Contains(string(headers), want) {
			t.Errorf("headers %s lack %s", headers, want)
		}
	}
	seen, _ := json.Marshal(got["inspectionData"].(object)["request"])
	for _, secret := range []string{"key-secret", "header-secret", "body-secret", "of%20connection"} {
		if strings.Contains(string(seen), secret) {
			t.Errorf("the request shows %s: %s", secret, seen)
		}
	}
	basic := object{"ApiEndpoint": a.URL + "/echo", "Method": "PUT", "Authentication": object{"ConnectionArn": arns["basic"]}, "RequestBody": object{"a": []int{1, 2}},
		"Headers":   object{"Content-Type": "application/x-www-form-urlencoded"},
		"Transform": object{"RequestBodyEncoding": "URL_ENCODED", "RequestEncodingOptions": object{"ArrayFormat": "REPEAT"}}}
	data := d.try(basic, object{"revealSecrets": true})["inspectionData"].(object)
	if b, _ := json.Marshal(data["request"]); string(b) != `{"body":"a=1\u0026a=2","headers":"[Content-Type: application/x-www-form-urlencoded, Authorization: Basic dTpiYXNpYy1zZWNyZXQ=, User-Agent: Amazon|StepFunctions|HttpInvoke|us-east-1, Range: bytes=0-262144]","method":"PUT","protocol":"http","url":"`+a.URL+`/echo"}` {
		t.Errorf("request %s", b)
	}
	if answer := data["response"].(object); answer["statusCode"] != "200" || answer["statusMessage"] != "OK" || !strings.Contains(answer["headers"].(string), "x-many: 1, x-many: 2") {
		t.Errorf("response %v", answer)
	}
	if d.try(basic, object{"inspectionLevel": "DEBUG"})["inspectionData"].(object)["request"] != nil {
		t.Error("the request is shown without TRACE")
	}
}

func TestHTTPTaskErrors(t *testing.T) {
	d, a := newDisk(t), newAPI(t)
	defer d.stop()
	arns := d.connections(a)
	if body := output(t, d.try(object{"ApiEndpoint": a.URL + "/text", "Method": "GET", "Authentication": object{"ConnectionArn": arns["basic"]}}, nil))["ResponseBody"]; body != "1" {
		t.Errorf("a text became %v", body)
	}
	for _, c := range []struct {
		connection, path string
		more             object
		name, cause      string
		caught           bool
	}{
		{"basic", "/status/404", nil, "States.Http.StatusCode.404", "Not Found", true},
		{"basic", "/status/302", nil, "States.Http.StatusCode.302", "Found", true},
		{"basic", "/hangup", nil, "States.Http.Socket", "EOF", true},
		{"basic", "/image", nil, "States.Runtime", "content type", false},
		{"basic", "/binary", nil, "States.Runtime", "valid string", false},
		{"basic", "/large", nil, "States.DataLimitExceeded", "exceeding the maximum number of bytes", true},
		{"basic", "/echo", object{"Headers": object{"X-Amz-Date": "x"}}, "States.Runtime", "The header 'X-Amz-Date' is not allowed", false},
		{"basic", "/echo", object{"Method": nil, "Method.$": "States.Format('TRACE')"}, "States.Runtime", "'Method' has an invalid format", false},
		{"basic", "/echo", object{"Transform": object{"RequestBodyEncoding": "XML"}}, "States.Runtime", "'RequestBodyEncoding' has an invalid format", false},
		{"key", "/echo", object{"RequestBody": "text"}, "States.Runtime", "cannot be merged", false},
		{"refused", "/echo", nil, "Events.ConnectionResource.InvalidConnectionState", "DEAUTHORIZED", true},
		{"none", "/echo", nil, "Events.ConnectionResource.ResourceNotFound", "does not exist", true},
	} {
		arn := arns[c.connection]
		if arn == "" {
			arn = "arn:aws:events:us-east-1:000000000000:connection/none/11111111-2222-3333-4444-555555555555"
		}
		parameters := object{"ApiEndpoint": a.URL + c.path, "Method": "POST", "Authentication": object{"ConnectionArn": arn}}
		for k, v := range c.more {
			if parameters[k] = v; v == nil {
				delete(parameters, k)
			}
		}
		got := d.try(parameters, nil)
		cause, _ := got["cause"].(string)
		if got["error"] != c.name || !strings.Contains(cause, c.cause) || (got["status"] == "CAUGHT_ERROR") != c.caught {
			t.Errorf("%s: %v", c.path, got)
		}
		if strings.Contains(cause, "-secret") {
			t.Errorf("%s: the cause shows a secret: %s", c.path, cause)
		}
	}
}

// TestHTTPTaskOAuth: a token is asked for once and used until it is refused.
func TestHTTPTaskOAuth(t *testing.T) {
	d, a := newDisk(t), newAPI(t)
	arns := d.connections(a)
	ask := func() any {
		t.Helper()
		return output(t, d.try(object{"ApiEndpoint": a.URL + "/protected", "Method": "GET", "Authentication": object{"ConnectionArn": arns["oauth"]}}, nil))["ResponseBody"]
	}
	if got := []any{ask(), ask()}; got[0] != "Bearer t+" || got[1] != "Bearer t+" {
		t.Errorf("asked with %v", got)
	}
	a.mu.Lock()
	a.refused = "Bearer t+"
	a.mu.Unlock()
	if got := []any{ask(), ask()}; got[0] != "Bearer t++" || got[1] != "Bearer t++" {
		t.Errorf("asked with %v", got)
	}
	d.stop()
	d.start()
	defer d.stop()
	if got := ask(); got != "Bearer t+++" {
		t.Errorf("after a restart asked with %v", got)
	}
}

// TestConnections: what is secret is shown by none of the operations and lies sealed in a secret.
func TestConnections(t *testing.T) {
	d, a := newDisk(t), newAPI(t)
	defer d.stop()
	arns := d.connections(a)
	states := map[string]any{}
	for name := range arns {
		out, _, code := d.call("events", "DescribeConnection", object{"Name": name})
		b, _ := json.Marshal(out)
		if code != "" || strings.Contains(string(b), "-secret") {
			t.Errorf("%s %s", code, b)
		}
		states[name] = out["ConnectionState"]
	}
	if states["key"] != "AUTHORIZED" || states["oauth"] != "AUTHORIZED" || states["refused"] != "DEAUTHORIZED" {
		t.Errorf("states %v", states)
	}
	out, _, _ := d.call("events", "DescribeConnection", object{"Name": "key"})
	if b, _ := json.Marshal(out["AuthParameters"]); string(b) != `{"ApiKeyAuthParameters":{"ApiKeyName":"X-Key"},"InvocationHttpParameters":{"BodyParameters":[{"IsValueSecret":true,"Key":"b"}],`+
		`"HeaderParameters":[{"IsValueSecret":false,"Key":"X-Shared","Value":"of-connection"},{"IsValueSecret":true,"Key":"X-Hidden"}],"QueryStringParameters":[{"IsValueSecret":false,"Key":"q","Value":"of connection"}]}}` {
		t.Errorf("parameters %s", b)
	}
	if secret, _, code := d.call("secretsmanager", "DescribeSecret", object{"SecretId": out["SecretArn"]}); code != "" || secret["OwningService"] != "events" {
		t.Errorf("secret %s %v", code, secret)
	}
	if _, _, code := d.call("events", "CreateConnection", object{"Name": "key", "AuthorizationType": "BASIC", "AuthParameters": object{"BasicAuthParameters": object{"Username": "u", "Password": "p"}}}); code != "ResourceAlreadyExistsException" {
		t.Errorf("a second one: %s", code)
	}
	if _, _, code := d.call("events", "CreateConnection", object{"Name": "bad", "AuthorizationType": "API_KEY", "AuthParameters": object{"BasicAuthParameters": object{"Username": "u", "Password": "p"}}}); code != "ValidationException" {
		t.Errorf("other parameters: %s", code)
	}
	// Only the password is new: the user stays.
	d.call("events", "UpdateConnection", object{"Name": "basic", "AuthParameters": object{"BasicAuthParameters": object{"Password": "p2"}}})
	data := d.try(object{"ApiEndpoint": a.URL + "/echo", "Method": "GET", "Authentication": object{"ConnectionArn": arns["basic"]}}, object{"revealSecrets": true})
	if b, _ := json.Marshal(data["inspectionData"].(object)["request"]); !strings.Contains(string(b), "Basic dTpwMg==") {
		t.Errorf("after the update %s", b)
	}
	if list, _, _ := d.call("events", "ListConnections", object{"ConnectionState": "AUTHORIZED", "Limit": 2}); len(list["Connections"].([]any)) != 2 || list["NextToken"] == nil {
		t.Errorf("list %v", list)
	}
	d.call("events", "DeauthorizeConnection", object{"Name": "basic"})
	if got := d.try(object{"ApiEndpoint": a.URL + "/echo", "Method": "GET", "Authentication": object{"ConnectionArn": arns["basic"]}}, nil); got["error"] != "Events.ConnectionResource.InvalidConnectionState" {
		t.Errorf("deauthorized: %v", got)
	}
	for name := range arns {
		d.call("events", "DeleteConnection", object{"Name": name})
	}
	if left, _, _ := d.call("secretsmanager", "ListSecrets", object{"IncludePlannedDeletion": true}); len(left["SecretList"].([]any)) != 0 {
		t.Errorf("secrets are left: %v", left)
	}
	// The operation that gives credentials away cannot be reached from outside.
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, d.node.URL(), strings.NewReader(`{"ConnectionArn":"`+arns["key"]+`"}`))
	req.Header.Set("X-Amz-Target", "AWSEvents.RetrieveConnectionCredentials")
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if b, _ := io.ReadAll(answer.Body); answer.StatusCode < 400 || !strings.Contains(string(b), "UnknownOperation") {
		t.Errorf("answered %d %s", answer.StatusCode, b)
	}
}

const httpStack = `
Resources:
  Key:
    Type: AWS::Events::Connection
    Properties:
      AuthorizationType: API_KEY
      AuthParameters:
        ApiKeyAuthParameters: {ApiKeyName: X-Key, ApiKeyValue: '{{resolve:secretsmanager:outer}}'}
        InvocationHttpParameters: {BodyParameters: [{Key: from, Value: rule, IsValueSecret: "false"}]}
  Api: {Type: AWS::Events::ApiDestination, Properties: {ConnectionArn: !GetAtt Key.Arn, InvocationEndpoint: 'URL/hook/*', HttpMethod: POST}}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {source: [mine]}
      Targets: [{Id: t, Arn: !GetAtt Api.Arn, RoleArn: 'arn:aws:iam::000000000000:role/r', InputPath: $.detail, HttpParameters: {PathParameterValues: [a], HeaderParameters: {X-H: h}, QueryStringParameters: {q: 'x y'}}}]
  Machine:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      RoleArn: 'arn:aws:iam::000000000000:role/r'
      DefinitionSubstitutions: {Connection: !GetAtt Key.Arn}
      Definition:
        QueryLanguage: JSONata
        StartAt: Call
        States:
          Call:
            Type: Task
            Resource: arn:aws:states:::http:invoke
            Arguments: {ApiEndpoint: URL/status/503, Method: GET, Authentication: {ConnectionArn: '${Connection}'}}
            Retry: [{ErrorEquals: [States.Http.StatusCode.503], IntervalSeconds: 1, MaxAttempts: 1}]
            End: true
Outputs:
  Machine: {Value: !Ref Machine}
`

// TestHTTPStack: an event goes to an API destination, and an execution that asks an API in vain has AWS's history; all of it
// deployed by a template.
func TestHTTPStack(t *testing.T) {
	hooks := make(chan string, 10)
	failures := 1
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/status/503" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		body, _ := io.ReadAll(r.Body)
		if failures > 0 { // it is sent again
			failures--
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		hooks <- strings.Join([]string{r.Method, r.URL.String(), r.Header.Get("X-Key"), r.Header.Get("X-H"), r.UserAgent(), string(body)}, " ")
	}))
	defer server.Close()
	d := newDisk(t)
	defer d.stop()
	d.must("secretsmanager", "CreateSecret", object{"Name": "outer", "SecretString": "the-key"})
	d.must("cloudformation", "CreateStack", object{"StackName": "s", "TemplateBody": strings.ReplaceAll(httpStack, "URL", server.URL)})
	var stack object
	for stack == nil || stack["StackStatus"] == "CREATE_IN_PROGRESS" {
		stack = d.must("cloudformation", "DescribeStacks", object{"StackName": "s"})["Stacks"].([]any)[0].(object)
	}
	if stack["StackStatus"] != "CREATE_COMPLETE" {
		t.Fatalf("stack %v: %v", stack, d.must("cloudformation", "DescribeStackEvents", object{"StackName": "s"}))
	}
	d.must("events", "PutEvents", object{"Entries": []object{{"Source": "mine", "DetailType": "d", "Detail": `{"n":1}`}}})
	if got := <-hooks; got != `POST /hook/a?q=x%20y the-key h Amazon/EventBridge/ApiDestinations {"n":1,"from":"rule"}` {
		t.Errorf("the destination got %s", got)
	}
	machine := stack["Outputs"].([]any)[0].(object)["OutputValue"]
	execution := d.must("states", "StartExecution", object{"stateMachineArn": machine})
	for d.must("states", "DescribeExecution", object{"executionArn": execution["executionArn"]})["status"] == "RUNNING" {
	}
	var types []string
	for _, e := range d.must("states", "GetExecutionHistory", object{"executionArn": execution["executionArn"]})["events"].([]any) {
		e := e.(object)
		types = append(types, e["type"].(string))
		for _, want := range []struct {
			details string
			fields  object
		}{
			{"taskScheduledEventDetails", object{"resource": "invoke", "resourceType": "http"}},
			{"taskFailedEventDetails", object{"resource": "invoke", "resourceType": "http", "error": "States.Http.StatusCode.503", "cause": "Service Unavailable"}},
		} {
			details, there := e[want.details].(object)
			for k, v := range want.fields {
				if there && details[k] != v {
					t.Errorf("%s: %s is %v, want %v", want.details, k, details[k], v)
				}
			}
		}
		if b, _ := json.Marshal(e); strings.Contains(string(b), "the-key") {
			t.Errorf("the history shows the key: %s", b)
		}
	}
	if got := strings.Join(types, " "); got != "ExecutionStarted TaskStateEntered TaskScheduled TaskStarted TaskFailed TaskScheduled TaskStarted TaskFailed ExecutionFailed" {
		t.Errorf("history %s", got)
	}
}

// TestSecretsAtRest: secrets, parameters and credentials of connections are nowhere in the data folder, and are there
// after a restart.
func TestSecretsAtRest(t *testing.T) {
	d, a := newDisk(t), newAPI(t)
	d.must("secretsmanager", "CreateSecret", object{"Name": "s", "SecretString": d.mark("secret")})
	d.must("secretsmanager", "PutSecretValue", object{"SecretId": "s", "SecretString": d.mark("second version")})
	d.must("ssm", "PutParameter", object{"Name": "p", "Type": "SecureString", "Value": d.mark("parameter")})
	arn := d.must("events", "CreateConnection", object{"Name": "c", "AuthorizationType": "API_KEY",
		"AuthParameters": object{"ApiKeyAuthParameters": object{"ApiKeyName": "X-Key", "ApiKeyValue": d.mark("connection")}}})["ConnectionArn"]
	machine := d.must("states", "CreateStateMachine", object{"name": "m", "roleArn": "arn:aws:iam::000000000000:role/r", "definition": `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::http:invoke",` +
		`"Parameters":{"ApiEndpoint":"` + a.URL + `/text","Method":"GET","Authentication":{"ConnectionArn":"` + arn.(string) + `"}},"End":true}}}`})
	execution := d.must("states", "StartExecution", object{"stateMachineArn": machine["stateMachineArn"]})["executionArn"]
	for d.must("states", "DescribeExecution", object{"executionArn": execution})["status"] == "RUNNING" {
	}
	d.stop()
	if found := d.found(); len(found) > 0 {
		t.Errorf("in the clear: %v", found)
	}
	d.start()
	defer d.stop()
	if got := d.must("secretsmanager", "GetSecretValue", object{"SecretId": "s", "VersionStage": "AWSPREVIOUS"})["SecretString"]; got != d.markers["secret"] {
		t.Errorf("the secret came back as %v", got)
	}
	if got := d.must("ssm", "GetParameter", object{"Name": "p", "WithDecryption": true})["Parameter"].(object)["Value"]; got != d.markers["parameter"] {
		t.Errorf("the parameter came back as %v", got)
	}
}

// TestHTTPTaskOverRestart: a request that was out when the server stopped is sent again.
func TestHTTPTaskOverRestart(t *testing.T) {
	asked, gone := make(chan bool, 2), make(chan bool)
	first := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- true
		if first {
			first = false
			<-r.Context().Done()
			close(gone)
		}
	}))
	defer server.Close()
	d := newDisk(t)
	arn := d.must("events", "CreateConnection", object{"Name": "c", "AuthorizationType": "BASIC", "AuthParameters": object{"BasicAuthParameters": object{"Username": "u", "Password": "p"}}})["ConnectionArn"]
	machine := d.must("states", "CreateStateMachine", object{"name": "m", "roleArn": "arn:aws:iam::000000000000:role/r", "definition": `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::http:invoke",` +
		`"Parameters":{"ApiEndpoint":"` + server.URL + `","Method":"GET","Authentication":{"ConnectionArn":"` + arn.(string) + `"}},"ResultSelector":{"code.$":"$.StatusCode"},"End":true}}}`})
	execution := d.must("states", "StartExecution", object{"stateMachineArn": machine["stateMachineArn"]})["executionArn"]
	<-asked
	d.stop()
	<-gone
	d.start()
	defer d.stop()
	<-asked
	out := object{"status": "RUNNING"}
	for out["status"] == "RUNNING" {
		out = d.must("states", "DescribeExecution", object{"executionArn": execution})
	}
	if out["output"] != `{"code":200}` {
		t.Errorf("execution %v", out)
	}
}

// TestParameterTask: the SDK integration of a service needs nothing of its own; an error without a message is "null", as in
// the SDK that AWS uses.
func TestParameterTask(t *testing.T) {
	d := newDisk(t)
	defer d.stop()
	d.must("ssm", "PutParameter", object{"Name": "/p", "Type": "String", "Value": "v"})
	try := func(name string) object {
		definition, _ := json.Marshal(object{"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ssm:getParameter", "Parameters": object{"Name": name}, "OutputPath": "$.Parameter.Value", "End": true})
		return d.must("states", "TestState", object{"definition": string(definition), "roleArn": "arn:aws:iam::000000000000:role/r"})
	}
	if got := try("/p"); got["output"] != `"v"` {
		t.Errorf("got %v", got)
	}
	if got := try("/none"); got["error"] != "Ssm.ParameterNotFoundException" || !strings.HasPrefix(got["cause"].(string), "null (Service: Ssm, Status Code: 400, Request ID: ") {
		t.Errorf("got %v", got)
	}
}
