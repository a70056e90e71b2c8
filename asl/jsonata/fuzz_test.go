package jsonata_test

import (
	"errors"
	"testing"

	"github.com/newel-run/newel/asl/jsonata"
	"github.com/newel-run/newel/asl/value"
)

func FuzzEval(f *testing.F) {
	for _, s := range []string{"a.b[0]", "$sum(c.a)", "**^(>a){b: $}", "|d|{'x': %}|", "($f := function($x){$f($x)}; $f(1))", "$formatNumber(i, '#,##0.00;(0)')",
		"$fromMillis(a, '[Y,4-4]-[MNn,3-3] [H]:[m01] [ZN]')", "$toMillis('1', '[W] [w,9]')", "$replace('abc', /(b)|(c)*/, '$12$$')", "$map(?, $string)(c)", "λ($a)<a<n>s?:x>{$a}(1)"} {
		f.Add(s)
	}
	limits := jsonata.Limits{Steps: 200_000, Depth: 1000, Bytes: 16 << 20}
	input, err := value.Parse([]byte(differentialInput))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		x, err := jsonata.Compile(text)
		if err != nil {
			return
		}
		v, defined, err := x.Eval(jsonata.Env{Input: input, Limits: limits, Random: func() uint64 { return 7 }})
		if err == nil && defined {
			if _, err := value.Parse(value.Append(nil, v)); err != nil {
				t.Errorf("%q: the result is no JSON: %v", text, err)
			}
		}
		if s := string(value.Append(nil, input)); s != differentialInput {
			t.Fatalf("%q changed its input to %s", text, s)
		}
	})
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{"a.b[0]", "/a(b|c)*?[^x]/im", "$f(?, 1)", "{a: b}", "[1..2]", "`x y`", "'\\u00e9'", "a@$b#$c[%.d]^(<e, >f)", "/* c */ 1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var e *jsonata.Error
		if _, err := jsonata.Compile(text); err != nil && !errors.As(err, &e) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
