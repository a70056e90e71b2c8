package apigateway

import (
	"strings"
	"testing"

	"github.com/newel-run/newel/internal/aws"
)

func TestExecuteAPI(t *testing.T) {
	w := newWorld(t)
	api := w.deploy("/id_func", "POST", object{"type": "AWS", "integrationHttpMethod": "POST", "uri": functionURI,
		"requestTemplates": object{"application/json": `{"body":$input.json('$'),"q":"$input.params().querystring"}`}}, object{"statusCode": "200"})
	w.answer = func(r *aws.Request) (*aws.Output, error) { return &aws.Output{Body: r.Body}, nil }
	in := object{"ApiEndpoint": api + ".execute-api.us-east-1.amazonaws.com", "Method": "POST", "Path": "id_func", "Stage": "dev",
		"RequestBody": object{"message": []string{"Hello"}}, "QueryParameters": object{"p": []string{"1"}, "q": []string{"2"}}}
	out := w.do("ExecuteAPI", in)
	body, _ := out["ResponseBody"].(object)
	if out["StatusCode"] != 200.0 || out["StatusText"] != "OK" || body["q"] != "{p=1, q=2}" {
		t.Error(out)
	}
	in["Path"] = "other"
	_, err := w.try("ExecuteAPI", in)
	if e, ok := err.(*aws.Error); !ok || e.Code != "403" || !strings.Contains(e.Message, "Missing Authentication Token") {
		t.Error(err)
	}
	in["ApiEndpoint"] = "https://x/y"
	if _, err = w.try("ExecuteAPI", in); err == nil {
		t.Error("an endpoint that is no host name was accepted")
	}
}
