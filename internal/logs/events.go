package logs

import (
	"strconv"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

const (
	day           = 24 * time.Hour
	futureMax     = 2 * time.Hour
	ageMax        = 14 * day
	putEventsMax  = 10_000
	putBytesMax   = 1 << 20
	eventOverhead = 26 // bytes that AWS adds to each message
	expireMax     = 1000
	pageEventsMax = 10_000
	pageBytesMax  = 1 << 20
)

func (e *event) size() uint64 {
	if e.sealed != nil {
		return uint64(e.length + eventOverhead)
	}
	return uint64(len(e.message) + eventOverhead)
}

type inputEvent struct {
	Timestamp *int64  `json:"timestamp"`
	Message   *string `json:"message"`
}

// checkEvents validates a batch: sizes, and timestamps (ms) in order and within a day.
func checkEvents(events []inputEvent) error {
	if len(events) == 0 || len(events) > putEventsMax {
		return constraint("'["+strconv.Itoa(len(events))+" events]'", "logEvents", "Member must have length between 1 and 10000")
	}
	size := 0
	for i, e := range events {
		member := "logEvents." + strconv.Itoa(i+1) + ".member."
		switch {
		case e.Timestamp == nil:
			return constraint("null", member+"timestamp", "Member must not be null")
		case *e.Timestamp < 0:
			return constraint("'"+strconv.FormatInt(*e.Timestamp, 10)+"'", member+"timestamp", "Member must have value greater than or equal to 0")
		case e.Message == nil:
			return constraint("null", member+"message", "Member must not be null")
		case *e.Message == "":
			return constraint("''", member+"message", "Member must have length greater than or equal to 1")
		case i > 0 && *e.Timestamp < *events[i-1].Timestamp:
			return invalid("Log events in a single PutLogEvents request must be in chronological order.")
		case *e.Timestamp-*events[0].Timestamp > day.Milliseconds():
			return invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
		}
		size += len(*e.Message) + eventOverhead
	}
	if size > putBytesMax {
		return invalid("Upload too large: %d bytes exceeds limit of %d", size, putBytesMax)
	}
	return nil
}

// rejected are the indexes of a batch's events that are too new, too old or past their retention.
type rejected struct {
	TooNew  *int `json:"tooNewLogEventStartIndex,omitempty"`
	TooOld  *int `json:"tooOldLogEventEndIndex,omitempty"`
	Expired *int `json:"expiredLogEventEndIndex,omitempty"`
}

// admit finds the events [lo, hi) of a batch that are taken at a time.
func admit(events []inputEvent, g *group, now time.Time) (lo, hi int, r *rejected) {
	oldest := now.Add(-ageMax).UnixMilli()
	expired := g.cutoff(now)
	newest := now.Add(futureMax).UnixMilli()
	hi = len(events)
	for i, e := range events {
		at, end := *e.Timestamp, i+1
		switch {
		case at > newest:
			if hi == len(events) {
				hi = i
				r = r.or()
				r.TooNew = &hi
			}
		case at < expired:
			r = r.or()
			r.Expired, lo = &end, end
		case at < oldest:
			r = r.or()
			r.TooOld, lo = &end, end
		}
	}
	return lo, hi, r
}

func (r *rejected) or() *rejected {
	if r == nil {
		return &rejected{}
	}
	return r
}

// cutoff is the time (ms) before which events have expired.
func (g *group) cutoff(now time.Time) int64 {
	if g.Retention == 0 {
		return 0
	}
	return max(0, now.Add(-time.Duration(g.Retention)*day).UnixMilli())
}

func (l *logs) putEvents(c *service.Context, tx store.Tx) (any, error) {
	var in struct {
		LogEvents []inputEvent `json:"logEvents"`
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if err := checkEvents(in.LogEvents); err != nil {
		return nil, err
	}
	a, g, name, err := l.openStream(c, tx)
	if err != nil {
		return nil, err
	}
	s, err := a.stream(tx, name)
	if err != nil {
		return nil, err
	}
	count, err := a.counters(tx)
	if err != nil {
		return nil, err
	}
	if err := a.expire(tx, g.cutoff(c.Now), &count); err != nil {
		return nil, err
	}
	lo, hi, info := admit(in.LogEvents, g, c.Now)
	now := c.Now.UnixMilli()
	for _, in := range in.LogEvents[lo:max(lo, hi)] {
		at := cut{*in.Timestamp, count.nextSeq}
		count.nextSeq++
		e := event{ingested: now, stream: name, message: *in.Message}
		count.bytes += e.size()
		row, err := encodeEvent(c.Env, g.protection(a), &e)
		if err != nil {
			return nil, err
		}
		tx.Set(at.append(a.key(rowEvent)), row)
		tx.Set(at.append(a.key(rowOrder).Str(name)), nil)
		if s.First == 0 || at.timestamp < s.First {
			s.First = at.timestamp
		}
		s.Last, s.LastIngested = max(s.Last, at.timestamp), now
	}
	tx.Set(a.key(rowCount), count.encode())
	if err := set(tx, a.streamKey(name), s); err != nil {
		return nil, err
	}
	out := map[string]any{"nextSequenceToken": cut{now, count.nextSeq}.digits()}
	if info != nil {
		out["rejectedLogEventsInfo"] = info
	}
	return out, nil
}

// expire deletes some of the events before a time (ms).
func (a address) expire(tx store.Tx, before int64, count *counters) error {
	events := a.key(rowEvent)
	n := 0
	for k, v := range tx.Scan(events, events.U64(uint64(before)), false) {
		e, err := decodeEvent(v)
		if err != nil {
			return err
		}
		count.bytes -= e.size()
		tx.Delete(k)
		tx.Delete(a.key(rowOrder).Str(e.stream).Raw(k[len(events):]))
		if n++; n == expireMax {
			break
		}
	}
	return nil
}

// outputEvent is an event of GetLogEvents, and with its stream and id one of FilterLogEvents.
type outputEvent struct {
	Stream        string `json:"logStreamName,omitempty"`
	Timestamp     int64  `json:"timestamp"`
	Message       string `json:"message"`
	IngestionTime int64  `json:"ingestionTime"`
	ID            string `json:"eventId,omitempty"`
}

func checkLimit(limit *int) (int, error) {
	if limit == nil {
		return pageEventsMax, nil
	}
	if *limit < 1 || *limit > pageEventsMax {
		return 0, constraint("'"+strconv.Itoa(*limit)+"'", "limit", "Member must have value between 1 and 10000")
	}
	return *limit, nil
}

func (l *logs) getEvents(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		StartTime     *int64 `json:"startTime"`
		EndTime       *int64 `json:"endTime"`
		NextToken     string `json:"nextToken"`
		Limit         *int   `json:"limit"`
		StartFromHead bool   `json:"startFromHead"`
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	limit, err := checkLimit(in.Limit)
	if err != nil {
		return nil, err
	}
	a, g, name, err := l.openStream(c, rd)
	if err != nil {
		return nil, err
	}
	if _, err := a.stream(rd, name); err != nil {
		return nil, err
	}
	order := a.key(rowOrder).Str(name)
	first, end := cut{timestamp: g.cutoff(c.Now)}, order.End()
	if in.StartTime != nil {
		first.timestamp = max(first.timestamp, *in.StartTime)
	}
	if in.EndTime != nil {
		end = cut{timestamp: max(*in.EndTime, 0)}.append(order)
	}
	lo, backward := first.append(order), !in.StartFromHead
	at := first // the cut of an empty page
	if in.NextToken != "" {
		var ok bool
		if at, backward, ok = parseToken(in.NextToken); !ok {
			return nil, invalid("The specified nextToken is invalid.")
		}
		if backward {
			end = at.append(order)
		} else {
			lo = at.append(order)
		}
	}
	events, from, to, err := a.page(c.Env, rd, order, lo, end, backward, limit)
	if err != nil {
		return nil, err
	}
	if len(events) == 0 {
		from, to = at, at
	}
	return map[string]any{"events": events, "nextForwardToken": "f/" + to.digits() + "/s", "nextBackwardToken": "b/" + from.digits() + "/s"}, nil
}

// parseToken reads "f/DIGITS/s" or "b/DIGITS/s".
func parseToken(token string) (at cut, backward, ok bool) {
	direction, digits, _ := strings.Cut(token, "/")
	at, ok = parseDigits(strings.TrimSuffix(digits, "/s"))
	return at, direction == "b", ok && (direction == "f" || direction == "b")
}

// page reads one page of a stream, oldest first, and the cuts before and after it.
func (a address) page(env *service.Env, rd store.Reader, order, lo, hi store.Key, backward bool, limit int) (events []outputEvent, from, to cut, err error) {
	events = []outputEvent{}
	size := 0
	if string(lo) >= string(hi) {
		return events, from, to, nil
	}
	for k := range rd.Scan(lo, hi, backward) {
		at, ok := parseCut(k[len(order):])
		if !ok {
			return nil, from, to, errCorrupt
		}
		row, err := rd.Get(at.append(a.key(rowEvent)))
		if err != nil {
			return nil, from, to, err
		}
		e, err := decodeEvent(row)
		if err != nil {
			return nil, from, to, err
		}
		if size += int(e.size()); len(events) == limit || len(events) > 0 && size > pageBytesMax {
			break
		}
		if err := a.unlock(env, &e); err != nil {
			return nil, from, to, err
		}
		if len(events) == 0 {
			from, to = at, at.next()
		} else if backward {
			from = at
		} else {
			to = at.next()
		}
		events = append(events, outputEvent{Timestamp: at.timestamp, Message: e.message, IngestionTime: e.ingested})
	}
	if backward {
		for i, j := 0, len(events)-1; i < j; i, j = i+1, j-1 {
			events[i], events[j] = events[j], events[i]
		}
	}
	return events, from, to, nil
}
