package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/newel-run/newel/internal/engine"
	"github.com/newel-run/newel/internal/observe"
	"github.com/newel-run/newel/internal/tally"
	fsm "github.com/newel-run/newel/machine"
)

func took(n int, d time.Duration) tally.Distribution {
	var h tally.Histogram
	for range n {
		h.Took(d)
	}
	return h.Read()
}

// TestPulse: rates are of the time between two snapshots, the busiest come first, and what a restart set back counts from zero.
func TestPulse(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	quiet, slow := took(10, time.Millisecond), took(10, time.Millisecond).Plus(took(20, 100*time.Millisecond))
	then := &observe.Snapshot{Now: at, Start: at, Calls: []observe.Call{{Service: "sqs", Operation: "A", Took: quiet}, {Service: "states", Operation: "B", Status: map[int]uint64{400: 3}, Took: quiet}}}
	then.Engine.Standard.Started = 50
	now := &observe.Snapshot{Now: at.Add(2 * time.Second), Start: at, Calls: []observe.Call{{Service: "sqs", Operation: "A", Took: quiet}, {Service: "states", Operation: "B", Status: map[int]uint64{400: 5, 200: 1}, Took: slow}}}
	now.Engine.Standard.Started = 10
	now.Engine.Standard.Ended[fsm.Aborted] = 4
	now.Engine.Machines = []engine.MachineStats{{ARN: "a:idle"}, {ARN: "a:busy", Transitions: 8}}
	p := pulseBetween(then, now)
	if o := p.Operations[0]; o.Name != "states:B" || o.Rate != 10 || o.Errors != 1 || o.Took.P50 < 90 || o.Took.P50 > 110 || p.Requests != 10 {
		t.Errorf("the busiest operation is %+v, %v requests/s", o, p.Requests)
	}
	if p.Standard.Started != 5 || p.Standard.Failed != 2 || p.Machines[0].ARN != "a:busy" || p.Machines[0].Transitions != 4 {
		t.Errorf("%+v, %+v", p.Standard, p.Machines)
	}
	for _, l := range p.lines("here", 2, 2) {
		if w := l.Width(); w > 120 {
			t.Errorf("%d columns: %s", w, l.Render(0, false))
		}
	}
}

func TestFigures(t *testing.T) {
	var got []string
	for _, v := range []float64{0, 0.25, 7, 9.24, 99.6, 812, 9_949, 12_345, 1_234_567} {
		got = append(got, number(v))
	}
	for _, v := range []float64{0, 512, 1536, 123 << 20} {
		got = append(got, sizeOf(v))
	}
	for _, v := range []float64{0, 0.041, 12.3, 61_000} {
		got = append(got, millis(v))
	}
	want := "0 0.25 7 9.2 100 812 9949 12.3k 1.2M 0 B 512 B 1.5 KiB 123 MiB - 0.04 ms 12 ms 61.0 s"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("%s, want %s", s, want)
	}
}
