package logs

import (
	"strings"

	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// filter is a FilterLogEvents request.
type filter struct {
	Streams   []string `json:"logStreamNames"`
	Prefix    string   `json:"logStreamNamePrefix"`
	StartTime *int64   `json:"startTime"`
	EndTime   *int64   `json:"endTime"`
	Pattern   string   `json:"filterPattern"`
	NextToken string   `json:"nextToken"`
	Limit     *int     `json:"limit"`

	limit   int
	matches matcher
	streams map[string]bool
}

func (f *filter) check() (err error) {
	if len(f.Streams) > 0 && f.Prefix != "" {
		return invalid("LogStreamNamePrefix and LogStreamNames are mutually exclusive parameters.")
	}
	if f.limit, err = checkLimit(f.Limit); err != nil {
		return err
	}
	f.matches, err = parsePattern(f.Pattern)
	return err
}

// bounds are the keys of the events that a filter looks at: from the token, else the start time, to the end time, which
// is included.
func (f *filter) bounds(events store.Key, cutoff int64) (lo, hi store.Key, err error) {
	first, hi := cut{timestamp: cutoff}, events.End()
	if f.StartTime != nil {
		first.timestamp = max(first.timestamp, *f.StartTime)
	}
	if f.EndTime != nil {
		hi = cut{timestamp: max(*f.EndTime+1, 0)}.append(events)
	}
	if f.NextToken != "" {
		var ok bool
		if first, ok = parseDigits(f.NextToken); !ok {
			return nil, nil, invalid("The specified nextToken is invalid.")
		}
	}
	return first.append(events), hi, nil
}

// wants reports whether an event is in the streams that are asked for; its message is looked at after that.
func (f *filter) wants(e *event) bool {
	return (len(f.streams) == 0 || f.streams[e.stream]) && strings.HasPrefix(e.stream, f.Prefix)
}

// find reads one page of matching events, and the token of the next one if there is more.
func (f *filter) find(env *service.Env, a address, rd store.Reader, events, lo, hi store.Key) (found []outputEvent, next string, err error) {
	found = []outputEvent{}
	if string(lo) >= string(hi) {
		return found, "", nil
	}
	size := 0
	for k, v := range rd.Scan(lo, hi, false) {
		at, ok := parseCut(k[len(events):])
		e, err := decodeEvent(v)
		if err != nil || !ok {
			return nil, "", errCorrupt
		}
		if !f.wants(&e) {
			continue
		}
		if err := a.unlock(env, &e); err != nil {
			return nil, "", err
		}
		if !f.matches(e.message) {
			continue
		}
		if size += int(e.size()); len(found) == f.limit || len(found) > 0 && size > pageBytesMax {
			return found, at.digits(), nil
		}
		found = append(found, outputEvent{e.stream, at.timestamp, e.message, e.ingested, at.digits()})
	}
	return found, "", nil
}

func (l *logs) filterEvents(c *service.Context, rd store.Reader) (any, error) {
	var f filter
	if err := service.Decode(c.Request, &f); err != nil {
		return nil, err
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	a, g, err := l.find(c, rd)
	if err != nil {
		return nil, err
	}
	f.streams = map[string]bool{}
	for _, name := range f.Streams {
		if _, err := a.stream(rd, name); err != nil {
			return nil, err
		}
		f.streams[name] = true
	}
	events := a.key(rowEvent)
	lo, hi, err := f.bounds(events, g.cutoff(c.Now))
	if err != nil {
		return nil, err
	}
	found, next, err := f.find(c.Env, a, rd, events, lo, hi)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"events": found, "searchedLogStreams": []any{}}
	if next != "" {
		out["nextToken"] = next
	}
	return out, nil
}
