package store

import (
	"encoding/binary"
	"hash/fnv"
)

// Key builds prefix-free keys: every part is terminated, so that the rows of "e-1" never contain those of "e-10".
// A part may hold any bytes; 0x00 is escaped as 0x00 0xff and a part ends with 0x00 0x01, which keeps byte order.
type Key []byte

// K starts a key with a one-byte table tag followed by terminated parts.
func K(table byte, parts ...string) Key {
	k := make(Key, 0, 2+16*len(parts))
	k = append(k, table)
	for _, p := range parts {
		k = k.Str(p)
	}
	return k
}

// Str appends a terminated part.
func (k Key) Str(s string) Key {
	for i := 0; i < len(s); i++ {
		if s[i] == 0 {
			k = append(k, 0, 0xff)
			continue
		}
		k = append(k, s[i])
	}
	return append(k, 0, 1)
}

// U64 appends a big-endian number, which sorts by value.
func (k Key) U64(n uint64) Key { return binary.BigEndian.AppendUint64(k, n) }

// U32 appends a big-endian number, which sorts by value.
func (k Key) U32(n uint32) Key { return binary.BigEndian.AppendUint32(k, n) }

// Raw appends bytes as they are; only for the last part of a key.
func (k Key) Raw(b []byte) Key { return append(k, b...) }

// End returns the smallest key greater than every key that starts with k, for use as the end of a Scan.
func (k Key) End() Key {
	e := append(Key(nil), k...)
	for i := len(e) - 1; i >= 0; i-- {
		if e[i] != 0xff {
			e[i]++
			return e[:i+1]
		}
	}
	return nil
}

// CutStr splits the first terminated part off a key's tail.
func CutStr(k []byte) (part string, rest []byte, ok bool) {
	var b []byte
	for i := 0; i+1 < len(k); i++ {
		if k[i] != 0 {
			b = append(b, k[i])
			continue
		}
		if k[i+1] == 1 {
			return string(b), k[i+2:], true
		}
		b = append(b, 0)
		i++
	}
	return "", nil, false
}

// Place is the default placement of a resource: a hash of its name over n partitions.
func Place(n int, parts ...string) Partition {
	h := fnv.New64a()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	// FNV's low bits are weak for short strings: fold the high ones in.
	s := h.Sum64()
	return Partition((s ^ s>>32) % uint64(n))
}

// Table tags: the first byte of every key, one owner each, so that packages cannot collide.
const (
	TableMeta      byte = 'M' // store: format, partition count
	TableOnce      byte = 'O' // service: answers kept for idempotency tokens
	TableExecution byte = 'x' // engine: pieces of running and finished executions
	TableHistory   byte = 'h' // engine: history chunks
	TableOutbox    byte = 'o' // engine: commands not yet answered
	TableContinue  byte = 'n' // engine: steps that ran out of budget
	TableTimer     byte = 't' // engine: timers by due time
	TableIndex     byte = 'i' // engine: executions by machine and start time
	TableExpiry    byte = 'e' // engine: finished executions by expiry time
	TableMachine   byte = 'm' // states: state machines, revisions, tags
	TableFunction  byte = 'f' // lambda
	TableQueue     byte = 'q' // sqs
	TableDynamo    byte = 'd' // dynamodb
	TableIAM       byte = 'a' // iam
	TableLogs      byte = 'l' // logs
	TableStack     byte = 'c' // cfn
)
