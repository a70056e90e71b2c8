package cloudwatch

import (
	"encoding/base64"
	"slices"
	"strconv"
	"time"

	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

const datapointsMost = 1440

func checkPeriod(period int64) error {
	if period != 1 && period != 5 && period != 10 && period != 20 && period != 30 && (period <= 0 || period%60 != 0) {
		return invalidValue("The parameter Period must be 1, 5, 10, 20, 30 or any multiple of 60.")
	}
	return nil
}

// datapoint is an entry of GetMetricStatistics' answer.
type datapoint struct {
	Timestamp          float64
	SampleCount        *float64 `json:",omitempty"`
	Average            *float64 `json:",omitempty"`
	Sum                *float64 `json:",omitempty"`
	Minimum            *float64 `json:",omitempty"`
	Maximum            *float64 `json:",omitempty"`
	Unit               string
	ExtendedStatistics map[string]float64 `json:",omitempty"`
}

func (d *datapoint) set(name string, v float64) {
	switch name {
	case "SampleCount":
		d.SampleCount = &v
	case "Average":
		d.Average = &v
	case "Sum":
		d.Sum = &v
	case "Minimum":
		d.Minimum = &v
	case "Maximum":
		d.Maximum = &v
	default:
		if d.ExtendedStatistics == nil {
			d.ExtendedStatistics = map[string]float64{}
		}
		d.ExtendedStatistics[name] = v
	}
}

func (s *Service) getMetricStatistics(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		metric
		StartTime, EndTime             epoch
		Period                         int64
		Statistics, ExtendedStatistics []string
		Unit                           string
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if err := checkPeriod(in.Period); err != nil {
		return nil, err
	}
	wanted := slices.Concat(in.Statistics, in.ExtendedStatistics)
	if len(wanted) == 0 {
		return nil, parameter("MissingRequiredParameterException", "MissingParameter", "At least one of the parameters Statistics and ExtendedStatistics must be specified.")
	}
	for _, name := range wanted {
		if !knownStatistic(name) {
			return nil, invalidValue("Newel does not implement the statistic %s yet.", name)
		}
	}
	from, to := in.StartTime.time().Unix(), in.EndTime.time().Unix()
	if from >= to {
		return nil, parameter("InvalidParameterValueException", "InvalidParameterValue", "The parameter StartTime must be less than the parameter EndTime.")
	}
	if unit := min(in.Period, 60); in.Period >= 60 {
		from -= from % unit
	} else {
		from -= from % in.Period
	}
	if n := (to - from) / in.Period; n > datapointsMost {
		return nil, parameter("InvalidParameterCombinationException", "InvalidParameterCombination",
			"You have requested up to %d datapoints, which exceeds the limit of %d. You may reduce the datapoints requested by increasing Period, or decreasing the time range.", n, datapointsMost)
	}
	out := struct {
		Label      string
		Datapoints []datapoint
	}{in.MetricName, []datapoint{}}
	one, found, err := readSeries(rd, in.key(c.Account, c.Region))
	if err != nil || !found {
		return out, err
	}
	points, err := window{from, from, to, in.Period, in.Unit, false}.read(rd, one.id)
	if err != nil {
		return nil, err
	}
	for i := range points {
		p := &points[i]
		d := datapoint{Timestamp: float64(p.at), Unit: units[p.unit]}
		for _, name := range wanted {
			if v, ok := p.statistic(name); ok {
				d.set(name, v)
			}
		}
		out.Datapoints = append(out.Datapoints, d)
	}
	return out, nil
}

type dimensionFilter struct {
	Name  string
	Value *string
}

func (m *metric) has(filters []dimensionFilter) bool {
	for _, f := range filters {
		if !slices.ContainsFunc(m.Dimensions, func(d dimension) bool { return d.Name == f.Name && (f.Value == nil || *f.Value == d.Value) }) {
			return false
		}
	}
	return true
}

const listMost = 500

// listedFor is how long a metric without new data is listed.
const listedFor = 14 * 24 * time.Hour

func (s *Service) listMetrics(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		Namespace, MetricName, NextToken, RecentlyActive string
		Dimensions                                       []dimensionFilter
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	since := c.Now.Add(-listedFor).Unix()
	if in.RecentlyActive == "PT3H" {
		since = c.Now.Add(-3*time.Hour).Unix() - seenEvery
	}
	base := rows(rowSeries, c.Account, c.Region)
	from, prefix := base, base
	if in.Namespace != "" {
		if prefix = base.Str(in.Namespace); in.MetricName != "" {
			prefix = prefix.Str(in.MetricName)
		}
		from = prefix
	}
	if in.NextToken != "" {
		after, err := base64.RawURLEncoding.DecodeString(in.NextToken)
		if err != nil {
			return nil, parameter("InvalidNextToken", "InvalidNextToken", "The token is invalid.")
		}
		from = append(store.Key(after), 0)
	}
	list := []metric{}
	var last string
	for k, v := range rd.Scan(from, prefix.End(), false) {
		one, err := decodeSeries(v)
		if err != nil {
			return nil, err
		}
		m, err := parseMetric(k[len(base):])
		if err != nil {
			return nil, err
		}
		if one.seen < since || in.MetricName != "" && m.MetricName != in.MetricName || !m.has(in.Dimensions) {
			continue
		}
		if len(list) == listMost {
			return map[string]any{"Metrics": list, "NextToken": last}, nil
		}
		if m.Dimensions == nil {
			m.Dimensions = []dimension{}
		}
		list, last = append(list, m), base64.RawURLEncoding.EncodeToString(k)
	}
	return map[string]any{"Metrics": list}, nil
}

// pageFrom reads a token that is a place in a list.
func pageFrom(token string, length int) (int, error) {
	if token == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(token)
	if err != nil || n < 0 || n > length {
		return 0, parameter("InvalidNextToken", "InvalidNextToken", "The token is invalid.")
	}
	return n, nil
}
