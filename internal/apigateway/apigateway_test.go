package apigateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
)

type object = map[string]any

// world is the service, and other services that answer what the test says and keep what they were asked.
type world struct {
	t      *testing.T
	s      *Service
	store  store.Store
	answer func(r *aws.Request) (*aws.Output, error)
	last   *aws.Request
	server *httptest.Server
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, store: memory.New(memory.Options{Partitions: 8, RunTwice: true})}
	w.answer = func(*aws.Request) (*aws.Output, error) { return &aws.Output{Value: object{}}, nil }
	w.open()
	mux := http.NewServeMux()
	mux.HandleFunc(UserRequestPattern, func(rw http.ResponseWriter, r *http.Request) { w.s.ServeHTTP(rw, r) })
	mux.HandleFunc("/", func(rw http.ResponseWriter, r *http.Request) { w.s.ServeHTTP(rw, r) })
	w.server = httptest.NewServer(mux)
	t.Cleanup(func() {
		w.server.Close()
		w.store.Close()
	})
	return w
}

// open makes the service anew over the store.
func (w *world) open() {
	w.s = New(&service.Env{Store: w.store, Now: time.Now, Log: slog.New(slog.DiscardHandler), Account: "000000000000", Region: "us-east-1",
		BaseURL: func() string { return w.server.URL }, Caller: aws.CallerFunc(func(_ context.Context, r *aws.Request) (*aws.Output, error) {
			w.last = r
			return w.answer(r)
		})})
	if err := w.s.Start(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) try(operation string, in object) (object, error) {
	w.t.Helper()
	b, err := json.Marshal(in)
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := w.s.Call(context.Background(), &aws.Request{Service: "apigateway", Operation: operation, Account: "000000000000", Region: "us-east-1", Input: b})
	if err != nil {
		return nil, err
	}
	if b, err = service.Marshal(out.Value); err != nil {
		w.t.Fatal(err)
	}
	var m object
	if err = json.Unmarshal(b, &m); err != nil {
		w.t.Fatal(err)
	}
	return m, nil
}

func (w *world) do(operation string, in object) object {
	w.t.Helper()
	m, err := w.try(operation, in)
	if err != nil {
		w.t.Fatalf("%s: %v", operation, err)
	}
	return m
}

// deploy makes an API with one method at a path and deploys it to the stage dev. responses are its integration responses.
func (w *world) deploy(path, verb string, integration object, responses ...object) (api string) {
	w.t.Helper()
	created := w.do("CreateRestApi", object{"name": "a"})
	api = created["id"].(string)
	id := created["rootResourceId"]
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if part != "" {
			id = w.do("CreateResource", object{"restApiId": api, "parentId": id, "pathPart": part})["id"]
		}
	}
	at := func(in object) object {
		in["restApiId"], in["resourceId"], in["httpMethod"] = api, id, verb
		return in
	}
	w.do("PutMethod", at(object{"authorizationType": "NONE"}))
	w.do("PutIntegration", at(integration))
	for _, r := range responses {
		w.do("PutMethodResponse", at(object{"statusCode": r["statusCode"]}))
		w.do("PutIntegrationResponse", at(r))
	}
	w.do("CreateDeployment", object{"restApiId": api, "stageName": "dev", "variables": object{"table": "t1"}})
	return api
}

type reply struct {
	status int
	body   string
	header http.Header
}

func (w *world) send(verb, host, path, body string, header ...string) reply {
	w.t.Helper()
	r, err := http.NewRequest(verb, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Host = host
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := w.server.Client().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return reply{res.StatusCode, string(b), res.Header}
}

// get sends a request to the stage dev of an API.
func (w *world) get(verb, api, path, body string, header ...string) reply {
	w.t.Helper()
	return w.send(verb, api+".execute-api.localhost:4566", "/dev"+path, body, header...)
}

func wantReply(t *testing.T, got reply, status int, body string) {
	t.Helper()
	if got.status != status || got.body != body {
		t.Errorf("%d %s, want %d %s", got.status, got.body, status, body)
	}
}

const startURI = "arn:aws:apigateway:us-east-1:states:action/StartExecution"

// TestStartExecution is what the Serverless framework's plugin for state machines emits.
func TestStartExecution(t *testing.T) {
	w := newWorld(t)
	template := "#set( $body = $util.escapeJavaScript($input.json('$')).replaceAll(\"\\\\'\", \"'\") )\n" +
		`{"input": "$body","name": "$context.requestId","stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:m"}`
	api := w.deploy("/agw-sfn", "POST", object{"type": "AWS", "integrationHttpMethod": "POST", "uri": startURI,
		"passthroughBehavior": "NEVER", "requestTemplates": object{"application/json": template, "application/x-www-form-urlencoded": template}},
		object{"statusCode": "200", "selectionPattern": "200", "responseParameters": object{}, "responseTemplates": object{}},
		object{"statusCode": "400", "selectionPattern": "400"})
	w.answer = func(*aws.Request) (*aws.Output, error) {
		return &aws.Output{Value: json.RawMessage(`{"executionArn":"arn:e","startDate":1.7e9}`)}, nil
	}
	body := `{"q":"it's \"quoted\" / ü","n":[1,2.50]}`
	wantReply(t, w.get("POST", api, "/agw-sfn", body, "Content-Type", "application/json; charset=utf-8"), 200, `{"executionArn":"arn:e","startDate":1.7e9}`)
	var in struct{ Input, Name, StateMachineArn string }
	if err := json.Unmarshal(w.last.Input, &in); err != nil {
		t.Fatalf("%v in %s", err, w.last.Input)
	}
	if in.Input != body || len(in.Name) != 36 || w.last.Service != "states" || w.last.Operation != "StartExecution" {
		t.Errorf("%+v", in)
	}
	w.answer = func(*aws.Request) (*aws.Output, error) {
		return nil, aws.Errorf("StateMachineDoesNotExist", "State Machine Does Not Exist: 'x'")
	}
	r := w.get("POST", api, "/agw-sfn", "")
	if r.status != 400 || !strings.Contains(r.body, "StateMachineDoesNotExist") {
		t.Error(r)
	}
	wantReply(t, w.get("POST", api, "/agw-sfn", "x", "Content-Type", "text/plain"), 415, `{"message":"Unsupported Media Type"}`)
	wantReply(t, w.get("GET", api, "/agw-sfn", ""), 403, `{"message":"Missing Authentication Token"}`)
	wantReply(t, w.get("POST", api, "/other", ""), 403, `{"message":"Missing Authentication Token"}`)
	wantReply(t, w.send("POST", api+".execute-api.us-east-1.amazonaws.com", "/prod/agw-sfn", ""), 403, `{"message":"Forbidden"}`)
	wantReply(t, w.send("POST", "127.0.0.1", "/restapis/none/dev/_user_request_/x", ""), 403, `{"message":"Forbidden"}`)
	if r := w.send("POST", "127.0.0.1", "/restapis/"+api+"/dev/_user_request_/agw-sfn", "{}"); r.status != 400 {
		t.Error(r)
	}
}

func TestRoutes(t *testing.T) {
	resources := []*resource{}
	for _, p := range []string{"/", "/a", "/a/b", "/a/{id}", "/a/{id}/c", "/{proxy+}", "/x/{rest+}"} {
		resources = append(resources, &resource{Path: p, Methods: map[string]*method{"GET": {}}})
	}
	for path, want := range map[string]string{
		"/": "/ map[]", "/a": "/a map[]", "/a/": "/a map[]", "/a/b": "/a/b map[]", "/a/z": "/a/{id} map[id:z]", "/a/z%20y/c": "/a/{id}/c map[id:z y]", "/a/b/c": "/a/{id}/c map[id:b]",
		"/q": "/{proxy+} map[proxy:q]", "/q/r%2Fs/t": "/{proxy+} map[proxy:q/r/s/t]", "/x/1/2": "/x/{rest+} map[rest:1/2]", "/x": "/{proxy+} map[proxy:x]",
	} {
		v := &invocation{api: &snapshot{Resources: resources}, path: path, r: &http.Request{Method: "GET"}}
		if v.route(); v.method == nil || fmt.Sprint(v.resource.Path, " ", v.parameters) != want {
			t.Errorf("%s: %+v %v, want %s", path, v.resource, v.parameters, want)
		}
	}
}

func TestMockAndMappings(t *testing.T) {
	w := newWorld(t)
	api := w.deploy("/users/{id}", "ANY", object{"type": "MOCK", "requestTemplates": object{"application/json": `{"statusCode": #if($input.params('fail') == "yes")400#{else}200#end}`}},
		object{"statusCode": "200", "responseTemplates": object{"application/json": `{"stage":"$context.stage","t":"$stageVariables.table","path":"$context.resourcePath","v":"$context.httpMethod"}`},
			"responseParameters": object{"method.response.header.X-A": "'fixed'", "method.response.header.X-S": "context.stage"}},
		object{"statusCode": "400", "selectionPattern": "4\\d{2}", "responseTemplates": object{"text/plain": "#set($context.responseOverride.status = 418)#set($context.responseOverride.header.X-B = \"b\")no"}})
	r := w.get("PUT", api, "/users/7", "{}")
	wantReply(t, r, 200, `{"stage":"dev","t":"t1","path":"/users/{id}","v":"PUT"}`)
	if r.header.Get("X-A") != "fixed" || r.header.Get("X-S") != "dev" || r.header.Get("X-Amzn-Requestid") == "" {
		t.Error(r.header)
	}
	r = w.get("GET", api, "/users/7?fail=yes", "")
	wantReply(t, r, 418, "no")
	if r.header.Get("Content-Type") != "text/plain" || r.header.Get("X-B") != "b" {
		t.Error(r.header)
	}
}

func TestInputObject(t *testing.T) {
	w := newWorld(t)
	echo := func(template, body, want string) {
		t.Helper()
		api := w.deploy("/p/{id}", "POST", object{"type": "AWS", "integrationHttpMethod": "POST", "uri": "arn:aws:apigateway:us-east-1:dynamodb:action/PutItem",
			"requestTemplates": object{"application/json": template}}, object{"statusCode": "200"})
		w.last = nil
		r := w.get("POST", api, "/p/a%20b?q=1&q=2", body, "X-Custom", "h")
		if w.last == nil {
			t.Errorf("%s: %d %s", template, r.status, r.body)
			return
		}
		if got := string(w.last.Input); got != want {
			t.Errorf("%s\n%s, want %s", template, got, want)
		}
	}
	body := `{"a":{"b":[1,{"c":"x\ny"}]},"s":"te'xt","z":null}`
	echo(`{"v":$input.json('$.a.b')}`, body, `{"v":[1,{"c":"x\ny"}]}`)
	echo(`{"v":"$input.path('$.a.b[1].c').length()","s":$input.json('$.s')}`, body, `{"v":"3","s":"te'xt"}`)
	echo(`{"v":"$util.escapeJavaScript($input.body)"}`, `{"k":"a"}`, `{"v":"{\"k\":\"a\"}"}`)
	echo(`{"v":"$input.params('id') $input.params('q') $input.params('x-custom') $input.params().path.id $input.params('none')|"}`, "", `{"v":"a b 2 h a b |"}`)
	echo(`#set($r = $input.path('$'))#foreach($k in $r.a.b)#if($foreach.count == 1){"first":$k}#end#end`, body, `{"first":1}`)
	echo(`{"v":"$util.base64Encode('hi') $util.base64Decode('aGk=') $util.urlEncode('a b&') $util.urlDecode('a+b') $util.parseJson('{"k":[5]}').k[0]"}`, "", `{"v":"aGk= hi a+b%26 a b 5"}`)
	echo(`{"v":$input.json('$')}`, "", `{"v":{}}`)
	echo(`{"v":"$input.path('$.none')"}`, "{}", `{"v":"$input.path('$.none')"}`)
}

func TestQueryService(t *testing.T) {
	w := newWorld(t)
	api := w.deploy("/", "POST", object{"type": "AWS", "integrationHttpMethod": "POST", "uri": "arn:aws:apigateway:us-east-1:sqs:path/000000000000/q",
		"requestParameters": object{"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
		"requestTemplates":  object{"application/json": "Action=SendMessage&MessageBody=$util.urlEncode($input.body)"}}, object{"statusCode": "200"})
	w.answer = func(*aws.Request) (*aws.Output, error) { return &aws.Output{Value: object{"MessageId": "m"}}, nil }
	r := w.get("POST", api, "/", `{"a":"b c"}`)
	if w.last == nil {
		t.Fatal(r)
	}
	var in struct{ QueueUrl, MessageBody string } //nolint:revive // AWS's name
	_ = json.Unmarshal(w.last.Input, &in)
	if !strings.HasSuffix(in.QueueUrl, "/000000000000/q") || in.MessageBody != `{"a":"b c"}` || !strings.Contains(r.body, `"SendMessageResult":{"MessageId":"m"}`) {
		t.Errorf("%s; %+v", w.last.Input, r)
	}
}

const functionURI = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:f/invocations"

func TestProxy(t *testing.T) {
	w := newWorld(t)
	api := w.deploy("/{proxy+}", "ANY", object{"type": "AWS_PROXY", "integrationHttpMethod": "POST", "uri": functionURI})
	for _, x := range []struct {
		payload, failed string
		status          int
		body            string
	}{
		{`{"statusCode":201,"headers":{"X-N":5},"multiValueHeaders":{"Set-Cookie":["a","b"]},"body":"made"}`, "", 201, "made"},
		{`{"statusCode":"404"}`, "", 404, ""},
		{`{"body":"x"}`, "", 200, "x"},
		{`{"statusCode":200,"body":{"a":1}}`, "", 502, `{"message":"Internal server error"}`},
		{`{"statusCode":200,"extra":1}`, "", 502, `{"message":"Internal server error"}`},
		{`"text"`, "", 502, `{"message":"Internal server error"}`},
		{`null`, "", 502, `{"message":"Internal server error"}`},
		{`{"statusCode":"abc"}`, "", 502, `{"message":"Internal server error"}`},
		{`{"errorMessage":"x"}`, "Unhandled", 502, `{"message":"Internal server error"}`},
	} {
		w.answer = func(*aws.Request) (*aws.Output, error) {
			out := &aws.Output{Body: []byte(x.payload), Header: http.Header{}}
			if x.failed != "" {
				out.Header.Set("X-Amz-Function-Error", x.failed)
			}
			return out, nil
		}
		r := w.get("POST", api, "/a/b?x=1&x=2", "in")
		wantReply(t, r, x.status, x.body)
		if x.status == 201 && (r.header.Get("X-N") != "5" || len(r.header.Values("Set-Cookie")) != 2) {
			t.Error(r.header)
		}
	}
	var e struct {
		Resource, Path, HTTPMethod, Body string
		PathParameters                   map[string]string
		QueryStringParameters            map[string]string
		MultiValueQueryStringParameters  map[string][]string
		StageVariables                   map[string]string
		RequestContext                   struct{ Stage, Path, APIID, ResourcePath string }
		IsBase64Encoded                  bool
	}
	if err := json.Unmarshal(w.last.Body, &e); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%+v", e)
	want := fmt.Sprintf("{Resource:/{proxy+} Path:/a/b HTTPMethod:POST Body:in PathParameters:map[proxy:a/b] QueryStringParameters:map[x:2] MultiValueQueryStringParameters:map[x:[1 2]] StageVariables:map[table:t1] RequestContext:{Stage:dev Path:/dev/a/b APIID:%s ResourcePath:/{proxy+}} IsBase64Encoded:false}", api)
	if got != want {
		t.Errorf("%s\n%s", got, want)
	}
}

func TestFunctionWithMapping(t *testing.T) {
	w := newWorld(t)
	api := w.deploy("/", "POST", object{"type": "AWS", "integrationHttpMethod": "POST", "uri": functionURI, "requestTemplates": object{"application/json": `{"wrapped":$input.json('$')}`}},
		object{"statusCode": "200"}, object{"statusCode": "422", "selectionPattern": ".*bad.*", "responseTemplates": object{"application/json": `{"m":$input.json('$.errorMessage')}`}})
	w.answer = func(r *aws.Request) (*aws.Output, error) { return &aws.Output{Body: r.Body}, nil }
	wantReply(t, w.get("POST", api, "/", `{"a":1}`), 200, `{"wrapped":{"a":1}}`)
	w.answer = func(*aws.Request) (*aws.Output, error) {
		return &aws.Output{Body: []byte(`{"errorMessage":"a bad thing"}`), Header: http.Header{"X-Amz-Function-Error": {"Unhandled"}}}, nil
	}
	wantReply(t, w.get("POST", api, "/", `{}`), 422, `{"m":"a bad thing"}`)
}

func TestHTTPProxy(t *testing.T) {
	w := newWorld(t)
	backend := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		rw.Header().Set("X-Back", "1")
		rw.WriteHeader(202)
		fmt.Fprintf(rw, "%s %s %s", r.Method, r.URL, b)
	}))
	defer backend.Close()
	defer client.CloseIdleConnections()
	api := w.deploy("/{proxy+}", "ANY", object{"type": "HTTP_PROXY", "integrationHttpMethod": "ANY", "uri": backend.URL + "/base/{proxy}",
		"requestParameters": object{"integration.request.path.proxy": "method.request.path.proxy"}})
	r := w.get("PUT", api, "/a/b?x=1", "body")
	wantReply(t, r, 202, "PUT /base/a/b?x=1 body")
	if r.header.Get("X-Back") != "1" {
		t.Error(r.header)
	}
}

func TestKeyIsRequired(t *testing.T) {
	w := newWorld(t)
	api := w.deploy("/", "GET", object{"type": "MOCK", "requestTemplates": object{"application/json": `{"statusCode":200}`}}, object{"statusCode": "200"})
	root := w.do("GetRestApi", object{"restApiId": api})["rootResourceId"]
	m := w.do("UpdateMethod", object{"restApiId": api, "resourceId": root, "httpMethod": "GET", "patchOperations": []object{{"op": "replace", "path": "/apiKeyRequired", "value": "true"}}})
	if m["apiKeyRequired"] != true {
		t.Fatal(m)
	}
	wantReply(t, w.get("GET", api, "/", ""), 200, "") // what was deployed is not changed
	w.do("CreateDeployment", object{"restApiId": api, "stageName": "dev"})
	wantReply(t, w.get("GET", api, "/", ""), 403, `{"message":"Forbidden"}`)
	k := w.do("CreateApiKey", object{"name": "k", "enabled": true})
	p := w.do("CreateUsagePlan", object{"name": "p", "apiStages": []object{{"apiId": api, "stage": "dev"}}})
	w.do("CreateUsagePlanKey", object{"usagePlanId": p["id"], "keyId": k["id"], "keyType": "API_KEY"})
	wantReply(t, w.get("GET", api, "/", "", "x-api-key", k["value"].(string)), 200, "")
	wantReply(t, w.get("GET", api, "/", "", "x-api-key", "wrong"), 403, `{"message":"Forbidden"}`)
	w.open() // another process over the same store
	wantReply(t, w.get("GET", api, "/", "", "x-api-key", k["value"].(string)), 200, "")
	w.do("DeleteRestApi", object{"restApiId": api})
	wantReply(t, w.get("GET", api, "/", ""), 403, `{"message":"Forbidden"}`)
}

func TestManagement(t *testing.T) {
	w := newWorld(t)
	api := w.deploy("/a/b", "GET", object{"type": "MOCK"})
	root := w.do("GetRestApi", object{"restApiId": api})["rootResourceId"]
	list := w.do("GetResources", object{"restApiId": api, "embed": []string{"methods"}})["items"].([]any)
	if len(list) != 3 {
		t.Fatal(list)
	}
	st := w.do("UpdateStage", object{"restApiId": api, "stageName": "dev", "patchOperations": []object{
		{"op": "replace", "path": "/variables/x", "value": "y"}, {"op": "replace", "path": "/*/*/logging/loglevel", "value": "INFO"},
		{"op": "replace", "path": "/a~1b/GET/metrics/enabled", "value": "true"}, {"op": "remove", "path": "/variables/table"}, {"op": "replace", "path": "/tracingEnabled", "value": "true"}}})
	if fmt.Sprint(st["variables"], st["methodSettings"], st["tracingEnabled"]) != "map[x:y] map[*/*:map[loggingLevel:INFO] a/b/GET:map[metricsEnabled:true]] true" {
		t.Error(st)
	}
	a := w.do("UpdateRestApi", object{"restApiId": api, "patchOperations": []object{{"op": "replace", "path": "/name", "value": "new"},
		{"op": "add", "path": "/binaryMediaTypes/image~1png"}, {"op": "replace", "path": "/endpointConfiguration/types/0", "value": "REGIONAL"}}})
	if fmt.Sprint(a["name"], " ", a["binaryMediaTypes"], a["endpointConfiguration"]) != "new [image/png] map[types:[REGIONAL]]" {
		t.Error(a)
	}
	arn := "arn:aws:apigateway:us-east-1::/restapis/" + api
	w.do("TagResource", object{"resourceArn": arn, "tags": object{"a": "b"}})
	if tags := w.do("GetTags", object{"resourceArn": arn}); fmt.Sprint(tags) != "map[tags:map[a:b]]" {
		t.Error(tags)
	}
	for _, x := range []struct {
		operation  string
		in         object
		code, text string
	}{
		{"GetRestApi", object{"restApiId": "x"}, "NotFoundException", "Invalid API identifier specified 000000000000:x"},
		{"CreateResource", object{"parentId": root, "pathPart": "a"}, "ConflictException", "Another resource with the same parent already has this name: a"},
		{"CreateResource", object{"parentId": root, "pathPart": "a b"}, "BadRequestException", "path part"},
		{"PutMethod", object{"resourceId": root, "httpMethod": "FETCH", "authorizationType": "NONE"}, "BadRequestException", "HttpMethod"},
		{"PutMethod", object{"resourceId": root, "httpMethod": "GET", "authorizationType": "CUSTOM"}, "BadRequestException", "CUSTOM"},
		{"GetMethod", object{"resourceId": root, "httpMethod": "GET"}, "NotFoundException", "Invalid Method identifier specified"},
		{"GetStage", object{"stageName": "x"}, "NotFoundException", "Invalid stage identifier specified"},
		{"CreateStage", object{"stageName": "dev", "deploymentId": "x"}, "ConflictException", "Stage already exists"},
		{"CreateStage", object{"stageName": "new", "deploymentId": "x"}, "NotFoundException", "Invalid Deployment identifier specified"},
		{"UpdateStage", object{"stageName": "dev", "patchOperations": []object{{"op": "replace", "path": "/nothing", "value": "x"}}}, "BadRequestException", "/nothing"},
		{"DeleteDeployment", object{"deploymentId": st["deploymentId"]}, "BadRequestException", "Active stages"},
		{"DeleteResource", object{"resourceId": root}, "BadRequestException", "Root resource"},
		{"CreateAuthorizer", object{}, "NotImplemented", "CreateAuthorizer"},
	} {
		if x.in["restApiId"] == nil {
			x.in["restApiId"] = api
		}
		_, err := w.try(x.operation, x.in)
		if e, ok := err.(*aws.Error); !ok || e.Code != x.code || !strings.Contains(e.Message, x.text) {
			t.Errorf("%s %v: %v", x.operation, x.in, err)
		}
	}
	w.do("PutMethod", object{"restApiId": api, "resourceId": root, "httpMethod": "POST", "authorizationType": "NONE"})
	for _, x := range []struct {
		in   object
		text string
	}{
		{object{"type": "AWS", "integrationHttpMethod": "POST", "uri": "http://x"}, "Invalid ARN specified"},
		{object{"type": "AWS", "integrationHttpMethod": "POST", "uri": "arn:aws:apigateway:us-east-1:states:action/Start"}, "invalid action"},
		{object{"type": "AWS", "uri": startURI}, "HttpMethod"},
		{object{"type": "AWS_PROXY", "integrationHttpMethod": "POST", "uri": startURI}, "only supports Lambda"},
		{object{"type": "HTTP", "uri": "ftp://x"}, "HTTP endpoint"},
		{object{"type": "MOCK", "requestTemplates": object{"application/json": "#if("}}, "Invalid mapping template"},
		{object{"type": "OTHER"}, "integration type"},
	} {
		x.in["restApiId"], x.in["resourceId"], x.in["httpMethod"] = api, root, "POST"
		_, err := w.try("PutIntegration", x.in)
		if e, ok := err.(*aws.Error); !ok || e.Code != "BadRequestException" || !strings.Contains(e.Message, x.text) {
			t.Errorf("%v: %v", x.in, err)
		}
	}
	_, err := w.try("CreateDeployment", object{"restApiId": api})
	if err == nil || !strings.Contains(err.Error(), "No integration defined for method") {
		t.Error(err)
	}
}
