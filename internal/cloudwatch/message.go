package cloudwatch

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/outbox"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// stamp is a time as alarms write it: 2015-01-23T12:34:56.789+0000.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000-0700") }

func fromSeconds(s float64) time.Time { return epoch(s).time() }

// number writes a value with at least one decimal, as Java does.
func number(v float64) string {
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

var comparisons = map[string]string{
	"GreaterThanOrEqualToThreshold": "greater than or equal to", "GreaterThanThreshold": "greater than",
	"LessThanThreshold": "less than", "LessThanOrEqualToThreshold": "less than or equal to",
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return strconv.Itoa(n) + " " + word + "s"
}

// reason is AWS's sentence about an evaluation.
func (r *rule) reason(v verdict, from string) string {
	if v.state == stateInsufficient {
		return "Insufficient Data: " + plural(max(v.filled, 1), "datapoint") + wereUnknown(max(v.filled, 1))
	}
	if len(v.used) == 0 {
		treated := "NonBreaching"
		if v.state == stateAlarm {
			treated = "Breaching"
		}
		were := " missing datapoint was treated as ["
		if v.filled != 1 {
			were = " missing datapoints were treated as ["
		}
		return "Threshold Crossed: no datapoints were received for " + plural(v.filled, "period") + " and " + strconv.Itoa(v.filled) + were + treated + "]."
	}
	counted := countBreaching(v.used)
	not, minimum := "", r.m
	if v.state == stateOK {
		counted, not, minimum = len(v.used)-counted, "not ", r.n-r.m+1
	}
	var values []string
	for _, x := range v.used {
		if x.breaches == (v.state == stateAlarm) {
			values = append(values, number(x.value)+" ("+time.Unix(x.at, 0).UTC().Format("02/01/06 15:04:05")+")")
		}
	}
	was, word := "was", "datapoint"
	if counted != 1 {
		was = "were"
	}
	if minimum != 1 {
		word = "datapoints"
	}
	return fmt.Sprintf("Threshold Crossed: %d out of the last %d datapoints [%s] %s %s%s the threshold (%s) (minimum %d %s for %s -> %s transition).",
		counted, r.n, strings.Join(values, ", "), was, not, comparisons[r.operator], number(r.limit), minimum, word, other(v.state, from), v.state)
}

// other is the state that the reason names as the one before: it speaks of OK and ALARM only.
func other(to, from string) string {
	if from == stateInsufficient && to == stateAlarm {
		return stateOK
	}
	if from == stateInsufficient {
		return stateAlarm
	}
	return from
}

func wereUnknown(n int) string {
	if n == 1 {
		return " was unknown."
	}
	return " were unknown."
}

// reasonData is the reason for programs.
func (a *alarm) reasonData(v verdict, now time.Time) string {
	type evaluated struct {
		Timestamp   string   `json:"timestamp"`
		SampleCount *float64 `json:"sampleCount,omitempty"`
		Value       *float64 `json:"value,omitempty"`
	}
	data := struct {
		Version   string      `json:"version"`
		QueryDate string      `json:"queryDate"`
		StartDate string      `json:"startDate,omitempty"`
		Unit      string      `json:"unit,omitempty"`
		Statistic string      `json:"statistic"`
		Period    int64       `json:"period"`
		Recent    []float64   `json:"recentDatapoints"`
		Threshold float64     `json:"threshold"`
		Evaluated []evaluated `json:"evaluatedDatapoints"`
	}{Version: "1.0", QueryDate: stamp(now), Unit: a.Unit, Statistic: a.statistic(), Period: a.Period, Recent: []float64{}, Threshold: *a.Threshold, Evaluated: []evaluated{}}
	for i := range v.used { // newest first; recentDatapoints are oldest first
		x := v.used[len(v.used)-1-i]
		data.Recent = append(data.Recent, x.value)
		if i == 0 {
			data.StartDate = stamp(time.Unix(x.at, 0))
		}
		y := v.used[i]
		data.Evaluated = append(data.Evaluated, evaluated{stamp(time.Unix(y.at, 0)), &y.count, &y.value})
	}
	b, err := service.Marshal(data)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// transition puts an alarm into a state; if it is another one, that is history, and has the state's actions done.
func (s *Service) transition(c *service.Context, tx store.Tx, at place, a *alarm, state, reason, data string) error {
	before, now := a.condition, seconds(c.Now)
	a.condition = condition{state, reason, data, now, before.StateTransitionedTimestamp}
	if state == before.StateValue {
		return nil
	}
	a.StateTransitionedTimestamp = now
	err := a.note(c, tx, "StateUpdate", "Alarm updated from "+before.StateValue+" to "+state, map[string]any{"version": "1.0",
		"oldState": before.forHistory(), "newState": a.forHistory()})
	if err != nil {
		return err
	}
	if err := s.announce(c, tx, at, a, before); err != nil {
		return err
	}
	if !*a.ActionsEnabled {
		return nil
	}
	for _, arn := range map[string][]string{stateOK: a.OKActions, stateAlarm: a.AlarmActions, stateInsufficient: a.InsufficientDataActions}[state] {
		call, err := a.action(arn, at, before)
		if err != nil {
			return err
		}
		if err := s.outbox.Add(c, tx, outbox.Entry{Request: *call}); err != nil {
			return err
		}
		err = a.note(c, tx, "Action", "Successfully executed action "+arn, map[string]any{"actionState": "Succeeded", "notificationResource": arn})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *condition) forHistory() map[string]any {
	m := map[string]any{"stateValue": s.StateValue, "stateReason": s.StateReason}
	if s.StateReasonData != "" {
		m["stateReasonData"] = json.RawMessage(s.StateReasonData)
	}
	return m
}

// action is the call that does an alarm's action.
func (a *alarm) action(arn string, at place, before condition) (*outbox.Call, error) {
	to, _ := aws.ParseARN(arn)
	call := &outbox.Call{Account: to.Account, Region: to.Region, Principal: "cloudwatch.amazonaws.com"}
	switch to.Service {
	case "sns":
		message, err := service.Marshal(a.notification(at, before))
		if err != nil {
			return nil, err
		}
		subject := []rune(fmt.Sprintf("%s: %q in %s", a.StateValue, a.AlarmName, regionName(at.region)))
		call.Service, call.Operation = "sns", "Publish"
		call.Input, err = service.Marshal(map[string]string{"TopicArn": arn, "Subject": string(subject[:min(len(subject), 100)]), "Message": string(message)})
		return call, err
	case "lambda":
		body, err := service.Marshal(a.invocation(at, before))
		if err != nil {
			return nil, err
		}
		call.Service, call.Operation, call.Body = "lambda", "Invoke", body
		call.Input, err = service.Marshal(map[string]string{"FunctionName": arn, "InvocationType": "Event"})
		return call, err
	}
	return nil, unsupported("the alarm action " + arn)
}

// notification is the message that a topic gets.
func (a *alarm) notification(at place, before condition) any {
	type named struct {
		Value string `json:"value"`
		Name  string `json:"name"`
	}
	type trigger struct {
		MetricName, Namespace, StatisticType string
		Statistic                            string `json:",omitempty"`
		ExtendedStatistic                    string `json:",omitempty"`
		Unit                                 *string
		Dimensions                           []named
		Period                               int64
		EvaluationPeriods                    int
		DatapointsToAlarm                    *int `json:",omitempty"`
		ComparisonOperator                   string
		Threshold                            float64
		TreatMissingData                     string
		EvaluateLowSampleCountPercentile     string
	}
	t := trigger{MetricName: a.MetricName, Namespace: a.Namespace, StatisticType: "Statistic", Statistic: strings.ToUpper(a.Statistic), Dimensions: []named{}, Period: a.Period,
		EvaluationPeriods: a.EvaluationPeriods, DatapointsToAlarm: a.DatapointsToAlarm, ComparisonOperator: a.ComparisonOperator, Threshold: *a.Threshold,
		TreatMissingData: a.TreatMissingData, EvaluateLowSampleCountPercentile: a.EvaluateLowSampleCountPercentile}
	if a.Statistic == "SampleCount" {
		t.Statistic = "SAMPLE_COUNT"
	}
	if a.ExtendedStatistic != "" {
		t.StatisticType, t.ExtendedStatistic = "ExtendedStatistic", a.ExtendedStatistic
	}
	if a.Unit != "" {
		t.Unit = &a.Unit
	}
	for _, d := range a.Dimensions {
		t.Dimensions = append(t.Dimensions, named{d.Value, d.Name})
	}
	var description *string
	if a.AlarmDescription != "" {
		description = &a.AlarmDescription
	}
	return struct {
		AlarmName                                                        string
		AlarmDescription                                                 *string
		AWSAccountId, AlarmConfigurationUpdatedTimestamp, NewStateValue  string //nolint:revive // AWS's names
		NewStateReason, StateChangeTime, Region, AlarmArn, OldStateValue string
		OKActions, AlarmActions, InsufficientDataActions                 []string
		Trigger                                                          trigger
	}{a.AlarmName, description, at.account, stamp(fromSeconds(a.Updated)), a.StateValue, a.StateReason, stamp(fromSeconds(a.StateUpdatedTimestamp)),
		regionName(at.region), alarmARN(at.account, at.region, a.AlarmName), before.StateValue, a.OKActions, a.AlarmActions, a.InsufficientDataActions, t}
}

// state is a condition as events have it.
func (s *condition) event() map[string]any {
	m := map[string]any{"value": s.StateValue, "reason": s.StateReason, "timestamp": stamp(fromSeconds(s.StateUpdatedTimestamp))}
	if s.StateReasonData != "" {
		m["reasonData"] = s.StateReasonData
	}
	return m
}

func (a *alarm) detail(before condition) map[string]any {
	dimensions := map[string]string{}
	for _, d := range a.Dimensions {
		dimensions[d.Name] = d.Value
	}
	configuration := map[string]any{"metrics": []any{map[string]any{"id": "m1", "returnData": true, "metricStat": map[string]any{
		"metric": map[string]any{"namespace": a.Namespace, "name": a.MetricName, "dimensions": dimensions}, "period": a.Period, "stat": a.statistic()}}}}
	if a.AlarmDescription != "" {
		configuration["description"] = a.AlarmDescription
	}
	return map[string]any{"alarmName": a.AlarmName, "state": a.event(), "previousState": before.event(), "configuration": configuration}
}

// invocation is the event that a function gets.
func (a *alarm) invocation(at place, before condition) any {
	return map[string]any{"source": "aws.cloudwatch", "alarmArn": alarmARN(at.account, at.region, a.AlarmName), "accountId": at.account,
		"time": stamp(fromSeconds(a.StateUpdatedTimestamp)), "region": at.region, "alarmData": a.detail(before)}
}

const stateChange = "CloudWatch Alarm State Change"

// announce puts the change of an alarm's state on the default bus, if a rule could match it.
func (s *Service) announce(c *service.Context, tx store.Tx, at place, a *alarm, before condition) error {
	if !s.cfg.Wanted(at.account, at.region, "aws.cloudwatch", stateChange) {
		return nil
	}
	detail, err := service.Marshal(a.detail(before))
	if err != nil {
		return err
	}
	input, err := service.Marshal(map[string]any{"Entries": []any{map[string]any{"Source": "aws.cloudwatch", "DetailType": stateChange, "Detail": string(detail),
		"Time": seconds(c.Now), "Resources": []string{alarmARN(at.account, at.region, a.AlarmName)}}}})
	if err != nil {
		return err
	}
	return s.outbox.Add(c, tx, outbox.Entry{Request: outbox.Call{Service: "events", Operation: "PutEvents", Account: at.account, Region: at.region,
		Principal: "cloudwatch.amazonaws.com", Input: input}})
}

// regions are the names by which mails call them.
var regions = map[string]string{
	"us-east-1": "US East (N. Virginia)", "us-east-2": "US East (Ohio)", "us-west-1": "US West (N. California)", "us-west-2": "US West (Oregon)",
	"ca-central-1": "Canada (Central)", "eu-central-1": "EU (Frankfurt)", "eu-west-1": "EU (Ireland)", "eu-west-2": "EU (London)", "eu-west-3": "EU (Paris)",
	"eu-north-1": "EU (Stockholm)", "eu-south-1": "EU (Milan)", "ap-south-1": "Asia Pacific (Mumbai)", "ap-southeast-1": "Asia Pacific (Singapore)",
	"ap-southeast-2": "Asia Pacific (Sydney)", "ap-northeast-1": "Asia Pacific (Tokyo)", "ap-northeast-2": "Asia Pacific (Seoul)",
	"ap-northeast-3": "Asia Pacific (Osaka)", "ap-east-1": "Asia Pacific (Hong Kong)", "sa-east-1": "South America (Sao Paulo)",
	"af-south-1": "Africa (Cape Town)", "me-south-1": "Middle East (Bahrain)",
}

func regionName(region string) string {
	if n := regions[region]; n != "" {
		return n
	}
	return region
}
