package pebble

import (
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

// waitingCompactions is a database with compactions that wait, of which it allows two at a time.
type waitingCompactions struct {
	mu             sync.Mutex
	waiting, begun int
}

func (w *waitingCompactions) GetAllowedWithoutPermission() int { return 2 }

func (w *waitingCompactions) GetWaitingCompaction() (bool, pebble.WaitingCompaction) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waiting > 0, pebble.WaitingCompaction{}
}

func (w *waitingCompactions) Schedule(pebble.CompactionGrantHandle) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting == 0 {
		return false
	}
	w.waiting--
	w.begun++
	return true
}

// TestCompactionsWaitUntilTheyMayBegin: none runs before, as many as allowed run then, each end lets the next one run, and
// none begins when the database closes.
func TestCompactionsWaitUntilTheyMayBegin(t *testing.T) {
	db := &waitingCompactions{waiting: 4}
	c := newCompactions()
	c.Register(1, db)
	want := func(begun int, when string) {
		t.Helper()
		if db.begun != begun {
			t.Fatalf("%d compactions have begun %s, not %d", db.begun, when, begun)
		}
	}
	if granted, _ := c.TrySchedule(); granted {
		t.Fatal("a compaction may run at once")
	}
	want(0, "before they may")
	c.begin()
	want(2, "when they may")
	if granted, _ := c.TrySchedule(); granted {
		t.Fatal("more run than are allowed")
	}
	c.Done()
	want(3, "after an end")
	c.Done()
	want(4, "after another")
	c.Done()
	if granted, _ := c.TrySchedule(); !granted {
		t.Fatal("one that comes while there is room is refused")
	}
	db.waiting = 1
	c.Unregister()
	c.Done()
	want(4, "after the close")
}
