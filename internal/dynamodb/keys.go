package dynamodb

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"

	"github.com/newel-run/newel/internal/dynamodb/attr"
	"github.com/newel-run/newel/internal/store"
)

// Sub-tables under store.TableDynamo: the second byte of every key.
const (
	rowCounter byte = 'n' // the last table number given out on the partition
	rowTable   byte = 't' // account, region, name -> table record
	rowStats   byte = 's' // table number -> item count, bytes
	rowItem    byte = 'i' // table number, item key -> item
	rowIndex   byte = 'x' // table number, index number, index key, item key -> item key
	rowExpiry  byte = 'e' // table number, expiry second, item key -> item key
	rowToken   byte = 'o' // account, region, client token -> transaction's digest
	rowTokenAt byte = 'p' // second at which a token is forgotten, its row's key -> its row's key
)

func row(kind byte) store.Key { return store.Key{store.TableDynamo, kind} }

func tableKey(account, region, name string) store.Key {
	return row(rowTable).Str(account).Str(region).Str(name)
}

func tablesOf(account, region string) store.Key { return row(rowTable).Str(account).Str(region) }

func statsKey(table uint32) store.Key { return row(rowStats).U32(table) }
func itemsOf(table uint32) store.Key  { return row(rowItem).U32(table) }
func expiryOf(table uint32) store.Key { return row(rowExpiry).U32(table) }

func indexOf(table, index uint32) store.Key { return row(rowIndex).U32(table).U32(index) }

// dropRows names every range that a table's number prefixes.
func dropRows(tx store.Tx, table uint32) {
	for _, kind := range []byte{rowStats, rowItem, rowIndex, rowExpiry} {
		k := row(kind).U32(table)
		tx.DeleteRange(k, k.End())
	}
}

// itemKey is an item's place within its table, or an index entry's within its index: hash of the hash key, hash key,
// range key.
func itemKey(hash, rang *attr.Value) []byte {
	k := hashPrefix(make([]byte, 0, 64), hash)
	if rang != nil {
		k = attr.AppendKey(k, rang)
	}
	return k
}

// hashPrefix begins the keys of all items with one hash key.
func hashPrefix(dst []byte, hash *attr.Value) []byte {
	enc := attr.AppendKey(nil, hash)
	return append(binary.BigEndian.AppendUint16(dst, hash16(enc)), enc...)
}

func hash16(b []byte) uint16 {
	h := fnv.New64a()
	h.Write(b)
	s := h.Sum64()
	return uint16(s ^ s>>16 ^ s>>32 ^ s>>48)
}

// segmentOf gives the hashes [lo, hi) of one segment of a parallel Scan; hi is 1<<16 at the end.
func segmentOf(segment, total int64) (lo, hi uint32) {
	return uint32((segment<<16 + total - 1) / total), uint32(((segment+1)<<16 + total - 1) / total)
}

func within(prefix store.Key, tail []byte) store.Key {
	return append(bytes.Clone(prefix), tail...)
}
