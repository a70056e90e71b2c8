"""Makes one call after the other with boto3 and prints what it saw, one JSON object a line.

Reads a JSON list of [service, method, arguments] from standard input. Bytes are written {"$bytes": base64}, in both
directions, and times {"$time": ISO-8601}.
"""
import base64
import datetime
import json
import sys

import boto3
import botocore.config
import botocore.exceptions
import botocore.response

endpoint = sys.argv[1]
config = botocore.config.Config(retries={"max_attempts": 0}, parameter_validation=False, inject_host_prefix=False, s3={"addressing_style": "path"})


def decode(value):
    if set(value) == {"$bytes"}:
        return base64.b64decode(value["$bytes"])
    if set(value) == {"$time"}:
        return datetime.datetime.fromisoformat(value["$time"])
    return value


def encode(value):
    if isinstance(value, botocore.response.StreamingBody):
        value = value.read()
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, datetime.datetime):
        return {"$time": value.astimezone(datetime.timezone.utc).isoformat()}
    if hasattr(value, "read"):
        return encode(value.read())
    if hasattr(value, "value"):
        return {"$bytes": base64.b64encode(value.value).decode()}
    return str(value)


clients = {}
for service, method, arguments in json.load(sys.stdin, object_hook=decode):
    if service not in clients:
        clients[service] = boto3.client(
            service, endpoint_url=endpoint, region_name="eu-west-1", config=config,
            aws_access_key_id="123456789012", aws_secret_access_key="secret")
    try:
        answer = getattr(clients[service], method)(**arguments)
        seen = {"status": answer.pop("ResponseMetadata")["HTTPStatusCode"], "answer": answer}
    except botocore.exceptions.ClientError as e:
        seen = {"status": e.response["ResponseMetadata"]["HTTPStatusCode"], "error": e.response["Error"]["Code"],
                "message": e.response["Error"]["Message"], "type": type(e).__name__}
    print(json.dumps(seen, default=encode, sort_keys=True), flush=True)
