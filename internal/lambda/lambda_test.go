package lambda

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/lambda/runtime"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
	"go.uber.org/goleak"
)

const (
	testAccount = "000000000000"
	testRegion  = "us-east-1"
	testRole    = "arn:aws:iam::000000000000:role/r"
)

// world is a service on a store in memory.
type world struct {
	*Service
	t     testing.TB
	store store.Store
	lines *lines
}

// lines is a LogSink that keeps what it gets.
type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) WriteLog(_ *runtime.Spec, _ string, _ time.Time, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, line)
}

func (l *lines) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.text, "\n")
}

var cache = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "newel-lambda-test-")
	if err != nil {
		panic(err)
	}
	return dir
})

func TestMain(m *testing.M) {
	code := m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.RemoveAll(cache())
	os.Exit(code)
}

type option func(*Config, *service.Env)

func newWorld(t testing.TB, options ...option) *world {
	t.Helper()
	st := memory.New(memory.Options{})
	w := open(t, st, options...)
	t.Cleanup(func() { st.Close() })
	return w
}

func open(t testing.TB, st store.Store, options ...option) *world {
	t.Helper()
	l := new(lines)
	cfg := Config{CacheDir: cache(), LogSink: l, NoInstall: true, RetryDelays: []time.Duration{0}}
	env := &service.Env{Store: st, Now: time.Now, Log: slog.New(slog.DiscardHandler), Account: testAccount, Region: testRegion,
		BaseURL: func() string { return "http://127.0.0.1:4566" }}
	for _, o := range options {
		o(&cfg, env)
	}
	w := &world{Service: New(env, cfg), t: t, store: st, lines: l}
	if err := w.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func needs(t testing.TB, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("SKIPPED: %s is not on this machine", program)
	}
}

func zipOf(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for name, text := range files {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		h.SetMode(0o644)
		if strings.HasPrefix(text, "#!") {
			h.SetMode(0o755)
		}
		f, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func (w *world) try(operation string, input any) (map[string]any, error) {
	w.t.Helper()
	b, err := json.Marshal(input)
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := w.Call(context.Background(), &aws.Request{Service: "lambda", Operation: operation, Account: testAccount, Region: testRegion, Input: b})
	if err != nil {
		return nil, err
	}
	b, err = service.Marshal(out.Value)
	if err != nil {
		w.t.Fatal(err)
	}
	var m map[string]any
	if err = json.Unmarshal(b, &m); err != nil {
		w.t.Fatal(err)
	}
	return m, nil
}

func (w *world) do(operation string, input any) map[string]any {
	w.t.Helper()
	m, err := w.try(operation, input)
	if err != nil {
		w.t.Fatalf("%s: %v", operation, err)
	}
	return m
}

// create makes a function; over overrides members of the input.
func (w *world) create(name, rt, handler string, files map[string]string, over map[string]any) map[string]any {
	w.t.Helper()
	in := map[string]any{"FunctionName": name, "Runtime": rt, "Handler": handler, "Role": testRole,
		"Code": map[string]any{"ZipFile": zipOf(w.t, files)}}
	for k, v := range over {
		in[k] = v
	}
	return w.do("CreateFunction", in)
}

type reply struct {
	status  int
	payload string
	failed  string // X-Amz-Function-Error
	tail    string
}

func (r reply) json(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(r.payload), &m); err != nil {
		t.Fatalf("%v in %s", err, r.payload)
	}
	return m
}

func (w *world) call(name, payload string, members ...string) (reply, error) {
	in := map[string]string{"FunctionName": name}
	for i := 0; i < len(members); i += 2 {
		in[members[i]] = members[i+1]
	}
	b, _ := json.Marshal(in)
	out, err := w.Call(context.Background(), &aws.Request{Service: "lambda", Operation: "Invoke", Account: testAccount, Region: testRegion, Input: b, Body: []byte(payload)})
	if err != nil {
		return reply{}, err
	}
	tail, _ := base64.StdEncoding.DecodeString(out.Header.Get("X-Amz-Log-Result"))
	return reply{out.Status, string(out.Body), out.Header.Get("X-Amz-Function-Error"), string(tail)}, nil
}

func (w *world) run(name, payload string, members ...string) reply {
	w.t.Helper()
	r, err := w.call(name, payload, members...)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func wantError(t *testing.T, err error, code string, status int, message string) {
	t.Helper()
	var e *aws.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want %s", err, code)
	}
	if e.Code != code || e.HTTPStatus() != status || !strings.Contains(e.Message, message) {
		t.Fatalf("got %s %d %q, want %s %d %q", e.Code, e.HTTPStatus(), e.Message, code, status, message)
	}
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func TestLifeOfAFunction(t *testing.T) {
	needs(t, "python3")
	w := newWorld(t)
	c := w.create("f", "python2.7", "app.handler", map[string]string{"app.py": "def handler(event, context):\n    return {'got': event}\n"},
		map[string]any{"Environment": map[string]any{"Variables": map[string]string{"A_B": "1"}}, "Tags": map[string]string{"k": "v"}})
	want(t, "arn", c["FunctionArn"], "arn:aws:lambda:us-east-1:000000000000:function:f")
	want(t, "state", c["State"], "Active")
	want(t, "timeout", c["Timeout"], 3)
	if _, err := time.Parse("2006-01-02T15:04:05.000+0000", c["LastModified"].(string)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"f", "f:$LATEST", "000000000000:function:f", c["FunctionArn"].(string), c["FunctionArn"].(string) + ":$LATEST"} {
		r := w.run(name, `{"n": 23141324213452132000}`)
		want(t, "answer under "+name, r.payload, `{"got": {"n": 23141324213452132000}}`)
	}
	want(t, "empty payload", w.run("f", "").payload, `{"got": {}}`)
	want(t, "dry run", w.run("f", "", "InvocationType", "DryRun").status, 204)

	_, err := w.try("CreateFunction", map[string]any{"FunctionName": "f", "Runtime": "python3.12", "Handler": "a.b", "Role": testRole,
		"Code": map[string]any{"ZipFile": zipOf(t, map[string]string{"a.py": ""})}})
	wantError(t, err, "ResourceConflictException", 409, "Function already exist: f")

	g := w.do("GetFunction", map[string]string{"FunctionName": "f"})
	want(t, "sha", g["Configuration"].(map[string]any)["CodeSha256"], c["CodeSha256"])
	want(t, "tags", g["Tags"], map[string]any{"k": "v"})
	u := w.do("UpdateFunctionCode", map[string]any{"FunctionName": "f", "ZipFile": zipOf(t, map[string]string{"app.py": "def handler(e, c):\n    return 'new'\n"})})
	if u["RevisionId"] == c["RevisionId"] || u["CodeSha256"] == c["CodeSha256"] {
		t.Fatal("revision and hash should have changed")
	}
	want(t, "after update", w.run("f", "").payload, `"new"`)
	w.do("UpdateFunctionConfiguration", map[string]any{"FunctionName": "f", "Handler": "app.missing"})
	want(t, "after configuration", w.run("f", "").json(t)["errorType"], "Runtime.HandlerNotFound")
	w.do("DeleteFunction", map[string]string{"FunctionName": "f"})
	_, err = w.call("f", "")
	wantError(t, err, "ResourceNotFoundException", 404, "Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST")
	_, err = w.try("GetFunction", map[string]string{"FunctionName": "f"})
	wantError(t, err, "ResourceNotFoundException", 404, "Function not found: arn:aws:lambda:us-east-1:000000000000:function:f")
	_, err = w.try("DeleteFunction", map[string]string{"FunctionName": "f"})
	wantError(t, err, "ResourceNotFoundException", 404, "Function not found")
}

func TestForeignARN(t *testing.T) {
	needs(t, "python3")
	w := newWorld(t)
	w.create("f", "python3.9", "a.h", map[string]string{"a.py": "def h(e, c):\n    return c.invoked_function_arn\n"}, nil)
	foreign := "arn:aws:lambda:eu-west-1:304000509264:function:f"
	want(t, "foreign", w.run(foreign, "").payload, `"arn:aws:lambda:us-east-1:000000000000:function:f"`)
	w.cfg.StrictARNs = true
	_, err := w.call(foreign, "")
	wantError(t, err, "ResourceNotFoundException", 404, foreign)
}

func TestValidation(t *testing.T) {
	w := newWorld(t)
	good := zipOf(t, map[string]string{"a.py": ""})
	for _, c := range []struct {
		over    map[string]any
		code    string
		message string
	}{
		{map[string]any{"Runtime": "cobol85"}, "InvalidParameterValueException", "Value cobol85 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: ["},
		{map[string]any{"Runtime": "java21"}, "InvalidParameterValueException", "no runtime for java"},
		{map[string]any{"Runtime": nil}, "InvalidParameterValueException", "Runtime and Handler are mandatory parameters"},
		{map[string]any{"Role": "me"}, "ValidationException", "1 validation error detected: Value 'me' at 'role' failed to satisfy constraint"},
		{map[string]any{"Timeout": 901}, "ValidationException", "Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900"},
		{map[string]any{"MemorySize": 1}, "ValidationException", "Value '1' at 'memorySize'"},
		{map[string]any{"FunctionName": "a b"}, "ValidationException", "at 'functionName' failed to satisfy constraint"},
		{map[string]any{"Code": map[string]any{}}, "InvalidParameterValueException", "Please provide a source for function code."},
		{map[string]any{"Code": map[string]any{"ZipFile": []byte("nonsense")}}, "InvalidParameterValueException", "Could not unzip uploaded file. Please check your file, then try to upload again."},
		{map[string]any{"Layers": []string{"arn:x"}}, "InvalidParameterValueException", "layers"},
		{map[string]any{"Environment": map[string]any{"Variables": map[string]string{"AWS_REGION": "x"}}}, "InvalidParameterValueException", "Reserved keys used in this request: AWS_REGION"},
		{map[string]any{"Environment": map[string]any{"Variables": map[string]string{"LONG": strings.Repeat("x", 4096)}}}, "InvalidParameterValueException", "exceeded the 4KB limit"},
	} {
		in := map[string]any{"FunctionName": "f", "Runtime": "python3.12", "Handler": "a.h", "Role": testRole, "Code": map[string]any{"ZipFile": good}}
		for k, v := range c.over {
			in[k] = v
		}
		_, err := w.try("CreateFunction", in)
		wantError(t, err, c.code, 400, c.message)
	}
}

func TestZipThatEscapesIsRefused(t *testing.T) {
	w := newWorld(t)
	_, err := w.try("CreateFunction", map[string]any{"FunctionName": "f", "Runtime": "python3.12", "Handler": "a.h", "Role": testRole,
		"Code": map[string]any{"ZipFile": zipOf(t, map[string]string{"../evil.py": "x"})}})
	wantError(t, err, "InvalidParameterValueException", 400, `entry "../evil.py" lies outside the package`)
}

func TestInvokeChecksItsInput(t *testing.T) {
	w := newWorld(t)
	w.create("f", "python3.12", "a.h", map[string]string{"a.py": ""}, nil)
	for _, c := range []struct {
		payload string
		members []string
		code    string
		status  int
		message string
	}{
		{"{", nil, "InvalidRequestContentException", 400, "Could not parse request body into json"},
		{`"` + strings.Repeat("x", payloadMax) + `"`, nil, "RequestEntityTooLargeException", 413, "Request must be smaller than 6291456 bytes"},
		{`"` + strings.Repeat("x", eventPayloadMax) + `"`, []string{"InvocationType", "Event"}, "RequestEntityTooLargeException", 413, "1048578 byte payload is too large for the Event invocation type"},
		{"", []string{"InvocationType", "Maybe"}, "ValidationException", 400, "[Event, RequestResponse, DryRun]"},
		{"", []string{"Qualifier", "7"}, "ResourceNotFoundException", 404, "Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:7"},
		{"", []string{"ClientContext", "%"}, "InvalidRequestContentException", 400, "Client context must be a valid Base64-encoded JSON object."},
	} {
		_, err := w.call("f", c.payload, c.members...)
		wantError(t, err, c.code, c.status, c.message)
	}
}

func TestListPages(t *testing.T) {
	w := newWorld(t)
	files := map[string]string{"a.py": ""}
	for _, n := range []string{"f-1", "f-10", "f-2"} {
		w.create(n, "python3.12", "a.h", files, nil)
	}
	var got []string
	marker := ""
	for {
		in := map[string]any{"MaxItems": 2}
		if marker != "" {
			in["Marker"] = marker
		}
		out := w.do("ListFunctions", in)
		for _, f := range out["Functions"].([]any) {
			got = append(got, f.(map[string]any)["FunctionName"].(string))
		}
		if out["NextMarker"] == nil {
			break
		}
		marker = out["NextMarker"].(string)
	}
	want(t, "names", got, []string{"f-1", "f-10", "f-2"})
}

func TestPolicyTagsConcurrency(t *testing.T) {
	w := newWorld(t)
	arn := w.create("f", "python3.12", "a.h", map[string]string{"a.py": ""}, nil)["FunctionArn"].(string)
	in := map[string]any{"FunctionName": "f", "StatementId": "s1", "Action": "lambda:InvokeFunction", "Principal": "sns.amazonaws.com", "SourceArn": "arn:aws:sns:us-east-1:000000000000:t"}
	w.do("AddPermission", in)
	_, err := w.try("AddPermission", in)
	wantError(t, err, "ResourceConflictException", 409, "The statement id (s1) provided already exists")
	want(t, "policy", w.do("GetPolicy", map[string]string{"FunctionName": "f"})["Policy"],
		`{"Version":"2012-10-17","Id":"default","Statement":[{"Sid":"s1","Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"`+arn+`","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:sns:us-east-1:000000000000:t"}}}]}`)
	w.do("RemovePermission", map[string]any{"FunctionName": "f", "StatementId": "s1"})
	_, err = w.try("GetPolicy", map[string]string{"FunctionName": "f"})
	wantError(t, err, "ResourceNotFoundException", 404, "The resource you requested does not exist.")

	w.do("TagResource", map[string]any{"Resource": arn, "Tags": map[string]string{"a": "1", "b": "2"}})
	w.do("UntagResource", map[string]any{"Resource": arn, "TagKeys": []string{"a"}})
	want(t, "tags", w.do("ListTags", map[string]any{"Resource": arn})["Tags"], map[string]any{"b": "2"})

	w.do("PutFunctionConcurrency", map[string]any{"FunctionName": "f", "ReservedConcurrentExecutions": 0})
	_, err = w.call("f", "")
	wantError(t, err, "TooManyRequestsException", 429, "Rate Exceeded.")
	var e *aws.Error
	errors.As(err, &e)
	want(t, "reason", e.Fields["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded")
}

func TestCodeLargerThanAChunk(t *testing.T) {
	needs(t, "python3")
	w := newWorld(t)
	noise := make([]byte, 3<<20)
	for i, x := 0, uint32(1); i < len(noise); i++ {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	files := map[string]string{"a.py": "import os\ndef h(e, c):\n    return os.path.getsize('noise')\n", "noise": string(noise)}
	w.create("f", "python3.12", "a.h", files, nil)
	want(t, "size", w.run("f", "").payload, fmt.Sprint(len(noise)))
	b, err := w.Code(context.Background(), testAccount, testRegion, "f", "")
	if err != nil || len(b) < len(noise) {
		t.Fatal(len(b), err)
	}
	w.do("UpdateFunctionCode", map[string]any{"FunctionName": "f", "ZipFile": zipOf(t, map[string]string{"a.py": "x"})})
	var chunks int
	err = w.store.View(context.Background(), w.PartitionOf(testAccount, testRegion, ""), func(r store.Reader) error {
		k := codeKey(identity{testAccount, testRegion, "f"})
		for range r.Scan(k, k.End(), false) {
			chunks++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "chunks after the update", chunks, 1)
}

func TestProvidedRuntime(t *testing.T) {
	needs(t, "curl")
	w := newWorld(t)
	w.create("f", "provided.al2023", "any", map[string]string{"bootstrap": `#!/bin/sh
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime
while :; do
  event=$(curl -sS -D headers.$$ "$api/invocation/next") || exit 0
  id=$(tr -d '\r' <headers.$$ | sed -n 's/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: //p')
  rm -f headers.$$
  echo "working on $event"
  case $event in
    *fail*) curl -sS -X POST "$api/invocation/$id/error" -H 'Lambda-Runtime-Function-Error-Type: Mine' -d '{"errorMessage":"no","errorType":"Mine"}' ;;
    *die*) exit 3 ;;
    *) curl -sS -X POST "$api/invocation/$id/response" -d "{\"echo\":$event}" ;;
  esac
done
`}, nil)
	r := w.run("f", `{"a":1}`, "LogType", "Tail")
	want(t, "answer", r.payload, `{"echo":{"a":1}}`)
	if !strings.Contains(r.tail, "working on {\"a\":1}\n") || !strings.HasPrefix(r.tail, "START RequestId: ") || !strings.Contains(r.tail, "\nREPORT RequestId: ") {
		t.Fatalf("tail: %q", r.tail)
	}
	r = w.run("f", `"fail"`)
	want(t, "error", r.payload+r.failed, `{"errorMessage":"no","errorType":"Mine"}Unhandled`)
	r = w.run("f", `"die"`)
	want(t, "exit", r.json(t)["errorType"], "Runtime.ExitError")
	if m := r.json(t)["errorMessage"].(string); !strings.HasSuffix(m, " Error: Runtime exited with error: exit status 3") || !strings.HasPrefix(m, "RequestId: ") {
		t.Fatal(m)
	}
	want(t, "after the crash", w.run("f", `2`).payload, `{"echo":2}`)
	w.create("none", "provided", "any", map[string]string{"README": ""}, nil)
	want(t, "no bootstrap", w.run("none", ``).json(t)["errorType"], "Runtime.InvalidEntrypoint")
}

func TestMissingInterpreter(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *service.Env) {
		c.Runtimes = map[string]string{"nodejs": filepath.Join(t.TempDir(), "no-node")}
	})
	w.create("f", "nodejs20.x", "a.h", map[string]string{"a.js": ""}, nil)
	_, err := w.call("f", "")
	wantError(t, err, "InvalidRuntimeException", 502, "needs Node.js")
}
