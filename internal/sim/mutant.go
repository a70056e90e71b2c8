package sim

import (
	"github.com/newel-run/newel/internal/store"
)

// Mutant is a fault of the system itself that a run is made with, to see that the checks notice. None of them is an
// adversity that the engine has to stand.
type Mutant uint8

// The mutants.
const (
	Sound              Mutant = iota
	AnswerBeforeSync          // an update is answered when it is staged
	ViewBeforeSync            // a view of what is staged is answered
	SkipFence                 // a process that has lost the disk goes on to write
	UnsortedScan              // scans of histories do not come in the order of their keys
	ForgetTimer               // a timer is not stored
	ForgetTask                // a task is not stored in the outbox
	ForgetNumbers             // the numbers of the outbox are not reserved
	KeepTask                  // an answered task stays in the outbox
	KeepTimer                 // a timer that has fired or was cancelled stays
	StaleList                 // the row of the list is not written again
	NoIdempotencyToken        // requests carry no token
	MarkTooHigh               // a request says that everything before it is answered
	LoseCommit                // a crash loses what was synced
	mutantsEnd
)

var mutantNames = [...]string{
	"sound", "answer before sync", "view before sync", "skip fence", "unsorted scan", "forget timer", "forget task", "forget numbers",
	"keep task", "keep timer", "stale list", "no idempotency token", "mark too high", "lose commit",
}

func (m Mutant) String() string { return mutantNames[m] }

// Mutants are all but Sound.
func Mutants() (all []Mutant) {
	for m := Sound + 1; m < mutantsEnd; m++ {
		all = append(all, m)
	}
	return all
}

// drops reports whether a write of a key is to be left out.
func (m Mutant) drops(key []byte, deletion bool) bool {
	numbers := len(key) == 3 // of the outbox: the key of the empty ARN
	switch m {
	case ForgetTimer:
		return !deletion && key[0] == store.TableTimer
	case KeepTimer:
		return deletion && key[0] == store.TableTimer
	case ForgetTask:
		return !deletion && key[0] == store.TableOutbox && !numbers
	case KeepTask:
		return deletion && key[0] == store.TableOutbox
	case ForgetNumbers:
		return !deletion && key[0] == store.TableOutbox && numbers
	}
	return false
}
