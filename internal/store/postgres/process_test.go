package postgres

import (
	"strings"
	"testing"
)

func TestEnded(t *testing.T) {
	mine := process()
	if strings.Contains(mine, " - ") {
		t.Skip("SKIPPED: this system does not identify processes")
	}
	if ended(mine) {
		t.Errorf("this process has ended: %s", mine)
	}
	fields := strings.Fields(mine)
	for what, want := range map[string]struct {
		process string
		ended   bool
	}{
		"a number that was given anew": {strings.Join([]string{fields[0], fields[1], fields[2], "1"}, " "), true},
		"another machine or container": {strings.Join([]string{fields[0], fields[1], "else", "1"}, " "), false},
		"a system that does not say":   {strings.Join([]string{fields[0], fields[1], "-", "-"}, " "), false},
		"nobody":                       {"", false},
		"a process that is not there":  {strings.Join([]string{fields[0], "999999999", fields[2], fields[3]}, " "), true},
	} {
		if got := ended(want.process); got != want.ended {
			t.Errorf("%s: ended is %v", what, got)
		}
	}
}
