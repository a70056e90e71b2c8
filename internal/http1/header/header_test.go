package header

import (
	"net/http"
	"reflect"
	"testing"
)

// A list answers as the map of net/http does that it stands for.
func TestList(t *testing.T) {
	var l List
	h := http.Header{}
	same := func(what string) {
		t.Helper()
		if !reflect.DeepEqual(l.HTTP(), h) {
			t.Errorf("%s: %v, want %v", what, l, h)
		}
	}
	l.Add("X-A", "1")
	h.Add("X-A", "1")
	l.Add("x-b", "2")
	h.Add("x-b", "2")
	l.Add("x-a", "3")
	h.Add("x-a", "3")
	l.Add("X-C", "4")
	h.Add("X-C", "4")
	same("Add")
	if l.Get("X-a") != "1" || !reflect.DeepEqual(l.Values("X-a"), []string{"1", "3"}) || l.Has("X-D") || !l.Has("X-B") || l.Get("X-D") != "" {
		t.Errorf("%v", l)
	}
	l.Set("X-A", "5")
	h.Set("X-A", "5")
	same("Set of two")
	l.Set("X-D", "6")
	h.Set("X-D", "6")
	same("Set of none")
	l.Del("X-B")
	h.Del("X-B")
	same("Del")
	l.SetAll(http.Header{"X-C": {"7", "8"}, "X-E": {"9"}})
	h["X-C"], h["X-E"] = []string{"7", "8"}, []string{"9"}
	same("SetAll")
	if !reflect.DeepEqual(Of(h).HTTP(), h) {
		t.Errorf("%v", Of(h))
	}
}

// Names are the same without regard to case, and by nothing else.
func TestSame(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{{"Host", "hOST", true}, {"a", "b", false}, {"a-b", "a\rb", false}, {"^a", "~a", false}, {"@", "`", false}, {"", "", true}, {"a", "aa", false}, {"x_y", "X_Y", true}, {"_", "\x7f", false}} {
		if Same(c.a, c.b) != c.same {
			t.Errorf("%q and %q: %v", c.a, c.b, !c.same)
		}
	}
}
