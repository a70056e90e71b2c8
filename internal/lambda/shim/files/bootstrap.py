"""Newel's Python runtime for Lambda handlers: speaks the Lambda Runtime API over one kept connection.

Started as: python bootstrap.py, with AWS's environment variables. File 3 is the server's control pipe.
"""
import os
import sys

# This folder must not shadow the handler's modules.
sys.path[:] = [p for p in sys.path if os.path.abspath(p or ".") != os.path.dirname(os.path.abspath(__file__))]

import decimal
import importlib
import importlib.abc
import importlib.machinery
import json
import logging
import signal
import socket
import threading
import time
import traceback

TASK_ROOT = os.environ["LAMBDA_TASK_ROOT"]
RUNTIME = os.environ.get("AWS_EXECUTION_ENV", "").rpartition("_")[2]
HOST, _, PORT = os.environ["AWS_LAMBDA_RUNTIME_API"].rpartition(":")
PREFIX = "/2018-06-01/runtime/"


def version_of(runtime):
    try:
        return tuple(int(x) for x in runtime.replace("python", "").split("."))
    except ValueError:
        return (3, 99)


VERSION = version_of(RUNTIME)


# --- The connection.

class Connection:
    """A kept HTTP connection that reads one answer for each request it has sent, in order."""

    def __init__(self):
        self.sock = socket.create_connection((HOST, int(PORT)))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buf = b""

    def send(self, data):
        self.sock.sendall(data)

    def more(self):
        part = self.sock.recv(65536)
        if not part:
            os._exit(0)  # the server has gone or has no more use for this process
        self.buf += part

    def receive(self):
        """Returns (status, headers with lower-case names, body)."""
        while True:
            end = self.buf.find(b"\r\n\r\n")
            if end >= 0:
                break
            self.more()
        lines = self.buf[:end].decode("utf-8").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        stop = end + 4 + int(headers.get("content-length", 0))
        while len(self.buf) < stop:
            self.more()
        body, self.buf = self.buf[end + 4:stop], self.buf[stop:]
        return int(lines[0].split(" ", 2)[1]), headers, body


def get(path):
    return ("GET %s HTTP/1.1\r\nHost: %s:%s\r\n\r\n" % (path, HOST, PORT)).encode()


def post(path, body, kind=None):
    head = "POST %s HTTP/1.1\r\nHost: %s:%s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % (path, HOST, PORT, len(body))
    if kind:
        head += "Lambda-Runtime-Function-Error-Type: %s\r\n" % kind.encode("ascii", "replace").decode()
    return (head + "\r\n").encode() + body


NEXT = get(PREFIX + "invocation/next")


# --- Errors as AWS's runtime reports them.

class Fault(Exception):
    def __init__(self, kind, message, trace=None):
        super().__init__(message)
        self.kind, self.message, self.trace = kind, message, trace or []


def in_task(path):
    """A path as the function would see it on AWS."""
    if path == TASK_ROOT or path.startswith(TASK_ROOT + os.sep):
        return "/var/task" + path[len(TASK_ROOT):]
    return path


def frames(tb):
    """The traceback's entries without this file's own and the import system's before the first of the function's."""
    found = traceback.extract_tb(tb)
    while found and (found[0].filename == __file__ or "importlib" in found[0].filename):
        found = found[1:]
    return found


def trace_of(tb):
    if VERSION < (3, 7):
        return [[in_task(f.filename), f.lineno, f.name, f.line] for f in frames(tb)]
    return ['  File "%s", line %d, in %s\n' % (in_task(f.filename), f.lineno, f.name) + ("    %s\n" % f.line if f.line else "")
            for f in frames(tb)]


def describe(error, request_id):
    """Returns (type, error document) of an exception."""
    if isinstance(error, Fault):
        kind, message, trace = error.kind, error.message, error.trace
    else:
        kind, message, trace = type(error).__name__, str(error), trace_of(error.__traceback__)
    document = {"errorMessage": message, "errorType": kind}
    if VERSION >= (3, 8):
        document["requestId"] = request_id
    document["stackTrace"] = trace
    return kind, document


def log_error(document):
    text = "[ERROR] %s: %s" % (document["errorType"], document["errorMessage"])
    trace = document["stackTrace"]
    if trace:
        text += "\nTraceback (most recent call last):\n" + "".join(t if isinstance(t, str) else "%r\n" % (t,) for t in trace)
    sys.stdout.write(text.rstrip("\n") + "\n")


class Encoder(json.JSONEncoder):
    def default(self, o):
        if isinstance(o, decimal.Decimal):
            return float(o)
        if isinstance(o, (bytes, bytearray)):
            return o.decode("utf-8")
        return super().default(o)


encode = Encoder(ensure_ascii=VERSION < (3, 12)).encode


# --- The context object.

class CognitoIdentity:
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self):
        self.cognito_identity_id = None
        self.cognito_identity_pool_id = None


class Client:
    __slots__ = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")


class ClientContext:
    __slots__ = ("custom", "env", "client")

    def __init__(self, data):
        self.custom = data.get("custom")
        self.env = data.get("env")
        self.client = None
        if "client" in data:
            self.client = Client()
            for name in Client.__slots__:
                setattr(self.client, name, (data["client"] or {}).get(name))


class LambdaContext:
    def __init__(self, headers):
        self.aws_request_id = headers["lambda-runtime-aws-request-id"]
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = headers["lambda-runtime-invoked-function-arn"]
        client = headers.get("lambda-runtime-client-context")
        try:
            self.client_context = ClientContext(json.loads(client)) if client else None
        except Exception as e:
            raise Fault("Runtime.LambdaContextUnmarshalError", "Unable to parse Client Context JSON: %s" % e)
        self.identity = CognitoIdentity()
        self._deadline = int(headers["lambda-runtime-deadline-ms"])

    def get_remaining_time_in_millis(self):
        return max(self._deadline - int(time.time() * 1000), 0)

    def log(self, msg):
        sys.stdout.write(str(msg))

    def __repr__(self):
        return "LambdaContext([%s])" % ",".join("%s=%s" % (k, v) for k, v in self.__dict__.items() if not k.startswith("_"))


# --- Logging in AWS's format.

current = {"id": ""}


class Filter(logging.Filter):
    def filter(self, record):
        record.aws_request_id = current["id"]
        return True


def set_up_logging():
    logging.Formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S"))
    handler.addFilter(Filter())
    logging.getLogger().addHandler(handler)


# --- What AWS's runtime carries, and the way of the SDK to this server.

CARRIED = {"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six"}


class CarriedFinder(importlib.abc.MetaPathFinder):
    """The last finder: asks the server where a module is that AWS's runtime has and neither the package nor this Python."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname == "cfnresponse":
            where = os.path.join(os.path.dirname(os.path.abspath(__file__)), "carried")
        elif path is None and fullname in CARRIED:
            c = Connection()
            c.send(get("/newel/module?name=boto3"))
            status, _, body = c.receive()
            c.sock.close()
            if status != 200:
                raise ModuleNotFoundError("No module named '%s'. %s" % (fullname, body.decode("utf-8")), name=fullname)
            where = body.decode("utf-8")
            if where not in sys.path:
                sys.path.append(where)  # for the modules that it imports in turn
        else:
            return None
        return importlib.machinery.PathFinder.find_spec(fullname, [where], target)


class PatchingLoader(importlib.abc.Loader):
    def __init__(self, inner, patch):
        self.inner, self.patch = inner, patch

    def create_module(self, spec):
        return self.inner.create_module(spec)

    def exec_module(self, module):
        self.inner.exec_module(module)
        self.patch(module)

    def __getattr__(self, name):
        return getattr(self.inner, name)


class SessionFinder(importlib.abc.MetaPathFinder):
    """The first finder: versions of botocore before 1.31 ignore AWS_ENDPOINT_URL, so session creation is patched."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname != "botocore.session":
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = PatchingLoader(spec.loader, patch_session)
                return spec
        return None


def patch_session(module):
    inner = module.Session.create_client

    def create_client(self, service_name, region_name=None, api_version=None, use_ssl=True, verify=None, endpoint_url=None,
                      *args, **kwargs):
        ignored = os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true"
        if endpoint_url is None and not ignored:
            key = "AWS_ENDPOINT_URL_" + service_name.upper().replace("-", "_").replace(" ", "_")
            endpoint_url = os.environ.get(key) or os.environ.get("AWS_ENDPOINT_URL") or None
            if endpoint_url is not None and len(args) < 4:
                # Old versions put "sync-" and the like before the host, which here is an address.
                from botocore.config import Config
                plain = Config(inject_host_prefix=False)
                given = kwargs.get("config")
                kwargs["config"] = plain.merge(given) if given is not None else plain
        return inner(self, service_name, region_name, api_version, use_ssl, verify, endpoint_url, *args, **kwargs)

    def older_than(limit):
        import botocore
        try:
            return tuple(int(x) for x in botocore.__version__.split(".")[:2]) < limit
        except ValueError:
            return False

    if older_than((1, 36)):  # since then AWS_ENDPOINT_URL and AWS_DISABLE_HOST_PREFIX_INJECTION suffice
        module.Session.create_client = create_client


# --- The handler.

def load(name):
    module_name, dot, function = name.rpartition(".")
    if not dot:
        raise Fault("Runtime.MalformedHandlerName", "Bad handler '%s': not enough values to unpack (expected 2, got 1)" % name)
    dotted = module_name.replace("/", ".")
    if dotted.split(".")[0] in sys.builtin_module_names:
        raise Fault("Runtime.BuiltInModuleConflict", "Cannot use built-in module %s as a handler module" % module_name)
    try:
        module = importlib.import_module(dotted)
    except ImportError as e:
        raise Fault("Runtime.ImportModuleError", "Unable to import module '%s': %s" % (module_name, e))
    except SyntaxError as e:
        trace = ['  File "%s" Line %s\n    %s' % (in_task(e.filename or ""), e.lineno, (e.text or "").rstrip("\n"))]
        raise Fault("Runtime.UserCodeSyntaxError", "Syntax error in module '%s': %s" % (module_name, e), trace)
    try:
        return getattr(module, function)
    except AttributeError:
        raise Fault("Runtime.HandlerNotFound", "Handler '%s' missing on module '%s'" % (function, module_name))


def invoke(handler, headers, body):
    """Runs one invocation and returns the request that answers it."""
    request_id = current["id"] = headers["lambda-runtime-aws-request-id"]
    if headers.get("lambda-runtime-trace-id"):
        os.environ["_X_AMZN_TRACE_ID"] = headers["lambda-runtime-trace-id"]
    path = PREFIX + "invocation/" + request_id
    try:
        if isinstance(handler, Exception):
            raise handler
        try:
            event = json.loads(body.decode("utf-8"))
        except Exception as e:
            raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: %s" % e)
        result = handler(event, LambdaContext(headers))
        try:
            # bytes are the answer as they are, as in AWS's runtime
            answer = result if isinstance(result, bytes) and VERSION >= (3,) else encode(result).encode("utf-8")
        except Exception as e:
            raise Fault("Runtime.MarshalError", "Unable to marshal response: %s" % e)
    except Exception as e:
        kind, document = describe(e, request_id)
        log_error(document)
        answer = post(path + "/error", json.dumps(document, ensure_ascii=VERSION < (3, 12)).encode("utf-8", "surrogatepass"), kind)
    else:
        answer = post(path + "/response", answer)
    sys.stdout.flush()
    sys.stderr.flush()
    return answer


def watch(fd):
    """Ends the whole process group with the server."""
    try:
        while os.read(fd, 1):
            pass
    except OSError:
        return
    os.killpg(0, signal.SIGKILL)


def main():
    os.set_inheritable(3, False)
    threading.Thread(target=watch, args=(3,), daemon=True).start()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    sys.path.insert(0, TASK_ROOT)
    sys.argv = [os.path.join(TASK_ROOT, "bootstrap.py")]
    sys.meta_path.insert(0, SessionFinder())
    sys.meta_path.append(CarriedFinder())
    set_up_logging()
    try:
        handler = load(os.environ["_HANDLER"])
    except Exception as e:  # reported with the invocation that waits
        handler = e
    connection = Connection()
    connection.send(NEXT)
    _, headers, body = connection.receive()
    while not isinstance(handler, Exception):
        connection.send(invoke(handler, headers, body) + NEXT)  # one write, two answers
        connection.receive()
        _, headers, body = connection.receive()
    connection.send(invoke(handler, headers, body))
    connection.receive()
    os._exit(1)


main()
