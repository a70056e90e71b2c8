package gateway

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/wire"
	"github.com/newel-run/newel/internal/http1/header"
)

// ambiguousMax counts operations that their request does not tell from another one of their service.
const ambiguousMax = 5 // S3: ListDirectoryBuckets, which goes to another host, and four deprecated ones

// Every operation of every REST service is found by the request that a client makes for it.
func TestRoutesOfAllModels(t *testing.T) {
	rt := newRouter(nil)
	total, lost := 0, 0
	for _, info := range aws.Services() {
		s := aws.MustModel(info.Key)
		if restProtocol(s) == "" {
			continue
		}
		for name, op := range s.Operations {
			total++
			c := rt.match(info.Key, requestFor(op))
			switch {
			case c == nil:
				t.Errorf("%s:%s has no route (%s %s)", info.Key, name, op.Method, op.URI)
			case c.Operation != op:
				lost++
				t.Logf("%s:%s is taken for %s (%s %s)", info.Key, name, c.Operation.Name, op.Method, op.URI)
				if info.Key == "lambda" || info.Key == "scheduler" || info.Key == "apigateway" {
					t.Errorf("%s:%s is taken for %s", info.Key, name, c.Operation.Name)
				}
			}
		}
	}
	if total < 9000 || lost > ambiguousMax {
		t.Errorf("%d of %d operations are not found", lost, total)
	}
}

// requestFor makes a request with every label filled and every required parameter there.
func requestFor(op *aws.Operation) *wire.Message {
	m := &wire.Message{Method: op.Method, Header: header.List{}}
	path, query, _ := strings.Cut(op.URI, "?")
	var segs []string
	for _, seg := range strings.Split(path, "/") {
		if strings.HasPrefix(seg, "{") {
			seg = "v%3A1"
		}
		segs = append(segs, seg)
	}
	m.Path = strings.Join(segs, "/")
	values, _ := url.ParseQuery(query)
	if op.Input != nil {
		for _, name := range op.Input.Required {
			switch mem := op.Input.Member(name); mem.Location {
			case "querystring":
				values.Set(wire.LocationName(mem), "v")
			case "header":
				m.Header.Set(wire.LocationName(mem), "v")
			}
		}
	}
	m.Query = values.Encode()
	return m
}

func TestRoute(t *testing.T) {
	rt := newRouter([]string{"s3", "lambda", "states", "iam", "sqs"})
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}
	for _, c := range []struct {
		name, method, host, path, query, body, signed string
		header                                        http.Header
		want                                          string // protocol service:operation, or the error's code
		labels                                        map[string]string
	}{
		{name: "target", method: "POST", path: "/", header: http.Header{"X-Amz-Target": {"DynamoDB_20120810.PutItem"}}, want: "json dynamodb:PutItem"},
		{name: "unknown target", method: "POST", path: "/", header: http.Header{"X-Amz-Target": {"Nope.PutItem"}}, want: "UnknownOperationException"},
		{name: "unknown operation", method: "POST", path: "/", header: http.Header{"X-Amz-Target": {"AmazonSQS.Nope"}}, want: "UnknownOperationException"},
		{name: "no operation", method: "POST", path: "/", header: http.Header{"X-Amz-Target": {"AmazonSQS"}}, want: "UnknownOperationException"},
		{name: "shared target prefix", method: "POST", path: "/", header: http.Header{"X-Amz-Target": {"Timestream_20181101.WriteRecords"}}, want: "json timestreamwrite:WriteRecords"},
		{name: "query", method: "POST", path: "/", header: form, body: "Action=GetRole&Version=2010-05-08", signed: "iam", want: "query iam:GetRole"},
		{name: "query on a queue's URL", method: "POST", path: "/123456789012/q", header: form, body: "Action=SendMessage&Version=2012-11-05", signed: "sqs", want: "query sqs:SendMessage"},
		{name: "query in the URL", method: "GET", path: "/", query: "Action=GetCallerIdentity&Version=2011-06-15", signed: "sts", want: "query sts:GetCallerIdentity"},
		{name: "query unsigned", method: "POST", path: "/", header: form, body: "Action=ListQueues&Version=2012-11-05", want: "query sqs:ListQueues"},
		{name: "query by version", method: "POST", path: "/", header: form, body: "Action=DescribeLoadBalancers&Version=2015-12-01", signed: "elasticloadbalancing", want: "query elasticloadbalancingv2:DescribeLoadBalancers"},
		{name: "query by host", method: "POST", host: "sns.us-east-1.amazonaws.com", path: "/", header: form, body: "Action=Publish", want: "query sns:Publish"},
		{name: "unknown action", method: "POST", path: "/", header: form, body: "Action=Nope&Version=1", signed: "iam", want: "InvalidAction"},
		{name: "cbor", method: "POST", path: "/service/GraniteServiceVersion20100801/operation/PutMetricData", header: http.Header{"Smithy-Protocol": {"rpc-v2-cbor"}}, want: "smithy-rpc-v2-cbor monitoring:PutMetricData"},
		{name: "lambda signed", method: "GET", path: "/2015-03-31/functions/", signed: "lambda", want: "rest-json lambda:ListFunctions"},
		{name: "lambda unsigned", method: "POST", path: "/2015-03-31/functions/arn%3Aaws%3Alambda%3A%3A%3Af/invocations", want: "rest-json lambda:Invoke", labels: map[string]string{"FunctionName": "arn:aws:lambda:::f"}},
		{name: "lambda unknown", method: "PATCH", path: "/2015-03-31/functions/f", signed: "lambda", want: "UnknownOperationException"},
		{name: "s3 path style", method: "GET", path: "/b/a/c%20d/", signed: "s3", want: "rest-xml s3:GetObject", labels: map[string]string{"Bucket": "b", "Key": "a/c d/"}},
		{name: "s3 head", method: "HEAD", path: "/b/k", signed: "s3", want: "rest-xml s3:HeadObject"},
		{name: "s3 root", method: "GET", path: "/", signed: "s3", want: "rest-xml s3:ListBuckets"},
		{name: "s3 list v2", method: "GET", path: "/b/", query: "list-type=2&prefix=a", signed: "s3", want: "rest-xml s3:ListObjectsV2"},
		{name: "s3 list", method: "GET", path: "/b", signed: "s3", want: "rest-xml s3:ListObjects"},
		{name: "s3 copy", method: "PUT", path: "/b/k", header: http.Header{"X-Amz-Copy-Source": {"x/y"}}, signed: "s3", want: "rest-xml s3:CopyObject"},
		{name: "s3 part", method: "PUT", path: "/b/k", query: "partNumber=1&uploadId=u", signed: "s3", want: "rest-xml s3:UploadPart"},
		{name: "s3 put", method: "PUT", path: "/b/k", signed: "s3", want: "rest-xml s3:PutObject"},
		{name: "s3 create bucket", method: "PUT", path: "/b", signed: "s3", want: "rest-xml s3:CreateBucket"},
		{name: "s3 initiate", method: "POST", path: "/b/k", query: "uploads", signed: "s3", want: "rest-xml s3:CreateMultipartUpload"},
		{name: "s3 delete many", method: "POST", path: "/b", query: "delete", signed: "s3", want: "rest-xml s3:DeleteObjects"},
		{name: "s3 virtual", method: "PUT", host: "my.bucket.s3.us-east-1.amazonaws.com", path: "/k", signed: "s3", want: "rest-xml s3:PutObject", labels: map[string]string{"Bucket": "my.bucket", "Key": "k"}},
		{name: "s3 virtual root", method: "GET", host: "b.s3.localhost:4566", path: "/", want: "rest-xml s3:ListObjects", labels: map[string]string{"Bucket": "b"}},
		{name: "s3 anonymous", method: "GET", path: "/b/k", want: "rest-xml s3:GetObject"},
		{name: "json service without target", method: "POST", path: "/", signed: "states", want: "UnknownOperationException"},
		{name: "unknown service", method: "POST", path: "/x", signed: "nope", want: "UnknownOperationException"},
	} {
		if c.header == nil {
			c.header = http.Header{}
		}
		if c.host == "" {
			c.host = "127.0.0.1:4566"
		}
		call, err := rt.route(c.host, &wire.Message{Method: c.method, Path: c.path, Query: c.query, Header: header.Of(c.header), Body: []byte(c.body)}, c.signed)
		got := ""
		if err != nil {
			got = err.Code
		} else {
			got = string(call.Protocol) + " " + call.Service.Key + ":" + call.Operation.Name
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s (%v)", c.name, got, c.want, err)
			continue
		}
		for k, v := range c.labels {
			if call.Labels[k] != v {
				t.Errorf("%s: label %s is %q, want %q", c.name, k, call.Labels[k], v)
			}
		}
	}
}

func FuzzRoute(f *testing.F) {
	f.Add("POST", "h", "/", "", "Action=a", "X.Y", "sqs")
	f.Add("GET", "b.s3.localhost", "/b/k", "uploads", "", "", "s3")
	rt := newRouter([]string{"s3", "lambda"})
	f.Fuzz(func(t *testing.T, method, host, path, query, body, target, signed string) {
		h := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
		if target != "" {
			h.Set("X-Amz-Target", target)
		}
		c, err := rt.route(host, &wire.Message{Method: method, Path: path, Query: query, Header: header.Of(h), Body: []byte(body)}, signed)
		if c == nil || err == nil && (c.Operation == nil || c.Service == nil) {
			t.Errorf("%v, %v", c, err)
		}
	})
}
