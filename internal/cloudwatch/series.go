package cloudwatch

import (
	"encoding/binary"
	"errors"
	"math"
	"sort"
	"time"

	"github.com/newel-run/newel/internal/store"
)

// The rows of a partition. Those of metrics are keyed by the number of their series, which is the partition's own.
const (
	rowSeries    byte = 'm' // account, region, namespace, name, dimensions -> number, last seen
	rowNext      byte = 'n' // last number given out
	rowData      byte = 'd' // number, resolution, time, unit -> aggregate
	rowWatch     byte = 'x' // number, account, region, alarm -> nothing: the alarms of a metric
	rowAlarm     byte = 'a' // account, region, alarm -> record (alarm)
	rowHistory   byte = 'h' // account, region, alarm, time, number -> record (historyItem)
	rowDashboard byte = 'b' // account, region, name -> record (dashboard)
)

const recordVersion = 1

var errCorrupt = errors.Join(store.ErrCorrupt, errors.New("cloudwatch: a row cannot be decoded"))

func table(kind byte) store.Key { return append(store.K(store.TableMetric), kind) }

func rows(kind byte, account, region string) store.Key {
	return table(kind).Str(account).Str(region)
}

// dimension is a name and its value.
type dimension struct{ Name, Value string }

// metric identifies a metric of an account in a region.
type metric struct {
	Namespace  string
	MetricName string
	Dimensions []dimension
}

// key is the row of the metric's series; the same for every order of dimensions.
func (m *metric) key(account, region string) store.Key {
	sort.Slice(m.Dimensions, func(i, j int) bool { return m.Dimensions[i].Name < m.Dimensions[j].Name })
	k := rows(rowSeries, account, region).Str(m.Namespace).Str(m.MetricName)
	for _, d := range m.Dimensions {
		k = k.Str(d.Name).Str(d.Value)
	}
	return k
}

// parseMetric reads a series' key behind account and region.
func parseMetric(rest []byte) (m metric, err error) {
	var parts []string
	for len(rest) > 0 {
		part, next, ok := store.CutStr(rest)
		if !ok {
			return m, errCorrupt
		}
		parts, rest = append(parts, part), next
	}
	if len(parts) < 2 || len(parts)%2 != 0 {
		return m, errCorrupt
	}
	m.Namespace, m.MetricName = parts[0], parts[1]
	for i := 2; i < len(parts); i += 2 {
		m.Dimensions = append(m.Dimensions, dimension{parts[i], parts[i+1]})
	}
	return m, nil
}

// series is what is stored of a metric beside its data.
type series struct {
	id   uint64
	seen int64 // s, within seenEvery of the latest data; 0: none yet
}

// seenEvery is how exact a series' last-seen time is, and how often its old data is removed.
const seenEvery = 600

func (s series) encode() []byte {
	return binary.AppendUvarint(binary.AppendUvarint([]byte{recordVersion}, s.id), uint64(s.seen))
}

func decodeSeries(b []byte) (s series, err error) {
	if len(b) == 0 || b[0] != recordVersion {
		return s, errCorrupt
	}
	id, n := binary.Uvarint(b[1:])
	if n <= 0 {
		return s, errCorrupt
	}
	seen, m := binary.Uvarint(b[1+n:])
	if m <= 0 {
		return s, errCorrupt
	}
	return series{id, int64(seen)}, nil
}

func readSeries(rd store.Reader, key store.Key) (s series, found bool, err error) {
	b, err := rd.Get(key)
	if err != nil || b == nil {
		return s, false, err
	}
	s, err = decodeSeries(b)
	return s, true, err
}

// ensureSeries reads a series and makes it where there is none.
func ensureSeries(tx store.Tx, key store.Key) (s series, err error) {
	s, found, err := readSeries(tx, key)
	if err != nil || found {
		return s, err
	}
	last, err := tx.Get(table(rowNext))
	if err != nil {
		return s, err
	}
	s.id = 1
	if len(last) == 8 {
		s.id = binary.BigEndian.Uint64(last) + 1
	}
	tx.Set(table(rowNext), binary.BigEndian.AppendUint64(nil, s.id))
	tx.Set(key, s.encode())
	return s, nil
}

// resolution says how long the aggregates of a table are.
type resolution byte

const (
	perSecond resolution = 's'
	perMinute resolution = 'm'
)

func (r resolution) seconds() int64 {
	if r == perSecond {
		return 1
	}
	return 60
}

// kept is how long data of a resolution is kept (AWS keeps coarser aggregates for longer than that).
func (r resolution) kept() time.Duration {
	if r == perSecond {
		return 3 * time.Hour
	}
	return 15 * 24 * time.Hour
}

func dataKey(id uint64, r resolution) store.Key { return append(table(rowData).U64(id), byte(r)) }

func pointKey(id uint64, r resolution, at int64, unit byte) store.Key {
	return append(dataKey(id, r).U64(uint64(at)), unit)
}

// add merges an aggregate into the series' data at a time (s).
func (s *series) add(tx store.Tx, key store.Key, r resolution, at int64, unit byte, a *aggregate, now int64) error {
	k := pointKey(s.id, r, at/r.seconds()*r.seconds(), unit)
	b, err := tx.Get(k)
	if err != nil {
		return err
	}
	if b != nil {
		there, err := decodeAggregate(b)
		if err != nil {
			return err
		}
		there.merge(a)
		a = there
	}
	tx.Set(k, a.encode())
	if at-s.seen >= seenEvery {
		s.seen = at
		tx.Set(key, s.encode())
		s.expire(tx, now)
	}
	return nil
}

// expireMost bounds the rows that one transaction removes of a series.
const expireMost = 2000

// expire removes data that is past its retention.
func (s *series) expire(tx store.Tx, now int64) {
	for _, r := range []resolution{perSecond, perMinute} {
		n := 0
		for k := range tx.Scan(dataKey(s.id, r), dataKey(s.id, r).U64(uint64(max(now-int64(r.kept()/time.Second), 0))), false) {
			tx.Delete(k)
			if n++; n == expireMost {
				break
			}
		}
	}
}

// units in the order of their numbers in keys, which never changes.
var units = []string{"None", "Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes",
	"Bits", "Kilobits", "Megabits", "Gigabits", "Terabits", "Percent", "Count", "Bytes/Second", "Kilobytes/Second", "Megabytes/Second",
	"Gigabytes/Second", "Terabytes/Second", "Bits/Second", "Kilobits/Second", "Megabits/Second", "Gigabits/Second", "Terabits/Second", "Count/Second"}

func unitNumber(name string) byte {
	for i, u := range units {
		if u == name {
			return byte(i)
		}
	}
	return 0
}

// point is an aggregate of a period.
type point struct {
	at   int64 // s, the period's beginning
	unit byte
	aggregate
}

// window says what is read of a series: periods of a length that begin at origin + n*period, within [from, to). Times are
// seconds.
type window struct {
	origin, from, to, period int64
	unit                     string // "" for all
	merge                    bool   // all units in one
}

// read gives the periods that have data, in order of time and unit.
func (w window) read(rd store.Reader, id uint64) ([]point, error) {
	r := perMinute
	if w.period < 60 {
		r = perSecond
	}
	var out []point
	index := map[[2]int64]int{}
	for k, v := range rd.Scan(dataKey(id, r).U64(uint64(max(w.from, 0))), dataKey(id, r).U64(uint64(max(w.to, 0))), false) {
		at, unit := int64(binary.BigEndian.Uint64(k[len(k)-9:])), k[len(k)-1]
		if w.unit != "" && unit != unitNumber(w.unit) {
			continue
		}
		a, err := decodeAggregate(v)
		if err != nil {
			return nil, err
		}
		if w.merge {
			unit = 0
		}
		begin := w.origin + int64(math.Floor(float64(at-w.origin)/float64(w.period)))*w.period
		slot := [2]int64{begin, int64(unit)}
		if i, there := index[slot]; there {
			out[i].merge(a)
			continue
		}
		index[slot] = len(out)
		out = append(out, point{begin, unit, *a})
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].at < out[j].at })
	return out, nil
}
