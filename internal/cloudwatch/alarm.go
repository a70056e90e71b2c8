package cloudwatch

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// settings are an alarm's as PutMetricAlarm takes and DescribeAlarms shows them.
type settings struct {
	AlarmName                        string
	AlarmDescription                 string `json:",omitempty"`
	ActionsEnabled                   *bool
	OKActions                        []string
	AlarmActions                     []string
	InsufficientDataActions          []string
	MetricName                       string
	Namespace                        string
	Statistic                        string `json:",omitempty"`
	ExtendedStatistic                string `json:",omitempty"`
	Dimensions                       []dimension
	Period                           int64
	Unit                             string `json:",omitempty"`
	EvaluationPeriods                int
	DatapointsToAlarm                *int `json:",omitempty"`
	Threshold                        *float64
	ComparisonOperator               string
	TreatMissingData                 string `json:",omitempty"`
	EvaluateLowSampleCountPercentile string `json:",omitempty"`
}

// condition is the state of an alarm and how it came to it.
type condition struct {
	StateValue                 string
	StateReason                string
	StateReasonData            string  `json:",omitempty"`
	StateUpdatedTimestamp      float64 // s
	StateTransitionedTimestamp float64
}

// alarm is an alarm's record.
type alarm struct {
	Version int
	settings
	condition
	Updated float64 // s, of the settings
	Tags    map[string]string
	Series  uint64 // number of the metric's series
	Items   uint64 // history items so far
}

func alarmARN(account, region, name string) string {
	return aws.ARN{Service: "cloudwatch", Region: region, Account: account, Resource: "alarm:" + name}.String()
}

func (a *alarm) metric() metric {
	return metric{a.Namespace, a.MetricName, slices.Clone(a.Dimensions)}
}

func (a *alarm) statistic() string {
	if a.Statistic != "" {
		return a.Statistic
	}
	return a.ExtendedStatistic
}

func (a *alarm) rule() *rule {
	r := &rule{n: a.EvaluationPeriods, m: a.EvaluationPeriods, missing: a.TreatMissingData, operator: a.ComparisonOperator, limit: *a.Threshold}
	if a.DatapointsToAlarm != nil {
		r.m = *a.DatapointsToAlarm
	}
	return r
}

func readAlarm(rd store.Reader, at place, name string) (*alarm, error) {
	b, err := rd.Get(rows(rowAlarm, at.account, at.region).Str(name))
	if err != nil || b == nil {
		return nil, err
	}
	return decodeAlarm(b)
}

func decodeAlarm(b []byte) (*alarm, error) {
	a := &alarm{}
	if json.Unmarshal(b, a) != nil || a.Version != recordVersion {
		return nil, errCorrupt
	}
	return a, nil
}

func (a *alarm) save(tx store.Tx, at place) error {
	b, err := json.Marshal(a)
	if err == nil {
		tx.Set(rows(rowAlarm, at.account, at.region).Str(a.AlarmName), b)
	}
	return err
}

func watchKey(series uint64, at place, name string) store.Key {
	return table(rowWatch).U64(series).Str(at.account).Str(at.region).Str(name)
}

// check holds an alarm's settings to AWS's rules.
func (a *settings) check(raw json.RawMessage) error {
	var other struct {
		Metrics            []json.RawMessage
		ThresholdMetricId  string //nolint:revive // the API's name
		EvaluationCriteria *json.RawMessage
	}
	if err := json.Unmarshal(raw, &other); err != nil {
		return err
	}
	switch {
	case len(other.Metrics) > 0:
		return unsupported("alarms on metric math (Metrics)")
	case other.ThresholdMetricId != "" || other.EvaluationCriteria != nil:
		return unsupported("alarms on anomaly detection and PromQL")
	case a.MetricName == "" || a.Namespace == "":
		return parameter("MissingParameter", "MissingParameter", "The parameters MetricName and Namespace must be specified.")
	case (a.Statistic == "") == (a.ExtendedStatistic == ""):
		return invalid("Exactly one of the parameters Statistic and ExtendedStatistic must be specified.")
	case a.Period == 0 || a.EvaluationPeriods == 0:
		return parameter("MissingParameter", "MissingParameter", "The parameters Period and EvaluationPeriods must be specified.")
	case a.Threshold == nil:
		return parameter("MissingParameter", "MissingParameter", "The parameter Threshold must be specified.")
	case a.Period != 10 && a.Period != 20 && a.Period != 30 && a.Period%60 != 0:
		return invalid("Period must be 10, 20, 30 or a multiple of 60.")
	case a.Period < 3600 && a.Period*int64(a.EvaluationPeriods) > 86400:
		return invalid("Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400).")
	case a.Period >= 3600 && a.Period*int64(a.EvaluationPeriods) > 7*86400:
		return invalid("Metrics cannot be checked across more than 7 days (EvaluationPeriods * Period must be <= 604800).")
	case a.DatapointsToAlarm != nil && *a.DatapointsToAlarm > a.EvaluationPeriods:
		return invalid("Invalid value for DatapointsToAlarm: it must not be greater than EvaluationPeriods.")
	}
	return a.checkWords()
}

func (a *settings) checkWords() error {
	if a.ExtendedStatistic != "" {
		if _, ok := percentile(a.ExtendedStatistic); !ok {
			return unsupported("the extended statistic " + a.ExtendedStatistic)
		}
	}
	switch a.ComparisonOperator {
	case "GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold":
	default:
		return unsupported("the comparison operator " + a.ComparisonOperator)
	}
	if !slices.Contains([]string{"", "breaching", "notBreaching", "ignore", "missing"}, a.TreatMissingData) {
		return invalid("Invalid TreatMissingData value %s: it must be one of breaching, notBreaching, ignore, missing.", a.TreatMissingData)
	}
	if !slices.Contains([]string{"", "evaluate", "ignore"}, a.EvaluateLowSampleCountPercentile) {
		return invalid("Invalid EvaluateLowSampleCountPercentile value %s: it must be evaluate or ignore.", a.EvaluateLowSampleCountPercentile)
	}
	for _, list := range [][]string{a.OKActions, a.AlarmActions, a.InsufficientDataActions} {
		if len(list) > 5 {
			return invalid("An alarm can have at most five actions for a state.")
		}
		for _, arn := range list {
			if err := checkAction(arn); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkAction refuses an action that would not be done.
func checkAction(arn string) error {
	a, ok := aws.ParseARN(arn)
	switch {
	case !ok:
		return invalid("Invalid arn syntax: %s", arn)
	case a.Service == "sns", a.Service == "lambda" && strings.HasPrefix(a.Resource, "function:"):
		return nil
	}
	return unsupported("the alarm action " + arn)
}

func (s *Service) putMetricAlarm(c *service.Context, tx store.Tx) (any, error) {
	var in settings
	var more struct{ Tags []struct{ Key, Value string } }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if err := service.Decode(c.Request, &more); err != nil {
		return nil, err
	}
	if err := in.check(c.Input); err != nil {
		return nil, err
	}
	in.fill()
	at, now := place{c.Account, c.Region}, seconds(c.Now)
	a, err := readAlarm(tx, at, in.AlarmName)
	if err != nil {
		return nil, err
	}
	summary := "Alarm \"" + in.AlarmName + "\" updated"
	if a == nil {
		summary = "Alarm \"" + in.AlarmName + "\" created"
		a = &alarm{Version: recordVersion, Tags: map[string]string{}, condition: condition{StateValue: stateInsufficient,
			StateReason: "Unchecked: Initial alarm creation", StateUpdatedTimestamp: now, StateTransitionedTimestamp: now}}
		for _, t := range more.Tags {
			a.Tags[t.Key] = t.Value
		}
	} else {
		tx.Delete(watchKey(a.Series, at, a.AlarmName))
	}
	a.settings, a.Updated = in, now
	m := a.metric()
	one, err := ensureSeries(tx, m.key(c.Account, c.Region))
	if err != nil {
		return nil, err
	}
	a.Series = one.id
	tx.Set(watchKey(one.id, at, a.AlarmName), nil)
	if err := a.note(c, tx, "ConfigurationUpdate", summary, map[string]any{"version": "1.0", "type": "Create", "createdAlarm": a.settings}); err != nil {
		return nil, err
	}
	s.remind(c, at, a.AlarmName, c.Now)
	return nil, a.save(tx, at)
}

// fill puts in what is shown of an alarm where nothing was said.
func (a *settings) fill() {
	if a.ActionsEnabled == nil {
		yes := true
		a.ActionsEnabled = &yes
	}
	for _, list := range []*[]string{&a.OKActions, &a.AlarmActions, &a.InsufficientDataActions} {
		if *list == nil {
			*list = []string{}
		}
	}
	if a.Dimensions == nil {
		a.Dimensions = []dimension{}
	}
}

func (s *Service) deleteAlarms(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ AlarmNames []string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	at := place{c.Account, c.Region}
	for _, name := range in.AlarmNames {
		a, err := readAlarm(tx, at, name)
		if err != nil {
			return nil, err
		}
		if a == nil {
			continue
		}
		tx.Delete(watchKey(a.Series, at, name))
		tx.Delete(rows(rowAlarm, c.Account, c.Region).Str(name))
		history := rows(rowHistory, c.Account, c.Region).Str(name)
		for k := range tx.Scan(history, history.End(), false) {
			tx.Delete(k)
		}
	}
	return nil, nil
}

func (s *Service) setAlarmState(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ AlarmName, StateValue, StateReason, StateReasonData string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if in.StateReasonData != "" && !json.Valid([]byte(in.StateReasonData)) {
		return nil, parameter("InvalidFormatFault", "InvalidFormat", "State reason data is not valid JSON.")
	}
	at := place{c.Account, c.Region}
	a, err := readAlarm(tx, at, in.AlarmName)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, parameter("ResourceNotFound", "ResourceNotFound", "Unknown")
	}
	if err := s.transition(c, tx, at, a, in.StateValue, in.StateReason, in.StateReasonData); err != nil {
		return nil, err
	}
	s.remind(c, at, a.AlarmName, nextBoundary(a, c.Now)) // then it goes back to what its data say
	return nil, a.save(tx, at)
}

func (s *Service) enableActions(c *service.Context, tx store.Tx) (any, error) {
	return nil, s.switchActions(c, tx, true)
}

func (s *Service) disableActions(c *service.Context, tx store.Tx) (any, error) {
	return nil, s.switchActions(c, tx, false)
}

func (s *Service) switchActions(c *service.Context, tx store.Tx, on bool) error {
	var in struct{ AlarmNames []string }
	if err := service.Decode(c.Request, &in); err != nil {
		return err
	}
	at := place{c.Account, c.Region}
	for _, name := range in.AlarmNames {
		a, err := readAlarm(tx, at, name)
		if err != nil {
			return err
		}
		if a == nil || *a.ActionsEnabled == on {
			continue
		}
		a.ActionsEnabled, a.Updated = &on, seconds(c.Now)
		if err := a.note(c, tx, "ConfigurationUpdate", "Alarm \""+name+"\" updated", map[string]any{"version": "1.0", "type": "Update", "updatedAlarm": a.settings}); err != nil {
			return err
		}
		if err := a.save(tx, at); err != nil {
			return err
		}
	}
	return nil
}
