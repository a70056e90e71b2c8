package sim

import (
	"slices"
	"strconv"
	"testing"
)

// commit stages a commit that writes its number.
func (p *diskPart) commit(n int) {
	t := &tx{base: p.applied()}
	t.Set([]byte(strconv.Itoa(n)), nil)
	p.staged = append(p.staged, &staged{t.changed})
	p.waiters = append(p.waiters, &waiter{upTo: p.position()})
}

// TestDiskKeepsPrefixes: syncs and crashes keep the first of what is staged, and those who wait for the rest are not
// answered as if it were there.
func TestDiskKeepsPrefixes(t *testing.T) {
	p := newDisk(1).parts[0]
	for n := range 5 {
		p.commit(n)
	}
	if ready := p.sync(2); len(ready) != 2 || len(p.waiters) != 3 {
		t.Errorf("after two of five are synced %d are answered, %d wait", len(ready), len(p.waiters))
	}
	ready, lost := p.lose(1)
	if got := p.durable.Keys(); !slices.Equal(got, []string{"0", "1", "2"}) || len(ready) != 1 || len(lost) != 2 {
		t.Errorf("the crash leaves %v, answers %d and fails %d", got, len(ready), len(lost))
	}
	if p.commit(7); p.position() != 6 || p.applied().Len() != 4 || p.durable.Len() != 3 {
		t.Errorf("after the crash: position %d, %d keys applied, %d durable", p.position(), p.applied().Len(), p.durable.Len())
	}
}

// TestLentSlicesAreTakenBack: whoever keeps what a transaction was lent finds it overwritten, and has changed nothing.
func TestLentSlicesAreTakenBack(t *testing.T) {
	at := &tree{}
	at.Set("k", []byte("value"))
	lent := &tx{base: at}
	kept, _ := lent.Get([]byte("k"))
	lent.end()
	if again, _ := (&tx{base: at}).Get([]byte("k")); string(kept) == "value" || string(again) != "value" {
		t.Errorf("kept %q, stored %q", kept, again)
	}
}
