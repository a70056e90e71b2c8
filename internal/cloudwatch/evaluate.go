package cloudwatch

import (
	"math"
	"strings"
)

// The states of an alarm.
const (
	stateOK           = "OK"
	stateAlarm        = "ALARM"
	stateInsufficient = "INSUFFICIENT_DATA"
)

// sample is what an alarm sees of one period of its evaluation range.
type sample struct {
	at       int64 // s, the period's beginning
	there    bool  // false: missing
	value    float64
	count    float64
	breaches bool
	certain  bool // it breaches and will do so when its period is over
	low      bool // a percentile of too few values, which the alarm is to ignore
}

// extra is how many periods the evaluation range goes back beyond the evaluation periods (AWS: "a few more", five in its
// example of three).
const extra = 2

// rule is what decides an alarm's state.
type rule struct {
	n, m     int // evaluation periods, datapoints to alarm
	missing  string
	operator string
	limit    float64
}

func (r *rule) breached(v float64) bool {
	switch r.operator {
	case "GreaterThanOrEqualToThreshold":
		return v >= r.limit
	case "GreaterThanThreshold":
		return v > r.limit
	case "LessThanThreshold":
		return v < r.limit
	case "LessThanOrEqualToThreshold":
		return v <= r.limit
	}
	panic("cloudwatch: operator " + r.operator)
}

// verdict is an evaluation's result: the state, and the samples and missing periods that it rests on.
type verdict struct {
	state  string
	used   []sample // newest first
	filled int      // missing periods that were treated as breaching or not
}

// evaluate decides the state by AWS's rules ("How alarm state is evaluated when data is missing"). samples are the
// evaluation range, oldest first; current is the state until now.
//
// If there are as many real datapoints as evaluation periods, the latest of them decide, however far back they are.
// Otherwise the missing ones are treated as the alarm says; as "missing" or "ignore" they leave the decision to the
// real ones, and an alarm goes off too if all real ones breach and the oldest is at least as old as the datapoints to
// alarm are many.
func (r *rule) evaluate(samples []sample, current string) verdict {
	var real []sample // newest first
	oldestAge := 0
	for i := len(samples) - 1; i >= 0; i-- {
		if samples[i].there {
			real = append(real, samples[i])
			oldestAge = len(samples) - i
		}
	}
	if len(real) >= r.n {
		return r.decide(real[:r.n], current)
	}
	breaching := countBreaching(real)
	v := verdict{state: current, used: real, filled: r.n - len(real)}
	alarmIf := func(yes bool) verdict {
		if v.state = stateOK; yes {
			v.state = stateAlarm
		}
		return v
	}
	switch r.missing {
	case "breaching":
		return alarmIf(breaching+v.filled >= r.m)
	case "notBreaching":
		return alarmIf(breaching >= r.m)
	}
	switch {
	case len(real) == 0 && r.missing == "ignore":
		return v
	case len(real) == 0:
		v.state = stateInsufficient
		return v
	case breaching >= r.m:
		return alarmIf(true)
	case breaching < len(real):
		return alarmIf(false)
	case r.missing == "ignore":
		return v
	case oldestAge >= r.m:
		return alarmIf(true)
	}
	v.state = stateInsufficient
	return v
}

func (r *rule) decide(latest []sample, current string) verdict {
	v := verdict{state: stateOK, used: latest}
	for _, s := range latest {
		if s.low {
			v.state = current
			return v
		}
	}
	if countBreaching(latest) >= r.m {
		v.state = stateAlarm
	}
	return v
}

func countBreaching(samples []sample) (n int) {
	for _, s := range samples {
		if s.breaches {
			n++
		}
	}
	return n
}

// certain reports whether a period that is not over breaches whatever is still to come: its statistic can only move
// further beyond the threshold.
func (r *rule) certain(statistic string, a *aggregate) bool {
	above := strings.HasPrefix(r.operator, "Greater")
	switch statistic {
	case "SampleCount", "Maximum":
		return above
	case "Sum":
		return above && a.min >= 0
	case "Minimum":
		return !above
	}
	return false
}

// enough is how many values a percentile needs to mean something.
func enough(p float64) float64 {
	if p /= 100; p >= 0.5 {
		return 10 / math.Max(1-p, 1e-9)
	}
	return 10 / math.Max(p, 1e-9)
}
