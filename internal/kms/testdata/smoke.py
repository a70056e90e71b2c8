import sys

import boto3
from botocore.exceptions import ClientError


def client(name):
    return boto3.client(name, endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="000000000000", aws_secret_access_key="test")


def fails(code, message, call, **arguments):
    try:
        call(**arguments)
    except ClientError as e:
        error = e.response["Error"]
        assert error["Code"] == code and message in error["Message"], error
        return
    raise AssertionError("%s was expected" % code)


kms = client("kms")
key = kms.create_key(Description="d", Tags=[{"TagKey": "a", "TagValue": "b"}])["KeyMetadata"]
assert key["KeyState"] == "Enabled" and key["Arn"] == "arn:aws:kms:us-east-1:000000000000:key/" + key["KeyId"], key
kms.create_alias(AliasName="alias/SB-KMS", TargetKeyId=key["KeyId"])
around = {"Encryption": "Context"}
sealed = kms.encrypt(KeyId="alias/SB-KMS", Plaintext=b"hello", EncryptionContext=around)["CiphertextBlob"]
opened = kms.decrypt(CiphertextBlob=sealed, EncryptionContext=around)
assert opened["Plaintext"] == b"hello" and opened["KeyId"] == key["Arn"], opened
fails("InvalidCiphertextException", "", kms.decrypt, CiphertextBlob=sealed)
fails("NotFoundException", "Alias arn:aws:kms:us-east-1:000000000000:alias/none is not found.", kms.describe_key, KeyId="alias/none")
fails("NotImplemented", "kms:Sign", kms.sign, KeyId=key["KeyId"], Message=b"x", SigningAlgorithm="RSASSA_PSS_SHA_256")
data = kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256")
assert len(data["Plaintext"]) == 32 and kms.decrypt(CiphertextBlob=data["CiphertextBlob"])["Plaintext"] == data["Plaintext"]
assert [a["AliasName"] for p in kms.get_paginator("list_aliases").paginate() for a in p["Aliases"]] == ["alias/SB-KMS"]
assert kms.list_resource_tags(KeyId=key["KeyId"])["Tags"] == [{"TagKey": "a", "TagValue": "b"}]
kms.disable_key(KeyId=key["KeyId"])
fails("DisabledException", key["Arn"] + " is disabled.", kms.encrypt, KeyId=key["KeyId"], Plaintext=b"x")
assert kms.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)["KeyState"] == "PendingDeletion"
fails("KMSInvalidStateException", key["Arn"] + " is pending deletion.", kms.decrypt, CiphertextBlob=sealed, EncryptionContext=around)
print("ok")
