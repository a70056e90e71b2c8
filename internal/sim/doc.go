// Package sim is a seeded world in which the real engine runs: its goroutines, its timers, its outbox, over a store that
// loses what was not synced and a network that delays, loses and repeats. One run is a function of its seed.
//
// # How it is deterministic
//
// Whatever the engine asks of the world (a transaction, a view, the sending of a task, a timer) becomes an action with a
// label, and the goroutine that asked is held. The driver waits until every goroutine of the bubble is held
// (testing/synctest), puts the new actions in the order of their labels, chooses one by the seed, carries it out, and waits
// again. So one thread of work runs at a time, and what runs beside it can only come to stand at its own next question.
// A transaction's label is what it reads and writes: its function is run once for that on the state as it is, which the
// contract of the store allows. Time is a number that the driver moves on when it chooses an action that lies ahead.
//
// # The disk
//
// A transaction that is carried out is staged: the partition's next one sees it. A sync makes a prefix of what a partition
// has staged durable; only then are those who wait for it answered, one by one, in any order. A crash can come between any
// two actions, so before staging, between staging and sync, and between sync and answer. It leaves of each partition what
// was synced and, as a log does that had reached the disk in part, any prefix of what was staged after it.
//
// A process ends by a power cut, by a sync that fails (the store is poisoned until the process has been stopped), by
// a shutdown in good order, or because another has taken over its partitions while it still runs: it is fenced then, and
// lives on for a while.
//
// # The outside
//
// Services take requests under idempotency tokens, as internal/service does: what a token has done is answered again and
// not done again, and what lies below a source's low mark is forgotten. Requests and answers are lost and sent again, are
// repeated, and arrive after the process that sent them has gone. Callbacks, workers of activities and clients try again
// until they are answered.
//
// # What is checked
//
// While it runs: a token stands for one request and one effect, a start and a redrive that are repeated are answered the
// same, an answer counts once, what was shown stays true. At the end, with the world quiet: check.go.
package sim
