package jsonata_test

import (
	"errors"
	"testing"

	"github.com/newel-run/newel/asl/jsonata"
	"github.com/newel-run/newel/asl/value"
)

// FuzzEval evaluates any program for any input: it ends within its limits, its result is JSON, its input stays as it is.
func FuzzEval(f *testing.F) {
	for _, s := range []string{"a.b[0]", "$sum(c.a)", "**^(>a){b: $}", "|d|{'x': %}|", "($f := function($x){$f($x)}; $f(1))", "$formatNumber(i, '#,##0.00;(0)')",
		"$fromMillis(a, '[Y,4-4]-[MNn,3-3] [H]:[m01] [ZN]')", "$toMillis('1', '[W] [w,9]')", "$replace('abc', /(b)|(c)*/, '$12$$')", "$map(?, $string)(c)", "λ($a)<a<n>s?:x>{$a}(1)",
		"$ ~> |d|{'b': $}|", "d.a@$v#$i[$v.a in %.a]{$string($i): [$v]}", "$parse($string($)).**", "$range(1, a, 2) ~> $partition(2)", "$formatInteger(a, 'Ww;o') ~> $parseInteger('w')",
		"[[1..3].($ * 2), c[[0..1]]]^(>$)", "$reduce(c, function($x, $y){$append($x, $y)})", "$hash($, 'MD5') & $pad('x', 1000, 'é') & $uuid()"} {
		f.Add(s, differentialInput)
	}
	f.Add("*.%.%", `[[1,{"a":[]}],{"a":{"b":null}}]`)
	limits := jsonata.Limits{Steps: 200_000, Bytes: 16 << 20}
	f.Fuzz(func(t *testing.T, text, document string) {
		input, err := value.Parse([]byte(document))
		if err != nil {
			return
		}
		before := string(value.Append(nil, input))
		x, err := jsonata.Compile(text)
		if err != nil {
			return
		}
		x.References()
		v, defined, err := x.Eval(jsonata.Env{Input: input, Limits: limits, Random: func() uint64 { return 7 }})
		var e *jsonata.Error
		switch {
		case err != nil && !errors.As(err, &e) && !errors.Is(err, jsonata.ErrUnsupportedResult):
			t.Errorf("%q: %v", text, err)
		case err == nil && defined:
			if _, err := value.Parse(value.Append(nil, v)); err != nil {
				t.Errorf("%q: the result is no JSON: %v", text, err)
			}
		}
		if after := string(value.Append(nil, input)); after != before {
			t.Fatalf("%q changed its input from %s to %s", text, before, after)
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
