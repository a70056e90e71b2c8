import datetime
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


cw = client("cloudwatch")
now = datetime.datetime.now(datetime.timezone.utc)
span = dict(StartTime=now - datetime.timedelta(minutes=5), EndTime=now + datetime.timedelta(minutes=5))
dims = [{"Name": "a", "Value": "b"}]
cw.put_metric_data(Namespace="App", MetricData=[
    {"MetricName": "m", "Value": 1.5, "Unit": "Count", "Dimensions": dims, "Timestamp": now},
    {"MetricName": "v", "Values": [1, 2, 3], "Counts": [1, 1, 2]}])
got = cw.get_metric_statistics(Namespace="App", MetricName="m", Dimensions=dims, Period=60, Statistics=["Sum", "Average"], **span)
assert got["Label"] == "m" and got["Datapoints"][0]["Sum"] == 1.5 and got["Datapoints"][0]["Unit"] == "Count", got
assert got["Datapoints"][0]["Timestamp"] == now.replace(second=0, microsecond=0), got
stat = {"Metric": {"Namespace": "App", "MetricName": "v"}, "Period": 60, "Stat": "p50"}
got = cw.get_metric_data(MetricDataQueries=[{"Id": "a", "MetricStat": stat}, {"Id": "b", "Expression": "a * 2"}], **span)["MetricDataResults"]
assert [r["Values"] for r in got] == [[2.0], [4.0]] and got[0]["StatusCode"] == "Complete", got
assert cw.list_metrics(Namespace="App", Dimensions=[{"Name": "a"}])["Metrics"] == [{"Namespace": "App", "MetricName": "m", "Dimensions": dims}]

alarm = dict(AlarmName="high", Namespace="App", MetricName="x", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=3,
             ComparisonOperator="GreaterThanOrEqualToThreshold", TreatMissingData="notBreaching")
cw.put_metric_alarm(Tags=[{"Key": "k", "Value": "v"}], **alarm)
got = cw.describe_alarms(AlarmNames=["high"])["MetricAlarms"][0]
assert all(got[k] == v for k, v in alarm.items()) and got["ActionsEnabled"] and abs(got["StateUpdatedTimestamp"] - now).seconds < 60, got
assert cw.list_tags_for_resource(ResourceARN=got["AlarmArn"])["Tags"] == [{"Key": "k", "Value": "v"}]
cw.put_metric_data(Namespace="App", MetricData=[{"MetricName": "x", "Value": 3}])
assert cw.describe_alarms_for_metric(Namespace="App", MetricName="x")["MetricAlarms"][0]["StateValue"] == "ALARM"
assert cw.describe_alarm_history(AlarmName="high", HistoryItemType="StateUpdate")["AlarmHistoryItems"][0]["HistorySummary"].endswith("to ALARM")
fails("ResourceNotFound", "", cw.set_alarm_state, AlarmName="none", StateValue="OK", StateReason="r")
fails("ValidationError", "enum value set", cw.put_metric_alarm, **dict(alarm, ComparisonOperator="Equal"))
fails("NotImplemented", "PutCompositeAlarm", cw.put_composite_alarm, AlarmName="c", AlarmRule="TRUE")
cw.put_dashboard(DashboardName="d", DashboardBody='{"widgets":[]}')
assert cw.get_dashboard(DashboardName="d")["DashboardBody"] == '{"widgets":[]}'
fails("ResourceNotFound", "Dashboard x does not exist", cw.get_dashboard, DashboardName="x")
cw.delete_alarms(AlarmNames=["high"])
assert cw.describe_alarms()["MetricAlarms"] == []
print("ok")
