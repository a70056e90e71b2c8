package machine

import (
	"fmt"
	"strings"
	"testing"
)

// TestWaitsOfEachThread looks at a Map of one branch each that naps, asks and has ended, and at it after its end.
func TestWaitsOfEachThread(t *testing.T) {
	w := newWorld(t, compile(t, `{"StartAt":"P","TimeoutSeconds":500,"States":{"P":{"Type":"Parallel","End":true,"Branches":[
		{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":60,"End":true}}},
		{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:states:us-east-1:000000000000:activity:a","End":true}}},
		{"StartAt":"D","States":{"D":{"Type":"Pass","End":true}}}]}}}`))
	w.step(startEvent(w.now, "{}"))
	var got []string
	for _, x := range Waits(w.def, w.decoded) {
		due := ""
		if !x.Due.IsZero() {
			due = " " + x.Due.Sub(x.Entered).String()
		}
		got = append(got, fmt.Sprintf("%s %v %s%s %d/%d/%d token=%v", x.State, x.Within, x.For, due, x.Threads, x.Running, x.Unstarted, x.Token != ""))
	}
	want := "P [] threads 3/2/0 token=false|W [{P 0}] time 1m0s 0/0/0 token=false|T [{P 1}] worker 0/0/0 token=true"
	if text := strings.Join(got, "|"); text != want {
		t.Errorf("waits\n got %s\nwant %s", text, want)
	}
	w.step(Event{Kind: StopRequested, Now: w.now})
	if after := Waits(w.def, w.decoded); len(after) != 0 {
		t.Errorf("after its end it waits for %v", after)
	}
}
