package value

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"
)

// TestSyntaxErrors reads testdata/syntax.txt; Valid and Parse must agree.
func TestSyntaxErrors(t *testing.T) {
	file, err := os.Open("testdata/syntax.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		text, want, ok := strings.Cut(lines.Text(), " => ")
		if !ok || strings.HasPrefix(text, "#") {
			continue
		}
		text = strings.ReplaceAll(text, `\n`, "\n")
		_, err := Parse([]byte(text))
		for _, err := range []error{Valid([]byte(text)), err} {
			var e *SyntaxError
			if !errors.As(err, &e) {
				t.Errorf("%q: no error", text)
				continue
			}
			if got := fmt.Sprintf("%s %d:%d", e.Msg, e.Line, e.Column); got != want {
				t.Errorf("%q\ngot  %s\nwant %s", text, got, want)
			}
		}
	}
}

func TestSourceIsCut(t *testing.T) {
	err := Valid([]byte("x " + strings.Repeat("ä", 600)))
	want := `[Source: (String)"x ` + strings.Repeat("ä", 498) + `"[truncated 102 chars]; line: 1, column: 2]`
	if e := err.(*SyntaxError); e.Location != want {
		t.Errorf("got %s", e.Location)
	}
}

func TestDepth(t *testing.T) {
	deep := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	if err := Valid(deep(1000)); err != nil {
		t.Error(err)
	}
	if _, err := Parse(deep(1000)); err != nil {
		t.Error(err)
	}
	if err := Valid(deep(1001)); err == nil {
		t.Error("1001 levels are valid")
	}
	if _, err := Parse(deep(100_000)); err == nil {
		t.Error("100,000 levels are read")
	}
}

// TestRoundTrip: order and digits stay.
func TestRoundTrip(t *testing.T) {
	for text, want := range map[string]string{
		`{"z":1,"a":2.50,"m":1e400}`:        "",
		`{"a":1,"b":2,"a":3}`:               `{"a":3,"b":2}`,
		` [ 1 , "a\u00e9\ud83d\ude00\/" ] `: `[1,"aé😀/"]`,
		`"\ud800"`:                          `"` + "\ufffd" + `"`,
		`"\u0000\n"`:                        `"\u0000\n"`,
		`-0.0`:                              "",
		`""`:                                "",
		`{"":{}}`:                           "",
		`12345678901234567890123456789.123456789`: "",
	} {
		if want == "" {
			want = text
		}
		v, err := Parse([]byte(text))
		if got := string(Append(nil, v)); err != nil || got != want {
			t.Errorf("%s: got %s %v, want %s", text, got, err, want)
		}
	}
	if err := Valid([]byte("\"\xff\"")); err == nil {
		t.Error("invalid UTF-8 is valid")
	}
}

func TestLargeObject(t *testing.T) {
	var text strings.Builder
	for i := range 100 {
		fmt.Fprintf(&text, `,"k%d":%d`, i, i)
	}
	v, err := Parse([]byte("{" + text.String()[1:] + `,"k7":"last"}`))
	o, _ := v.(*Object)
	if err != nil || o.Len() != 100 || o.At(99).Name != "k99" {
		t.Fatal(err, o)
	}
	if last, _ := o.Get("k7"); last != "last" {
		t.Error("the last of two members does not count:", last)
	}
	o.Delete("k0")
	if n, ok := o.Get("k99"); o.Len() != 99 || !ok || n != Number("99") {
		t.Error("after Delete:", n)
	}
}

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		a, b Number
		want int
	}{
		{"1", "1.0", 0}, {"1", "1e0", 0}, {"10", "1e1", 0}, {"0", "-0.0", 0}, {"0.1", "1e-1", 0},
		{"1", "2", -1}, {"-1", "-2", 1}, {"-1", "1", -1}, {"0", "0.0001", -1},
		{"9007199254740993", "9007199254740992", 1},
		{"0.1000000000000000000000001", "0.1", 1},
		{"1e400", "1e401", -1}, {"-1e400", "1e-400", -1}, {"100000000000000000000", "99999999999999999999.9", 1},
		{"1e99999999999999999999", "1e5", 1}, {"1e-99999999999999999999", "0", 1},
	} {
		if got := Compare(c.a, c.b); got != c.want {
			t.Errorf("%s, %s: %d", c.a, c.b, got)
		}
		if got := Compare(c.b, c.a); got != -c.want {
			t.Errorf("%s, %s: %d", c.b, c.a, got)
		}
	}
}

func TestInt64(t *testing.T) {
	for n, want := range map[Number]int64{"3": 3, "3.0": 3, "30e-1": 3, "3e2": 300, "-7": -7, "0.0": 0, "9223372036854775807": 9223372036854775807, "1.5e1": 15} {
		if got, ok := n.Int64(); !ok || got != want {
			t.Errorf("%s: %d %t", n, got, ok)
		}
	}
	for _, n := range []Number{"1.5", "9223372036854775808", "1e19", "1e-1", "1e400"} {
		if got, ok := n.Int64(); ok {
			t.Errorf("%s: %d", n, got)
		}
	}
}

func TestText(t *testing.T) {
	object := []byte(` { "a" : [1, {"b":"]}"}] , "x\"y":2, "a\u0062":3, "d":1, "d":"2" } `)
	for name, want := range map[string]string{"a": `[1, {"b":"]}"}]`, `x"y`: "2", "ab": "3", "d": `"2"`} {
		if got, ok := Field(object, name); !ok || string(got) != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if _, ok := Field(object, "b"); ok {
		t.Error("Field goes down")
	}
	array := []byte("[ 1 ,\"a,]\", [ ] , {} ]")
	elements, ok := Elements(array)
	if !ok || fmt.Sprint(elements) != `[1 "a,]" [ ] {}]` {
		t.Error(elements)
	}
	for n, want := range map[int]string{0: "1", 1: `"a,]"`, 3: "{}", -1: "{}", -4: "1"} {
		if got, ok := Element(array, n); !ok || string(got) != want {
			t.Errorf("%d: %s", n, got)
		}
	}
	for _, n := range []int{4, -5} {
		if _, ok := Element(array, n); ok {
			t.Errorf("%d is there", n)
		}
	}
	if got := string(Compact(nil, object)); got != `{"a":[1,{"b":"]}"}],"x\"y":2,"a\u0062":3,"d":1,"d":"2"}` {
		t.Error(got)
	}
	for _, c := range [][3]string{{`{}`, "a", `{"a":9}`}, {` {"b":1} `, "a", ` {"b":1,"a":9}`}, {`{"a":[1],"b":2}`, "a", `{"a":9,"b":2}`}} {
		if got, ok := SetField([]byte(c[0]), c[1], []byte("9")); !ok || string(got) != c[2] {
			t.Errorf("%s: %s", c[0], got)
		}
	}
}

// FuzzParse compares the parser with the standard library's, and everything that works on text with what works on values.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,"x\u00e9",null,true,{"b":{}}]}`, ` [ ] `, `"\ud83d\ude00"`, `-0.0`, `{"a":1,"a":2}`, `nul`, `[1,`, "\"\x01\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := Parse(text)
		if (Valid(text) == nil) != (err == nil) {
			t.Fatalf("Valid and Parse differ on %q", text)
		}
		if accepted := json.Valid(text) && !bytes.Contains(text, []byte("[[[[[[[[[[")) && !bytes.Contains(text, []byte(`:{`)); accepted && err != nil && bytes.Equal(bytes.ToValidUTF8(text, nil), text) {
			t.Fatalf("%q: %v", text, err)
		}
		if err != nil {
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%q is not JSON", text)
		}
		again, err := Parse(Append(nil, v))
		if err != nil || !Equal(v, again) {
			t.Fatalf("%q: %s, %v", text, Append(nil, v), err)
		}
		compact, err := Parse(Compact(nil, text))
		if err != nil || !Equal(v, compact) {
			t.Fatalf("%q: compact is %q", text, Compact(nil, text))
		}
		switch v := v.(type) {
		case *Object:
			for name, member := range v.All() {
				cut, ok := Field(text, name)
				if !ok || !Equal(Text(cut).Value(), member) {
					t.Fatalf("%q: member %q is %q", text, name, cut)
				}
			}
		case Array:
			elements, ok := Elements(text)
			if !ok || len(elements) != len(v) {
				t.Fatalf("%q: %v", text, elements)
			}
			for i := range v {
				if !Equal(elements[i].Value(), v[i]) {
					t.Fatalf("%q: element %d is %s", text, i, elements[i])
				}
			}
		}
	})
}

// FuzzCompare compares with exact fractions.
func FuzzCompare(f *testing.F) {
	f.Add("1", "1.0")
	f.Add("-2.5e3", "1e-7")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, err1 := Parse([]byte(a))
		y, err2 := Parse([]byte(b))
		m, ok1 := x.(Number)
		n, ok2 := y.(Number)
		if err1 != nil || err2 != nil || !ok1 || !ok2 || strings.ContainsAny(a+b, "eE") && len(a)+len(b) > 12 {
			return
		}
		p, ok1 := new(big.Rat).SetString(string(m))
		q, ok2 := new(big.Rat).SetString(string(n))
		if ok1 && ok2 && p.Cmp(q) != Compare(m, n) {
			t.Fatalf("%s, %s: %d", m, n, Compare(m, n))
		}
	})
}
