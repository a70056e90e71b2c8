"""A client's day with DynamoDB through boto3: both its client and its resource interface."""
import sys
from decimal import Decimal

import boto3
from boto3.dynamodb.conditions import Attr, Key
from boto3.dynamodb.types import Binary
from botocore.config import Config
from botocore.exceptions import ClientError

options = dict(endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test",
               config=Config(retries={"max_attempts": 1}))
client = boto3.client("dynamodb", **options)
resource = boto3.resource("dynamodb", **options)


def code(call, **kw):
    try:
        call(**kw)
    except ClientError as e:
        return e.response["Error"]["Code"], e.response
    raise AssertionError("call succeeded")


client.create_table(
    TableName="Music",
    AttributeDefinitions=[{"AttributeName": "Artist", "AttributeType": "S"}, {"AttributeName": "Year", "AttributeType": "N"}],
    KeySchema=[{"AttributeName": "Artist", "KeyType": "HASH"}, {"AttributeName": "Year", "KeyType": "RANGE"}],
    BillingMode="PAY_PER_REQUEST")
client.get_waiter("table_exists").wait(TableName="Music", WaiterConfig={"Delay": 1, "MaxAttempts": 2})
table = resource.Table("Music")
assert table.table_status == "ACTIVE" and table.creation_date_time.year >= 2024

item = {"Artist": "Nina", "Year": 1965, "price": Decimal("12.340"), "tags": {"jazz", "soul"}, "numbers": {1, 2}, "cover": Binary(b"\x00\xff"),
        "nested": {"list": [1, None, True, {"deep": "é"}]}, "empty": ""}
table.put_item(Item=item)
assert table.get_item(Key={"Artist": "Nina", "Year": 1965})["Item"] == item, table.get_item(Key={"Artist": "Nina", "Year": 1965})
assert "Item" not in table.get_item(Key={"Artist": "Nina", "Year": 1})

with table.batch_writer() as batch:
    for year in range(1900, 1960):
        batch.put_item(Item={"Artist": "Duke", "Year": year, "even": year % 2 == 0})
found = table.query(KeyConditionExpression=Key("Artist").eq("Duke") & Key("Year").between(1910, 1919), FilterExpression=Attr("even").eq(True))
assert [int(i["Year"]) for i in found["Items"]] == [1910, 1912, 1914, 1916, 1918] and found["ScannedCount"] == 10
pages = client.get_paginator("scan").paginate(TableName="Music", PaginationConfig={"PageSize": 7})
assert sum(p["Count"] for p in pages) == 61

updated = table.update_item(Key={"Artist": "Nina", "Year": 1965}, UpdateExpression="SET price = price + :p, nested.#l[0] = :p",
                            ExpressionAttributeNames={"#l": "list"}, ExpressionAttributeValues={":p": Decimal("0.01")}, ReturnValues="UPDATED_NEW")
assert updated["Attributes"] == {"price": Decimal("12.35"), "nested": {"list": [Decimal("0.01")]}}, updated

failed, response = code(table.put_item, Item={"Artist": "Nina", "Year": 1965}, ConditionExpression=Attr("Artist").not_exists(),
                        ReturnValuesOnConditionCheckFailure="ALL_OLD")
assert failed == "ConditionalCheckFailedException" and response["Item"]["Artist"] == {"S": "Nina"}, response
try:
    client.transact_write_items(TransactItems=[
        {"Put": {"TableName": "Music", "Item": {"Artist": {"S": "New"}, "Year": {"N": "1"}}}},
        {"ConditionCheck": {"TableName": "Music", "Key": {"Artist": {"S": "Nobody"}, "Year": {"N": "1"}}, "ConditionExpression": "attribute_exists(Artist)"}}])
    raise AssertionError("the transaction was not cancelled")
except client.exceptions.TransactionCanceledException as e:
    assert [r["Code"] for r in e.response["CancellationReasons"]] == ["None", "ConditionalCheckFailed"], e.response
assert code(client.put_item, TableName="dummy", Item={"a": {"S": "1"}})[0] == "ResourceNotFoundException"
assert code(client.execute_statement, Statement="SELECT * FROM Music")[1]["Error"]["Message"] == "Newel does not implement dynamodb:ExecuteStatement yet."

table.delete()
client.get_waiter("table_not_exists").wait(TableName="Music", WaiterConfig={"Delay": 1, "MaxAttempts": 2})
print("ok")
