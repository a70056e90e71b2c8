package e2e

import (
	"bytes"
	"encoding/base64"
	enc "encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/wire"
)

// A seeded generator of requests: inputs are made of the API models, so that they pass validation now and then and reach
// the code behind it, are written in a protocol of their service, and then damaged (mutate_test.go). A request is a
// function of its seed.

// request is one HTTP request, as bytes are made of it.
type request struct {
	name     string // "states:CreateStateMachine json"
	protocol wire.Protocol
	service  string
	method   string
	path     string
	query    string
	header   [][2]string // in order; names may repeat
	body     []byte

	whole     bool // head and framing are valid and say what the request is: the answer must be of its protocol
	halfClose bool // no more will come: the server learns that something is missing
	stall     bool // its operation may take its time
}

// generator makes the inputs of one request.
type generator struct {
	*rand.Rand
	pool map[string][]any // values for members, by lower-case name
}

// operations are those of the services that the server has.
func operations(services []string) (all []*aws.Operation, of map[*aws.Operation]*aws.Service) {
	of = map[*aws.Operation]*aws.Service{}
	for _, key := range services {
		s, ok := aws.Model(key)
		if !ok {
			continue
		}
		names := make([]string, 0, len(s.Operations))
		for name := range s.Operations {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			all = append(all, s.Operations[name])
			of[s.Operations[name]] = s
		}
	}
	return all, of
}

// stalls are the operations that answer late, by design.
var stalls = []string{"GetActivityTask", "ReceiveMessage", "StartSyncExecution", "Invoke", "TestState"}

// request makes a valid request of an operation.
func (g *generator) request(s *aws.Service, op *aws.Operation) (*request, error) {
	protocol := wire.Protocol(s.Protocols[g.IntN(len(s.Protocols))])
	var input any = map[string]any{}
	if op.Input != nil {
		input = g.value(op.Input, "", 0)
	}
	r := &request{service: s.Key, protocol: protocol, method: http.MethodPost, path: "/", whole: true, stall: slices.Contains(stalls, op.Name)}
	r.name = s.Key + ":" + op.Name + " " + string(protocol)
	r.add("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/"+s.SigningName+"/aws4_request, SignedHeaders=host, Signature=00")
	if protocol == wire.CBOR {
		r.path = "/service/" + s.TargetPrefix + "/operation/" + op.Name
		r.add("Smithy-Protocol", "rpc-v2-cbor")
		r.add("Content-Type", "application/cbor")
		r.body = appendCBOR(nil, input)
		return r, nil
	}
	text, err := json.Marshal(input)
	if err != nil {
		return nil, err
	}
	call := &wire.Call{Protocol: protocol, Service: s, Operation: op}
	m, err := wire.EncodeRequest(call, &aws.Request{Service: s.Key, Operation: op.Name, Input: text, Body: g.bytes(64)})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.name, err)
	}
	r.method, r.path, r.query, r.body = m.Method, m.Path, m.Query, m.Body
	for _, f := range m.Header {
		r.add(f.Name, strings.Map(printable, f.Value))
	}
	if r.service == "s3" {
		g.frame(r)
	}
	return r, nil
}

func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return '?'
	}
	return r
}

func (r *request) add(name, value string) { r.header = append(r.header, [2]string{name, value}) }

func (r *request) set(name, value string) {
	for i := range r.header {
		if strings.EqualFold(r.header[i][0], name) {
			r.header[i][1] = value
			return
		}
	}
	r.add(name, value)
}

// frame makes an upload one of aws-chunked, now and then.
func (g *generator) frame(r *request) {
	if r.method != http.MethodPut || g.IntN(2) == 0 {
		return
	}
	r.set("X-Amz-Decoded-Content-Length", fmt.Sprint(len(r.body)))
	var b bytes.Buffer
	for rest := r.body; len(rest) > 0; {
		n := 1 + g.IntN(len(rest))
		fmt.Fprintf(&b, "%x;chunk-signature=%064d\r\n%s\r\n", n, 0, rest[:n])
		rest = rest[n:]
	}
	fmt.Fprintf(&b, "0;chunk-signature=%064d\r\n", 0)
	if r.add("Content-Encoding", "aws-chunked"); g.IntN(2) == 0 {
		r.set("X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
		r.add("X-Amz-Trailer", "x-amz-checksum-crc32")
		b.WriteString("x-amz-checksum-crc32:AAAAAA==\r\n")
	} else {
		r.set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
	}
	r.body = append(b.Bytes(), "\r\n"...)
}

const depthMax = 6

// value makes a value of a shape.
func (g *generator) value(s *aws.Shape, name string, depth int) any {
	if v, ok := g.pooled(name, s.Type); ok {
		return v
	}
	switch s.Type {
	case "structure":
		return g.structure(s, depth)
	case "list":
		list := []any{}
		if depth < depthMax {
			for range g.IntN(4) {
				list = append(list, g.value(s.Elem.Shape, strings.TrimSuffix(name, "s"), depth+1))
			}
		}
		return list
	case "map":
		m := map[string]any{}
		if depth < depthMax {
			for range g.IntN(3) {
				m[g.text(name)] = g.value(s.Value.Shape, "", depth+1)
			}
		}
		return m
	case "boolean":
		return g.IntN(2) == 0
	case "integer", "long", "short", "byte", "bigInteger", "intEnum":
		return pick(g, []any{0, 1, 2, 3, 5, 10, 30, 60, 100, 1000, -1, math.MaxInt32, json.Number("9223372036854775807"), json.Number("-9223372036854775808")})
	case "float", "double", "bigDecimal":
		return pick(g, []any{0, 1, -1, 0.5, 100, 1e300})
	case "timestamp":
		return pick(g, []any{0, 1700000000, 1700000000.5, 4102444800, -1})
	case "blob":
		return base64.StdEncoding.EncodeToString(g.bytes(40))
	case "document":
		return map[string]any{"a": 1}
	}
	if len(s.Enum) > 0 && g.IntN(8) > 0 {
		return pick(g, s.Enum)
	}
	return g.text(name)
}

func (g *generator) structure(s *aws.Shape, depth int) any {
	out := map[string]any{}
	for i := range s.Members {
		m := &s.Members[i]
		chance := 3
		if depth >= depthMax {
			chance = 0
		}
		if slices.Contains(s.Required, m.Name) {
			chance = 19
		}
		if g.IntN(20) < chance {
			out[m.Name] = g.value(m.Shape, m.Name, depth+1)
		}
	}
	return out
}

// pooled takes a value that the server knows, so that operations find something to work on.
func (g *generator) pooled(name, kind string) (any, bool) {
	values := g.pool[strings.ToLower(name)]
	if len(values) == 0 || g.IntN(10) == 0 {
		return nil, false
	}
	v := pick(g, values)
	if _, text := v.(string); (kind == "string") != text {
		return nil, false
	}
	return v, true
}

var texts = []string{"", "a", "torture", "$.x", "{}", "[]", `{"a":[1,2,{"b":null}]}`, "arn:aws:states:us-east-1:000000000000:stateMachine:torture",
	"arn:aws:lambda:us-east-1:000000000000:function:torture", "arn:", "é☃😀", "%00%zz", "../../etc", "a/b/c", "*", "?", "$LATEST", "-1", "1e999", "true", "null", "{% $x %}"}

func (g *generator) text(name string) string {
	switch g.IntN(40) {
	case 0:
		return strings.Repeat("x", 1+g.IntN(5000))
	case 1:
		return string(g.bytes(30))
	}
	return pick(g, texts)
}

func (g *generator) bytes(most int) []byte {
	b := make([]byte, g.IntN(most+1))
	for i := range b {
		b[i] = byte(g.Uint32())
	}
	return b
}

func pick[T any](g *generator, list []T) T { return list[g.IntN(len(list))] }

// appendCBOR writes a value of a generator.
func appendCBOR(b []byte, v any) []byte {
	head := func(major byte, n int) []byte {
		return enc.BigEndian.AppendUint32(append(b, major<<5|26), uint32(n))
	}
	switch v := v.(type) {
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		b = head(5, len(v))
		for _, name := range names {
			b = appendCBOR(appendCBOR(b, name), v[name])
		}
		return b
	case []any:
		b = head(4, len(v))
		for _, e := range v {
			b = appendCBOR(b, e)
		}
		return b
	case string:
		return append(head(3, len(v)), v...)
	case bool:
		if v {
			return append(b, 0xf5)
		}
		return append(b, 0xf4)
	case int:
		if v < 0 {
			return enc.BigEndian.AppendUint64(append(b, 1<<5|27), uint64(-1-v))
		}
		return enc.BigEndian.AppendUint64(append(b, 27), uint64(v))
	case float64:
		return enc.BigEndian.AppendUint64(append(b, 0xfb), math.Float64bits(v))
	case json.Number:
		return append(b, 0x1b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	}
	return append(b, 0xf6)
}
