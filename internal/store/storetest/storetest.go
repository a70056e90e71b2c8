// Package storetest is the suite that every backend of the store passes. Its subject is the contract in package store:
// order and ranges, a transaction's own writes, serial transactions, isolation, and, for a backend that keeps data, what
// is left after a crash, a failed write, a full disk. Only tests import it.
package storetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/newel-run/newel/internal/store"
)

// Harness stands for one store, empty at first.
type Harness struct {
	// Open opens the store. The suite closes what it has opened.
	Open func() (store.Store, error)
	// Disk is what can be done to the store's disk; nil for a backend that keeps nothing.
	Disk *Disk
}

// Disk controls what a store that keeps data writes to. A test that needs what is nil is left out.
type Disk struct {
	// Crash cuts the power and returns what is found afterwards: all that was synced and, chosen by the seed, parts of what
	// was not. The crashed store goes on, on a disk of its own.
	Crash func(seed uint64) Harness
	// Faults are the names of operations that can be made to fail and that the store must not survive.
	Faults []string
	// Inject makes the operation fail from its n-th call on, counted from now.
	Inject func(fault string, n int)
	// SetFree sets the free space: so much that all is well, or too little for new work.
	SetFree func(plenty bool)
	// HoldSync makes fsyncs of the log wait until release is called.
	HoldSync func() (release func())
}

// Run runs the suite; each test gets a harness of its own.
func Run(t *testing.T, harness func(t *testing.T) Harness) {
	tests := []struct {
		name string
		run  func(t *testing.T, h Harness)
	}{
		{"GetSetDelete", testGetSetDelete},
		{"ScanOrder", testScanOrder},
		{"ScanRanges", testScanRanges},
		{"ScanLarge", testScanLarge},
		{"ScanKeepsSlices", testScanKeepsSlices},
		{"ScanWhileWriting", testScanWhileWriting},
		{"PrefixFree", testPrefixFree},
		{"PartitionsApart", testPartitionsApart},
		{"DeleteRange", testDeleteRange},
		{"LargeValues", testLargeValues},
		{"Model", testModel},
		{"ErrorRollsBack", testErrorRollsBack},
		{"PanicRollsBack", testPanicRollsBack},
		{"RerunHasNoEffect", testRerunHasNoEffect},
		{"Increments", testIncrements},
		{"ManyCallers", testManyCallers},
		{"ViewIsolation", testViewIsolation},
		{"ContextDone", testContextDone},
		{"Closed", testClosed},
		{"CloseWaits", testCloseWaits},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, harness(t)) })
	}
	if harness(t).Disk == nil {
		return
	}
	for _, test := range diskTests {
		if d := harness(t).Disk; test.needs == nil || test.needs(d) {
			t.Run(test.name, func(t *testing.T) { test.run(t, harness) })
		}
	}
}

// Open opens a harness's store and closes it at the end of the test.
func Open(t testing.TB, h Harness) store.Store {
	t.Helper()
	s, err := h.Open()
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, store.ErrFailed) {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func update(t testing.TB, s store.Store, p store.Partition, fn func(tx store.Tx)) {
	t.Helper()
	err := s.Update(t.Context(), p, func(tx store.Tx) error { fn(tx); return nil })
	if err != nil {
		t.Fatalf("update: %v", err)
	}
}

func view(t testing.TB, s store.Store, p store.Partition, fn func(r store.Reader)) {
	t.Helper()
	err := s.View(t.Context(), p, func(r store.Reader) error { fn(r); return nil })
	if err != nil {
		t.Fatalf("view: %v", err)
	}
}

func get(t testing.TB, r store.Reader, key string) (value string, ok bool) {
	t.Helper()
	v, err := r.Get([]byte(key))
	if err != nil {
		t.Fatalf("get %q: %v", key, err)
	}
	if missing, err := store.Missing(r, []byte(key)); err != nil || missing != (v == nil) {
		t.Errorf("%q is missing: %v, %v; its value is %q", key, missing, err, v)
	}
	return string(v), v != nil
}

// list returns the rows of a range as "key=value"; nil bounds are open.
func list(r store.Reader, lo, hi []byte, reverse bool) []string {
	var rows []string
	for k, v := range r.Scan(lo, hi, reverse) {
		rows = append(rows, fmt.Sprintf("%s=%s", k, v))
	}
	return rows
}
