package lambda

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/newel-run/newel/internal/service"
)

func node(t *testing.T, w *world, runtime, handler string, files map[string]string, payload string, members ...string) reply {
	t.Helper()
	name := "f" + regexp.MustCompile(`[^a-zA-Z0-9]`).ReplaceAllString(t.Name(), "_")
	if len(name) > 60 {
		name = name[:60]
	}
	w.try("DeleteFunction", map[string]string{"FunctionName": name})
	w.create(name, runtime, handler, files, nil)
	return w.run(name, payload, members...)
}

func TestNodeHandlers(t *testing.T) {
	needs(t, "node")
	w := newWorld(t)
	for _, c := range []struct {
		name, handler, want string
		files               map[string]string
	}{
		{"Async", "index.handler", `{"got":{"a":1}}`, map[string]string{"index.js": "exports.handler = async (event) => ({ got: event });"}},
		{"Callback", "index.handler", `"done"`, map[string]string{"index.js": "exports.handler = (event, context, callback) => { setTimeout(() => callback(null, 'done'), 1); };"}},
		{"CallbackWaitsForLoop", "index.handler", `[1,2]`, map[string]string{"index.js": "exports.handler = (event, context, callback) => { const a = [1]; setTimeout(() => a.push(2), 5); callback(null, a); };"}},
		{"CallbackDoesNotWait", "index.handler", `[1]`, map[string]string{"index.js": "exports.handler = (event, context, callback) => { context.callbackWaitsForEmptyEventLoop = false; const a = [1]; setInterval(() => {}, 1000); callback(null, a); };"}},
		{"Succeed", "index.handler", `"ok"`, map[string]string{"index.js": "exports.handler = (event, context) => context.succeed('ok');"}},
		{"Nothing", "index.handler", `null`, map[string]string{"index.js": "exports.handler = () => {};"}},
		{"Undefined", "index.handler", `null`, map[string]string{"index.js": "exports.handler = async () => {};"}},
		{"Folder", "src/buy-sell.handler", `"x"`, map[string]string{"src/buy-sell.js": "module.exports.handler = async () => 'x';"}},
		{"Nested", "index.a.b", `1`, map[string]string{"index.js": "exports.a = { b: async () => 1 };"}},
		{"ESM", "app.handler", `"esm"`, map[string]string{"app.mjs": "export const handler = async () => 'esm';"}},
		{"ESMByPackage", "app.handler", `"/"`, map[string]string{"package.json": `{"type":"module"}`, "app.js": "import path from 'node:path'; export const handler = async () => path.sep;"}},
		{"CommonJS", "app.handler", `"cjs"`, map[string]string{"package.json": `{"type":"module"}`, "app.cjs": "exports.handler = async () => 'cjs';"}},
		{"TopLevelAwait", "app.handler", `7`, map[string]string{"app.mjs": "const n = await Promise.resolve(7); export const handler = async () => n;"}},
		{"CfnResponse", "index.handler", `"SUCCESS"`, map[string]string{"index.js": "const r = require('cfn-response'); exports.handler = async () => r.SUCCESS;"}},
		{"CfnResponseImport", "index.handler", `"SUCCESS"`, map[string]string{"index.mjs": "import r from 'cfn-response'; export const handler = async () => r.SUCCESS;"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := node(t, w, "nodejs20.x", c.handler, c.files, `{"a":1}`)
			want(t, "payload", r.payload, c.want)
			want(t, "error", r.failed, "")
		})
	}
}

func TestNodeErrors(t *testing.T) {
	needs(t, "node")
	w := newWorld(t)
	for _, c := range []struct{ name, handler, source, want string }{
		{"Throw", "index.handler", "exports.handler = async () => { throw new TypeError('bad'); };",
			`^{"errorType":"TypeError","errorMessage":"bad","trace":\["TypeError: bad","    at exports\.handler \(/var/task/index\.js:1:\d+\)"`},
		{"OwnName", "index.handler", "class E extends Error { constructor(m) { super(m); this.name = 'NumberIsTooBig'; } }\nexports.handler = async () => { throw new E('n'); };",
			`^{"errorType":"NumberIsTooBig","errorMessage":"n","trace":\["NumberIsTooBig: n|^{"errorType":"NumberIsTooBig","errorMessage":"n","trace":\["Error: n`},
		{"CallbackError", "index.handler", "exports.handler = (e, c, callback) => callback(new Error('cb'));", `^{"errorType":"Error","errorMessage":"cb","trace":\["Error: cb"`},
		{"CallbackString", "index.handler", "exports.handler = (e, c, callback) => callback('boom');", `^{"errorType":"string","errorMessage":"boom","trace":\[\]}$`},
		{"Fail", "index.handler", "exports.handler = (e, c) => c.fail(new RangeError('r'));", `^{"errorType":"RangeError","errorMessage":"r",`},
		{"Module", "nope.handler", "", `^{"errorType":"Runtime\.ImportModuleError","errorMessage":"Error: Cannot find module '\./nope'\\nRequire stack:\\n- /var/task/index\.js","trace":\["Runtime\.ImportModuleError: Error: Cannot find module`},
		{"Requires", "index.handler", "require('left-out');", `^{"errorType":"Runtime\.ImportModuleError","errorMessage":"Error: Cannot find module 'left-out'\\nRequire stack:\\n- /var/task/index\.js`},
		{"Syntax", "index.handler", "exports.handler = async () => {", `^{"errorType":"Runtime\.UserCodeSyntaxError","errorMessage":"SyntaxError: Unexpected end of input","trace":\["Runtime\.UserCodeSyntaxError: SyntaxError`},
		{"NoHandler", "index.other", "exports.handler = 1;", `^{"errorType":"Runtime\.HandlerNotFound","errorMessage":"index\.other is undefined or not exported","trace":\["Runtime\.HandlerNotFound: `},
		{"NotAFunction", "index.handler", "exports.handler = 1;", `"errorMessage":"index\.handler is not a function"`},
		{"AtLoad", "index.handler", "throw new Error('early');", `^{"errorType":"Error","errorMessage":"early"`},
		{"Circular", "index.handler", "exports.handler = async () => { const a = {}; a.a = a; return a; };", `"errorMessage":"Unable to stringify response body"`},
		{"Rejection", "index.handler", "exports.handler = () => new Promise(() => { Promise.reject(new Error('lost')); });",
			`^{"errorType":"Runtime\.UnhandledPromiseRejection","errorMessage":"Error: lost","trace":\[.*"reason":{"errorType":"Error","errorMessage":"lost"`},
		{"Uncaught", "index.handler", "exports.handler = () => new Promise(() => { setTimeout(() => { throw new Error('later'); }, 1); });", `^{"errorType":"Error","errorMessage":"later"`},
		{"Exit", "index.handler", "exports.handler = async () => process.exit(4);", `"Runtime\.ExitError","errorMessage":"RequestId: \S{36} Error: Runtime exited with error: exit status 4"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := node(t, w, "nodejs18.x", c.handler, map[string]string{"index.js": c.source}, "{}")
			want(t, "X-Amz-Function-Error", r.failed, "Unhandled")
			if !regexp.MustCompile(c.want).MatchString(r.payload) {
				t.Fatalf("got %s\nwant %s", r.payload, c.want)
			}
		})
	}
}

func TestNodeContextAndLogs(t *testing.T) {
	needs(t, "node")
	w := newWorld(t)
	r := node(t, w, "nodejs22.x", "index.handler", map[string]string{"index.js": `
exports.handler = async (event, c) => {
  console.log("hello %s", "you\nthere", { a: 1 });
  console.error("oh");
  process.stdout.write("raw\n");
  const left = c.getRemainingTimeInMillis();
  return [c.functionName.length > 0, c.memoryLimitInMB, c.functionVersion, c.awsRequestId.length, left > 0 && left <= 3000,
    c.clientContext.custom.k, process.env._X_AMZN_TRACE_ID.startsWith("Root=1-"), c.invokedFunctionArn.split(":")[5]];
};`}, "{}", "LogType", "Tail", "ClientContext", "eyJjdXN0b20iOnsiayI6MX19")
	want(t, "context", r.payload, `[true,"128","$LATEST",36,true,1,true,"function"]`)
	if !regexp.MustCompile(`\n\d{4}-\S+Z\t\S{36}\tINFO\thello you\rthere { a: 1 }\n\d{4}-\S+Z\t\S{36}\tERROR\toh\nraw\nEND RequestId`).MatchString(r.tail) {
		t.Fatalf("%q", r.tail)
	}
}

// A stand-in for version 2 of the SDK: what matters is that its core is configured whichever part is loaded, and how.
var fakeSDKv2 = map[string]string{
	"node_modules/aws-sdk/package.json":       `{"name":"aws-sdk","version":"2.0.0","main":"lib/aws.js"}`,
	"node_modules/aws-sdk/lib/core.js":        "exports.reset = () => { exports.config = { update(o) { Object.assign(this, o); } }; }; exports.reset();",
	"node_modules/aws-sdk/lib/node_loader.js": "require('./core').reset();",
	"node_modules/aws-sdk/lib/aws.js":         "require('./node_loader'); module.exports = require('./core');",
	"node_modules/aws-sdk/clients/sqs.js":     "const AWS = require('../lib/core'); module.exports = class { constructor() { this.endpoint = AWS.config.endpoint; } };",
	"node_modules/aws-sdk/clients/s3/x.txt":   "",
}

func withSDK(files map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range []map[string]string{fakeSDKv2, files} {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}

func TestNodeSDKv2IsPointedHere(t *testing.T) {
	needs(t, "node")
	w := newWorld(t)
	for _, c := range []struct{ name, file, source string }{
		{"Whole", "index.js", "const AWS = require('aws-sdk'); exports.handler = async () => [AWS.config.endpoint, AWS.config.s3ForcePathStyle, AWS.config.hostPrefixEnabled];"},
		{"Client", "index.js", "const SQS = require('aws-sdk/clients/sqs'); exports.handler = async () => [new SQS().endpoint, true, false];"},
		{"Import", "index.mjs", "import AWS from 'aws-sdk'; export const handler = async () => [AWS.config.endpoint, AWS.config.s3ForcePathStyle, AWS.config.hostPrefixEnabled];"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := node(t, w, "nodejs14.x", "index.handler", withSDK(map[string]string{c.file: c.source}), "")
			want(t, "endpoint", r.payload, `["http://127.0.0.1:4566",true,false]`)
		})
	}
}

// The SDK is not in the package: it comes from the cache if it has been installed there, else the error says what to do.
func TestNodeSDKIsCarried(t *testing.T) {
	needs(t, "node")
	t.Setenv("NODE_PATH", "")
	own := t.TempDir()
	w := newWorld(t, func(c *Config, _ *service.Env) { c.CacheDir = own })
	require := map[string]string{"index.js": "const { S3Client } = require('@aws-sdk/client-not-on-this-machine'); exports.handler = async () => new S3Client().name;"}
	importing := map[string]string{"index.mjs": "import { S3Client } from '@aws-sdk/client-not-on-this-machine'; export const handler = async () => new S3Client().name;"}
	for _, files := range []map[string]string{require, importing} {
		r := node(t, w, "nodejs20.x", "index.handler", files, "")
		want(t, "type", r.json(t)["errorType"], "Runtime.ImportModuleError")
		if m := r.json(t)["errorMessage"].(string); !strings.Contains(m, "@aws-sdk/client-not-on-this-machine@3 is not on this machine and installing is forbidden (--no-install): npm install -g") {
			t.Fatal(m)
		}
	}
	dir := filepath.Join(own, "modules", "node", "@aws-sdk+client-not-on-this-machine@3", "node_modules", "@aws-sdk", "client-not-on-this-machine")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"package.json": `{"name":"x","main":"main.js"}`, "main.js": "exports.S3Client = class { name = 'from the cache'; };"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, files := range []map[string]string{require, importing} {
		want(t, "answer", node(t, w, "nodejs20.x", "index.handler", files, "").payload, `"from the cache"`)
	}
}
