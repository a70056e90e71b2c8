package collector

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// TestPacer: frequent collections of a small heap make room, large heaps and rare collections do not.
func TestPacer(t *testing.T) {
	at := time.Unix(1000, 0)
	p := pacer{percent: usual}
	for _, c := range []struct {
		after time.Duration
		live  uint64
		want  int
	}{
		{time.Hour, 8 << 20, 100},               // the first
		{100 * time.Millisecond, 8 << 20, 400},  // busy, and small
		{100 * time.Millisecond, 16 << 20, 300}, // three times of it are the slack
		{100 * time.Millisecond, 17 << 20, 300}, // not worth it
		{100 * time.Millisecond, 1 << 30, 100},  // large
		{100 * time.Millisecond, 0, 400},
		{time.Minute, 1 << 30, 400}, // rare: calm has set the usual percentage, or will
	} {
		at = at.Add(c.after)
		if got := p.collected(at, c.live); got != c.want {
			t.Errorf("after %v with %d live: %d, want %d", c.after, c.live, got, c.want)
		}
	}
}

// TestPace: collections are seen, and the end brings the usual percentage back.
func TestPace(t *testing.T) {
	t.Setenv("GOGC", "")
	defer debug.SetGCPercent(debug.SetGCPercent(usual))
	stop := Pace()
	for raised := false; !raised; {
		runtime.GC()
		percent := debug.SetGCPercent(usual) // there is no way to only read it
		raised = percent > usual
		debug.SetGCPercent(percent)
	}
	stop()
	if got := debug.SetGCPercent(usual); got != usual {
		t.Errorf("%d after the end", got)
	}
}
