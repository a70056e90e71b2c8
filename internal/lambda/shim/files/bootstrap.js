"use strict";
// Newel's Node.js runtime for Lambda handlers: speaks the Lambda Runtime API over one kept connection.
// Started as: node bootstrap.js, with AWS's environment variables. File 3 is the server's control pipe.

const fs = require("fs");
const net = require("net");
const path = require("path");
const util = require("util");
const Module = require("module");
const { pathToFileURL } = require("url");
const carried = require("./carried.js");

const taskRoot = process.env.LAMBDA_TASK_ROOT;
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const prefix = "/2018-06-01/runtime/";
const major = parseInt(process.versions.node, 10);

// --- The connection.

// Connection is a kept HTTP connection that reads one answer for each request it has sent, in order.
class Connection {
  constructor() {
    this.chunks = Buffer.alloc(0);
    this.waiting = [];
    this.socket = net.connect({ host, port: Number(port), noDelay: true });
    this.socket.setNoDelay(true);
    this.socket.on("data", (part) => {
      this.chunks = this.chunks.length ? Buffer.concat([this.chunks, part]) : part;
      this.parse();
    });
    // The server has gone or has no more use for this process.
    this.socket.on("close", () => process.exit(0));
    this.socket.on("error", () => process.exit(0));
  }

  parse() {
    while (this.waiting.length) {
      const end = this.chunks.indexOf("\r\n\r\n");
      if (end < 0) return;
      const lines = this.chunks.toString("utf8", 0, end).split("\r\n");
      const headers = {};
      for (const line of lines.slice(1)) {
        const i = line.indexOf(": ");
        headers[line.slice(0, i).toLowerCase()] = line.slice(i + 2);
      }
      const stop = end + 4 + Number(headers["content-length"] || 0);
      if (this.chunks.length < stop) return;
      const body = this.chunks.toString("utf8", end + 4, stop);
      this.chunks = this.chunks.subarray(stop);
      this.waiting.shift()({ headers, body });
    }
  }

  // send writes requests in one piece; the promise is for the answer to the last of them.
  send(...requests) {
    const answers = requests.map(() => new Promise((resolve) => this.waiting.push(resolve)));
    this.socket.write(requests.join(""));
    return answers[answers.length - 1];
  }

  // idle lets the event loop end although the connection is open: that is how a callback's end is noticed.
  idle(yes) {
    if (yes) this.socket.unref();
    else this.socket.ref();
  }
}

const head = (method, where) => `${method} ${where} HTTP/1.1\r\nHost: ${host}:${port}\r\n`;
const next = head("GET", prefix + "invocation/next") + "\r\n";

function post(where, body, kind) {
  return head("POST", prefix + where) + "Content-Type: application/json\r\n" +
    (kind ? `Lambda-Runtime-Function-Error-Type: ${String(kind).replace(/[^\x20-\x7e]/g, "?")}\r\n` : "") +
    `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

// --- Errors as AWS's runtime reports them.

class RuntimeError extends Error {
  constructor(name, reason) {
    super(reason);
    this.name = name;
    if (reason instanceof Error && reason.stack) {
      this.stack = `${name}: ${reason}\n` + String(reason.stack).split("\n").filter((l) => /^\s+at /.test(l)).join("\n");
    }
  }
}

const inTask = (text) => text.split(taskRoot + path.sep).join("/var/task/");

function describe(e) {
  if (e instanceof Error || util.types.isNativeError(e)) {
    return {
      errorType: String(e.name || "Error").replace(/\x7F/g, "%7F"),
      errorMessage: inTask(String(e.message)).replace(/\x7F/g, "%7F"),
      trace: inTask(String(e.stack || "")).replace(/\x7F/g, "%7F").split("\n"),
      ...(e.name === "Runtime.UnhandledPromiseRejection" ? { reason: e.reason, promise: {} } : {}),
    };
  }
  return { errorType: typeof e, errorMessage: String(e), trace: [] };
}

// --- Logging in AWS's format.

let currentID = "undefined";

function log(level, text) {
  fs.writeSync(1, `${new Date().toISOString()}\t${currentID}\t${level}\t${text.replace(/\n/g, "\r")}\n`);
}

function setUpConsole() {
  const writer = (level) => (...args) => {
    try {
      log(level, util.format(...args));
    } catch (e) {
      if (e.code !== "EPIPE" && e.code !== "EAGAIN") throw e;
    }
  };
  console.log = writer("INFO");
  console.info = writer("INFO");
  console.warn = writer("WARN");
  console.error = writer("ERROR");
  console.debug = writer("DEBUG");
  console.trace = (...args) => {
    const e = new Error(util.format(...args));
    e.name = "Trace";
    writer("TRACE")(e.stack);
  };
  console.fatal = writer("FATAL");
}

// --- The handler.

function locate(folder, name) {
  for (const extension of ["", ".js", ".mjs", ".cjs"]) {
    const file = path.resolve(taskRoot, folder, name + extension);
    if (fs.existsSync(file) && fs.statSync(file).isFile()) return file;
  }
  return Module.createRequire(path.join(taskRoot, "index.js")).resolve(path.join("./", folder, name).replace(/^(?!\.)/, "./"));
}

async function load(name) {
  const base = path.basename(name);
  const parts = /^([^.]*)\.(.*)$/.exec(base);
  if (!parts || name.includes("..")) throw new RuntimeError("Runtime.MalformedHandlerName", "Bad handler");
  const folder = name.slice(0, name.length - base.length);
  let loaded;
  try {
    loaded = await importFile(locate(folder, parts[1]));
  } catch (e) {
    if (e instanceof SyntaxError) throw new RuntimeError("Runtime.UserCodeSyntaxError", e);
    if (e && /^(ERR_)?MODULE_NOT_FOUND$/.test(e.code)) throw new RuntimeError("Runtime.ImportModuleError", e);
    throw e;
  }
  let found = loaded;
  for (const key of parts[2].split(".")) found = found === undefined || found === null ? undefined : found[key];
  if (found === undefined && loaded && loaded.default) {
    found = parts[2].split(".").reduce((v, key) => (v === undefined || v === null ? undefined : v[key]), loaded.default);
  }
  if (!found) throw new RuntimeError("Runtime.HandlerNotFound", `${base} is undefined or not exported`);
  if (typeof found !== "function") throw new RuntimeError("Runtime.HandlerNotFound", `${base} is not a function`);
  return found;
}

// importFile loads CommonJS with require, which keeps messages and stacks as AWS's, and the rest as a module.
async function importFile(file) {
  if (file.endsWith(".mjs") || (file.endsWith(".js") && packageType(file) === "module")) {
    return import(pathToFileURL(file).href);
  }
  return Module.createRequire(path.join(taskRoot, "index.js"))(file);
}

function packageType(file) {
  for (let dir = path.dirname(file); ; dir = path.dirname(dir)) {
    try {
      return JSON.parse(fs.readFileSync(path.join(dir, "package.json"), "utf8")).type;
    } catch (e) {
      if (e.code !== "ENOENT") return undefined;
    }
    if (dir === taskRoot || dir === path.dirname(dir)) return undefined;
  }
}

function contextOf(headers, finish) {
  const env = process.env;
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  const client = headers["lambda-runtime-client-context"];
  const context = {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: client ? JSON.parse(client) : undefined,
    identity: undefined,
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    getRemainingTimeInMillis: () => Math.max(deadline - Date.now(), 0),
  };
  const now = (error, result) => {
    context.callbackWaitsForEmptyEventLoop = false;
    finish(error, result, context);
  };
  context.done = now;
  context.succeed = (result) => now(null, result);
  context.fail = (error) => now(error === undefined || error === null ? "handled" : error);
  return context;
}

// run is one invocation; the promise is for its result and fails with its error.
function run(handler, event, headers) {
  return new Promise((resolve, reject) => {
    let answered = false;
    const settle = (error, result) => {
      process.removeListener("beforeExit", atEnd);
      if (error !== undefined && error !== null) reject(error);
      else resolve(result);
    };
    let kept = [null, null];
    const atEnd = () => settle(...kept);
    const finish = (error, result, context) => {
      if (answered) return;
      answered = true;
      if (context.callbackWaitsForEmptyEventLoop && (error === undefined || error === null)) kept = [error, result];
      else settle(error, result);
    };
    process.once("beforeExit", atEnd);
    const context = contextOf(headers, finish);
    let returned;
    try {
      returned = handler(event, context, (error, result) => finish(error, result, context));
    } catch (e) {
      settle(e);
      return;
    }
    if (returned !== null && returned !== undefined && typeof returned.then === "function") {
      returned.then((v) => settle(null, v), (e) => settle(e === undefined || e === null ? String(e) : e));
    }
  });
}

function serialise(result) {
  try {
    return JSON.stringify(result === undefined ? null : result) || "null";
  } catch (e) {
    throw new Error("Unable to stringify response body");
  }
}

// --- The loop.

function failure(where, e) {
  const document = describe(e);
  log("ERROR", (where === "init/error" ? "Uncaught Exception" : "Invoke Error") + " \t" +
    JSON.stringify({ errorType: document.errorType, errorMessage: document.errorMessage, stack: document.trace }));
  let body;
  try {
    body = JSON.stringify(document);
  } catch (_) {
    body = JSON.stringify({ errorType: document.errorType, errorMessage: document.errorMessage, trace: document.trace });
  }
  return post(where, body, document.errorType);
}

async function main() {
  const connection = new Connection();
  let at = "init/error";
  const fatal = (e) => {
    connection.idle(false);
    connection.send(failure(at, e)).then(() => process.exit(at === "init/error" ? 1 : 129));
  };
  process.on("uncaughtException", fatal);
  process.on("unhandledRejection", (reason) => {
    const e = new RuntimeError("Runtime.UnhandledPromiseRejection", reason instanceof Error ? reason : String(reason));
    e.reason = reason instanceof Error ? { errorType: reason.name, errorMessage: reason.message, trace: inTask(String(reason.stack)).split("\n") } : reason;
    fatal(e);
  });
  let handler;
  try {
    handler = await load(process.env._HANDLER);
  } catch (e) {
    fatal(e);
    return;
  }
  let request = connection.send(next);
  for (;;) {
    const { headers, body } = await request;
    currentID = headers["lambda-runtime-aws-request-id"];
    process.env._X_AMZN_TRACE_ID = headers["lambda-runtime-trace-id"] || "";
    at = `invocation/${currentID}/error`;
    let answer;
    connection.idle(true);
    try {
      answer = post(`invocation/${currentID}/response`, serialise(await run(handler, JSON.parse(body), headers)));
    } catch (e) {
      answer = failure(at, e);
    }
    connection.idle(false);
    request = connection.send(answer, next); // one write, two answers
  }
}

// The control pipe ends with the server: end the whole process group.
function watch() {
  const control = new net.Socket({ fd: 3, readable: true, writable: false });
  const end = () => process.kill(-process.pid, "SIGKILL");
  control.on("end", end).on("error", end).on("data", () => {});
  control.unref();
}

setUpConsole();
watch();
carried.install({ Module, taskRoot, host, port, major });
main();
