package rawjson

import (
	"encoding/json"
	"testing"
)

func TestWalk(t *testing.T) {
	var got string
	err := EachMember([]byte(` { "a" : [1, "x,]}" ,{ "b" : null }] , "c\u0041":-1.50e+3,"d":{}, "e":"\"" } `), func(name string, value []byte) error {
		got += name + "=" + string(value) + ";"
		return nil
	})
	if want := `a=[1, "x,]}" ,{ "b" : null }];cA=-1.50e+3;d={};e="\"";`; err != nil || got != want {
		t.Errorf("%s, %v\nwant %s", got, err, want)
	}
	got = ""
	err = EachItem([]byte(`[ 1 ,[2,3] ,"\\" ]`), func(value []byte) error { got += string(value) + ";"; return nil })
	if want := `1;[2,3];"\\";`; err != nil || got != want {
		t.Errorf("%s, %v\nwant %s", got, err, want)
	}
}

// A walk over valid JSON sees the same members as a decoder; over other text it ends without a panic.
func FuzzWalk(f *testing.F) {
	for _, s := range []string{`{"a":[1,{"b":2}]}`, `{"a"`, `{"a":}`, `{"a":"\`, `[1,`, `{"a" : 1 , "b":[ ] }`, `{"\ud800":1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		seen := map[string]json.RawMessage{}
		err := EachMember(b, func(name string, value []byte) error { seen[name] = value; return nil })
		_ = EachItem(b, func([]byte) error { return nil })
		var want map[string]json.RawMessage
		if !json.Valid(b) || json.Unmarshal(b, &want) != nil || want == nil {
			return
		}
		if err != nil || len(seen) != len(want) {
			t.Fatalf("%q: saw %d members, want %d: %v", b, len(seen), len(want), err)
		}
		for k, v := range want {
			if string(seen[k]) != string(v) {
				t.Errorf("%q: %q is %q, want %q", b, k, seen[k], v)
			}
		}
	})
}

func FuzzString(f *testing.F) {
	f.Add("a\x00<é\"\\\u2028")
	f.Add("\xff")
	f.Fuzz(func(t *testing.T, s string) {
		out := AppendString(nil, s)
		var back string
		if err := json.Unmarshal(out, &back); err != nil || back != Unquote(out) {
			t.Errorf("%q became %s, %v", s, out, err)
		}
	})
}

// Unquote reads a literal as encoding/json does.
func FuzzUnquote(f *testing.F) {
	for _, s := range []string{`""`, `"a"`, `"\"\\\/\b\f\n\r\t"`, `"{\"a\":\"b\"}"`, `"\u0041\n"`, `"\ud83d\ude00\""`, "\"\xff\\n\"", `"a\"`, `"`, `"\x"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var want string
		if KindOf(raw) != String || json.Unmarshal(raw, &want) != nil || raw[len(raw)-1] != '"' {
			Unquote(raw)
			return
		}
		if got := Unquote(raw); got != want {
			t.Errorf("%q is %q, want %q", raw, got, want)
		}
	})
}
