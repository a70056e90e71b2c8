package jsonata_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/newel-run/newel/asl/jsonata"
	"github.com/newel-run/newel/asl/value"
)

// evaluate gives the result as JSON text, "undefined", or the error's text.
func evaluate(t testing.TB, text, input string, limits jsonata.Limits) string {
	t.Helper()
	v, err := value.Parse([]byte(input))
	if err != nil {
		t.Fatal(err)
	}
	x, err := jsonata.Compile(text)
	if err != nil {
		return err.Error()
	}
	random := uint64(0)
	got, defined, err := x.Eval(jsonata.Env{Input: v, Now: 1700000000123, Limits: limits, Random: func() uint64 {
		random += 0x9e3779b97f4a7c15
		return random
	}})
	switch {
	case err != nil:
		return err.Error()
	case !defined:
		return "undefined"
	}
	return string(value.Append(nil, got))
}

func TestResults(t *testing.T) {
	const input = `{"price":1.10,"big":12345678901234567890,"list":[1,2,3,4,5],"o":{"b":1,"a":2}}`
	for _, c := range []struct{ text, want string }{
		{"price", `1.1`},
		{"price * 1", `1.1`},
		{"-1.50", `-1.5`},
		{"[1e3, 0.1 + 0.2]", `[1000,0.30000000000000004]`},
		{"$string(0.1 + 0.2)", `"0.3"`},
		{"o", `{"b":1,"a":2}`},
		{"nothing", `undefined`},
		{"{'a': nothing, 'b': 1}", `{"b":1}`},
		{"[nothing]", `[]`},
		{"$eval('1')", `T1006: Attempted to invoke a non-function`},
		{"$millis()", `1700000000123`},
		{"$now()", `"2023-11-14T22:13:20.123Z"`},
		// errors
		{"1 +", `S0207: Unexpected end of expression`},
		{"a ?? b", `S0211: The symbol "?" cannot be used as a unary operator`},
		{"/(?=a)/", "S0303: The regular expression is not supported: error parsing regexp: invalid or unsupported Perl syntax: `(?=`"},
		{`$contains("aa", /(a)\1/)`, "S0303: The regular expression is not supported: error parsing regexp: invalid escape sequence: `\\1`"},
		{"sum(list)", `T1005: Attempted to invoke a non-function. Did you mean $sum?`},
		{"$nope()", `T1006: Attempted to invoke a non-function`},
		{"'a' + 1", `T2001: The left side of the "+" operator must evaluate to a number`},
		{"$uppercase(1)", `T0410: Argument 1 of function "uppercase" does not match function signature`},
		{"$error('mine')", `D3137: mine`},
		{"$sum", `returned an unsupported result type`},
		{"{'f': function(){1}}", `returned an unsupported result type`},
	} {
		if got := evaluate(t, c.text, input, jsonata.Limits{}); got != c.want {
			t.Errorf("%s: got %s, want %s", c.text, got, c.want)
		}
	}
}

// TestLimits shows that an expression which would run, grow or nest without an end becomes an error.
func TestLimits(t *testing.T) {
	const timeout = "Expression evaluation timeout: Check for infinite loop"
	const memory = "Expression evaluation memory limit exceeded: Check for excessive memory usage"
	const stack = "Stack overflow error: Check for non-terminating recursive function. Consider rewriting as tail-recursive."
	for _, c := range []struct{ text, want string }{
		{"($f := function($n){$f($n + 1)}; $f(0))", timeout},
		{"($f := function($n){1 + $f($n + 1)}; $f(0))", stack},
		{"$map([1..1000], function($i){$map([1..1000], function($j){$i * $j})})", timeout},
		{"[1..10000000].[1..10000000]", memory},
		{"$pad('a', 1e12)", memory},
		{"($d := function($s, $n){$n = 0 ? $s : $d($s & $s, $n - 1)}; $d('0123456789', 40))", memory},
		{"($d := function($a, $n){$n = 0 ? $a : $d([$a, $a], $n - 1)}; $d([1, 2], 40))", memory},
		{"($d := function($a, $n){$n = 0 ? $string($a) : $d({'a': $a, 'b': $a}, $n - 1)}; $d(1, 60))", timeout},
		{"($d := function($a, $n){$n = 0 ? $a : $d({'a': $a}, $n - 1)}; $d(1, 2000))", stack},
		{"[1..1e9]", "D2014: The size of the sequence allocated by the range operator (..) must not exceed 1e6.  Attempted to allocate 1000000000."},
		{"$contains($pad('a', 4000000), /(a?b?c?){100}d/)", timeout},
		{"$count($match($pad('', 3000000, 'a'), /a/))", memory},
		{"$replace($pad('', 100000, 'a'), /a/, $pad('', 1000, 'b'))", memory},
		{"$join($map([1..10000], function($i){$pad('x', 1000)}))", memory},
		{"($s := $pad('x', 1000000); $string([1..10000].$s))", memory},
		{"($s := $pad('x', 1000000); [1..1000].$s)", memory},
		{"($s := $pad('x', 4000000); [1..100000].($s & '' = $s))", memory},
		{"$encodeUrl($pad('', 4000000, ' '))", memory},
		{"$formatInteger(1e14, 'I')", memory},
		{"$ ~> |$|{'me': $}|", stack},
		{"($ ~> |$|{'me': $}|).**", stack},
		{"$boolean([($d := function($a, $n){$n = 0 ? $a : $d([[$a]], $n - 1)}; $d([], 2000))])", stack},
		{"-($ ~> |$|{'me': $}|)", "D1002: Cannot negate a non-numeric value: ..."},
		{"($d := function($a, $n){$n = 0 ? $a : $d({'a': $a}, $n - 1)}; -$d(1, 2000))", "D1002: Cannot negate a non-numeric value: ..."},
		{strings.Repeat("(", 100000), stack},
		{strings.Repeat("[", 100000), stack},
		{"1" + strings.Repeat("+1", 100000), stack},
		{"a" + strings.Repeat("[0]", 100), `undefined`},
		{"-" + strings.Repeat("-", 100000) + "1", stack},
	} {
		limits := jsonata.Limits{Steps: 2_000_000, Bytes: 64 << 20}
		if got := evaluate(t, c.text, `{}`, limits); got != c.want {
			t.Errorf("%.80s: got %.100s, want %s", c.text, got, c.want)
		}
	}
}

// TestTailCalls shows that calls which end a lambda need no stack.
func TestTailCalls(t *testing.T) {
	const text = "($f := function($n, $sum){$n = 0 ? $sum : $f($n - 1, $sum + $n)}; $f(100000, 0))"
	if got := evaluate(t, text, `{}`, jsonata.Limits{}); got != "5000050000" {
		t.Errorf("got %s", got)
	}
}

// TestInputIsNotChanged shows that a transform works on a copy.
func TestInputIsNotChanged(t *testing.T) {
	input := value.NewObject(value.Member{Name: "a", Value: value.NewObject(value.Member{Name: "b", Value: value.Number("1")})})
	x, err := jsonata.Compile(`$ ~> |a|{"b": 2, "c": b}|`)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := x.Eval(jsonata.Env{Input: input})
	if err != nil {
		t.Fatal(err)
	}
	if s := string(value.Append(nil, got)); s != `{"a":{"b":2,"c":1}}` {
		t.Errorf("got %s", s)
	}
	if s := string(value.Append(nil, input)); s != `{"a":{"b":1}}` {
		t.Errorf("the input became %s", s)
	}
}

func TestErrorHasPosition(t *testing.T) {
	_, err := jsonata.Compile("a.b + )")
	var e *jsonata.Error
	if !errors.As(err, &e) || e.Code != "S0211" || e.Position != 7 || e.Token != ")" {
		t.Errorf("got %+v", e)
	}
}

func BenchmarkPath(b *testing.B) {
	benchmark(b, "order.customer.address.city", `{"order":{"customer":{"address":{"city":"Paris"}}}}`)
}

func BenchmarkSum(b *testing.B) {
	products := strings.Repeat(`{"price":12.5,"quantity":3},`, 19) + `{"price":1.25,"quantity":4}`
	benchmark(b, "$sum(products.(price * quantity))", `{"products":[`+products+`]}`)
}

func benchmark(b *testing.B, text, input string) {
	v, err := value.Parse([]byte(input))
	if err != nil {
		b.Fatal(err)
	}
	x, err := jsonata.Compile(text)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := x.Eval(jsonata.Env{Input: v}); err != nil {
			b.Fatal(err)
		}
	}
}
