package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// drive is a fair whose work is done when the test says so.
type drive struct {
	*fair
	under []job
	began []string
}

func newDrive(places int, bytes int64) *drive {
	return &drive{fair: newFair(places, bytes, systemClock{}, nil)}
}

func (d *drive) queue(machine string, bytes int64) {
	d.enqueue(machine, job{held: bytes, lying: bytes})
	d.start()
}

func (d *drive) start() {
	for _, j := range d.pick(nil) {
		d.under = append(d.under, j)
		d.began = append(d.began, j.line.machine)
	}
}

func (d *drive) end(i int) {
	d.finish(d.under[i])
	d.under = slices.Delete(d.under, i, i+1)
	d.start()
}

// TestTurns: machines take turns, however long their lines are.
func TestTurns(t *testing.T) {
	d := newDrive(4, 1<<20)
	for range 100_000 {
		d.queue("hog", 1)
	}
	for range 3 {
		d.queue("a", 1)
		d.queue("b", 1)
	}
	d.began = nil
	for range 12 {
		d.end(0)
	}
	if got := strings.Join(d.began, " "); got != "hog a b hog a b hog a b hog hog hog" {
		t.Errorf("began: %s", got)
	}
}

// TestLongWork: a machine whose work does not end leaves places, and bytes, to those that hold few.
func TestLongWork(t *testing.T) {
	for name, bytes := range map[string]int64{"places": 1, "bytes": 1 << 14} {
		t.Run(name, func(t *testing.T) {
			d := newDrive(128, 1<<20) // 64 payloads of 16 KiB
			for range 1000 {
				d.queue("hog", bytes)
			}
			before := len(d.under)
			d.queue("small", bytes)
			d.queue("other", bytes)
			if got := d.began[before:]; !slices.Equal(got, []string{"small", "other"}) {
				t.Errorf("after %d of the hog's, %v began", before, got)
			}
		})
	}
}

// TestLargeWork: what is larger than all bytes runs by itself.
func TestLargeWork(t *testing.T) {
	d := newDrive(8, 100)
	d.queue("m", 10)
	d.queue("m", 1000)
	d.queue("m", 10)
	if len(d.under) != 1 {
		t.Fatalf("%d run beside the large one's turn", len(d.under))
	}
	d.end(0)
	if len(d.under) != 1 || d.held != 1000 {
		t.Fatalf("%d run, %d bytes", len(d.under), d.held)
	}
	d.end(0)
	if len(d.under) != 1 || d.waiting != 0 {
		t.Errorf("%d run, %d wait", len(d.under), d.waiting)
	}
}

// TestBounds: whatever comes and ends, the bounds hold, nothing is lost, and nothing waits beside a free place.
func TestBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newDrive(rapid.IntRange(1, 20).Draw(t, "places"), 100)
		queued, ended := 0, 0
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if len(d.under) > 0 && rapid.Bool().Draw(t, "end") {
				d.end(rapid.IntRange(0, len(d.under)-1).Draw(t, "which"))
				ended++
			} else {
				d.queue(fmt.Sprint(rapid.IntRange(0, 4).Draw(t, "machine")), rapid.Int64Range(0, 120).Draw(t, "bytes"))
				queued++
			}
			if d.running > d.places || d.held > d.bytes && d.running > 1 {
				t.Fatalf("%d of %d places, %d of %d bytes", d.running, d.places, d.held, d.bytes)
			}
			if d.waiting > 0 && d.running == 0 || d.running != len(d.under) || queued != ended+d.running+d.waiting {
				t.Fatalf("%d queued, %d ended, %d run, %d wait", queued, ended, d.running, d.waiting)
			}
		}
		for len(d.under) > 0 {
			d.end(0)
		}
		if d.waiting != 0 || d.held != 0 || d.lying != 0 || len(d.lines) != 0 {
			t.Fatalf("left: %+v", d.load())
		}
	})
}
