package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"

	"github.com/newel-run/newel/internal/aws/wire"
)

// mutations damage a request. Those that leave its head alone come first.
var mutations = []func(g *generator, r *request){
	func(*generator, *request) {}, // valid, and often refused by its service
	(*generator).flip, (*generator).cut, (*generator).insert, (*generator).nest, (*generator).swell, (*generator).repeat,
	(*generator).missing, (*generator).chunks, (*generator).headers, (*generator).address, (*generator).host,
	(*generator).credentials, (*generator).confuse, (*generator).noise,
}

// mutate damages a request in up to three ways.
func (g *generator) mutate(r *request) {
	for range g.IntN(4) {
		i := g.IntN(len(mutations))
		before := r.name
		mutations[i](g, r)
		if i > 0 && (r.protocol == wire.Query || r.protocol == wire.EC2) {
			r.whole = false // the body says what it is
		}
		r.name = fmt.Sprintf("%s +%d", before, i)
	}
}

// flip changes single bits of the body.
func (g *generator) flip(r *request) {
	r.body = bytes.Clone(r.body)
	for range min(len(r.body), 1+g.IntN(4)) {
		r.body[g.IntN(len(r.body))] ^= 1 << g.IntN(8)
	}
}

func (g *generator) cut(r *request) {
	if len(r.body) > 0 {
		r.body = r.body[:g.IntN(len(r.body))]
	}
}

var junk = []string{"\x00", "\xff\xfe", "\"", "{", "}", "[", "]", "<", ">", "<!DOCTYPE a [<!ENTITY b \"c\">]>", "&b;", "]]>", "&", "=", "%", "%zz", "1e99999", "-", "\\u12", "\\ud800", "null",
	"9999999999999999999999999", "\r\n", "\r\n\r\n", ";", ",", ":", "\xf0\x9f\x98", "Attribute.1.Name=", ".1.1.1.1.1=", "\xbf", "\x5f", "\x9b\xff\xff\xff\xff\xff\xff\xff\xff"}

func (g *generator) insert(r *request) {
	at := g.IntN(len(r.body) + 1)
	r.body = append(append(bytes.Clone(r.body[:at]), pick(g, junk)...), r.body[at:]...)
}

// nest puts something deep into the body, or in its place.
func (g *generator) nest(r *request) {
	n := 1 << (4 + g.IntN(14))
	open := pick(g, []string{"[", `{"a":`, "<a>", "\x81", "\xa1\x61a", "a.1.", `{"Fn::If":[`})
	deep := strings.Repeat(open, n)
	if g.IntN(2) == 0 {
		r.body = []byte(deep)
		return
	}
	at := bytes.IndexByte(r.body, '"') + 1
	r.body = []byte(string(r.body[:at]) + deep + string(r.body[at:]))
}

// swell makes the body big.
func (g *generator) swell(r *request) {
	n := 1 << (10 + g.IntN(12))
	at := g.IntN(len(r.body) + 1)
	r.body = append(append(bytes.Clone(r.body[:at]), bytes.Repeat([]byte(pick(g, []string{"x", " ", "a,", `\u0000`, "&a=b", "<a/>", "\x00"})), n)...), r.body[at:]...)
}

// repeat doubles a part of the body.
func (g *generator) repeat(r *request) {
	if len(r.body) == 0 {
		return
	}
	from := g.IntN(len(r.body))
	to := from + g.IntN(len(r.body)-from)
	r.body = append(append(bytes.Clone(r.body[:to]), r.body[from:to]...), r.body[to:]...)
}

// missing announces more than comes.
func (g *generator) missing(r *request) {
	r.set("Content-Length", fmt.Sprint(len(r.body)+1+g.IntN(1<<20)))
	r.whole, r.halfClose = false, true
}

// chunks sends the body in HTTP's own chunks, not all of them right.
func (g *generator) chunks(r *request) {
	var b bytes.Buffer
	for rest := r.body; len(rest) > 0; {
		n := 1 + g.IntN(len(rest))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, rest[:n])
		rest = rest[n:]
	}
	b.WriteString("0\r\n\r\n")
	r.body = b.Bytes()
	r.set("Transfer-Encoding", "chunked")
	r.whole, r.halfClose = false, true
	if g.IntN(2) == 0 {
		pick(g, []func(*generator, *request){(*generator).flip, (*generator).cut, (*generator).insert})(g, r)
	}
}

func (g *generator) headers(r *request) {
	r.whole = false
	value := pick(g, []string{"", "x", strings.Repeat("x", 1<<g.IntN(18)), "application/json", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "-1", "0", "bytes=5-2", "bytes=-0",
		"100-continue", "gzip", "\x80\xff", "é", "Thu, 99 Foo 2099", "1/2/3/4/5", "a=b;c=d", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"})
	name := pick(g, []string{"Content-Type", "X-Amz-Target", "Authorization", "Content-Encoding", "X-Amz-Content-Sha256", "X-Amz-Decoded-Content-Length", "X-Amz-Trailer", "Expect", "Range", "If-Match",
		"If-Modified-Since", "X-Amz-Copy-Source", "X-Amz-Date", "Smithy-Protocol", "X-Amz-Security-Token", "X-Amz-Log-Type", "Origin", "Host", "X-Amzn-Trace-Id", "X-Amz-Meta-x", "X-Amz-Tagging",
		"X-Amz-Client-Context", "Content-MD5", "X-Amz-Checksum-Crc32", "Connection", "Upgrade"})
	switch g.IntN(3) {
	case 0:
		r.set(name, value)
	case 1:
		r.add(name, value)
	case 2:
		if i := g.IntN(len(r.header) + 1); i < len(r.header) {
			r.header = append(r.header[:i:i], r.header[i+1:]...)
		}
	}
}

// address changes method, path or query.
func (g *generator) address(r *request) {
	r.whole = false
	switch g.IntN(4) {
	case 0:
		r.method = pick(g, []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodHead, http.MethodPatch, http.MethodOptions, "TRACE", "BREW"})
	case 1:
		r.path = pick(g, []string{"/", "//", "/%", "/%zz", "/%00", "/../../x", "/torture", "/torture/", "/torture//a/../b", "/restapis/x/_user_request_/y", "/_newel/health", "/_newel/mail/x", "/service/a/operation/b",
			"/2015-03-31/functions/" + strings.Repeat("x", 5000), "/" + strings.Repeat("a/", 3000), "*"})
	case 2:
		at := g.IntN(len(r.path) + 1)
		r.path = r.path[:at] + pick(g, []string{"/", "%", "%2f", "%00", "+", "?", "#", "é", "{x}", "..", ";"}) + r.path[at:]
	case 3:
		r.query = pick(g, []string{"", r.query + "&", r.query + "&x=%zz", "Action=ListQueues", "Action=" + strings.Repeat("A", 4000), "list-type=2&max-keys=-5", "uploads", "uploadId=x&partNumber=99999", "versions&key-marker=%ff",
			"delete", "acl&tagging&policy", strings.Repeat("a=b&", 5000), "X-Amz-Algorithm=AWS4-HMAC-SHA256"})
	}
}

func (g *generator) host(r *request) {
	r.whole = false
	if known := g.pool["host"]; len(known) > 0 && g.IntN(3) == 0 {
		r.set("Host", pick(g, known).(string))
		return
	}
	r.set("Host", pick(g, []string{"torture.s3.amazonaws.com", "torture.s3.localhost", "a.b.c.s3.us-east-1.amazonaws.com", "abcdefghij.execute-api.us-east-1.amazonaws.com", "abcdefghij.execute-api.localhost:1",
		"sync-states.us-east-1.amazonaws.com", "evil.example.com", "", "[::1", "[::1]:99999", "127.0.0.1:" + strings.Repeat("1", 100), ".s3.amazonaws.com", "s3.localhost", "x y"}))
}

// credentials changes what a request is signed with, in the header or in the URL.
func (g *generator) credentials(r *request) {
	r.whole = false
	if g.IntN(2) == 0 {
		r.set("Authorization", pick(g, []string{"", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=", "AWS4-HMAC-SHA256 Credential=a/b/c/d/e/f", "AWS test:sig", "Basic xxx", "Bearer x",
			"AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request", "AWS4-HMAC-SHA256 Credential=999999999999/20260101/\x80/sqs/aws4_request", strings.Repeat("Credential=", 2000)}))
		return
	}
	signed := "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + pick(g, []string{"test%2F20260101%2Fus-east-1%2Fs3%2Faws4_request", "x", "", "%zz", "a/b/c/d/e/f/g"}) +
		"&X-Amz-Date=" + pick(g, []string{"20260101T000000Z", "x", ""}) + "&X-Amz-Expires=" + pick(g, []string{"900", "-1", "99999999999999999999", "x"}) +
		"&X-Amz-SignedHeaders=host&X-Amz-Signature=00&x-amz-acl=" + pick(g, []string{"private", "%0d%0a"})
	r.query = strings.TrimPrefix(r.query+"&"+signed, "&")
}

// confuse sends the body of one protocol as that of another.
func (g *generator) confuse(r *request) {
	r.whole = false
	switch g.IntN(5) {
	case 0:
		r.set("X-Amz-Target", pick(g, []string{"AWSStepFunctions.StartExecution", "DynamoDB_20120810.PutItem", "AmazonSQS.SendMessage", "AmazonSQS.", ".", "AWSEvents.PutEvents", "Logs_20140328.PutLogEvents", "x"}))
	case 1:
		r.path, r.method = "/service/GraniteServiceVersion20100801/operation/PutMetricData", http.MethodPost
		r.set("Smithy-Protocol", "rpc-v2-cbor")
	case 2:
		r.set("Content-Type", "application/x-www-form-urlencoded")
		r.body = append([]byte("Action="+pick(g, []string{"CreateStack", "Publish", "CreateRole", "AssumeRole", "PutMetricAlarm", "SendMessage", "\x00"})+"&"), r.body...)
	case 3:
		r.method, r.path = http.MethodPost, "/torture"
		r.set("Authorization", "")
		r.set("Content-Type", "multipart/form-data; boundary=b")
		r.body = []byte("--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n--b\r\nContent-Disposition: form-data; name=\"policy\"\r\n\r\n" + pick(g, []string{"e30=", "x", "eyJjb25kaXRpb25zIjpbWzFdXX0="}) +
			"\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n" + string(r.body) + "\r\n--b--\r\n")
	case 4:
		r.set("Content-Type", pick(g, []string{"application/cbor", "application/x-amz-cbor-1.1", "application/x-amz-json-1.0", "text/xml", "application/json; charset=\xff"}))
	}
}

// noise makes the head something else.
func (g *generator) noise(r *request) {
	r.whole, r.halfClose = false, true
	switch g.IntN(4) {
	case 0:
		r.method = string(g.bytes(20))
	case 1:
		r.add(string(g.bytes(10)), string(g.bytes(20)))
	case 2:
		r.set("Content-Length", pick(g, []string{"-1", "x", "99999999999999999999", "1,2", ""}))
	case 3:
		r.set("Transfer-Encoding", pick(g, []string{"gzip", "chunked, chunked", "x", ""}))
	}
}

// wire writes the request as it goes over the connection.
func (r *request) wire(host string) []byte {
	var b bytes.Buffer
	target := r.path
	if r.query != "" {
		target += "?" + r.query
	}
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", r.method, target)
	names := map[string]bool{}
	for _, h := range r.header {
		names[strings.ToLower(h[0])] = true
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	if !names["host"] {
		fmt.Fprintf(&b, "Host: %s\r\n", host)
	}
	if !names["content-length"] && !names["transfer-encoding"] {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.body))
	}
	b.WriteString("Connection: close\r\n\r\n")
	b.Write(r.body)
	return b.Bytes()
}
