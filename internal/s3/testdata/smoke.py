"""Drives S3 by boto3: python3 smoke.py URL [verified]. Prints ok, or what differs."""
import hashlib
import io
import os
import sys
import threading
import urllib.error
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.client import Config
from botocore.exceptions import ClientError

URL = sys.argv[1]
VERIFIED = sys.argv[2:] == ["verified"]


def client(**config):
    return boto3.client("s3", endpoint_url=URL, region_name="us-east-1", aws_access_key_id="123456789012",
                        aws_secret_access_key="secret", config=Config(retries={"max_attempts": 1}, **config))


s3 = client()


def same(got, want, what=""):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def fails(code, status, call, **args):
    try:
        call(**args)
    except ClientError as e:
        same((e.response["Error"]["Code"], e.response["ResponseMetadata"]["HTTPStatusCode"]), (code, status), call.__name__)
        return e.response
    raise AssertionError(f"{call.__name__} did not fail with {code}")


def buckets():
    s3.create_bucket(Bucket="one")
    s3.create_bucket(Bucket="one")  # us-east-1 forgives
    s3.create_bucket(Bucket="two", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    fails("BucketAlreadyOwnedByYou", 409, s3.create_bucket, Bucket="two", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    fails("InvalidBucketName", 400, s3.create_bucket, Bucket="UPPER")
    same([b["Name"] for b in s3.list_buckets()["Buckets"]], ["one", "two"], "list_buckets")
    same(s3.get_bucket_location(Bucket="one")["LocationConstraint"], None, "location")
    same(s3.get_bucket_location(Bucket="two")["LocationConstraint"], "eu-west-1", "location")
    same(s3.head_bucket(Bucket="two")["BucketRegion"], "eu-west-1", "head_bucket")
    fails("404", 404, s3.head_bucket, Bucket="nowhere")
    e = fails("NoSuchBucket", 404, s3.list_objects_v2, Bucket="nowhere")
    same(e["Error"]["Message"], "The specified bucket does not exist")
    same(e["Error"]["BucketName"], "nowhere")
    fails("AccessDenied", 403, s3.list_objects_v2, Bucket="one", ExpectedBucketOwner="999999999999")
    s3.delete_bucket(Bucket="two")
    fails("NoSuchBucket", 404, s3.delete_bucket, Bucket="two")


def configurations():
    b = {"Bucket": "one"}
    fails("NoSuchTagSet", 404, s3.get_bucket_tagging, **b)
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    s3.put_bucket_tagging(**b, Tagging={"TagSet": tags})
    same(s3.get_bucket_tagging(**b)["TagSet"], tags)
    s3.delete_bucket_tagging(**b)
    fails("NoSuchTagSet", 404, s3.get_bucket_tagging, **b)
    fails("NoSuchBucketPolicy", 404, s3.get_bucket_policy, **b)
    fails("MalformedPolicy", 400, s3.put_bucket_policy, **b, Policy="no")
    policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}]}'
    s3.put_bucket_policy(**b, Policy=policy)
    same(s3.get_bucket_policy(**b)["Policy"], policy)
    s3.delete_bucket_policy(**b)
    same(s3.get_public_access_block(**b)["PublicAccessBlockConfiguration"]["BlockPublicAcls"], True)
    s3.put_public_access_block(**b, PublicAccessBlockConfiguration={"BlockPublicAcls": False})
    same(s3.get_public_access_block(**b)["PublicAccessBlockConfiguration"],
         {"BlockPublicAcls": False, "IgnorePublicAcls": False, "BlockPublicPolicy": False, "RestrictPublicBuckets": False})
    s3.delete_public_access_block(**b)
    fails("NoSuchPublicAccessBlockConfiguration", 404, s3.get_public_access_block, **b)
    rule = s3.get_bucket_encryption(**b)["ServerSideEncryptionConfiguration"]["Rules"][0]
    same(rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256")
    cors = [{"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["*"], "MaxAgeSeconds": 5}]
    fails("NoSuchCORSConfiguration", 404, s3.get_bucket_cors, **b)
    s3.put_bucket_cors(**b, CORSConfiguration={"CORSRules": cors})
    same(s3.get_bucket_cors(**b)["CORSRules"], cors)
    s3.delete_bucket_cors(**b)
    rules = [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 3}}]
    fails("NoSuchLifecycleConfiguration", 404, s3.get_bucket_lifecycle_configuration, **b)
    s3.put_bucket_lifecycle_configuration(**b, LifecycleConfiguration={"Rules": rules})
    same(s3.get_bucket_lifecycle_configuration(**b)["Rules"], rules)
    s3.delete_bucket_lifecycle(**b)
    same(s3.get_bucket_versioning(**b).get("Status"), None)
    s3.put_bucket_versioning(**b, VersioningConfiguration={"Status": "Suspended"})
    same(s3.get_bucket_versioning(**b)["Status"], "Suspended")
    fails("NotImplemented", 501, s3.put_bucket_versioning, **b, VersioningConfiguration={"Status": "Enabled"})
    e = fails("NotImplemented", 501, s3.put_bucket_website, **b, WebsiteConfiguration={"IndexDocument": {"Suffix": "i"}})
    assert "PutBucketWebsite" in e["Error"]["Message"], e
    fails("NoSuchWebsiteConfiguration", 404, s3.get_bucket_website, **b)
    fails("ObjectLockConfigurationNotFoundError", 404, s3.get_object_lock_configuration, **b)
    fails("ReplicationConfigurationNotFoundError", 404, s3.get_bucket_replication, **b)
    same(s3.get_bucket_ownership_controls(**b)["OwnershipControls"]["Rules"][0]["ObjectOwnership"], "BucketOwnerEnforced")
    same(s3.get_bucket_acl(**b)["Grants"][0]["Permission"], "FULL_CONTROL")
    fails("AccessControlListNotSupported", 400, s3.put_bucket_acl, **b, ACL="public-read")
    same(s3.get_bucket_request_payment(**b)["Payer"], "BucketOwner")
    assert "LoggingEnabled" not in s3.get_bucket_logging(**b)
    assert "Status" not in s3.get_bucket_accelerate_configuration(**b)
    assert "QueueConfigurations" not in s3.get_bucket_notification_configuration(**b)
    s3.put_bucket_notification_configuration(**b, NotificationConfiguration={"EventBridgeConfiguration": {}})
    same(s3.get_bucket_notification_configuration(**b)["EventBridgeConfiguration"], {})
    s3.put_bucket_notification_configuration(**b, NotificationConfiguration={})
    assert "EventBridgeConfiguration" not in s3.get_bucket_notification_configuration(**b)
    fails("InvalidArgument", 400, s3.put_bucket_notification_configuration, **b, NotificationConfiguration={
        "QueueConfigurations": [{"QueueArn": "arn:aws:sqs:us-east-1:123456789012:q", "Events": ["s3:Nonsense"]}]})


def objects():
    for key in ["plain", "a b/c+d&é<>.txt", "/leading", "folder/", "dots/../x", "%41", "a//b"]:
        body = os.urandom(1000) + key.encode()
        etag = '"%s"' % hashlib.md5(body).hexdigest()
        same(s3.put_object(Bucket="one", Key=key, Body=body)["ETag"], etag, key)
        got = s3.get_object(Bucket="one", Key=key)
        same((got["Body"].read(), got["ETag"], got["ContentLength"], got["ContentType"]), (body, etag, len(body), "binary/octet-stream"), key)
    listed = s3.list_objects_v2(Bucket="one")
    same([o["Key"] for o in listed["Contents"]], sorted(["plain", "a b/c+d&é<>.txt", "/leading", "folder/", "dots/../x", "%41", "a//b"], key=lambda k: k.encode()))
    s3.put_object(Bucket="one", Key="full", Body=b"0123456789", ContentType="text/x", CacheControl="no-cache", ContentDisposition="inline",
                  ContentEncoding="gzip", ContentLanguage="de", Expires="Wed, 21 Oct 2026 07:28:00 GMT", Metadata={"Key": "Value", "x-y": "z"},
                  StorageClass="STANDARD_IA", Tagging="t=1&u=2")
    h = s3.head_object(Bucket="one", Key="full")
    same((h["ContentType"], h["CacheControl"], h["ContentDisposition"], h["ContentEncoding"], h["ContentLanguage"], h["Metadata"], h["StorageClass"],
          h["ServerSideEncryption"], h["AcceptRanges"], h["ContentLength"], h["ExpiresString"]),
         ("text/x", "no-cache", "inline", "gzip", "de", {"key": "Value", "x-y": "z"}, "STANDARD_IA", "AES256", "bytes", 10, "Wed, 21 Oct 2026 07:28:00 GMT"))
    fails("404", 404, s3.head_object, Bucket="one", Key="nothing")
    e = fails("NoSuchKey", 404, s3.get_object, Bucket="one", Key="nothing")
    same((e["Error"]["Message"], e["Error"]["Key"]), ("The specified key does not exist.", "nothing"))
    got = s3.get_object(Bucket="one", Key="full", ResponseContentType="a/b", ResponseCacheControl="x")
    same((got["ContentType"], got["CacheControl"]), ("a/b", "x"))
    same(s3.put_object(Bucket="one", Key="empty")["ETag"], '"d41d8cd98f00b204e9800998ecf8427e"')
    same(s3.get_object(Bucket="one", Key="empty")["Body"].read(), b"")
    fails("KeyTooLongError", 400, s3.put_object, Bucket="one", Key="k" * 1025, Body=b"")
    fails("NoSuchBucket", 404, s3.put_object, Bucket="nowhere", Key="k", Body=b"x")


def ranges_and_conditions():
    g = lambda **a: s3.get_object(Bucket="one", Key="full", **a)
    for r, want, cr in [("bytes=2-4", b"234", "bytes 2-4/10"), ("bytes=7-", b"789", "bytes 7-9/10"), ("bytes=-3", b"789", "bytes 7-9/10"), ("bytes=0-99", b"0123456789", "bytes 0-9/10")]:
        got = g(Range=r)
        same((got["Body"].read(), got["ContentRange"], got["ResponseMetadata"]["HTTPStatusCode"]), (want, cr, 206), r)
    e = fails("InvalidRange", 416, g, Range="bytes=10-")
    same(e["Error"]["ActualObjectSize"], "10")
    same(g(Range="bytes=4-2")["Body"].read(), b"0123456789")
    h = s3.head_object(Bucket="one", Key="full")
    etag, modified = h["ETag"], h["LastModified"]
    same(g(IfMatch=etag)["ETag"], etag)
    fails("PreconditionFailed", 412, g, IfMatch='"x"')
    same(fails("304", 304, g, IfNoneMatch=etag)["ResponseMetadata"]["HTTPHeaders"]["etag"], etag)
    fails("304", 304, g, IfModifiedSince=modified)
    fails("PreconditionFailed", 412, g, IfUnmodifiedSince=modified.replace(year=2001))
    fails("412", 412, s3.head_object, Bucket="one", Key="full", IfMatch='"x"')
    fails("PreconditionFailed", 412, s3.put_object, Bucket="one", Key="full", Body=b"", IfNoneMatch="*")
    s3.put_object(Bucket="one", Key="cond", Body=b"1", IfNoneMatch="*")
    fails("PreconditionFailed", 412, s3.put_object, Bucket="one", Key="cond", Body=b"2", IfMatch='"no"')
    fails("NoSuchKey", 404, s3.put_object, Bucket="one", Key="gone", Body=b"2", IfMatch='"no"')
    s3.put_object(Bucket="one", Key="cond", Body=b"2", IfMatch=s3.head_object(Bucket="one", Key="cond")["ETag"])
    s3.delete_object(Bucket="one", Key="cond")


def checksums():
    for algorithm in ["CRC32", "SHA1", "SHA256"]:
        put = s3.put_object(Bucket="one", Key="sum", Body=b"123456789", ChecksumAlgorithm=algorithm)
        got = s3.get_object(Bucket="one", Key="sum", ChecksumMode="ENABLED")
        same(got["Checksum" + algorithm], put["Checksum" + algorithm], algorithm)
        same((got["Body"].read(), got["ChecksumType"]), (b"123456789", "FULL_OBJECT"), algorithm)
    fails("BadDigest", 400, s3.put_object, Bucket="one", Key="sum", Body=b"123456789", ChecksumCRC32="AAAAAA==")
    fails("InvalidDigest", 400, s3.put_object, Bucket="one", Key="sum", Body=b"1", ContentMD5="x")
    fails("BadDigest", 400, s3.put_object, Bucket="one", Key="sum", Body=b"1", ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==")
    plain = client(request_checksum_calculation="when_required")
    same(plain.put_object(Bucket="one", Key="sum", Body=b"123456789")["ChecksumCRC64NVME"], "rosUhgp5mIg=")
    s3.upload_fileobj(io.BytesIO(b"x" * 100000), "one", "chunked")  # aws-chunked with a trailer
    a = s3.get_object_attributes(Bucket="one", Key="chunked", ObjectAttributes=["ETag", "Checksum", "ObjectSize", "StorageClass", "ObjectParts"])
    same((a["ObjectSize"], a["StorageClass"], a["ETag"]), (100000, "STANDARD", hashlib.md5(b"x" * 100000).hexdigest()))
    assert "ChecksumCRC32" in a["Checksum"] and "ObjectParts" not in a, a


def copies():
    s3.create_bucket(Bucket="copies")
    same(s3.copy_object(Bucket="copies", Key="ü", CopySource={"Bucket": "one", "Key": "full"})["CopyObjectResult"]["ETag"], '"781e5e245d69b566979b86e28d23f2c7"')
    h = s3.head_object(Bucket="copies", Key="ü")
    same((h["Metadata"], h["ContentType"], h.get("StorageClass")), ({"key": "Value", "x-y": "z"}, "text/x", None))
    same([t["Key"] for t in s3.get_object_tagging(Bucket="copies", Key="ü")["TagSet"]], ["t", "u"])
    s3.copy_object(Bucket="copies", Key="r", CopySource="one/full", MetadataDirective="REPLACE", Metadata={"n": "1"}, TaggingDirective="REPLACE", Tagging="z=9")
    same(s3.head_object(Bucket="copies", Key="r")["Metadata"], {"n": "1"})
    same(s3.get_object_tagging(Bucket="copies", Key="r")["TagSet"], [{"Key": "z", "Value": "9"}])
    same(s3.get_object(Bucket="copies", Key="r")["Body"].read(), b"0123456789")
    fails("NoSuchKey", 404, s3.copy_object, Bucket="copies", Key="x", CopySource="one/none")
    fails("InvalidRequest", 400, s3.copy_object, Bucket="copies", Key="r", CopySource="copies/r")
    fails("PreconditionFailed", 412, s3.copy_object, Bucket="copies", Key="x", CopySource="one/full", CopySourceIfMatch="no")
    s3.copy({"Bucket": "one", "Key": "full"}, "copies", "managed")
    s3.put_object(Bucket="one", Key="full2", Body=b"overwritten later")
    s3.copy_object(Bucket="copies", Key="kept", CopySource="one/full2")
    s3.delete_object(Bucket="one", Key="full2")
    same(s3.get_object(Bucket="copies", Key="kept")["Body"].read(), b"overwritten later")


def tagging():
    s3.put_object_tagging(Bucket="one", Key="full", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    same(s3.get_object_tagging(Bucket="one", Key="full")["TagSet"], [{"Key": "k", "Value": "v"}])
    same(s3.get_object(Bucket="one", Key="full")["TagCount"], 1)
    s3.delete_object_tagging(Bucket="one", Key="full")
    same(s3.get_object_tagging(Bucket="one", Key="full")["TagSet"], [])
    fails("BadRequest", 400, s3.put_object_tagging, Bucket="one", Key="full", Tagging={"TagSet": [{"Key": str(i), "Value": "v"} for i in range(11)]})


def listing():
    s3.create_bucket(Bucket="list")
    keys = ["a", "a/1", "a/2", "b/x/1", "b/x/2", "b/y", "c d", "d"]
    for k in keys:
        s3.put_object(Bucket="list", Key=k, Body=k)
    v2 = lambda **a: s3.list_objects_v2(Bucket="list", **a)
    r = v2(Delimiter="/")
    same(([o["Key"] for o in r["Contents"]], [p["Prefix"] for p in r["CommonPrefixes"]], r["KeyCount"]), (["a", "c d", "d"], ["a/", "b/"], 5))
    r = v2(Prefix="b/", Delimiter="/")
    same(([o["Key"] for o in r["Contents"]], [p["Prefix"] for p in r["CommonPrefixes"]]), (["b/y"], ["b/x/"]))
    same([o["Key"] for o in v2(StartAfter="b/x/1")["Contents"]], ["b/x/2", "b/y", "c d", "d"])
    for page in (1, 2, 3):
        found = []
        for p in s3.get_paginator("list_objects_v2").paginate(Bucket="list", Delimiter="/", PaginationConfig={"PageSize": page}):
            found += [o["Key"] for o in p.get("Contents", [])] + [o["Prefix"] for o in p.get("CommonPrefixes", [])]
        same(sorted(found), ["a", "a/", "b/", "c d", "d"], f"pages of {page}")
        found = []
        for p in s3.get_paginator("list_objects").paginate(Bucket="list", Delimiter="/", PaginationConfig={"PageSize": page}):
            found += [o["Key"] for o in p.get("Contents", [])] + [o["Prefix"] for o in p.get("CommonPrefixes", [])]
        same(sorted(found), ["a", "a/", "b/", "c d", "d"], f"v1 pages of {page}")
    same([v["Key"] for v in s3.list_object_versions(Bucket="list")["Versions"]], keys)
    same(s3.list_object_versions(Bucket="list")["Versions"][0]["VersionId"], "null")
    same(v2(MaxKeys=0)["KeyCount"], 0)
    r = s3.delete_objects(Bucket="list", Delete={"Objects": [{"Key": k} for k in keys] + [{"Key": "never"}]})
    same(len(r["Deleted"]), 9)
    same(v2()["KeyCount"], 0)
    s3.delete_bucket(Bucket="list")


def multipart():
    body = os.urandom(17 << 20)
    etag = hashlib.md5(b"".join(hashlib.md5(body[i:i + (5 << 20)]).digest() for i in range(0, len(body), 5 << 20))).hexdigest() + "-4"
    config = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20, max_concurrency=4)
    s3.upload_fileobj(io.BytesIO(body), "one", "big", Config=config, ExtraArgs={"Metadata": {"m": "1"}, "ContentType": "x/y"})
    out = io.BytesIO()
    s3.download_fileobj("one", "big", out, Config=config)
    same(out.getvalue() == body, True, "download")
    h = s3.head_object(Bucket="one", Key="big", PartNumber=2)
    same((h["ETag"], h["PartsCount"], h["ContentLength"], h["Metadata"], h["ContentType"]), (f'"{etag}"', 4, 5 << 20, {"m": "1"}, "x/y"))
    same(s3.get_object(Bucket="one", Key="big", Range="bytes=5242870-5242890")["Body"].read(), body[5242870:5242891])
    a = s3.get_object_attributes(Bucket="one", Key="big", ObjectAttributes=["ObjectParts", "Checksum"])
    same((a["ObjectParts"]["TotalPartsCount"], a["Checksum"]["ChecksumType"]), (4, "COMPOSITE"))
    s3.copy({"Bucket": "one", "Key": "big"}, "copies", "big", Config=config)  # upload_part_copy
    same(hashlib.md5(s3.get_object(Bucket="copies", Key="big")["Body"].read()).digest(), hashlib.md5(body).digest())
    s3.copy_object(Bucket="copies", Key="big1", CopySource="one/big")
    same(s3.head_object(Bucket="copies", Key="big1")["ETag"], '"%s"' % hashlib.md5(body).hexdigest())

    u = s3.create_multipart_upload(Bucket="one", Key="m")
    args = {"Bucket": "one", "Key": "m", "UploadId": u["UploadId"]}
    same([x["UploadId"] for x in s3.list_multipart_uploads(Bucket="one")["Uploads"]], [u["UploadId"]])
    plain = client(request_checksum_calculation="when_required")
    p1 = plain.upload_part(**args, PartNumber=1, Body=b"1" * (5 << 20))
    plain.upload_part(**args, PartNumber=3, Body=b"old")
    p3 = plain.upload_part(**args, PartNumber=3, Body=b"tail")
    plain.upload_part(**args, PartNumber=9, Body=b"left out")
    r = s3.list_parts(**args, MaxParts=2)
    same(([p["PartNumber"] for p in r["Parts"]], r["IsTruncated"], r["NextPartNumberMarker"]), ([1, 3], True, 3))
    same([p["PartNumber"] for p in s3.list_parts(**args, PartNumberMarker=3)["Parts"]], [9])
    good = [{"PartNumber": 1, "ETag": p1["ETag"]}, {"PartNumber": 3, "ETag": p3["ETag"]}]
    fails("InvalidPartOrder", 400, s3.complete_multipart_upload, **args, MultipartUpload={"Parts": good[::-1]})
    fails("InvalidPart", 400, s3.complete_multipart_upload, **args, MultipartUpload={"Parts": [{"PartNumber": 2, "ETag": "x"}]})
    fails("EntityTooSmall", 400, s3.complete_multipart_upload, **args, MultipartUpload={"Parts": [good[1], {"PartNumber": 9, "ETag": hashlib.md5(b"left out").hexdigest()}]})
    done = s3.complete_multipart_upload(**args, MultipartUpload={"Parts": good})
    same(done["ChecksumType"], "FULL_OBJECT")
    whole = s3.get_object(Bucket="one", Key="m", ChecksumMode="ENABLED")
    same(whole["Body"].read(), b"1" * (5 << 20) + b"tail")
    same(whole["ChecksumCRC64NVME"], plain.put_object(Bucket="one", Key="m1", Body=b"1" * (5 << 20) + b"tail")["ChecksumCRC64NVME"], "combined")
    fails("NoSuchUpload", 404, s3.list_parts, **args)
    u = s3.create_multipart_upload(Bucket="one", Key="m")
    s3.upload_part(Bucket="one", Key="m", UploadId=u["UploadId"], PartNumber=1, Body=b"1")
    s3.abort_multipart_upload(Bucket="one", Key="m", UploadId=u["UploadId"])
    fails("NoSuchUpload", 404, s3.abort_multipart_upload, Bucket="one", Key="m", UploadId=u["UploadId"])


def http(method, url, body=None, headers=None):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body, method=method, headers=headers or {})) as r:
            return r.status, r.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def presigned():
    old_too = [] if VERIFIED else [client(signature_version="s3")]  # version 2 cannot be checked, so it is refused
    for c in [client(signature_version="s3v4")] + old_too:
        put = c.generate_presigned_url("put_object", Params={"Bucket": "one", "Key": "signed url"})
        same(http("PUT", put, b"by url")[0], 200, put)
        get = c.generate_presigned_url("get_object", Params={"Bucket": "one", "Key": "signed url", "ResponseContentType": "a/b"})
        same(http("GET", get), (200, b"by url"), get)
        old = c.generate_presigned_url("get_object", Params={"Bucket": "one", "Key": "signed url"}, ExpiresIn=-10)
        status, body = http("GET", old)
        same((status, b"AccessDenied" in body and b"Request has expired" in body), (403, True), old)
    meta = client(signature_version="s3v4").generate_presigned_url("put_object", Params={"Bucket": "one", "Key": "pm", "Metadata": {"a": "b"}})
    same(http("PUT", meta, b"x", {"x-amz-meta-a": "b"})[0], 200)
    same(s3.head_object(Bucket="one", Key="pm")["Metadata"], {"a": "b"})
    post = client(signature_version="s3v4").generate_presigned_post("one", "posted/${filename}", Fields={"x-amz-meta-q": "1", "success_action_status": "201"},
                                                                    Conditions=[{"x-amz-meta-q": "1"}, {"success_action_status": "201"}, ["content-length-range", 1, 100]])
    def form(data):
        parts = [f'--B\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode() for k, v in post["fields"].items()]
        parts.append(b'--B\r\nContent-Disposition: form-data; name="file"; filename="f.txt"\r\nContent-Type: text/x\r\n\r\n' + data + b"\r\n--B--\r\n")
        return http("POST", post["url"], b"".join(parts), {"Content-Type": "multipart/form-data; boundary=B"})
    status, body = form(b"form data")
    same((status, b"<Key>posted/f.txt</Key>" in body), (201, True), body)
    same(s3.get_object(Bucket="one", Key="posted/f.txt")["Body"].read(), b"form data")
    same(s3.head_object(Bucket="one", Key="posted/f.txt")["Metadata"], {"q": "1"})
    status, body = form(b"x" * 101)
    same((status, b"EntityTooLarge" in body), (400, True), body)
    if VERIFIED:
        same(http("GET", f"{URL}/one/full")[0], 403)
        same(http("GET", get.replace("Signature=", "Signature=0"))[0], 403)
        post["fields"]["x-amz-signature"] = "0" * 64
        same(form(b"x")[0], 403)


def virtual_hosted():
    if VERIFIED:
        return  # the requests are not signed
    host = URL.split("//")[1]
    port = host.split(":")[1]
    for name in ("one.s3.localhost", "one.s3.us-east-1.amazonaws.com", "one.s3-us-east-1.amazonaws.com", "one.s3.amazonaws.com"):
        same(http("GET", f"{URL}/full?x-id=GetObject", headers={"Host": f"{name}:{port}"}), (200, b"0123456789"), name)
        same(http("GET", f"{URL}/folder/", headers={"Host": f"{name}:{port}"})[0], 200, name)
    for name in ("s3.us-east-1.amazonaws.com", "s3-us-east-1.amazonaws.com", "s3.localhost"):
        same(http("GET", f"{URL}/one/full", headers={"Host": f"{name}:{port}"}), (200, b"0123456789"), name)
    status, body = http("GET", f"{URL}/", headers={"Host": f"one.s3.localhost:{port}"})
    same((status, b"<ListBucketResult" in body), (200, True))


def concurrent():
    def work(n):
        c = client()
        for i in range(10):
            c.put_object(Bucket="one", Key="race", Body=(b"%d" % n) * 5000)
            body = c.get_object(Bucket="one", Key="race")["Body"].read()
            if len(body) != 5000 or len(set(body)) != 1:
                wrong.append(body[:20])
    wrong = []
    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    same(wrong, [])


def clean():
    for b in ("one", "copies"):
        fails("BucketNotEmpty", 409, s3.delete_bucket, Bucket=b)
        boto3.resource("s3", endpoint_url=URL, region_name="us-east-1", aws_access_key_id="123456789012", aws_secret_access_key="secret").Bucket(b).objects.all().delete()
        s3.delete_bucket(Bucket=b)
    same(s3.list_buckets()["Buckets"], [])


for step in (buckets, configurations, objects, ranges_and_conditions, checksums, copies, tagging, listing, multipart, presigned, virtual_hosted, concurrent, clean):
    try:
        step()
    except Exception as e:
        print(f"{step.__name__}: {type(e).__name__}: {e}")
        raise
print("ok")
