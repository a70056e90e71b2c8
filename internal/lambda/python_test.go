package lambda

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
)

// py runs one invocation of a Python function whose module app has the given source.
func py(t *testing.T, w *world, source, payload string, members ...string) reply {
	t.Helper()
	return pyAs(t, w, "python3.12", source, payload, members...)
}

func pyAs(t *testing.T, w *world, runtime, source, payload string, members ...string) reply {
	t.Helper()
	name := "f" + regexp.MustCompile(`[^a-zA-Z0-9]`).ReplaceAllString(t.Name()+runtime, "_")
	w.try("DeleteFunction", map[string]string{"FunctionName": name})
	w.create(name, runtime, "app.handler", map[string]string{"app.py": source}, nil)
	return w.run(name, payload, members...)
}

func TestPythonErrors(t *testing.T) {
	needs(t, "python3")
	w := newWorld(t)
	id := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	for _, c := range []struct{ name, source, want string }{
		{"Exception", "def handler(event, context):\n    raise Exception('Some exception was raised.')\n",
			`{"errorMessage": "Some exception was raised.", "errorType": "Exception", "requestId": "ID", "stackTrace": ["  File \"/var/task/app.py\", line 2, in handler\n    raise Exception('Some exception was raised.')\n"]}`},
		{"OwnClass", "class CustomException(Exception):\n    def __init__(self):\n        self.message = 'x'\n\ndef deep():\n    raise CustomException()\n\ndef handler(event, context):\n    deep()\n",
			`{"errorMessage": "", "errorType": "CustomException", "requestId": "ID", "stackTrace": ["  File \"/var/task/app.py\", line 9, in handler\n    deep()\n", "  File \"/var/task/app.py\", line 6, in deep\n    raise CustomException()\n"]}`},
		{"Import", "import no_such_module\n",
			`{"errorMessage": "Unable to import module 'app': No module named 'no_such_module'", "errorType": "Runtime.ImportModuleError", "requestId": "ID", "stackTrace": []}`},
		{"HandlerNotFound", "x = 1\n",
			`{"errorMessage": "Handler 'handler' missing on module 'app'", "errorType": "Runtime.HandlerNotFound", "requestId": "ID", "stackTrace": []}`},
		{"Syntax", "def handler(event, context):\n  return 1\n    return 2\n",
			`{"errorMessage": "Syntax error in module 'app': unexpected indent (app.py, line 3)", "errorType": "Runtime.UserCodeSyntaxError", "requestId": "ID", "stackTrace": ["  File \"/var/task/app.py\" Line 3\n        return 2"]}`},
		{"Marshal", "def handler(event, context):\n    return {1, 2}\n",
			`{"errorMessage": "Unable to marshal response: Object of type set is not JSON serializable", "errorType": "Runtime.MarshalError", "requestId": "ID", "stackTrace": []}`},
		{"AtImport", "raise ValueError('early')\n",
			`{"errorMessage": "early", "errorType": "ValueError", "requestId": "ID", "stackTrace": ["  File \"/var/task/app.py\", line 1, in <module>\n    raise ValueError('early')\n"]}`},
		{"Exit", "import sys\ndef handler(event, context):\n    sys.exit(1)\n",
			`{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ID Error: Runtime exited with error: exit status 1"}`},
		{"Signal", "import os, signal\ndef handler(event, context):\n    os.kill(os.getpid(), signal.SIGKILL)\n",
			`{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ID Error: Runtime exited with error: signal: killed"}`},
		{"TooLarge", "def handler(event, context):\n    return 'x' * (6 * 1024 * 1024 + 200)\n",
			`{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes)."}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := py(t, w, c.source, "{}")
			want(t, "X-Amz-Function-Error", r.failed, "Unhandled")
			want(t, "payload", id.ReplaceAllString(r.payload, "ID"), c.want)
		})
	}
	t.Run("Malformed", func(t *testing.T) {
		w.create("m", "python3.12", "app", map[string]string{"app.py": ""}, nil)
		want(t, "type", w.run("m", "").json(t)["errorType"], "Runtime.MalformedHandlerName")
	})
	t.Run("OldTrace", func(t *testing.T) {
		r := pyAs(t, w, "python2.7", "def handler(event, context):\n    raise Exception('x')\n", "")
		want(t, "payload", r.payload, `{"errorMessage": "x", "errorType": "Exception", "stackTrace": [["/var/task/app.py", 2, "handler", "raise Exception('x')"]]}`)
	})
}

func TestPythonResults(t *testing.T) {
	needs(t, "python3")
	w := newWorld(t)
	want(t, "bytes", py(t, w, "def handler(e, c):\n    return b'\"Hi\"'\n", "").payload, `"Hi"`)
	want(t, "decimal and text", py(t, w, "import decimal\ndef handler(e, c):\n    return [decimal.Decimal('1.5'), 'é', None, True]\n", "").payload, `[1.5, "é", null, true]`)
	want(t, "text of older runtimes", pyAs(t, w, "python3.11", "def handler(e, c):\n    return 'é'\n", "").payload, `"\u00e9"`)
}

func TestPythonContextAndEnvironment(t *testing.T) {
	needs(t, "python3")
	os.Setenv("NEWEL_TEST_SECRET", "x")
	defer os.Unsetenv("NEWEL_TEST_SECRET")
	w := newWorld(t)
	w.create("my-fn", "python3.12", "pkg/my-mod.handler", map[string]string{"pkg/my-mod.py": `
import os, time
def handler(event, c):
    left = c.get_remaining_time_in_millis()
    assert 0 < left <= 3000, left
    assert os.environ["LAMBDA_TASK_ROOT"] == os.getcwd()
    assert "NEWEL_TEST_SECRET" not in os.environ
    assert os.environ["_X_AMZN_TRACE_ID"].startswith("Root=1-")
    assert c.identity.cognito_identity_id is None
    keys = ["AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION", "_HANDLER", "TZ", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_EXECUTION_ENV",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_DISABLE_HOST_PREFIX_INJECTION"]
    return [c.function_name, c.memory_limit_in_mb, c.function_version, c.log_group_name, c.client_context.custom["k"],
            c.client_context.client.app_title, len(c.aws_request_id), time.tzname[0]] + [os.environ[k] for k in keys]
`}, nil)
	r := w.run("my-fn", "", "ClientContext", "eyJjdXN0b20iOnsiayI6MX0sImNsaWVudCI6eyJhcHBfdGl0bGUiOiJ0In19")
	want(t, "context", r.payload, `["my-fn", "128", "$LATEST", "/aws/lambda/my-fn", 1, "t", 36, "UTC", "my-fn", "us-east-1", "pkg/my-mod.handler", ":UTC", "http://127.0.0.1:4566", "000000000000", "AWS_Lambda_python3.12", "128", "true"]`)
}

func TestPythonLogs(t *testing.T) {
	needs(t, "python3")
	w := newWorld(t)
	r := py(t, w, `
import logging, sys
logging.getLogger().setLevel("INFO")
def handler(event, context):
    print("one")
    logging.info("two")
    sys.stderr.write("three\n")
    sys.stdout.write("no line break")
    raise KeyError("k")
`, "", "LogType", "Tail")
	for _, re := range []string{
		`^START RequestId: \S+ Version: \$LATEST\none\n\[INFO\]\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t\S{36}\ttwo\nthree\n`,
		`no line break\[ERROR\] KeyError: 'k'\nTraceback \(most recent call last\):\n  File "/var/task/app\.py", line 9, in handler\n`,
		`\nEND RequestId: \S+\nREPORT RequestId: \S+\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\t(Max Memory Used: \d+ MB\t)?Init Duration: [\d.]+ ms\t\n$`,
	} {
		if !regexp.MustCompile(re).MatchString(r.tail) {
			t.Fatalf("no match for %s in\n%s", re, r.tail)
		}
	}
	if !strings.Contains(w.lines.all(), "three") {
		t.Fatal("the sink got nothing")
	}
	long := py(t, w, "def handler(e, c):\n    for i in range(1000):\n        print('line', i)\n", "", "LogType", "Tail")
	if len(long.tail) != 4096 || !strings.Contains(long.tail, "line 999\n") {
		t.Fatalf("tail of %d bytes: %s", len(long.tail), long.tail)
	}
}

func TestTimeoutKillsTheGroup(t *testing.T) {
	needs(t, "python3")
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	// The grandchild holds the FIFO open: reading it ends only when the grandchild is gone.
	source := `
import subprocess, time
def handler(event, context):
    if event == "hang":
        subprocess.Popen(["sh", "-c", "exec sleep 600 >" + ` + "'" + fifo + "'" + `])
        print("before the end")
        time.sleep(600)
    return "fine"
`
	over := map[string]any{"Timeout": 1}
	w.create("new", "python3.12", "app.handler", map[string]string{"app.py": source}, over)
	gone := make(chan error, 1)
	go func() {
		f, err := os.Open(fifo) // waits for the grandchild
		if err == nil {
			_, err = f.Read(make([]byte, 1)) // waits for its end
			f.Close()
		}
		gone <- err
	}()
	r := w.run("new", `"hang"`, "LogType", "Tail")
	if !regexp.MustCompile(`^{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: \S{36} Error: Task timed out after 1.00 seconds"}$`).MatchString(r.payload) {
		t.Fatal(r.payload)
	}
	if !strings.Contains(r.tail, "before the end\n") || !regexp.MustCompile(`\dZ \S{36} Task timed out after 1\.00 seconds\n`).MatchString(r.tail) {
		t.Fatal(r.tail)
	}
	if err := <-gone; err == nil || err.Error() != "EOF" {
		t.Fatal(err)
	}
	want(t, "afterwards", w.run("new", `1`).payload, `"fine"`)

	w.create("old", "python3.7", "app.handler", map[string]string{"app.py": "import time\ndef handler(e, c):\n    time.sleep(600)\n"}, over)
	r = w.run("old", ``)
	if !regexp.MustCompile(`^{"errorMessage":"\d{4}-\S+Z \S{36} Task timed out after 1.00 seconds"}$`).MatchString(r.payload) {
		t.Fatal(r.payload)
	}
}

func TestHangingInitTimesOut(t *testing.T) {
	needs(t, "python3")
	w := newWorld(t, func(c *Config, _ *service.Env) { c.InitLimit = 1 })
	w.create("f", "python3.12", "app.handler", map[string]string{"app.py": "import time\ntime.sleep(600)\n"}, map[string]any{"Timeout": 1})
	want(t, "type", w.run("f", "").json(t)["errorType"], "Sandbox.Timedout")
}

// fakeAWS records the operations that clients call.
func fakeAWS(t *testing.T) (url string, seen chan string) {
	seen = make(chan string, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Method + " " + r.URL.Path + " " + r.Header.Get("X-Amz-Target") + " " + r.Header.Get("Authorization")
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.Write([]byte(`{"TableNames":["from-the-fake"]}`))
	}))
	t.Cleanup(srv.Close)
	return srv.URL, seen
}

func endpoint(url string) option {
	return func(_ *Config, e *service.Env) { e.BaseURL = func() string { return url } }
}

func TestBoto3ReachesTheServer(t *testing.T) {
	needs(t, "python3")
	if exec.Command("python3", "-c", "import boto3").Run() != nil {
		t.Skip("SKIPPED: boto3 is not on this machine")
	}
	url, seen := fakeAWS(t)
	w := newWorld(t, endpoint(url))
	r := py(t, w, "import boto3\ndef handler(e, c):\n    return boto3.client('dynamodb').list_tables()['TableNames']\n", "")
	want(t, "tables", r.payload, `["from-the-fake"]`)
	if got := <-seen; !strings.Contains(got, "POST / DynamoDB_20120810.ListTables") || !strings.Contains(got, "Credential=000000000000/") || !strings.Contains(got, "/us-east-1/dynamodb/") {
		t.Fatal(got)
	}
}

// TestOldBotocore packages a stand-in for a botocore of before 1.31 with the function, which wins over the machine's.
func TestOldBotocore(t *testing.T) {
	needs(t, "python3")
	w := newWorld(t)
	w.create("f", "python3.8", "app.handler", map[string]string{
		"botocore/__init__.py": "__version__ = '1.20.0'\n",
		"botocore/config.py":   "class Config:\n    def __init__(self, **k):\n        self._user_provided_options = k\n    def merge(self, other):\n        return Config(**dict(self._user_provided_options, **other._user_provided_options))\n",
		"botocore/session.py": `
class Session:
    def create_client(self, service_name, region_name=None, api_version=None, use_ssl=True, verify=None, endpoint_url=None,
                      aws_access_key_id=None, aws_secret_access_key=None, aws_session_token=None, config=None):
        return [service_name, endpoint_url, config and config._user_provided_options]
`,
		"app.py": `
import botocore.session, botocore.config
def handler(e, c):
    s = botocore.session.Session()
    return [s.create_client("sqs"), s.create_client("sqs", endpoint_url="http://mine"),
            s.create_client("s3", config=botocore.config.Config(retries=1))]
`,
	}, nil)
	want(t, "clients", w.run("f", "").payload,
		`[["sqs", "http://127.0.0.1:4566", {"inject_host_prefix": false}], ["sqs", "http://mine", null], ["s3", "http://127.0.0.1:4566", {"inject_host_prefix": false, "retries": 1}]]`)
}

func TestCfnResponseIsCarried(t *testing.T) {
	needs(t, "python3")
	w := newWorld(t)
	want(t, "module", py(t, w, "import cfnresponse\ndef handler(e, c):\n    return cfnresponse.SUCCESS\n", "").payload, `"SUCCESS"`)
}

func TestWarmReuseAndRetirement(t *testing.T) {
	needs(t, "python3")
	w := newWorld(t)
	source := "import os\nn = 0\ndef handler(e, c):\n    global n\n    n += 1\n    return [os.getpid(), n]\n"
	w.create("f", "python3.12", "app.handler", map[string]string{"app.py": source}, nil)
	first := w.run("f", "").payload
	second := w.run("f", "").payload
	pid := strings.Split(first, ",")[0]
	want(t, "first", first, pid+", 1]")
	want(t, "second", second, pid+", 2]")
	w.do("TagResource", map[string]any{"Resource": "arn:aws:lambda:us-east-1:000000000000:function:f", "Tags": map[string]string{"a": "b"}})
	want(t, "tags do not retire", w.run("f", "").payload, pid+", 3]")
	w.do("UpdateFunctionConfiguration", map[string]any{"FunctionName": "f", "Timeout": 5})
	if third := w.run("f", "").payload; !strings.HasSuffix(third, ", 1]") {
		t.Fatal("the worker should have been replaced: " + third)
	}
}

func TestCodeFromS3(t *testing.T) {
	needs(t, "python3")
	pkg := zipOf(t, map[string]string{"a.py": "def h(e, c):\n    return 's3'\n"})
	w := newWorld(t, func(_ *Config, e *service.Env) {
		e.Caller = aws.CallerFunc(func(_ context.Context, r *aws.Request) (*aws.Output, error) {
			if r.Service == "s3" && string(r.Input) == `{"Bucket":"b","Key":"k"}` {
				return &aws.Output{Body: pkg}, nil
			}
			return nil, &aws.Error{Code: "NoSuchKey", Message: "The specified key does not exist.", Status: 404}
		})
	})
	w.create("f", "python3.12", "a.h", nil, map[string]any{"Code": map[string]string{"S3Bucket": "b", "S3Key": "k"}})
	want(t, "answer", w.run("f", "").payload, `"s3"`)
	_, err := w.try("UpdateFunctionCode", map[string]any{"FunctionName": "f", "S3Bucket": "b", "S3Key": "other"})
	wantError(t, err, "InvalidParameterValueException", 400, "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.")
}

func fifo(t *testing.T) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(p, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}
