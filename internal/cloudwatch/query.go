package cloudwatch

import (
	"regexp"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// dataQuery is a query of GetMetricData: a metric's statistic, or an expression over other queries.
type dataQuery struct {
	ID         string `json:"Id"`
	Expression string
	Label      string
	ReturnData *bool
	Period     int64
	AccountID  string `json:"AccountId"`
	MetricStat *struct {
		Metric metric
		Period int64
		Stat   string
		Unit   string
	}
}

// values are a query's datapoints: period's beginning (s) -> value.
type values map[int64]float64

var queryID = regexp.MustCompile(`^[a-z][a-zA-Z0-9_]*$`)

const queriesMost = 500

func checkQueries(queries []dataQuery) error {
	if len(queries) == 0 || len(queries) > queriesMost {
		return invalid("The collection MetricDataQueries must have a size between 1 and %d.", queriesMost)
	}
	seen := map[string]bool{}
	for _, q := range queries {
		switch {
		case !queryID.MatchString(q.ID):
			return invalid("The value for parameter MetricDataQueries.member.1.Id must match the regular expression ^[a-z][a-zA-Z0-9_]*$: %s", q.ID)
		case seen[q.ID]:
			return invalid("Values for parameter id are not unique: %s", q.ID)
		case (q.MetricStat == nil) == (q.Expression == ""):
			return invalid("Exactly one of MetricStat and Expression must be specified in the query %s.", q.ID)
		case strings.HasPrefix(strings.ToUpper(strings.TrimSpace(q.Expression)), "SELECT"):
			return unsupported("Metrics Insights queries")
		case q.MetricStat != nil && !knownStatistic(q.MetricStat.Stat):
			return unsupported("the statistic " + q.MetricStat.Stat)
		}
		if q.MetricStat != nil {
			if err := checkPeriod(q.MetricStat.Period); err != nil {
				return err
			}
		}
		seen[q.ID] = true
	}
	return nil
}

func (s *Service) getMetricData(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		MetricDataQueries  []dataQuery
		StartTime, EndTime epoch
		ScanBy             string
		NextToken          string
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if err := checkQueries(in.MetricDataQueries); err != nil {
		return nil, err
	}
	from, to := in.StartTime.time().Unix(), in.EndTime.time().Unix()
	if from >= to {
		return nil, invalid("The parameter StartTime must be less than the parameter EndTime.")
	}
	e := &evaluation{queries: in.MetricDataQueries, done: map[string]values{}, read: func(q *dataQuery) (values, error) {
		return readQuery(c, rd, q, from, to)
	}}
	e.periods = periodsOf(in.MetricDataQueries, from, to)
	results := []map[string]any{}
	for i := range in.MetricDataQueries {
		q := &in.MetricDataQueries[i]
		v, err := e.query(q.ID, nil)
		if err != nil {
			return nil, err
		}
		if q.ReturnData == nil || *q.ReturnData {
			results = append(results, v.result(q, in.ScanBy))
		}
	}
	return map[string]any{"MetricDataResults": results, "Messages": []any{}}, nil
}

func periodsOf(queries []dataQuery, from, to int64) (list []int64) {
	var shortest int64
	for _, q := range queries {
		if q.MetricStat != nil && (shortest == 0 || q.MetricStat.Period < shortest) {
			shortest = q.MetricStat.Period
		}
	}
	if shortest == 0 || (to-from)/shortest > periodsMost {
		return nil
	}
	for t := from / shortest * shortest; t < to; t += shortest {
		list = append(list, t)
	}
	return list
}

// periodsMost bounds what FILL makes of one series.
const periodsMost = 100_800

func (q *dataQuery) label() string {
	switch {
	case q.Label != "":
		return q.Label
	case q.MetricStat != nil:
		return q.MetricStat.Metric.MetricName
	}
	return q.ID
}

func (v values) result(q *dataQuery, order string) map[string]any {
	times := make([]int64, 0, len(v))
	for t := range v {
		times = append(times, t)
	}
	slices.Sort(times)
	if order != "TimestampAscending" {
		slices.Reverse(times)
	}
	list := make([]float64, len(times))
	for i, t := range times {
		list[i] = v[t]
	}
	return map[string]any{"Id": q.ID, "Label": q.label(), "Timestamps": times, "Values": list, "StatusCode": "Complete"}
}

func readQuery(c *service.Context, rd store.Reader, q *dataQuery, from, to int64) (values, error) {
	m := q.MetricStat
	account := c.Account
	if q.AccountID != "" {
		account = q.AccountID
	}
	out := values{}
	one, found, err := readSeries(rd, m.Metric.key(account, c.Region))
	if err != nil || !found {
		return out, err
	}
	begin := from / m.Period * m.Period
	points, err := window{0, begin, to, m.Period, m.Unit, true}.read(rd, one.id)
	if err != nil {
		return nil, err
	}
	for i := range points {
		if v, ok := points[i].statistic(m.Stat); ok {
			out[points[i].at] = v
		}
	}
	return out, nil
}
