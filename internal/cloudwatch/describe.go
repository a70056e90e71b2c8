package cloudwatch

import (
	"slices"
	"strconv"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

const recordsMost = 100

// cut gives the page of a list that begins at a token.
func cut[T any](list []T, token string, most int) ([]T, string, error) {
	if most <= 0 || most > recordsMost {
		most = recordsMost
	}
	from, err := pageFrom(token, len(list))
	if err != nil {
		return nil, "", err
	}
	list = list[from:]
	if len(list) <= most {
		return list, "", nil
	}
	return list[:most], strconv.Itoa(from + most), nil
}

func withToken(out map[string]any, next string) map[string]any {
	if next != "" {
		out["NextToken"] = next
	}
	return out
}

// describedAlarm is an entry of MetricAlarms.
type describedAlarm struct {
	AlarmArn string
	settings
	condition
	AlarmConfigurationUpdatedTimestamp float64
}

func describe(at place, a *alarm) describedAlarm {
	return describedAlarm{alarmARN(at.account, at.region, a.AlarmName), a.settings, a.condition, a.Updated}
}

type describeInput struct {
	AlarmNames, AlarmTypes                             []string
	AlarmNamePrefix, StateValue, ActionPrefix          string
	ChildrenOfAlarmName, ParentsOfAlarmName, NextToken string
	MaxRecords                                         int
}

func (in *describeInput) wants(a *alarm) bool {
	action := func(arn string) bool { return strings.HasPrefix(arn, in.ActionPrefix) }
	return (in.AlarmNames == nil || slices.Contains(in.AlarmNames, a.AlarmName)) && (in.StateValue == "" || in.StateValue == a.StateValue) &&
		(in.ActionPrefix == "" || slices.ContainsFunc(slices.Concat(a.OKActions, a.AlarmActions, a.InsufficientDataActions), action)) &&
		(in.AlarmTypes == nil || slices.Contains(in.AlarmTypes, "MetricAlarm"))
}

func (s *Service) describeAlarms(c *service.Context, rd store.Reader) (any, error) {
	var in describeInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if in.AlarmNames != nil && in.AlarmNamePrefix != "" {
		return nil, parameter("InvalidParameterCombination", "InvalidParameterCombination", "AlarmNames and AlarmNamePrefix cannot be specified together.")
	}
	list := []describedAlarm{}
	if in.ChildrenOfAlarmName == "" && in.ParentsOfAlarmName == "" { // those are about composite alarms
		prefix := rows(rowAlarm, c.Account, c.Region)
		for _, v := range rd.Scan(prefix, prefix.End(), false) {
			a, err := decodeAlarm(v)
			if err != nil {
				return nil, err
			}
			if strings.HasPrefix(a.AlarmName, in.AlarmNamePrefix) && in.wants(a) {
				list = append(list, describe(place{c.Account, c.Region}, a))
			}
		}
	}
	list, next, err := cut(list, in.NextToken, in.MaxRecords)
	if err != nil {
		return nil, err
	}
	return withToken(map[string]any{"MetricAlarms": list, "CompositeAlarms": []any{}}, next), nil
}

func (s *Service) describeAlarmsForMetric(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		metric
		Statistic, ExtendedStatistic, Unit string
		Period                             int64
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	list := []describedAlarm{}
	one, found, err := readSeries(rd, in.key(c.Account, c.Region))
	if err != nil || !found {
		return map[string]any{"MetricAlarms": list}, err
	}
	prefix := table(rowWatch).U64(one.id).Str(c.Account).Str(c.Region)
	for k := range rd.Scan(prefix, prefix.End(), false) {
		name, _, _ := store.CutStr(k[len(prefix):])
		a, err := readAlarm(rd, place{c.Account, c.Region}, name)
		if err != nil {
			return nil, err
		}
		if a != nil && (in.Statistic == "" || in.Statistic == a.Statistic) && (in.ExtendedStatistic == "" || in.ExtendedStatistic == a.ExtendedStatistic) &&
			(in.Period == 0 || in.Period == a.Period) && (in.Unit == "" || in.Unit == a.Unit) {
			list = append(list, describe(place{c.Account, c.Region}, a))
		}
	}
	return map[string]any{"MetricAlarms": list}, nil
}

// tagged reads the alarm that a ResourceARN names, of whatever account and region.
func tagged(c *service.Context, rd store.Reader) (*alarm, error) {
	var in struct{ ResourceARN string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	arn, ok := aws.ParseARN(in.ResourceARN)
	name, isAlarm := strings.CutPrefix(arn.Resource, "alarm:")
	if !ok {
		return nil, invalidValue("%s is not a valid ARN.", in.ResourceARN)
	}
	if isAlarm {
		if a, err := readAlarm(rd, place{c.Account, c.Region}, name); a != nil || err != nil {
			return a, err
		}
	}
	return nil, notFound("%s does not exist", in.ResourceARN)
}

func (s *Service) tagResource(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ Tags []struct{ Key, Value string } }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	a, err := tagged(c, tx)
	if err != nil {
		return nil, err
	}
	for _, t := range in.Tags {
		a.Tags[t.Key] = t.Value
	}
	return nil, a.save(tx, place{c.Account, c.Region})
}

func (s *Service) untagResource(c *service.Context, tx store.Tx) (any, error) {
	var in struct{ TagKeys []string }
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	a, err := tagged(c, tx)
	if err != nil {
		return nil, err
	}
	for _, k := range in.TagKeys {
		delete(a.Tags, k)
	}
	return nil, a.save(tx, place{c.Account, c.Region})
}

func (s *Service) listTags(c *service.Context, rd store.Reader) (any, error) {
	a, err := tagged(c, rd)
	if err != nil {
		return nil, err
	}
	list := []map[string]string{}
	for k, v := range a.Tags {
		list = append(list, map[string]string{"Key": k, "Value": v})
	}
	slices.SortFunc(list, func(a, b map[string]string) int { return strings.Compare(a["Key"], b["Key"]) })
	return map[string]any{"Tags": list}, nil
}
