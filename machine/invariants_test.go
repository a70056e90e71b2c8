package machine

import (
	"bytes"
	"strings"
	"testing"

	"github.com/newel-run/newel/asl/value"
)

// TestInvariantsHold breaks each invariant of a sound root or frame in turn: the checks must notice.
func TestInvariantsHold(t *testing.T) {
	small, large := value.TextString("1"), value.TextString(big("long:2000"))
	root := func() *Root {
		r := &Root{status: Running, frames: 3, live: 1}
		r.input.doc = small
		return r
	}
	roots := map[string]func(*Root){
		"status":                          func(r *Root) { r.status = 9 },
		"stop time":                       func(r *Root) { r.stopped = 1 },
		"output":                          func(r *Root) { r.output.doc = small },
		"execution timer":                 func(r *Root) { r.status, r.stopped, r.due = Failed, 1, 5 },
		"ready frames after the end":      func(r *Root) { r.status, r.stopped, r.ready = Failed, 1, []uint32{1} },
		"a running execution has a frame": func(r *Root) { r.live = 0 },
		"frames left over after success":  func(r *Root) { r.status, r.stopped, r.output.doc = Succeeded, 1, small },
		"more frames than numbers":        func(r *Root) { r.live = 4 },
		"frame 0":                         func(r *Root) { r.ready = []uint32{0} },
		"large document inline":           func(r *Root) { r.input.doc = large },
		"a document is stored once":       func(r *Root) { r.input.n = 1 },
		"owned without a payload":         func(r *Root) { r.input.owned = true },
	}
	root().check()
	for want, breakIt := range roots {
		r := root()
		breakIt(r)
		mustPanic(t, want, r.check)
	}
	frame := func() *Frame { return &Frame{id: 2, parent: 1, phase: started, attempt: 1, raw: slot{doc: small}} }
	frames := map[string]func(*Frame){
		"a parent is older":           func(f *Frame) { f.parent = 2 },
		"phase":                       func(f *Frame) { f.phase = 0 },
		"a wait has its timer":        func(f *Frame) { f.phase = waiting },
		"task timer":                  func(f *Frame) { f.phase, f.taskDue = entering, 1 },
		"heartbeat timer":             func(f *Frame) { f.phase, f.beatDue = scheduled, 1 },
		"children belong":             func(f *Frame) { f.fan = &fanout{} },
		"an attempt has a number":     func(f *Frame) { f.attempt = 0 },
		"a held answer waits":         func(f *Frame) { f.answered, f.taskDue = &answer{failed: true}, 1 },
		"an answer is a result":       func(f *Frame) { f.answered = &answer{} },
		"a frame carries a document":  func(f *Frame) { f.raw = slot{} },
		"a fan-out has something":     func(f *Frame) { f.phase, f.fan = fannedOut, &fanout{length: 1, limit: 1, first: 3} },
		"a fan-out starts each index": func(f *Frame) { f.phase, f.fan = fannedOut, &fanout{running: 1, limit: 1, first: 3} },
		"a child is younger": func(f *Frame) {
			f.phase, f.fan = fannedOut, &fanout{length: 1, next: 1, running: 1, limit: 1, first: 2}
		},
	}
	frame().check()
	for want, breakIt := range frames {
		f := frame()
		breakIt(f)
		mustPanic(t, want, f.check)
	}
}

func mustPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		if got, _ := recover().(string); !strings.Contains(got, want) {
			t.Errorf("broken %q: panic %q", want, got)
		}
	}()
	f()
}

func TestToken(t *testing.T) {
	r := &Root{start: *startEvent(epoch, "1").Start}
	a := Attempt{Frame: 7, N: 9}
	token := TokenFor(r, a)
	id, err := ParseToken(token)
	if err != nil || id.Attempt != a || id.ExecutionARN != r.start.ARN || !VerifyToken(r, id) {
		t.Fatalf("own token: %+v %v", id, err)
	}
	other := *r
	other.start.Seed[0]++
	if VerifyToken(&other, id) {
		t.Error("a token holds for an execution with another seed")
	}
	forged := id
	forged.Attempt.N++
	if VerifyToken(r, forged) {
		t.Error("a token holds for another attempt")
	}
	for _, bad := range []string{"", "x", "AAAA", token[:len(token)-4], token + "AAAA", "!" + token[1:], strings.TrimRight(token, "=") + "*"} {
		if id, err := ParseToken(bad); err == nil && VerifyToken(r, id) {
			t.Errorf("%q is taken for a token", bad)
		}
	}
}

// FuzzDecode: no stored bytes make a decoder panic, and what decodes is stored the same way again.
func FuzzDecode(f *testing.F) {
	w := newWorld(f, compile(f, parallelOfTasks))
	w.step(startEvent(epoch, `{"a":"`+strings.Repeat("x", 1500)+`"}`))
	for k, b := range w.stored {
		f.Add(k.Kind, b)
	}
	f.Add(byte('h'), AppendHistory(nil, w.history))
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		if kind == 'h' {
			if events, err := DecodeHistory(b); err == nil {
				again, err := DecodeHistory(AppendHistory(nil, events))
				if err != nil || len(again) != len(events) {
					t.Fatalf("history is not stored as it is: %v", err)
				}
			}
			return
		}
		k := Key{Kind: kind}
		if kind == KindFrame && len(b) > 1 {
			k.N = uint32(b[1])
		}
		p, err := DecodePiece(k, b)
		if err != nil {
			return
		}
		stored := p.Append(nil)
		q, err := DecodePiece(k, stored)
		if err != nil || !bytes.Equal(q.Append(nil), stored) {
			t.Fatalf("a piece is not stored as it is: %v", err)
		}
	})
}

func TestOtherVersionsAreRefused(t *testing.T) {
	if _, err := DecodePiece(Key{Kind: KindRoot}, []byte{99}); err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("piece: %v", err)
	}
	if _, err := DecodeHistory([]byte{99}); err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("history: %v", err)
	}
}
