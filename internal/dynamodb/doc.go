// Package dynamodb is Amazon DynamoDB's API (2012-08-10) on the store.
//
// All tables of one account and region live on one partition, so that TransactWriteItems is one store transaction and
// every read is consistent. Requests are decoded, checked and their expressions compiled before the transaction starts;
// inside it remain look-ups, evaluation and writes, which may run again and change nothing but through Tx.
//
// What is authoritative: the table's record and its items. An item's row holds its size and its JSON; index rows and
// expiry rows only point to items, and all of them, with the table's counters, are written in the item's own transaction,
// so that global indexes are never behind. Items lie by a 16-bit hash of their hash key (segments of a parallel Scan are
// ranges of it), then by hash key, then by range key in DynamoDB's order (attr.AppendKey).
//
// An item whose time to live has passed is absent for every read and write from that second on; its row goes with the
// next writes to its table.
package dynamodb
