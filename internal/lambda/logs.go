package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/lambda/runtime"
	"github.com/newel-run/newel/internal/service"
)

const (
	logsFlushEvery  = 500 * time.Millisecond
	logsBufferMax   = 50_000 // lines; what comes on top of them is dropped and counted
	logsBatchEvents = 10_000 // PutLogEvents' limits
	logsBatchBytes  = 1 << 20
	logsEventBytes  = 26 // what PutLogEvents counts on top of each message
)

// shipper carries log lines to CloudWatch Logs, half a second after the first of them: what is younger is lost with the
// process. Whoever writes never waits.
type shipper struct {
	env  *service.Env
	sink runtime.LogSink
	ctx  context.Context
	end  context.CancelFunc

	mu      sync.Mutex
	streams map[streamID]*batch
	lines   int
	dropped int
	timer   *time.Timer
	closed  bool
	flights sync.WaitGroup
	order   sync.Mutex // one flush at a time
	silent  bool       // the logs service refused for a reason that will not change
}

type streamID struct{ account, region, group, stream string }

type batch struct{ events []logEvent }

type logEvent struct {
	Timestamp int64  `json:"timestamp"` // milliseconds
	Message   string `json:"message"`
}

func newShipper(env *service.Env, sink runtime.LogSink) *shipper {
	s := &shipper{env: env, sink: sink, streams: map[streamID]*batch{}}
	s.ctx, s.end = context.WithCancel(context.Background())
	return s
}

// WriteLog is runtime.LogSink.
func (s *shipper) WriteLog(spec *runtime.Spec, stream string, at time.Time, line string) {
	if s.sink != nil {
		s.sink.WriteLog(spec, stream, at, line)
	}
	if s.env.Caller == nil || line == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.silent {
		return
	}
	if s.lines >= logsBufferMax {
		s.dropped++
		return
	}
	id := streamID{spec.Account, spec.Region, spec.LogGroup, stream}
	b := s.streams[id]
	if b == nil {
		b = new(batch)
		s.streams[id] = b
	}
	b.events = append(b.events, logEvent{at.UnixMilli(), line})
	s.lines++
	if s.timer == nil && !s.closed {
		s.flights.Add(1)
		s.timer = time.AfterFunc(logsFlushEvery, func() {
			defer s.flights.Done()
			s.flush()
		})
	}
}

// flush sends what has been collected.
func (s *shipper) flush() {
	s.order.Lock()
	defer s.order.Unlock()
	s.mu.Lock()
	streams, dropped := s.streams, s.dropped
	s.streams, s.lines, s.dropped, s.timer = map[streamID]*batch{}, 0, 0, nil
	s.mu.Unlock()
	if dropped > 0 {
		s.env.Log.Warn("function log lines were dropped: they came faster than they could be stored", "lines", dropped)
	}
	for id, b := range streams {
		for len(b.events) > 0 {
			n := batchLength(b.events)
			if err := s.send(id, b.events[:n]); err != nil {
				s.refused(id, err)
				break
			}
			b.events = b.events[n:]
		}
	}
}

func batchLength(events []logEvent) int {
	size := 0
	for i, e := range events {
		size += len(e.Message) + logsEventBytes
		if i == logsBatchEvents || i > 0 && size > logsBatchBytes {
			return i
		}
	}
	return len(events)
}

func (s *shipper) refused(id streamID, err error) {
	var e *aws.Error
	if errors.As(err, &e) && (e.Code == "NotImplemented" || e.HTTPStatus() == 501) {
		s.mu.Lock()
		s.silent = true
		s.mu.Unlock()
	}
	s.env.Log.Warn("function logs could not be stored", "group", id.group, "error", err)
}

// send puts events into a stream, and makes group and stream if they are not there.
func (s *shipper) send(id streamID, events []logEvent) error {
	put := map[string]any{"logGroupName": id.group, "logStreamName": id.stream, "logEvents": events}
	err := s.call(id, "PutLogEvents", put)
	if !isCode(err, "ResourceNotFoundException") {
		return err
	}
	group := map[string]any{"logGroupName": id.group}
	if err = s.call(id, "CreateLogGroup", group); err != nil && !isCode(err, "ResourceAlreadyExistsException") {
		return err
	}
	group["logStreamName"] = id.stream
	if err = s.call(id, "CreateLogStream", group); err != nil && !isCode(err, "ResourceAlreadyExistsException") {
		return err
	}
	return s.call(id, "PutLogEvents", put)
}

func (s *shipper) call(id streamID, operation string, input map[string]any) error {
	b, err := json.Marshal(input)
	if err != nil {
		return fmt.Errorf("lambda: %s: %w", operation, err)
	}
	_, err = s.env.Caller.Call(s.ctx, &aws.Request{Service: "logs", Operation: operation, Account: id.account, Region: id.region, Input: b})
	return err
}

func isCode(err error, code string) bool {
	var e *aws.Error
	return errors.As(err, &e) && e.Code == code
}

// close sends what is left.
func (s *shipper) close() {
	s.mu.Lock()
	s.closed = true
	if s.timer != nil && s.timer.Stop() {
		s.flights.Done()
	}
	s.mu.Unlock()
	s.flights.Wait()
	s.flush()
	s.end()
}
