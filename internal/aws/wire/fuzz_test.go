package wire

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/http1/header"
)

// Every decoder takes any bytes without a panic, and what it accepts is a JSON object.

func check(t *testing.T, c *Call, m *Message) {
	var r aws.Request
	if err := DecodeRequest(c, m, &r); err == nil && (!json.Valid(r.Input) || r.Input[0] != '{') {
		t.Errorf("%s %s: %q became %q", c.Protocol, c.Operation.Name, m.Body, r.Input)
	}
}

func FuzzQuery(f *testing.F) {
	for _, s := range []string{"Action=SendMessage&MessageBody=x", "Attribute.1.Name=a&Attribute.1.Value=b", "MessageAttribute.1.Value.StringListValue.1=x", "a.b.c=1&a=2&..=3", "%zz"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, op := range []string{"SendMessage", "CreateQueue", "SendMessageBatch"} {
			check(t, call(t, Query, "sqs", op), &Message{Method: "POST", Body: []byte(body), Header: header.List{}})
		}
		check(t, call(t, Query, "cloudformation", "CreateStack"), &Message{Method: "POST", Body: []byte(body), Header: header.List{}})
	})
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `{"name":"n","createdDate":"2023-11-14T22:13:20Z"}`, `{"Code":{"ZipFile":"x"}}`, `[`, `{"a":{"b":[1,"\u12"]}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		check(t, call(t, JSON, "states", "StartExecution"), &Message{Body: body})
		for _, c := range []*Call{call(t, RESTJSON, "lambda", "CreateFunction"), call(t, RESTJSON, "apigatewayv2", "CreateApi"), call(t, RESTJSON, "iot", "CreateJob")} {
			check(t, c, &Message{Body: body, Header: header.List{}})
		}
		_, _ = DecodeAnswer(call(t, RESTJSON, "apigatewayv2", "GetApis"), &Message{Status: 200, Body: body, Header: header.List{}})
		_, _ = DecodeAnswer(call(t, JSON, "states", "StartExecution"), &Message{Status: 400, Body: body, Header: header.List{}})
	})
}

func FuzzXML(f *testing.F) {
	for _, s := range []string{"<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>", "<a/>", "<a><b></a>", "<?xml version='1.0' encoding='x'?><a/>",
		"<ListRolesResponse><ListRolesResult><Roles><member><MaxSessionDuration>x</MaxSessionDuration></member></Roles></ListRolesResult></ListRolesResponse>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, op := range []string{"PutBucketTagging", "DeleteObjects", "PutBucketAcl", "PutBucketNotificationConfiguration"} {
			check(t, call(t, RESTXML, "s3", op), &Message{Body: body, Header: header.List{}})
		}
		out, err := DecodeAnswer(call(t, Query, "iam", "ListRoles"), &Message{Status: 200, Body: body, Header: header.List{}})
		if err == nil && !json.Valid(out.Value.(json.RawMessage)) {
			t.Errorf("%q became %s", body, out.Value)
		}
		_, _ = DecodeAnswer(call(t, Query, "sns", "GetTopicAttributes"), &Message{Status: 200, Body: body, Header: header.List{}})
		_, _ = DecodeAnswer(call(t, Query, "iam", "ListRoles"), &Message{Status: 400, Body: body, Header: header.List{}})
	})
}

func FuzzCBOR(f *testing.F) {
	for _, s := range []string{"\xa0", "\xbf\x61a\x01\xff", "\xa1\x69Namespace\x61n", "\xa1\x61a\xf9\x7c\x00", "\xa1\x61\xff\xc1\x1a\x65\x53\xf1\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		check(t, call(t, CBOR, "monitoring", "PutMetricData"), &Message{Body: body})
	})
}

func FuzzREST(f *testing.F) {
	f.Add("Marker=a&MaxItems=5", "x", "Tail")
	f.Add("%zz&&=", "1700000000", "a,b")
	f.Fuzz(func(t *testing.T, query, label, value string) {
		for _, c := range []*Call{call(t, RESTJSON, "lambda", "ListFunctions"), call(t, RESTJSON, "lambda", "Invoke"), call(t, RESTXML, "s3", "GetObject"), call(t, RESTJSON, "apigateway", "GetExport")} {
			c.Labels = map[string]string{"FunctionName": label, "Bucket": label, "Key": label, "restapi_id": label}
			headers := header.Of(http.Header{"X-Amz-Log-Type": {value}, "Range": {value}, "If-Modified-Since": {value}, "X-Amz-Optional-Object-Attributes": {value}, "X-Amz-Meta-A": {value}})
			check(t, c, &Message{Query: query, Header: headers, Body: []byte(value)})
		}
	})
}

func FuzzTime(f *testing.F) {
	for _, s := range []string{"2023-11-14T22:13:20Z", "1700000000.5", "1e9", "-1", "1/2", "1e999999999", "Tue, 14 Nov 2023 22:13:20 GMT", "0x1p5", "1_0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out, err := AppendTime(nil, s)
		if err == nil && !json.Valid(out) {
			t.Errorf("%q became %s", s, out)
		}
		if err == nil {
			if _, err := FormatTime(out); err != nil {
				t.Errorf("%q became %s, which is no time: %v", s, out, err)
			}
		}
	})
}
