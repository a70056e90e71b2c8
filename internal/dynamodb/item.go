package dynamodb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strconv"
	"time"

	"github.com/newel-run/newel/internal/dynamodb/attr"
	"github.com/newel-run/newel/internal/store"
)

const (
	maxItemSize  = 400 << 10
	maxHashSize  = 2048
	maxRangeSize = 1024
	itemVersion  = 1
)

// item is a stored item: its size as AWS counts it and its JSON, decoded when first asked for. A nil *item is an item
// that does not exist.
type item struct {
	size int
	json []byte // valid as long as the transaction
	m    *attr.Map
}

// attributes decodes the item; nil for none.
func (it *item) attributes() (*attr.Map, error) {
	if it == nil {
		return nil, nil
	}
	if it.m == nil {
		m, err := attr.ParseItem(it.json)
		if err != nil {
			return nil, err
		}
		it.m = m
	}
	return it.m, nil
}

func (it *item) bytes() int {
	if it == nil {
		return 0
	}
	return it.size
}

func encodeItem(m *attr.Map, size int) []byte {
	b := make([]byte, 0, 16+size+size/2)
	b = binary.AppendUvarint(append(b, itemVersion), uint64(size))
	return m.AppendJSON(b)
}

func decodeItem(b []byte) (*item, error) {
	if len(b) < 2 || b[0] != itemVersion {
		return nil, errors.New("dynamodb: an item has an unknown format")
	}
	size, n := binary.Uvarint(b[1:])
	return &item{size: int(size), json: b[1+n:]}, nil
}

// load gives the item at a key, nil if there is none or it has expired.
func (t *txn) load(tb *table, key []byte) (*item, error) {
	it, err := t.loadExpired(tb, key)
	if err != nil || it == nil || tb.TTL == "" {
		return it, err
	}
	m, err := it.attributes()
	if err != nil {
		return nil, err
	}
	if at, ok := expiry(tb, m); ok && expired(at, t.Now) {
		return nil, nil
	}
	return it, nil
}

// loadExpired gives the item at a key even if it has expired.
func (t *txn) loadExpired(tb *table, key []byte) (*item, error) {
	b, err := t.Get(within(itemsOf(tb.Number), key))
	if err != nil || b == nil {
		return nil, err
	}
	return t.decodeItem(tb, b)
}

// replace puts an item in the place of what is there: with m nil it deletes. It writes the rows of indexes and expiry
// and the counters with it. size is m's.
func (t *txn) replace(tb *table, key []byte, m *attr.Map, size int) error {
	old, err := t.loadExpired(tb, key)
	if err != nil || old == nil && m == nil {
		return err
	}
	if len(tb.Indexes) > 0 || tb.TTL != "" {
		was, err := old.attributes()
		if err != nil {
			return err
		}
		t.reindex(tb, key, was, m)
	}
	at := within(itemsOf(tb.Number), key)
	items := 0
	if m == nil {
		t.tx.Delete(at)
		items = -1
	} else {
		row, err := t.encodeItem(tb, m, size)
		if err != nil {
			return err
		}
		t.tx.Set(at, row)
		if old == nil {
			items = 1
		}
	}
	if err := t.addStats(tb, items, size-old.bytes()); err != nil {
		return err
	}
	return t.sweep(tb)
}

// reindex moves an item's rows in the indexes and in the order of expiry.
func (t *txn) reindex(tb *table, key []byte, was, is *attr.Map) {
	for i := range tb.Indexes {
		ix := &tb.Indexes[i]
		from, to := indexKey(tb, ix, was, key), indexKey(tb, ix, is, key)
		t.move(from, to, key)
	}
	if tb.TTL != "" {
		t.move(expiryKey(tb, was, key), expiryKey(tb, is, key), key)
	}
}

func (t *txn) move(from, to store.Key, value []byte) {
	if bytes.Equal(from, to) {
		return
	}
	if from != nil {
		t.tx.Delete(from)
	}
	if to != nil {
		t.tx.Set(to, value)
	}
}

// indexKey is the key of an item's row in an index, nil if the item lacks a key attribute of the index.
func indexKey(tb *table, ix *index, m *attr.Map, key []byte) store.Key {
	if m == nil {
		return nil
	}
	var values [2]*attr.Value
	for i, name := range ix.Keys.names() {
		if values[i] = m.Get(name); values[i] == nil || values[i].Kind != ix.Keys.kind(name) {
			return nil
		}
	}
	k := within(indexOf(tb.Number, ix.Number), itemKey(values[0], values[1]))
	return append(k, key...)
}

func expiryKey(tb *table, m *attr.Map, key []byte) store.Key {
	if m == nil {
		return nil
	}
	at, ok := expiry(tb, m)
	if !ok {
		return nil
	}
	return append(expiryOf(tb.Number).U64(uint64(at)), key...)
}

// expiry is the second at which an item expires; ok is false if it never does.
func expiry(tb *table, m *attr.Map) (second int64, ok bool) {
	v := m.Get(tb.TTL)
	if v == nil || v.Kind != attr.N {
		return 0, false
	}
	text := v.Str
	if i := bytes.IndexByte([]byte(text), '.'); i >= 0 {
		text = text[:i]
	}
	second, err := strconv.ParseInt(text, 10, 64)
	return second, err == nil && second > 0
}

// longExpired: AWS leaves alone what expired more than five years ago.
const longExpired = 5 * 365 * 24 * time.Hour

func expired(second int64, now time.Time) bool {
	return second <= now.Unix() && second > now.Add(-longExpired).Unix()
}

const sweepBatch = 8

// sweep deletes a few expired items, so that a table that is written to keeps none for long.
func (t *txn) sweep(tb *table) error {
	if tb.TTL == "" {
		return nil
	}
	keys := make([][]byte, 0, sweepBatch)
	from := expiryOf(tb.Number).U64(uint64(t.Now.Add(-longExpired).Unix() + 1))
	for _, key := range t.Scan(from, expiryOf(tb.Number).U64(uint64(t.Now.Unix()+1)), false) {
		keys = append(keys, bytes.Clone(key))
		if len(keys) == sweepBatch {
			break
		}
	}
	for _, key := range keys {
		old, err := t.loadExpired(tb, key)
		if err != nil || old == nil {
			return err
		}
		m, err := old.attributes()
		if err != nil {
			return err
		}
		t.reindex(tb, key, m, nil)
		t.tx.Delete(within(itemsOf(tb.Number), key))
		if err := t.addStats(tb, -1, -old.size); err != nil {
			return err
		}
	}
	return nil
}

// primaryKey gives an item's place from the item itself, after checking the key attributes in it.
func primaryKey(tb *table, m *attr.Map) ([]byte, error) {
	for _, name := range tb.Keys.names() {
		v := m.Get(name)
		switch {
		case v == nil:
			return nil, attr.Invalid(invalidPrefix + "Missing the key " + name + " in the item")
		case v.Kind != tb.Keys.kind(name):
			return nil, attr.Invalid(invalidPrefix + "Type mismatch for key " + name + " expected: " + tb.Keys.kind(name).String() +
				" actual: " + v.Kind.String())
		}
	}
	return placed(tb, m)
}

// givenKey gives an item's place from a Key parameter.
func givenKey(tb *table, key *attr.Map) ([]byte, error) {
	names := tb.Keys.names()
	if key.Len() != len(names) {
		return nil, errKeySchema
	}
	for _, name := range names {
		if v := key.Get(name); v == nil || v.Kind != tb.Keys.kind(name) {
			return nil, errKeySchema
		}
	}
	return placed(tb, key)
}

// placed checks the sizes of key values that have the right types.
func placed(tb *table, m *attr.Map) ([]byte, error) {
	for _, name := range tb.Keys.names() {
		if err := notEmpty(m.Get(name), name); err != nil {
			return nil, err
		}
	}
	hash := m.Get(tb.Keys.Hash)
	if hash.Size() > maxHashSize {
		return nil, attr.Invalid(invalidPrefix + "Size of hashkey has exceeded the maximum size limit of2048 bytes")
	}
	if tb.Keys.Range == "" {
		return itemKey(hash, nil), nil
	}
	rang := m.Get(tb.Keys.Range)
	if rang.Size() > maxRangeSize {
		return nil, attr.Invalid(invalidPrefix + "Aggregated size of all range keys has exceeded the size limit of 1024 bytes")
	}
	return itemKey(hash, rang), nil
}

func notEmpty(v *attr.Value, name string) error {
	if v.Str != "" {
		return nil
	}
	what := "string"
	if v.Kind == attr.B {
		what = "binary"
	}
	return attr.Invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty " +
		what + " value. Key: " + name)
}

// checkIndexKeys: an attribute that is a key of an index has the key's type, or is absent.
func checkIndexKeys(tb *table, m *attr.Map) error {
	for i := range tb.Indexes {
		ix := &tb.Indexes[i]
		for _, name := range ix.Keys.names() {
			v := m.Get(name)
			if v == nil || tb.Keys.has(name) {
				continue
			}
			if kind := ix.Keys.kind(name); v.Kind != kind {
				return attr.Invalid(invalidPrefix + "Type mismatch for Index Key " + name + " Expected: " + kind.String() +
					" Actual: " + v.Kind.String() + " IndexName: " + ix.Name)
			}
			if v.Str == "" {
				return emptyIndexKey(v, ix.Name, name)
			}
		}
	}
	return nil
}

func emptyIndexKey(v *attr.Value, ix, name string) error {
	what := "string"
	if v.Kind == attr.B {
		what = "binary"
	}
	return attr.Invalid("One or more parameter values are not valid. A value specified for a secondary index key is not supported. " +
		"The AttributeValue for a key attribute cannot contain an empty " + what + " value. IndexName: " + ix + ", IndexKey: " + name)
}
