package cloudwatch

import (
	"math"
	"time"

	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// datum is one entry of PutMetricData.
type datum struct {
	MetricName      string
	Dimensions      []dimension
	Timestamp       *epoch
	Value           *float64
	StatisticValues *struct{ SampleCount, Sum, Minimum, Maximum float64 }
	Values, Counts  []float64
	Unit            string
	// StorageResolution is 1 or 60 seconds.
	StorageResolution int
}

const (
	dataMost      = 1000
	dimensionMost = 30
	valuesMost    = 150
	oldest        = 14 * 24 * time.Hour
	furthest      = 2 * time.Hour
)

// aggregate checks a datum and gives its values.
func (d *datum) aggregate(now time.Time) (*aggregate, time.Time, error) {
	at := now
	if d.Timestamp != nil {
		at = d.Timestamp.time()
	}
	switch {
	case now.Sub(at) > oldest:
		return nil, at, invalidValue("The parameter MetricData.member.1.Timestamp must specify a time no more than two weeks in the past.")
	case at.Sub(now) > furthest:
		return nil, at, invalidValue("The parameter MetricData.member.1.Timestamp must specify a time no more than two hours in the future.")
	case len(d.Dimensions) > dimensionMost:
		return nil, at, invalidValue("The collection MetricData.member.1.Dimensions must not have a size greater than %d.", dimensionMost)
	case d.StorageResolution != 0 && d.StorageResolution != 1 && d.StorageResolution != 60:
		return nil, at, invalidValue("The parameter MetricData.member.1.StorageResolution must be 1 or 60.")
	}
	a := &aggregate{}
	given := 0
	if d.Value != nil {
		given++
		a.add(*d.Value)
	}
	if v := d.StatisticValues; v != nil {
		given++
		if v.SampleCount <= 0 || v.Minimum > v.Maximum {
			return nil, at, invalidValue("The parameter MetricData.member.1.StatisticValues is not consistent.")
		}
		a = &aggregate{count: v.SampleCount, sum: v.Sum, min: v.Minimum, max: v.Maximum, opaque: v.Minimum != v.Maximum}
	}
	if len(d.Values) > 0 {
		given++
		if len(d.Values) > valuesMost || d.Counts != nil && len(d.Counts) != len(d.Values) {
			return nil, at, invalidValue("The parameters MetricData.member.1.Values and MetricData.member.1.Counts must be of the same size, at most %d.", valuesMost)
		}
		for i, v := range d.Values {
			n := 1.0
			if d.Counts != nil {
				n = d.Counts[i]
			}
			a.merge(single(v, n))
		}
	}
	if given != 1 {
		if given == 0 {
			return nil, at, parameter("MissingRequiredParameterException", "MissingParameter", "At least one of the parameters must be specified.")
		}
		return nil, at, parameter("InvalidParameterCombinationException", "InvalidParameterCombination",
			"The parameters MetricData.member.1.Value, MetricData.member.1.Values and MetricData.member.1.StatisticValues are mutually exclusive and you have specified more than one.")
	}
	for _, v := range []float64{a.min, a.max, a.sum} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, at, invalidValue("The value %v for parameter MetricData.member.1.Value is invalid.", v)
		}
	}
	return a, at, nil
}

func (s *Service) putMetricData(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		Namespace        string
		MetricData       []datum
		EntityMetricData []struct{ MetricData []datum }
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	for _, e := range in.EntityMetricData { // the entity is of no use to what is implemented here
		in.MetricData = append(in.MetricData, e.MetricData...)
	}
	if len(in.MetricData) == 0 {
		return nil, parameter("MissingRequiredParameterException", "MissingParameter", "The parameter MetricData is required.")
	}
	if len(in.MetricData) > dataMost {
		return nil, invalidValue("The collection MetricData must not have a size greater than %d.", dataMost)
	}
	touched := map[uint64]bool{}
	for i := range in.MetricData {
		d := &in.MetricData[i]
		a, at, err := d.aggregate(c.Now)
		if err != nil {
			return nil, err
		}
		m := metric{in.Namespace, d.MetricName, d.Dimensions}
		key := m.key(c.Account, c.Region)
		one, err := ensureSeries(tx, key)
		if err != nil {
			return nil, err
		}
		unit := unitNumber(d.Unit)
		if d.StorageResolution == 1 {
			if err := one.add(tx, key, perSecond, at.Unix(), unit, a, c.Now.Unix()); err != nil {
				return nil, err
			}
		}
		if err := one.add(tx, key, perMinute, at.Unix(), unit, a, c.Now.Unix()); err != nil {
			return nil, err
		}
		touched[one.id] = true
	}
	return nil, s.evaluateTouched(c, tx, touched)
}
