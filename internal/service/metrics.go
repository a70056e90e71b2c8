package service

import "time"

// Recorder takes the metrics that services emit about themselves. Add is cheap and never waits.
type Recorder interface {
	// Add counts one value. Dimensions are name and value in turn; the unit is CloudWatch's ("Count", "Milliseconds", ...).
	Add(account, region, namespace, metric, unit string, value float64, at time.Time, dimensions ...string)
}

// Record emits one value of a metric; a server without CloudWatch drops it.
func (e *Env) Record(account, region, namespace, metric, unit string, value float64, at time.Time, dimensions ...string) {
	if e.Metrics != nil {
		e.Metrics.Add(account, region, namespace, metric, unit, value, at, dimensions...)
	}
}
