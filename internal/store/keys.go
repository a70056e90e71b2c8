package store

import (
	"encoding/binary"
	"hash/fnv"
)

// Key builds the keys of one partition. The layout rules:
//
//   - The first byte is a table tag (below); one package owns a table and alone reads and writes it.
//   - Then come parts that identify the row, most significant first, in the order in which ranges are read. Text is a
//     terminated part (Str), numbers are fixed-width and big-endian (U64, U32), so keys sort as their parts do: text by
//     bytes, numbers by value.
//   - Keys are prefix-free: the rows under K(t, "e-1") never contain those of "e-10", because 0x00 0x01 ends a part and a
//     0x00 within it is written 0x00 0xff. Raw bytes without an end may only be the last part.
//   - All rows with prefix k are the range [k, k.End()).
//   - A row's value begins with a version of its record, owned by the table's package; the layout of keys changes only with
//     the store's format number.
//
// Each method returns a key that shares no memory with its receiver, so that one prefix can start many keys.
type Key []byte

// K starts a key with a one-byte table tag followed by terminated parts.
func K(table byte, parts ...string) Key {
	size := 1
	for _, p := range parts {
		size += len(p) + 2
	}
	k := append(make(Key, 0, size), table)
	for _, p := range parts {
		k = appendPart(k, p)
	}
	return k
}

// Str appends a terminated part.
func (k Key) Str(s string) Key {
	return appendPart(append(make(Key, 0, len(k)+len(s)+2), k...), s)
}

func appendPart(k Key, s string) Key {
	for i := 0; i < len(s); i++ {
		k = append(k, s[i])
		if s[i] == 0 {
			k = append(k, 0xff)
		}
	}
	return append(k, 0, 1)
}

// U64 appends a big-endian number, which sorts by value.
func (k Key) U64(n uint64) Key { return binary.BigEndian.AppendUint64(k[:len(k):len(k)], n) }

// U32 appends a big-endian number, which sorts by value.
func (k Key) U32(n uint32) Key { return binary.BigEndian.AppendUint32(k[:len(k):len(k)], n) }

// Raw appends bytes as they are; only for the last part of a key.
func (k Key) Raw(b []byte) Key { return append(append(make(Key, 0, len(k)+len(b)), k...), b...) }

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

// CutStr splits the first terminated part off a key's tail. It is not ok if the tail does not start with one.
func CutStr(k []byte) (part string, rest []byte, ok bool) {
	b := make([]byte, 0, len(k))
	for i := 0; i+1 < len(k); i++ {
		b = append(b, k[i])
		if k[i] != 0 {
			continue
		}
		i++
		switch k[i] {
		case 1:
			return string(b[:len(b)-1]), k[i+1:], true
		case 0xff:
		default:
			return "", nil, false
		}
	}
	return "", nil, false
}

// Place is the default placement of a resource: a hash of its name over n partitions. It is stored nowhere, so it must
// never change.
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
	TableMeta       byte = 'M' // store: format, partition count
	TableOnce       byte = 'O' // service: answers kept for idempotency tokens
	TableExecution  byte = 'x' // engine: pieces of running and finished executions
	TableHistory    byte = 'h' // engine: history chunks
	TableOutbox     byte = 'o' // engine: commands not yet answered
	TableOpen       byte = 'N' // engine: how many executions are open
	TableContinue   byte = 'n' // engine: steps that ran out of budget
	TableTimer      byte = 't' // engine: timers by due time
	TableIndex      byte = 'i' // engine: executions by machine and start time
	TableExpiry     byte = 'e' // engine: finished executions by expiry time
	TableOwed       byte = 'w' // outbox: calls that services owe to others
	TableActivity   byte = 'v' // states: activities and their waiting tasks
	TableBucket     byte = 's' // s3
	TableTopic      byte = 'p' // sns
	TableMail       byte = 'E' // mail
	TableBus        byte = 'b' // events
	TableMetric     byte = 'u' // cloudwatch
	TableKey        byte = 'k' // kms
	TableConnection byte = 'C' // events/connection
	TableSecret     byte = 'S' // secretsmanager
	TableParameter  byte = 'P' // ssm
	TableAPI        byte = 'g' // apigateway
	TableMapping    byte = 'r' // lambda: event source mappings
	TableMapRun     byte = 'z' // maprun: distributed Map
	TableDebt       byte = 'y' // engine: answers and cancellations that are owed
	TableStarted    byte = 'j' // engine: .sync tasks whose work has been started
	TableExpress    byte = 'X' // engine: asynchronous Express executions that run
	TableMachine    byte = 'm' // states: state machines, revisions, tags
	TableFunction   byte = 'f' // lambda
	TableQueue      byte = 'q' // sqs
	TableDynamo     byte = 'd' // dynamodb
	TableIAM        byte = 'a' // iam
	TableLogs       byte = 'l' // logs
	TableStack      byte = 'c' // cfn
)

// LikelyMissing reports whether a key is one that is mostly looked for where it is not: the root of an execution, by which one
// sees whether a name is taken.
func LikelyMissing(key []byte) bool {
	return len(key) > 1 && key[0] == TableExecution && key[len(key)-1] == 'r'
}
