// Package cloudwatch is Amazon CloudWatch: metrics, alarms and dashboards. Its key at the seam is "monitoring".
//
// An account's metrics, alarms and dashboards in a region are one partition. A metric is kept as aggregates: one a minute
// and unit for 15 days, and for high-resolution metrics one a second for three hours. What clients put is written by
// their own transaction. What the server's services emit about themselves (Add) is aggregated in memory and written once
// a second while there is anything to write: a crash loses the last second of it, and nothing else. Whoever reads a
// metric has what is in memory written first.
//
// Alarms are evaluated in the transaction that writes their metric's data, and by one timer a server at the next
// boundary of their period as long as data is within their evaluation range: an alarm whose data has all slid out of
// the range can only change by new data, and nothing looks at it until then. A change of state writes the alarm, its
// history and its actions (internal/outbox) in one transaction.
package cloudwatch

import (
	"context"

	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/outbox"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// Config is what the service needs beside the common environment.
type Config struct {
	// Wanted reports whether an event of a source and detail type could matter on an account's default bus; nil: none does.
	Wanted func(account, region, source, detailType string) bool
}

// Service is CloudWatch. It is a service.Recorder.
type Service struct {
	*service.Service
	cfg      Config
	model    *aws.Service
	recorder recorder
	schedule schedule
	outbox   *outbox.Outbox
}

// New makes the service; Start begins its work.
func New(env *service.Env, cfg Config) *Service {
	if cfg.Wanted == nil {
		cfg.Wanted = func(_, _, _, _ string) bool { return false }
	}
	s := &Service{cfg: cfg, model: aws.MustModel("monitoring"), outbox: outbox.New(env, "monitoring")}
	s.recorder.init()
	s.schedule.init()
	s.Service = service.New("monitoring", env, []service.Operation{
		{Name: "PutMetricData", Update: s.putMetricData},
		{Name: "GetMetricStatistics", Do: s.reading(s.getMetricStatistics)},
		{Name: "GetMetricData", Do: s.reading(s.getMetricData)},
		{Name: "ListMetrics", Do: s.reading(s.listMetrics)},
		{Name: "PutMetricAlarm", Update: s.putMetricAlarm},
		{Name: "DescribeAlarms", Do: s.reading(s.describeAlarms)},
		{Name: "DescribeAlarmsForMetric", Do: s.reading(s.describeAlarmsForMetric)},
		{Name: "DescribeAlarmHistory", Do: s.reading(s.describeAlarmHistory)},
		{Name: "DeleteAlarms", Update: s.deleteAlarms},
		{Name: "SetAlarmState", Update: s.setAlarmState},
		{Name: "EnableAlarmActions", Update: s.enableActions},
		{Name: "DisableAlarmActions", Update: s.disableActions},
		{Name: "TagResource", Update: s.tagResource},
		{Name: "UntagResource", Update: s.untagResource},
		{Name: "ListTagsForResource", View: s.listTags},
		{Name: "PutDashboard", Update: s.putDashboard},
		{Name: "GetDashboard", View: s.getDashboard},
		{Name: "ListDashboards", View: s.listDashboards},
		{Name: "DeleteDashboards", Update: s.deleteDashboards},
	})
	return s
}

// Start forgets what is past its retention, delivers actions that are still owed, and evaluates every alarm.
func (s *Service) Start(ctx context.Context) error {
	if err := s.sweep(ctx); err != nil {
		return err
	}
	if err := s.outbox.Start(ctx); err != nil {
		return err
	}
	if err := s.remindAll(ctx); err != nil {
		return err
	}
	s.recorder.work.Go(s.flushing)
	s.schedule.work.Go(s.evaluating)
	return nil
}

// Close writes what is in memory and stops.
func (s *Service) Close() {
	s.schedule.stop()
	s.recorder.stop()
	s.flush(store.Finishing(context.Background()))
	s.outbox.Close()
}

// Call checks the input against the API model and runs the operation.
func (s *Service) Call(ctx context.Context, r *aws.Request) (*aws.Output, error) {
	if !s.Has(r.Operation) {
		return nil, service.NotImplemented("monitoring", r.Operation)
	}
	if err := s.model.Operations[r.Operation].Input.Validate(r.Input); err != nil {
		if err.Code == "ValidationException" {
			err.Code = "ValidationError"
		}
		return nil, err
	}
	return s.Service.Call(ctx, r)
}

// reading makes a handler that sees all that was emitted before it.
func (s *Service) reading(view func(*service.Context, store.Reader) (any, error)) func(context.Context, *service.Context) (*aws.Output, error) {
	return func(ctx context.Context, c *service.Context) (*aws.Output, error) {
		s.flush(ctx)
		var out any
		err := s.Env.Store.View(ctx, s.PartitionOf(c.Account, c.Region, ""), func(rd store.Reader) (err error) {
			out, err = view(c, rd)
			return err
		})
		if err != nil {
			return nil, service.Wire(err)
		}
		return service.Answer(out), nil
	}
}

// invalid is AWS's answer to a request that breaks a rule.
func invalid(format string, args ...any) *aws.Error {
	return aws.Errorf("ValidationError", format, args...)
}

// unsupported refuses what the service does not do, by name.
func unsupported(what string) *aws.Error { return invalid("Newel does not implement %s yet.", what) }

// parameter is the answer to a wrong parameter of the operations on metrics.
func parameter(shape, code, format string, args ...any) *aws.Error {
	e := aws.Errorf(shape, format, args...)
	e.QueryCode = code
	return e
}

func invalidValue(format string, args ...any) *aws.Error {
	return parameter("InvalidParameterValueException", "InvalidParameterValue", format, args...)
}

func notFound(format string, args ...any) *aws.Error {
	return parameter("ResourceNotFoundException", "ResourceNotFoundException", format, args...)
}

// epoch is a time as the API has it: seconds since 1970 with a fraction.
type epoch float64

func (e epoch) time() time.Time { return time.UnixMilli(int64(float64(e)*1000 + 0.5)) }

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
