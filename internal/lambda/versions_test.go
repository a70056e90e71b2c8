package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
)

// shell is a runtime in a few lines of sh and curl: it answers every event with a text and its version.
func shell(text string) map[string]string {
	return map[string]string{"bootstrap": `#!/bin/sh
while true; do
  h=$(mktemp)
  curl -sS -o /dev/null -D "$h" "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next" || exit 0
  id=$(grep -i Lambda-Runtime-Aws-Request-Id "$h" | tr -d '[:space:]' | cut -d: -f2)
  rm -f "$h"
  curl -sS -o /dev/null -X POST "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/$id/response" -d "\"` + text + ` $AWS_LAMBDA_FUNCTION_VERSION\""
done
`}
}

func (w *world) update(name, text string, members map[string]any) map[string]any {
	in := map[string]any{"FunctionName": name, "ZipFile": zipOf(w.t, shell(text))}
	for k, v := range members {
		in[k] = v
	}
	return w.do("UpdateFunctionCode", in)
}

func (w *world) executed(name string, members ...string) (payload, version string) {
	w.t.Helper()
	in := map[string]string{"FunctionName": name}
	for i := 0; i < len(members); i += 2 {
		in[members[i]] = members[i+1]
	}
	b, _ := json.Marshal(in)
	out, err := w.Call(context.Background(), &aws.Request{Service: "lambda", Operation: "Invoke", Account: testAccount, Region: testRegion, Input: b})
	if err != nil {
		w.t.Fatal(err)
	}
	return string(out.Body), out.Header.Get("X-Amz-Executed-Version")
}

func TestVersionsAreImmutable(t *testing.T) {
	needs(t, "curl")
	w := newWorld(t)
	w.create("f", "provided.al2023", "x", shell("one"), map[string]any{"Description": "first"})
	arn := "arn:aws:lambda:us-east-1:000000000000:function:f"
	v1 := w.do("PublishVersion", map[string]any{"FunctionName": "f", "Description": "released"})
	if v1["Version"] != "1" || v1["FunctionArn"] != arn+":1" || v1["Description"] != "released" {
		t.Fatal(v1)
	}
	if again := w.do("PublishVersion", map[string]any{"FunctionName": "f"}); again["Version"] != "1" {
		t.Errorf("published without a change: %v", again["Version"])
	}
	if v2 := w.update("f", "two", map[string]any{"Publish": true}); v2["Version"] != "2" || v2["FunctionArn"] != arn+":2" {
		t.Errorf("update with Publish: %v", v2)
	}
	w.do("UpdateFunctionConfiguration", map[string]any{"FunctionName": "f", "Timeout": 7})
	if v3 := w.do("PublishVersion", map[string]any{"FunctionName": "f"}); v3["Version"] != "3" {
		t.Errorf("published after a change of configuration: %v", v3["Version"])
	}
	w.update("f", "new", nil)
	for _, x := range []struct{ name, qualifier, payload, version string }{
		{"f", "", `"new $LATEST"`, latest}, {"f", "1", `"one 1"`, "1"}, {"f", "2", `"two 2"`, "2"}, {arn + ":3", "", `"two 3"`, "3"}, {"f:1", "", `"one 1"`, "1"},
	} {
		payload, version := w.executed(x.name, "Qualifier", x.qualifier)
		if payload != x.payload || version != x.version {
			t.Errorf("%s %s: %s by %s", x.name, x.qualifier, payload, version)
		}
	}
	if c := w.do("GetFunctionConfiguration", map[string]any{"FunctionName": "f", "Qualifier": "1"}); c["Timeout"] != 3.0 || c["FunctionArn"] != arn+":1" {
		t.Error(c)
	}
	w.do("DeleteFunction", map[string]any{"FunctionName": "f", "Qualifier": "2"})
	payload, _ := w.executed("f:3") // the package that it shared with version 2 is still there
	if payload != `"two 3"` {
		t.Error(payload)
	}
	_, err := w.call("f:2", "{}")
	wantError(t, err, "ResourceNotFoundException", 404, "Function not found: "+arn+":2")
	list := w.do("ListVersionsByFunction", map[string]any{"FunctionName": "f"})["Versions"].([]any)
	var got []string
	for _, v := range list {
		got = append(got, strings.TrimPrefix(v.(map[string]any)["FunctionArn"].(string), arn+":"))
	}
	if fmt.Sprint(got) != "[$LATEST 1 3]" {
		t.Error(got)
	}
}

func TestPublishChecks(t *testing.T) {
	w := newWorld(t)
	created := w.create("f", "provided.al2023", "x", shell("one"), map[string]any{"Publish": true})
	if created["Version"] != "1" {
		t.Errorf("created with Publish: %v", created)
	}
	for _, x := range []struct {
		in     map[string]any
		code   string
		status int
		text   string
	}{
		{map[string]any{"RevisionId": "x"}, "PreconditionFailedException", 412, "does not match the latest RevisionId"},
		{map[string]any{"CodeSha256": "x"}, "InvalidParameterValueException", 400, "CodeSHA256 (x) is different from current CodeSHA256 in $LATEST"},
		{map[string]any{"FunctionName": "g"}, "ResourceNotFoundException", 404, "Function not found"},
	} {
		if x.in["FunctionName"] == nil {
			x.in["FunctionName"] = "f"
		}
		_, err := w.try("PublishVersion", x.in)
		wantError(t, err, x.code, x.status, x.text)
	}
	_, err := w.try("DeleteFunction", map[string]any{"FunctionName": "f", "Qualifier": latest})
	wantError(t, err, "InvalidParameterValueException", 400, "$LATEST version cannot be deleted")
	w.do("DeleteFunction", map[string]any{"FunctionName": "f"})
	w.create("f", "provided.al2023", "x", shell("one"), nil)
	if list := w.do("ListVersionsByFunction", map[string]any{"FunctionName": "f"})["Versions"].([]any); len(list) != 1 {
		t.Errorf("versions of a function that was deleted are back: %v", list)
	}
}

func TestAliases(t *testing.T) {
	needs(t, "curl")
	w := newWorld(t)
	w.create("f", "provided.al2023", "x", shell("one"), map[string]any{"Publish": true})
	w.update("f", "two", map[string]any{"Publish": true})
	a := w.do("CreateAlias", map[string]any{"FunctionName": "f", "Name": "prod", "FunctionVersion": "1", "Description": "d"})
	if a["AliasArn"] != "arn:aws:lambda:us-east-1:000000000000:function:f:prod" || a["FunctionVersion"] != "1" {
		t.Fatal(a)
	}
	if payload, version := w.executed("f:prod"); payload != `"one 1"` || version != "1" {
		t.Errorf("%s by %s", payload, version)
	}
	w.do("UpdateAlias", map[string]any{"FunctionName": "f", "Name": "prod", "FunctionVersion": "2"})
	if payload, version := w.executed("f", "Qualifier", "prod"); payload != `"two 2"` || version != "2" {
		t.Errorf("%s by %s", payload, version)
	}
	w.do("UpdateAlias", map[string]any{"FunctionName": "f", "Name": "prod", "RoutingConfig": map[string]any{"AdditionalVersionWeights": map[string]any{"1": 1}}})
	if payload, _ := w.executed("f", "Qualifier", "prod"); payload != `"one 1"` {
		t.Errorf("all the weight is on version 1: %s", payload)
	}
	c := w.do("GetFunction", map[string]any{"FunctionName": "f", "Qualifier": "prod"})["Configuration"].(map[string]any)
	if c["Version"] != "2" || c["FunctionArn"] != a["AliasArn"] {
		t.Error(c)
	}
	for _, x := range []struct {
		operation  string
		in         map[string]any
		code, text string
	}{
		{"CreateAlias", map[string]any{"Name": "prod", "FunctionVersion": "1"}, "ResourceConflictException", "Alias already exists"},
		{"CreateAlias", map[string]any{"Name": "12", "FunctionVersion": "1"}, "ValidationException", "'name'"},
		{"CreateAlias", map[string]any{"Name": "x", "FunctionVersion": "9"}, "ResourceNotFoundException", "Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:9"},
		{"CreateAlias", map[string]any{"Name": "x", "FunctionVersion": latest, "RoutingConfig": map[string]any{"AdditionalVersionWeights": map[string]any{"1": 0.5}}}, "InvalidParameterValueException", "$LATEST is not supported"},
		{"UpdateAlias", map[string]any{"Name": "x"}, "ResourceNotFoundException", "Cannot find alias arn"},
		{"UpdateAlias", map[string]any{"Name": "prod", "RevisionId": "x"}, "PreconditionFailedException", "RevisionId"},
		{"GetAlias", map[string]any{"Name": "x"}, "ResourceNotFoundException", "Cannot find alias arn: arn:aws:lambda:us-east-1:000000000000:function:f:x"},
		{"DeleteFunction", map[string]any{"Qualifier": "2"}, "ResourceConflictException", "prod"},
		{"Invoke", map[string]any{"Qualifier": "x"}, "ResourceNotFoundException", "Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:x"},
	} {
		x.in["FunctionName"] = "f"
		_, err := w.try(x.operation, x.in)
		if e, ok := err.(*aws.Error); !ok || e.Code != x.code || !strings.Contains(e.Message, x.text) {
			t.Errorf("%s %v: %v", x.operation, x.in, err)
		}
	}
	w.do("AddPermission", map[string]any{"FunctionName": "f", "Qualifier": "prod", "StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"})
	if p := w.do("GetPolicy", map[string]any{"FunctionName": "f:prod"})["Policy"].(string); !strings.Contains(p, "function:f:prod") {
		t.Error(p)
	}
	_, err := w.try("GetPolicy", map[string]any{"FunctionName": "f"})
	wantError(t, err, "ResourceNotFoundException", 404, "does not exist")
	w.do("PutProvisionedConcurrencyConfig", map[string]any{"FunctionName": "f", "Qualifier": "prod", "ProvisionedConcurrentExecutions": 2})
	if p := w.do("GetProvisionedConcurrencyConfig", map[string]any{"FunctionName": "f", "Qualifier": "prod"}); p["Status"] != "READY" {
		t.Error(p)
	}
	w.do("DeleteAlias", map[string]any{"FunctionName": "f", "Name": "prod"})
	w.do("DeleteAlias", map[string]any{"FunctionName": "f", "Name": "prod"})
	if l := w.do("ListAliases", map[string]any{"FunctionName": "f"})["Aliases"].([]any); len(l) != 0 {
		t.Error(l)
	}
}

func TestWeightsOfAnAlias(t *testing.T) {
	a := &alias{FunctionVersion: "1", Weights: map[string]float64{"2": 0.25}}
	for pick, want := range map[float64]string{0: "2", 0.24: "2", 0.25: "1", 0.99: "1", mainVersion: "1"} {
		if got := a.choose(pick); got != want {
			t.Errorf("%v: %s", pick, got)
		}
	}
}

func TestCodeLocation(t *testing.T) {
	now := time.Now()
	w := newWorld(t, func(_ *Config, env *service.Env) { env.Now = func() time.Time { return now } })
	srv := httptest.NewServer(http.HandlerFunc(w.ServeCode))
	defer srv.Close()
	defer http.DefaultClient.CloseIdleConnections()
	w.create("f", "provided.al2023", "x", shell("one"), nil)
	location := w.do("GetFunction", map[string]any{"FunctionName": "f"})["Code"].(map[string]any)["Location"].(string)
	location = strings.Replace(location, "http://127.0.0.1:4566", srv.URL, 1)
	get := func(url string) (int, string) {
		r, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, _ := io.ReadAll(r.Body)
		return r.StatusCode, string(b)
	}
	if status, body := get(location); status != 200 || !strings.HasPrefix(body, "PK") {
		t.Errorf("%d %.40q", status, body)
	}
	if status, _ := get(strings.Replace(location, "/f?", "/g?", 1)); status != 403 {
		t.Errorf("another function's location: %d", status)
	}
	now = now.Add(time.Hour)
	if status, _ := get(location); status != 403 {
		t.Errorf("an hour later: %d", status)
	}
}
