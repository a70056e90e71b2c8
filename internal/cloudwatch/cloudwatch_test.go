package cloudwatch

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/service/servicetest"
	"github.com/newel-run/newel/internal/store"
	"github.com/newel-run/newel/internal/store/memory"
)

type object = servicetest.Object

// world is the service in a synctest bubble, and what it called.
type world struct {
	*servicetest.Client
	t     testing.TB
	s     *Service
	store store.Store

	mu    sync.Mutex
	calls []*aws.Request
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, store: memory.New(memory.Options{Partitions: 4, RunTwice: true})}
	w.start()
	return w
}

func (w *world) start() {
	env := &service.Env{Store: w.store, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Caller: aws.CallerFunc(func(_ context.Context, r *aws.Request) (*aws.Output, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.calls = append(w.calls, r)
			return service.Answer(nil), nil
		})}
	w.s = New(env, Config{Wanted: func(_, _, source, _ string) bool { return source == "aws.cloudwatch" }})
	w.Client = &servicetest.Client{T: w.t, Service: "monitoring", Caller: w.s}
	if err := w.s.Start(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) alarm(name string) object {
	w.t.Helper()
	list := w.Do("DescribeAlarms", object{"AlarmNames": []string{name}})["MetricAlarms"].([]any)
	if len(list) != 1 {
		w.t.Fatalf("alarms %v", list)
	}
	return list[0].(object)
}

func (w *world) state(want string) {
	w.t.Helper()
	synctest.Wait()
	if got := w.alarm("a")["StateValue"]; got != want {
		w.t.Errorf("%s: the alarm is %v, want %s", time.Now().UTC().Format(time.TimeOnly), got, want)
	}
}

const topic = "arn:aws:sns:us-east-1:000000000000:mail"

// throttles is the alarm of the seed application.
func throttles() object {
	return object{"AlarmName": "a", "AlarmDescription": "too many", "Namespace": "AWS/Lambda", "MetricName": "Throttles", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1,
		"DatapointsToAlarm": 1, "Threshold": 3, "ComparisonOperator": "GreaterThanOrEqualToThreshold", "TreatMissingData": "notBreaching",
		"Dimensions": []object{{"Name": "FunctionName", "Value": "f"}}, "AlarmActions": []string{topic}, "ActionsEnabled": true}
}

func (w *world) throttle(n int) {
	for range n {
		w.s.Add("000000000000", "us-east-1", "AWS/Lambda", "Throttles", "Count", 1, time.Now(), "FunctionName", "f")
	}
}

// TestAlarm follows an alarm through its life: no data, too few, enough, and none again.
func TestAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer func() { w.s.Close() }()
		w.Do("PutMetricAlarm", throttles())
		w.state(stateOK) // nothing is not breaching
		w.throttle(2)
		time.Sleep(2 * time.Second)
		w.state(stateOK)
		w.throttle(1)
		time.Sleep(2 * time.Second)
		w.state(stateAlarm) // the minute is not over, but the sum can only grow
		a := w.alarm("a")
		want := "Threshold Crossed: 1 out of the last 1 datapoints [3.0 (01/01/00 00:00:00)] was greater than or equal to the threshold (3.0) (minimum 1 datapoint for OK -> ALARM transition)."
		if a["StateReason"] != want || a["AlarmArn"] != "arn:aws:cloudwatch:us-east-1:000000000000:alarm:a" {
			t.Errorf("alarm %v", a)
		}
		w.notified(t, want)
		time.Sleep(time.Minute)
		w.state(stateAlarm)
		time.Sleep(4 * time.Minute)
		w.state(stateOK)
		items := w.Do("DescribeAlarmHistory", object{"AlarmName": "a", "HistoryItemType": "StateUpdate"})["AlarmHistoryItems"].([]any)
		if len(items) != 3 || items[0].(object)["HistorySummary"] != "Alarm updated from ALARM to OK" {
			t.Errorf("history %v", items)
		}
		if due, wait := w.s.schedule.take(time.Now()); len(due) > 0 || wait != 0 {
			t.Errorf("an alarm that cannot change is to be looked at: %v in %v", due, wait)
		}
	})
}

func (w *world) notified(t *testing.T, reason string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var published, events int
	for _, r := range w.calls {
		var in struct{ TopicArn, Subject, Message string }
		switch r.Operation {
		case "PutEvents":
			events++
		case "Publish":
			published++
			var m struct {
				AlarmName, NewStateValue, OldStateValue, NewStateReason, StateChangeTime, Region, AlarmArn, AWSAccountId string
				Trigger                                                                                                  struct {
					MetricName, Statistic string
					Threshold             float64
					Dimensions            []struct{ Name, Value string }
				}
			}
			if json.Unmarshal(r.Input, &in) != nil || json.Unmarshal([]byte(in.Message), &m) != nil {
				t.Fatalf("published %s", r.Input)
			}
			if in.TopicArn != topic || in.Subject != `ALARM: "a" in US East (N. Virginia)` || m.NewStateReason != reason || m.OldStateValue != stateOK || m.NewStateValue != stateAlarm ||
				m.Trigger.Statistic != "SUM" || m.Trigger.Threshold != 3 || m.Trigger.Dimensions[0].Value != "f" || m.StateChangeTime != "2000-01-01T00:00:03.000+0000" {
				t.Errorf("published %s", r.Input)
			}
		}
	}
	if published != 1 || events != 2 { // events: to OK, to ALARM
		t.Errorf("%d notifications and %d events", published, events)
	}
}

// TestAverage: a statistic that could still change waits for the end of its period.
func TestAverage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer func() { w.s.Close() }()
		in := throttles()
		in["Statistic"], in["Threshold"], in["TreatMissingData"] = "Average", 1, "missing"
		w.Do("PutMetricAlarm", in)
		w.state(stateInsufficient)
		w.throttle(1)
		time.Sleep(50 * time.Second)
		w.state(stateInsufficient)
		time.Sleep(11 * time.Second)
		w.state(stateAlarm)
		time.Sleep(5 * time.Minute)
		w.state(stateInsufficient)
	})
}

// TestDatapoints: two of three periods, with a percentile, survive a restart in between.
func TestDatapoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		in := throttles()
		delete(in, "Statistic")
		in["ExtendedStatistic"], in["EvaluationPeriods"], in["DatapointsToAlarm"], in["Threshold"] = "p50", 3, 2, 100
		w.Do("PutMetricAlarm", in)
		minute := func(values ...float64) {
			w.Do("PutMetricData", object{"Namespace": "AWS/Lambda", "MetricData": []object{{"MetricName": "Throttles", "Values": values,
				"Dimensions": []object{{"Name": "FunctionName", "Value": "f"}}}}})
			time.Sleep(time.Minute)
		}
		minute(1, 200, 300)
		w.state(stateOK)
		minute(1, 2, 300)
		w.s.Close()
		w.start()
		w.state(stateOK)
		minute(100, 200, 300)
		w.state(stateAlarm)
		minute(1)
		minute(1)
		w.state(stateOK)
		w.s.Close()
	})
}

func TestSetAlarmState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer func() { w.s.Close() }()
		w.Do("PutMetricAlarm", throttles())
		w.state(stateOK)
		w.Do("DisableAlarmActions", object{"AlarmNames": []string{"a"}})
		set := object{"AlarmName": "a", "StateValue": stateAlarm, "StateReason": "a test"}
		w.Do("SetAlarmState", set)
		w.state(stateAlarm)
		time.Sleep(61 * time.Second)
		w.state(stateOK)
		w.Do("EnableAlarmActions", object{"AlarmNames": []string{"a"}})
		w.Do("SetAlarmState", set)
		w.Do("SetAlarmState", set)
		synctest.Wait()
		published := 0
		w.mu.Lock()
		for _, r := range w.calls {
			if r.Operation == "Publish" {
				published++
			}
		}
		w.mu.Unlock()
		if published != 1 {
			t.Errorf("%d notifications", published)
		}
		w.Fails("SetAlarmState", object{"AlarmName": "none", "StateValue": stateOK, "StateReason": "r"}, "ResourceNotFound", "")
		w.Do("DeleteAlarms", object{"AlarmNames": []string{"a"}})
		if n := len(w.Do("DescribeAlarmHistory", object{})["AlarmHistoryItems"].([]any)); n != 0 {
			t.Errorf("%d items of a deleted alarm", n)
		}
	})
}

func TestAlarmRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer func() { w.s.Close() }()
		for member, c := range map[string]struct {
			value   any
			message string
		}{
			"Period": {61, "multiple of 60"}, "EvaluationPeriods": {1441, "more than a day"}, "DatapointsToAlarm": {2, "DatapointsToAlarm"},
			"AlarmActions": {[]string{"arn:aws:automate:us-east-1:ec2:stop"}, "arn:aws:automate:us-east-1:ec2:stop"}, "ComparisonOperator": {"GreaterThanUpperThreshold", "GreaterThanUpperThreshold"},
			"Metrics": {[]object{{"Id": "m1", "Expression": "1"}}, "metric math"}, "TreatMissingData": {"maybe", "TreatMissingData"},
		} {
			in := throttles()
			in[member] = c.value
			w.Fails("PutMetricAlarm", in, "ValidationError", c.message)
		}
		in := throttles()
		in["Tags"] = []object{{"Key": "k", "Value": "v"}}
		w.Do("PutMetricAlarm", in)
		arn := w.alarm("a")["AlarmArn"]
		w.Do("TagResource", object{"ResourceARN": arn, "Tags": []object{{"Key": "l", "Value": "w"}}})
		w.Do("UntagResource", object{"ResourceARN": arn, "TagKeys": []string{"k"}})
		if tags := w.Do("ListTagsForResource", object{"ResourceARN": arn})["Tags"].([]any); len(tags) != 1 {
			t.Errorf("tags %v", tags)
		}
		for _, c := range []struct {
			in   object
			want int
		}{
			{object{"AlarmNamePrefix": "a"}, 1}, {object{"AlarmNamePrefix": "b"}, 0}, {object{"StateValue": stateAlarm}, 0}, {object{"ActionPrefix": topic[:20]}, 1}, {object{"AlarmTypes": []string{"CompositeAlarm"}}, 0},
		} {
			if got := len(w.Do("DescribeAlarms", c.in)["MetricAlarms"].([]any)); got != c.want {
				t.Errorf("%v: %d alarms, want %d", c.in, got, c.want)
			}
		}
		if got := w.Do("DescribeAlarmsForMetric", object{"Namespace": "AWS/Lambda", "MetricName": "Throttles", "Dimensions": in["Dimensions"]})["MetricAlarms"].([]any); len(got) != 1 {
			t.Errorf("alarms for the metric %v", got)
		}
	})
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer func() { w.s.Close() }()
		begin := time.Now()
		dims := []object{{"Name": "b", "Value": "2"}, {"Name": "a", "Value": "1"}}
		w.Do("PutMetricData", object{"Namespace": "n", "MetricData": []object{
			{"MetricName": "m", "Value": 4, "Unit": "Seconds", "Dimensions": dims},
			{"MetricName": "m", "Values": []float64{1, 7}, "Counts": []float64{2, 1}, "Unit": "Seconds", "Dimensions": []object{dims[1], dims[0]}, "Timestamp": seconds(begin.Add(70 * time.Second))},
			{"MetricName": "s", "StatisticValues": object{"SampleCount": 4, "Sum": 10, "Minimum": 1, "Maximum": 5}},
			{"MetricName": "fine", "Value": 1, "StorageResolution": 1},
		}})
		time.Sleep(5 * time.Second)
		w.Do("PutMetricData", object{"Namespace": "n", "MetricData": []object{{"MetricName": "fine", "Value": 2, "StorageResolution": 1}}})
		period := object{"Namespace": "n", "MetricName": "m", "Dimensions": dims, "StartTime": seconds(begin), "EndTime": seconds(begin.Add(10 * time.Minute)), "Period": 60,
			"Statistics": []string{"Sum", "SampleCount", "Average", "Minimum", "Maximum"}, "ExtendedStatistics": []string{"p50"}}
		points := w.Do("GetMetricStatistics", period)["Datapoints"].([]any)
		if len(points) != 2 {
			t.Fatalf("points %v", points)
		}
		p := points[1].(object)
		if p["Sum"] != 9.0 || p["SampleCount"] != 3.0 || p["Average"] != 3.0 || p["Minimum"] != 1.0 || p["Maximum"] != 7.0 || p["Unit"] != "Seconds" ||
			p["Timestamp"] != seconds(begin)+60 || p["ExtendedStatistics"].(object)["p50"] != 1.0 {
			t.Errorf("point %v", p)
		}
		stat := func(name string, period int) object {
			return object{"Metric": object{"Namespace": "n", "MetricName": name}, "Period": period, "Stat": "Sum"}
		}
		got := w.Do("GetMetricData", object{"StartTime": seconds(begin), "EndTime": seconds(begin.Add(time.Minute)), "ScanBy": "TimestampAscending", "MetricDataQueries": []object{
			{"Id": "fine", "MetricStat": stat("fine", 1)}, {"Id": "s", "MetricStat": stat("s", 60), "ReturnData": false},
			{"Id": "e", "Expression": "(s + SUM([s, s])) * -2 / 4", "Label": "math"}, {"Id": "g", "Expression": "FILL(none, 3)"}, {"Id": "none", "MetricStat": stat("none", 60)},
		}})["MetricDataResults"].([]any)
		b, _ := json.Marshal(got)
		want := `[{"Id":"fine","Label":"fine","StatusCode":"Complete","Timestamps":[946684800,946684805],"Values":[1,2]},{"Id":"e","Label":"math","StatusCode":"Complete","Timestamps":[946684800],"Values":[-15]},` +
			`{"Id":"g","Label":"g","StatusCode":"Complete","Timestamps":[`
		if !strings.HasPrefix(string(b), want) || len(got) != 4 {
			t.Errorf("got %s", b)
		}
		query := func(text string) object {
			return object{"StartTime": 0, "EndTime": 60, "MetricDataQueries": []object{{"Id": "a", "Expression": text}}}
		}
		w.Fails("GetMetricData", query("a + 1"), "ValidationError", "Circular dependency")
		w.Fails("GetMetricData", query("ANOMALY_DETECTION_BAND(a)"), "ValidationError", "")
		w.Fails("GetMetricData", query("RATE(1)"), "ValidationError", "RATE")
		w.Fails("GetMetricData", query(strings.Repeat("(", 200)), "ValidationError", "too deep")
		w.Fails("GetMetricData", query("SELECT AVG(x) FROM y"), "ValidationError", "Metrics Insights")
		for in, want := range map[string]int{`{}`: 3, `{"Namespace":"n"}`: 3, `{"Namespace":"x"}`: 0, `{"MetricName":"m"}`: 1, `{"Namespace":"n","Dimensions":[{"Name":"a"}]}`: 1, `{"Dimensions":[{"Name":"a","Value":"2"}]}`: 0} {
			var o object
			_ = json.Unmarshal([]byte(in), &o)
			if got := len(w.Do("ListMetrics", o)["Metrics"].([]any)); got != want {
				t.Errorf("%s: %d metrics, want %d", in, got, want)
			}
		}
		w.Fails("PutMetricData", object{"Namespace": "n", "MetricData": []object{{"MetricName": "m", "Value": 1, "Timestamp": seconds(begin.Add(-15 * 24 * time.Hour))}}}, "InvalidParameterValue", "two weeks")
		w.Fails("PutMetricData", object{"Namespace": "n", "MetricData": []object{{"MetricName": "m", "Value": 1, "Values": []float64{1}}}}, "InvalidParameterCombination", "")
		time.Sleep(16 * 24 * time.Hour)
		w.s.Close()
		w.start()
		rows := 0
		for p := range w.store.Partitions() {
			_ = w.store.View(context.Background(), store.Partition(p), func(rd store.Reader) error {
				for range rd.Scan(table(rowData), table(rowData).End(), false) {
					rows++
				}
				for range rd.Scan(table(rowSeries), table(rowSeries).End(), false) {
					rows++
				}
				return nil
			})
		}
		if rows != 0 {
			t.Errorf("%d rows are left after the retention", rows)
		}
	})
}

func TestDashboards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer func() { w.s.Close() }()
		w.Do("PutDashboard", object{"DashboardName": "d", "DashboardBody": `{"widgets":[]}`})
		w.Fails("PutDashboard", object{"DashboardName": "d", "DashboardBody": `nonsense`}, "InvalidParameterInput", "")
		if got := w.Do("GetDashboard", object{"DashboardName": "d"}); got["DashboardBody"] != `{"widgets":[]}` || got["DashboardArn"] != "arn:aws:cloudwatch::000000000000:dashboard/d" {
			t.Errorf("dashboard %v", got)
		}
		if got := w.Do("ListDashboards", object{"DashboardNamePrefix": "d"})["DashboardEntries"].([]any); len(got) != 1 {
			t.Errorf("dashboards %v", got)
		}
		w.Do("DeleteDashboards", object{"DashboardNames": []string{"d"}})
		w.Fails("GetDashboard", object{"DashboardName": "d"}, "ResourceNotFound", "Dashboard d does not exist")
		w.Fails("PutCompositeAlarm", object{"AlarmName": "c", "AlarmRule": "TRUE"}, "NotImplemented", "PutCompositeAlarm")
	})
}
