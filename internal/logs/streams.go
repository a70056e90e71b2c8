package logs

import (
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

type streamInput struct {
	LogStreamName string `json:"logStreamName"`
}

func (in *streamInput) check() error {
	if in.LogStreamName == "" {
		return constraint("null", "logStreamName", "Member must not be null")
	}
	if !streamName.MatchString(in.LogStreamName) {
		return constraint("'"+in.LogStreamName+"'", "logStreamName", "Member must satisfy regular expression pattern: [^:*]*")
	}
	return nil
}

// openStream decodes a request's stream name and reads the group.
func (l *logs) openStream(c *service.Context, rd store.Reader) (address, *group, string, error) {
	var in streamInput
	if err := service.Decode(c.Request, &in); err != nil {
		return address{}, nil, "", err
	}
	if err := in.check(); err != nil {
		return address{}, nil, "", err
	}
	a, g, err := l.find(c, rd)
	return a, g, in.LogStreamName, err
}

func (l *logs) createStream(c *service.Context, tx store.Tx) (any, error) {
	a, _, name, err := l.openStream(c, tx)
	if err != nil {
		return nil, err
	}
	there, err := tx.Get(a.streamKey(name))
	if err != nil {
		return nil, err
	}
	if there != nil {
		return nil, aws.Errorf("ResourceAlreadyExistsException", "The specified log stream already exists")
	}
	return nil, set(tx, a.streamKey(name), stream{Version: recordVersion, Created: c.Now.UnixMilli()})
}

func (l *logs) deleteStream(c *service.Context, tx store.Tx) (any, error) {
	a, _, name, err := l.openStream(c, tx)
	if err != nil {
		return nil, err
	}
	if _, err := a.stream(tx, name); err != nil {
		return nil, err
	}
	count, err := a.counters(tx)
	if err != nil {
		return nil, err
	}
	order := a.key(rowOrder).Str(name)
	for k := range tx.Scan(order, order.End(), false) {
		key := a.key(rowEvent).Raw(k[len(order):])
		row, err := tx.Get(key)
		if err != nil {
			return nil, err
		}
		e, err := decodeEvent(row)
		if err != nil {
			return nil, err
		}
		count.bytes -= e.size()
		tx.Delete(key)
	}
	tx.DeleteRange(order, order.End())
	tx.Delete(a.streamKey(name))
	tx.Set(a.key(rowCount), count.encode())
	return nil, nil
}

type describedStream struct {
	Name                string `json:"logStreamName"`
	CreationTime        int64  `json:"creationTime"`
	FirstEventTimestamp int64  `json:"firstEventTimestamp,omitempty"`
	LastEventTimestamp  int64  `json:"lastEventTimestamp,omitempty"`
	LastIngestionTime   int64  `json:"lastIngestionTime,omitempty"`
	UploadSequenceToken string `json:"uploadSequenceToken"`
	ARN                 string `json:"arn"`
	StoredBytes         int64  `json:"storedBytes"` // AWS has reported 0 since 2019
}

func (l *logs) describeStreams(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		Prefix     string `json:"logStreamNamePrefix"`
		OrderBy    string `json:"orderBy"`
		Descending bool   `json:"descending"`
		Limit      *int   `json:"limit"`
		NextToken  string `json:"nextToken"`
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	switch in.OrderBy {
	case "", "LogStreamName":
	case "LastEventTime":
		if in.Prefix != "" {
			return nil, invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
		}
	default:
		return nil, constraint("'"+in.OrderBy+"'", "orderBy", "Member must satisfy enum value set: [LogStreamName, LastEventTime]")
	}
	a, _, err := l.find(c, rd)
	if err != nil {
		return nil, err
	}
	all := []describedStream{}
	streams := a.key(rowStream)
	for k, v := range rd.Scan(streams, streams.End(), false) {
		name, _, ok := store.CutStr(k[len(streams):])
		s, err := decodeStream(v)
		if err != nil || !ok {
			return nil, errCorrupt
		}
		if strings.HasPrefix(name, in.Prefix) {
			all = append(all, describedStream{name, s.Created, s.First, s.Last, s.LastIngested, cut{s.LastIngested, 1}.digits(),
				a.arn() + ":log-stream:" + name, 0})
		}
	}
	if in.OrderBy == "LastEventTime" {
		slices.SortStableFunc(all, func(x, y describedStream) int { return int(x.LastEventTimestamp - y.LastEventTimestamp) })
	}
	if in.Descending {
		slices.Reverse(all)
	}
	list, next, err := page(all, func(s describedStream) string { return s.Name }, in.Limit, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"logStreams": append([]describedStream{}, list...)}
	if next != "" {
		out["nextToken"] = next
	}
	return out, nil
}
