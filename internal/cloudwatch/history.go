package cloudwatch

import (
	"encoding/json"
	"sort"
	"time"

	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// historyItem is what happened to an alarm.
type historyItem struct {
	AlarmName       string
	AlarmType       string
	Timestamp       float64
	HistoryItemType string
	HistorySummary  string
	HistoryData     string
}

// historyKept is how long an alarm's history is kept.
const historyKept = 30 * 24 * time.Hour

// historyMost bounds an alarm's history.
const historyMost = 1000

// note adds to an alarm's history.
func (a *alarm) note(c *service.Context, tx store.Tx, kind, summary string, data any) error {
	text, err := service.Marshal(data)
	if err != nil {
		return err
	}
	b, err := json.Marshal(historyItem{a.AlarmName, "MetricAlarm", seconds(c.Now), kind, summary, string(text)})
	if err != nil {
		return err
	}
	prefix := rows(rowHistory, c.Account, c.Region).Str(a.AlarmName)
	a.Items++
	tx.Set(prefix.U64(uint64(c.Now.UnixMilli())).U64(a.Items), b)
	n := 0
	for k := range tx.Scan(prefix, prefix.U64(uint64(max(c.Now.Add(-historyKept).UnixMilli(), 0))), false) {
		tx.Delete(k)
		n++
	}
	if n == 0 && a.Items%historyMost == 0 {
		n = 0
		for k := range tx.Scan(prefix, prefix.End(), true) {
			if n++; n > historyMost {
				tx.Delete(k)
			}
		}
	}
	return nil
}

func (s *Service) describeAlarmHistory(c *service.Context, rd store.Reader) (any, error) {
	var in struct {
		AlarmName, HistoryItemType, NextToken, ScanBy string
		StartDate, EndDate                            *epoch
		MaxRecords                                    int
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	prefix := rows(rowHistory, c.Account, c.Region)
	if in.AlarmName != "" {
		prefix = prefix.Str(in.AlarmName)
	}
	items := []historyItem{}
	for _, v := range rd.Scan(prefix, prefix.End(), true) {
		var item historyItem
		if json.Unmarshal(v, &item) != nil {
			return nil, errCorrupt
		}
		if in.HistoryItemType != "" && in.HistoryItemType != item.HistoryItemType || in.StartDate != nil && item.Timestamp < float64(*in.StartDate) ||
			in.EndDate != nil && item.Timestamp >= float64(*in.EndDate) {
			continue
		}
		items = append(items, item)
	}
	sort.SliceStable(items, func(i, j int) bool { return items[i].Timestamp > items[j].Timestamp })
	if in.ScanBy == "TimestampAscending" {
		for i, j := 0, len(items)-1; i < j; i, j = i+1, j-1 {
			items[i], items[j] = items[j], items[i]
		}
	}
	list, next, err := cut(items, in.NextToken, in.MaxRecords)
	if err != nil {
		return nil, err
	}
	return withToken(map[string]any{"AlarmHistoryItems": list}, next), nil
}
