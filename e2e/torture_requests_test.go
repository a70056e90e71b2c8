package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/aws/wire"
)

// TestTortureRequests sends damaged requests of every operation in every protocol. Whatever comes, the server answers (or
// closes the connection) soon, with an error of the protocol's shape and none that is its own fault, logs no error, goes
// on, and lets the memory go. NEWEL_TORTURE_SEED sends one request again and shows it.
func TestTortureRequests(t *testing.T) {
	t.Parallel()
	requests, seed := uint64(4000), uint64(1)
	if full() {
		requests = 30_000
	}
	s := newServer(t)
	s.start()
	services := s.services()
	f := &fuzzing{server: s, pool: s.populate()}
	f.operations, f.of = operations(services)
	f.probe()
	if text := os.Getenv("NEWEL_TORTURE_SEED"); text != "" {
		one, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		f.show = true
		seed, requests = one, 1
	}
	began := time.Now()
	before := s.residentMB()
	var next atomic.Uint64
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for n := next.Add(1) - 1; n < requests && f.failures.Load() < 20; n = next.Add(1) - 1 {
				f.send(seed + n)
			}
		})
	}
	clients.Wait()
	peak := s.peakMB()
	s.mustBeHealthy()
	// What the requests held is let go: the runtime gives memory back to the system within some seconds.
	s.eventually("the memory returns", func() bool { return s.residentMB() < before+250 })
	for _, line := range strings.Split(s.stderr.String(), "\n") {
		if strings.Contains(line, "level=ERROR") || strings.Contains(line, "panic") || strings.Contains(line, "goroutine ") {
			t.Errorf("the server's log: %.3000s", line)
		}
	}
	report(t, "damaged requests", "%d of %d operations (of which the server has %d) in %.0f s, answers %s; %d MB before, %d at most, %d after", requests, len(f.operations), len(f.here), time.Since(began).Seconds(), f.tally(), before, peak, s.residentMB())
}

// fuzzing is a run of damaged requests against a server.
type fuzzing struct {
	*server
	operations []*aws.Operation // of the API models
	here       []*aws.Operation // that the server has
	of         map[*aws.Operation]*aws.Service
	pool       map[string][]any
	show       bool
	failures   atomic.Int32

	mu     sync.Mutex
	counts map[string]int
}

func (f *fuzzing) count(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counts == nil {
		f.counts = map[string]int{}
	}
	f.counts[what]++
}

// probe finds out which operations the server has.
func (f *fuzzing) probe() {
	for _, op := range f.operations {
		g := &generator{Rand: rand.New(rand.NewPCG(1, 1))}
		s := f.of[op]
		r, err := g.request(s, &aws.Operation{Name: op.Name, Method: op.Method, URI: op.URI, HostPrefix: op.HostPrefix})
		if err == nil {
			for _, label := range strings.FieldsFunc(r.path, func(c rune) bool { return c == '/' }) {
				r.path = strings.Replace(r.path, label, strings.Trim(label, "{}+"), 1)
			}
			answer, _, err := f.exchange(r)
			if err == nil && answer.StatusCode != http.StatusNotImplemented {
				f.here = append(f.here, op)
			}
		}
	}
	f.counts = nil
}

// fail reports a failure; after twenty the run ends.
func (f *fuzzing) fail(format string, args ...any) {
	f.t.Helper()
	f.failures.Add(1)
	f.t.Errorf(format, args...)
}

func (f *fuzzing) tally() string {
	var list []string
	for what, n := range f.counts {
		list = append(list, fmt.Sprintf("%s %d", what, n))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// send sends the request of a seed and looks at the answer.
func (f *fuzzing) send(seed uint64) {
	g := &generator{rand.New(rand.NewPCG(seed, 7)), f.pool}
	op := pick(g, f.operations)
	if len(f.here) > 0 && g.IntN(20) > 0 {
		op = pick(g, f.here)
	}
	r, err := g.request(f.of[op], op)
	if err != nil {
		f.count("not sent")
		return
	}
	g.mutate(r)
	if f.show {
		f.t.Logf("%s\n%.4000q", r.name, r.wire(f.listen))
	}
	answer, body, err := f.exchange(r)
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		if f.count("late"); !r.stall {
			f.fail("seed %d: %s: no answer", seed, r.name)
		}
		return
	case err != nil:
		f.count("closed")
		if r.whole {
			f.fail("seed %d: %s: closed: %v", seed, r.name, err)
		}
		return
	}
	if f.show {
		f.t.Logf("%s %v\n%.2000s", answer.Status, answer.Header, body)
	}
	f.count(strconv.Itoa(answer.StatusCode/100) + "xx")
	if answer.StatusCode >= 500 && answer.StatusCode != http.StatusNotImplemented && answer.StatusCode != http.StatusServiceUnavailable {
		f.fail("seed %d: %s: %s %.500s", seed, r.name, answer.Status, body)
	}
	if answer.StatusCode >= 400 && r.whole && r.method != http.MethodHead {
		if problem := misshapen(r.protocol, answer, body); problem != "" {
			f.fail("seed %d: %s: %s: %s %v %.500s", seed, r.name, problem, answer.Status, answer.Header, body)
		}
	}
}

// exchange sends a request over a connection of its own and reads the answer.
func (f *fuzzing) exchange(r *request) (*http.Response, []byte, error) {
	c, err := net.Dial("tcp", f.listen)
	if err != nil {
		f.t.Errorf("the server takes no connection: %v", err)
		return nil, nil, err
	}
	defer c.Close()
	limit := 20 * time.Second
	if r.stall {
		limit = time.Second
	}
	_ = c.SetDeadline(time.Now().Add(limit))
	sent := make(chan struct{})
	go func() { // the server may answer before it has read everything
		defer close(sent)
		_, _ = c.Write(r.wire(f.listen))
		if r.halfClose {
			_ = c.(*net.TCPConn).CloseWrite()
		}
	}()
	defer func() { <-sent }()
	in := bufio.NewReader(c)
	for {
		answer, err := http.ReadResponse(in, &http.Request{Method: r.method})
		if err != nil {
			return nil, nil, err
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode >= 200 {
			return answer, body, err
		}
	}
}

// misshapen says what is wrong about an error answer of a protocol.
func misshapen(p wire.Protocol, answer *http.Response, body []byte) string {
	kind := answer.Header.Get("Content-Type")
	switch p {
	case wire.JSON:
		var e struct {
			Type string `json:"__type"`
		}
		if !strings.HasPrefix(kind, "application/x-amz-json-1.") || json.Unmarshal(body, &e) != nil || e.Type == "" {
			return "no error of the JSON protocol"
		}
	case wire.RESTJSON:
		if kind != "application/json" || answer.Header.Get("X-Amzn-Errortype") == "" || !json.Valid(body) {
			return "no error of REST-JSON"
		}
	case wire.CBOR:
		if kind != "application/cbor" || answer.Header.Get("Smithy-Protocol") != "rpc-v2-cbor" {
			return "no error of RPC v2 CBOR"
		}
	default:
		if !strings.HasSuffix(kind, "/xml") || !bytes.Contains(body, []byte("<Code>")) {
			return "no error in XML"
		}
	}
	return ""
}

// services lists what the server has.
func (s *server) services() (names []string) {
	resp, err := http.Get("http://" + s.listen + "/_newel/health")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var health struct{ Services map[string]string }
	if err := json.NewDecoder(resp.Body).Decode(&health); err != nil {
		s.t.Fatal(err)
	}
	for name := range health.Services {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// populate makes something of everything, and returns the values by which requests name it.
func (s *server) populate() map[string][]any {
	const account, definition = "000000000000", `{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}`
	role := "arn:aws:iam::" + account + ":role/torture"
	js := func(service, target string, in any) {
		s.t.Helper()
		version := "1.0"
		if service == "events" || service == "logs" || service == "kms" || service == "ssm" || service == "secretsmanager" {
			version = "1.1"
		}
		if err := s.call(service, map[string]string{"Content-Type": "application/x-amz-json-" + version, "X-Amz-Target": target}, "/", in, nil); err != nil {
			s.t.Fatal(err)
		}
	}
	js("states", "AWSStepFunctions.CreateStateMachine", map[string]any{"name": "torture", "definition": definition, "roleArn": role})
	js("states", "AWSStepFunctions.CreateActivity", map[string]any{"name": "torture"})
	js("sqs", "AmazonSQS.CreateQueue", map[string]any{"QueueName": "torture"})
	js("dynamodb", "DynamoDB_20120810.CreateTable", map[string]any{"TableName": "torture", "BillingMode": "PAY_PER_REQUEST", "KeySchema": []any{map[string]any{"AttributeName": "k", "KeyType": "HASH"}},
		"AttributeDefinitions": []any{map[string]any{"AttributeName": "k", "AttributeType": "S"}}})
	js("logs", "Logs_20140328.CreateLogGroup", map[string]any{"logGroupName": "torture"})
	js("logs", "Logs_20140328.CreateLogStream", map[string]any{"logGroupName": "torture", "logStreamName": "torture"})
	js("events", "AWSEvents.PutRule", map[string]any{"Name": "torture", "EventPattern": `{"source":["x"]}`})
	js("ssm", "AmazonSSM.PutParameter", map[string]any{"Name": "torture", "Value": "x", "Type": "String"})
	js("secretsmanager", "secretsmanager.CreateSecret", map[string]any{"Name": "torture", "SecretString": "x"})
	if _, err := s.object(http.MethodPut, "/torture", nil); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.object(http.MethodPut, "/torture/torture", []byte("an object")); err != nil {
		s.t.Fatal(err)
	}
	var api struct{ ID string }
	s.must(s.call("apigateway", map[string]string{"Content-Type": "application/json"}, "/restapis", map[string]any{"name": "torture"}, &api))
	var key struct{ KeyMetadata struct{ KeyID string } }
	s.must(s.json("kms", "TrentService.CreateKey", map[string]any{}, &key))
	s.must(s.json("sqs", "AmazonSQS.SendMessage", map[string]any{"QueueUrl": "http://" + s.listen + "/" + account + "/torture", "MessageBody": "x"}, nil))
	var received struct {
		Messages []struct{ ReceiptHandle string }
	}
	s.must(s.json("sqs", "AmazonSQS.ReceiveMessage", map[string]any{"QueueUrl": "http://" + s.listen + "/" + account + "/torture"}, &received))
	begun, err := s.object(http.MethodPost, "/torture/parts?uploads", nil)
	s.must(err)
	_, upload, _ := strings.Cut(string(begun), "<UploadId>")
	upload, _, _ = strings.Cut(upload, "<")
	machine, queue := "arn:aws:states:us-east-1:"+account+":stateMachine:torture", "http://"+s.listen+"/"+account+"/torture"
	item := map[string]any{"k": map[string]any{"S": "x"}, "n": map[string]any{"N": "1"}}
	pool := map[string][]any{
		"statemachinearn": {machine}, "executionarn": {strings.Replace(machine, "stateMachine", "execution", 1) + ":torture"}, "activityarn": {"arn:aws:states:us-east-1:" + account + ":activity:torture"},
		"definition": {definition, `{"StartAt":"A","States":{"A":{"Type":"Map","End":true,"ItemProcessor":` + definition + `}}}`, `{"QueryLanguage":"JSONata",` + definition[1:]},
		"input":      {"{}", `{"a":[1,2,3]}`}, "rolearn": {role}, "role": {role}, "queueurl": {queue}, "topicarn": {"arn:aws:sns:us-east-1:" + account + ":torture"}, "bucket": {"torture"}, "key": {"torture", item},
		"tablename": {"torture"}, "item": {item}, "loggroupname": {"torture"}, "logstreamname": {"torture"}, "rule": {"torture"}, "secretid": {"torture"}, "functionname": {"torture"},
		"templatebody": {`{"Resources":{"Q":{"Type":"AWS::SQS::Queue"}}}`, `{"Resources":{"A":{"Type":"AWS::SNS::Topic","DependsOn":"A"}}}`, "Resources: {A: {Type: !Sub x}}"}, "stackname": {"torture"},
		"assumerolepolicydocument": {`{"Version":"2012-10-17","Statement":[]}`}, "policydocument": {`{"Version":"2012-10-17","Statement":[]}`}, "eventpattern": {`{"source":["x"]}`, `{"a":[{"numeric":[">",1]}]}`},
		"keyconditionexpression": {"k = :k", "k = :k AND begins_with(r, :r)"}, "filterexpression": {"n > :k", "attribute_exists(n)"}, "updateexpression": {"SET n = n + :k", "ADD n :k REMOVE z"},
		"conditionexpression": {"attribute_not_exists(k)"}, "expressionattributevalues": {map[string]any{":k": map[string]any{"S": "x"}}},
		"detail": {`{"a":1}`}, "source": {"x"}, "endpoint": {"arn:aws:sqs:us-east-1:" + account + ":torture"}, "protocol": {"sqs", "lambda", "email"}, "scheduleexpression": {"rate(1 day)", "cron(0 12 * * ? *)"},
		"restapiid": {api.ID}, "keyid": {key.KeyMetadata.KeyID, "alias/aws/s3"}, "receipthandle": {received.Messages[0].ReceiptHandle}, "uploadid": {upload},
		"host": {api.ID + ".execute-api.us-east-1.amazonaws.com", api.ID + ".execute-api.localhost"}, "waittimeseconds": {0}, "httpendpoint": {"http://127.0.0.1:1/"}, "invocationendpoint": {"http://127.0.0.1:1/"}, "authorizationendpoint": {"http://127.0.0.1:1/"},
	}
	for _, name := range []string{"name", "queuename", "groupname", "username", "rolename", "policyname", "alarmname", "dashboardname", "aliasname"} {
		pool[name] = []any{"torture"}
	}
	return pool
}
