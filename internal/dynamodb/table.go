package dynamodb

import (
	"encoding/binary"
	"encoding/json"
	"sync"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/dynamodb/attr"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// table is a table's record as it is stored. Records are immutable: what changes one stores a copy.
type table struct {
	Version    int    // of the record's format
	Number     uint32 // prefixes the table's rows
	Name       string
	ARN        string
	ID         string
	Created    time.Time
	Keys       keySchema
	Attributes []attributeDefinition
	Billing    billing
	Indexes    []index
	LastIndex  uint32
	TTL        string // the attribute that holds the expiry second, "" for none
	Tags       []tag
	Protected  bool
	SSE        *sseDescription
	Class      string
}

// keySchema names the key attributes; Range is empty if there is none.
type keySchema struct {
	Hash, Range         string
	HashKind, RangeKind attr.Kind
}

type billing struct {
	OnDemand    bool
	Read, Write int64
	// Since is when the table became on-demand; Explicit whether BillingMode was ever named.
	Since    time.Time
	Explicit bool
	Changed  time.Time // of the provisioned throughput; zero if never
}

// index is a secondary index.
type index struct {
	Number      uint32
	Name        string
	Local       bool
	Keys        keySchema
	Projection  projection
	Read, Write int64
}

type attributeDefinition struct {
	AttributeName string
	AttributeType string
}

type tag struct{ Key, Value string }

const tableVersion = 1

func (k keySchema) names() []string {
	if k.Range == "" {
		return []string{k.Hash}
	}
	return []string{k.Hash, k.Range}
}

func (k keySchema) kind(name string) attr.Kind {
	if name == k.Hash {
		return k.HashKind
	}
	return k.RangeKind
}

func (k keySchema) has(name string) bool { return name == k.Hash || name == k.Range && name != "" }

func (t *table) index(name string) *index {
	for i := range t.Indexes {
		if t.Indexes[i].Name == name {
			return &t.Indexes[i]
		}
	}
	return nil
}

// db is the service with its cache of decoded table records, which are found by their bytes and so cannot be stale.
type db struct {
	*service.Service
	mu      sync.RWMutex
	records map[string]*table
}

const cachedRecords = 1024

func (d *db) decodeTable(b []byte) (*table, error) {
	d.mu.RLock()
	t := d.records[string(b)]
	d.mu.RUnlock()
	if t != nil {
		return t, nil
	}
	t = &table{}
	if err := json.Unmarshal(b, t); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.records) >= cachedRecords {
		clear(d.records)
	}
	d.records[string(b)] = t
	return t, nil
}

// txn is what an operation works with: one transaction on the account's and region's partition. tx is nil in a View.
type txn struct {
	*service.Context
	store.Reader
	tx store.Tx
	db *db
}

// find gives a table's record, nil if there is no such table.
func (t *txn) find(name string) (*table, error) {
	b, err := t.Get(tableKey(t.Account, t.Region, name))
	if err != nil || b == nil {
		return nil, err
	}
	return t.db.decodeTable(b)
}

// table gives the table that an item operation names.
func (t *txn) table(name string) (*table, error) {
	tb, err := t.find(name)
	if err == nil && tb == nil {
		err = errNotFound()
	}
	return tb, err
}

// described gives the table that a table operation names, whose error names it.
func (t *txn) described(name string) (*table, error) {
	tb, err := t.find(name)
	if err == nil && tb == nil {
		err = errTableNotFound(name)
	}
	return tb, err
}

func (t *txn) save(tb *table) error {
	b, err := json.Marshal(tb)
	if err == nil {
		t.tx.Set(tableKey(t.Account, t.Region, tb.Name), b)
	}
	return err
}

// nextNumber gives out a table number, never twice on a partition.
func (t *txn) nextNumber() (uint32, error) {
	b, err := t.Get(row(rowCounter))
	if err != nil {
		return 0, err
	}
	n := uint32(1)
	if b != nil {
		n = binary.BigEndian.Uint32(b) + 1
	}
	t.tx.Set(row(rowCounter), binary.BigEndian.AppendUint32(nil, n))
	return n, nil
}

// stats are a table's counters.
type stats struct{ items, bytes int64 }

func (t *txn) stats(tb *table) (stats, error) {
	b, err := t.Get(statsKey(tb.Number))
	if err != nil || b == nil {
		return stats{}, err
	}
	return stats{int64(binary.BigEndian.Uint64(b)), int64(binary.BigEndian.Uint64(b[8:]))}, nil
}

func (t *txn) addStats(tb *table, items, size int) error {
	if items == 0 && size == 0 {
		return nil
	}
	s, err := t.stats(tb)
	if err != nil {
		return err
	}
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 16), uint64(s.items+int64(items)))
	t.tx.Set(statsKey(tb.Number), binary.BigEndian.AppendUint64(b, uint64(s.bytes+int64(size))))
	return nil
}

func (t *txn) arn(resource string) string {
	return aws.ARN{Service: "dynamodb", Region: t.Region, Account: t.Account, Resource: resource}.String()
}
