package dynamodb

import (
	"strconv"

	"github.com/newel-run/newel/internal/dynamodb/attr"
)

// Capacity units: a read unit is 4 KB read consistently (half for an eventually consistent read, double in a
// transaction), a write unit is 1 KB (double in a transaction); each index entry that a write touches counts by itself.
const (
	readUnit  = 4096
	writeUnit = 1024
)

type units float64

// MarshalJSON writes a figure as AWS does, with one decimal.
func (u units) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(u), 'f', 1, 64), nil
}

type capacityUnits struct {
	CapacityUnits      units
	ReadCapacityUnits  *units `json:",omitempty"`
	WriteCapacityUnits *units `json:",omitempty"`
}

// capacity is ConsumedCapacity.
type capacity struct {
	TableName string
	capacityUnits
	Table                  *capacityUnits            `json:",omitempty"`
	LocalSecondaryIndexes  map[string]*capacityUnits `json:",omitempty"`
	GlobalSecondaryIndexes map[string]*capacityUnits `json:",omitempty"`
}

func ceil(size, unit int) int { return max(1, (size+unit-1)/unit) }

// readUnits is what reading size bytes in one go costs.
func readUnits(size int, consistent bool) units {
	u := units(ceil(size, readUnit))
	if !consistent {
		u /= 2
	}
	return u
}

// consumed starts a capacity for a table; want is ReturnConsumedCapacity. The result is nil if nothing is wanted.
func consumed(want *string, tb *table) *capacity {
	if want == nil || *want == "NONE" {
		return nil
	}
	c := &capacity{TableName: tb.Name}
	if *want == "INDEXES" {
		c.Table = &capacityUnits{}
	}
	return c
}

// add counts units of the table, or of an index if ix is not nil.
func (c *capacity) add(u units, ix *index) {
	if c == nil {
		return
	}
	c.CapacityUnits += u
	switch {
	case c.Table == nil:
	case ix == nil:
		c.Table.CapacityUnits += u
	case ix.Local:
		addIndexUnits(&c.LocalSecondaryIndexes, ix.Name, u)
	default:
		addIndexUnits(&c.GlobalSecondaryIndexes, ix.Name, u)
	}
}

func addIndexUnits(m *map[string]*capacityUnits, name string, u units) {
	if *m == nil {
		*m = map[string]*capacityUnits{}
	}
	if (*m)[name] == nil {
		(*m)[name] = &capacityUnits{}
	}
	(*m)[name].CapacityUnits += u
}

// asWrites and asReads also show the figures under the names that transactions use.
func (c *capacity) asWrites() {
	if c != nil {
		u := c.CapacityUnits
		c.WriteCapacityUnits = &u
		if c.Table != nil {
			v := c.Table.CapacityUnits
			c.Table.WriteCapacityUnits = &v
		}
	}
}

func (c *capacity) asReads() {
	if c != nil {
		u := c.CapacityUnits
		c.ReadCapacityUnits = &u
		if c.Table != nil {
			v := c.Table.CapacityUnits
			c.Table.ReadCapacityUnits = &v
		}
	}
}

// capacity is what a write consumed; times is 2 in a transaction.
func (out *outcome) capacity(want *string, times units) (*capacity, error) {
	c := consumed(want, out.tb)
	return c, out.count(c, times)
}

func (out *outcome) count(c *capacity, times units) error {
	if c == nil {
		return nil
	}
	c.add(times*units(ceil(max(out.old.bytes(), out.size), writeUnit)), nil)
	if len(out.tb.Indexes) == 0 || out.unchanged {
		return nil
	}
	before, err := out.old.attributes()
	if err != nil {
		return err
	}
	for i := range out.tb.Indexes {
		ix := &out.tb.Indexes[i]
		if u := indexUnits(out, ix, before); u > 0 {
			c.add(times*u, ix)
		}
	}
	return nil
}

// indexUnits is what changing an item's entry in an index costs.
func indexUnits(out *outcome, ix *index, before *attr.Map) units {
	from, to := indexKey(out.tb, ix, before, out.key), indexKey(out.tb, ix, out.after, out.key)
	was, is := 0, 0
	if from != nil {
		was = ix.project(out.tb, before).Size()
	}
	if to != nil {
		is = ix.project(out.tb, out.after).Size()
	}
	switch {
	case from == nil && to == nil:
		return 0
	case from == nil:
		return units(ceil(is, writeUnit))
	case to == nil:
		return units(ceil(was, writeUnit))
	case string(from) != string(to):
		return units(ceil(was, writeUnit) + ceil(is, writeUnit))
	case attr.EqualMaps(ix.project(out.tb, before), ix.project(out.tb, out.after)):
		return 0
	}
	return units(ceil(max(was, is), writeUnit))
}
