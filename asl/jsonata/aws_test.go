package jsonata_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/newel-run/newel/asl/jsonata"
)

// TestAWS shows what AWS has answered, or failed with, where the language leaves it open.
func TestAWS(t *testing.T) {
	const input = `{"amount":1.0,"long":9223372036854775807,"beyond":9223372036854775808,"list":[1,2,3,4,5]}`
	for _, c := range []struct{ text, want string }{
		{"$random(42)", `0.7275636800328681`},
		{"$random(0)", `0.730967787376657`},
		{"$random(7)", `0.7306990420600421`},
		{"$random(0.9) = $random(0)", `true`},
		{"$random() < 1", `true`},
		{"$random(null)", `T0410: Argument 1 of function "random" does not match function signature`},
		{"$random(77, 88)", `T0410: Argument 2 of function "random" does not match function signature`},
		{"$match($uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/) ~> $count()", `1`},
		{"$uuid('x')", `T0410: Argument 1 of function "uuid" does not match function signature`},

		{"$partition(list, 2)", `[[1,2],[3,4],[5]]`},
		{"$partition(list, 2.9)", `[[1,2],[3,4],[5]]`},
		{"$partition(list)", `[[1,2,3,4,5]]`},
		{"$partition([], nothing)", `[[]]`},
		{"$partition([], 2)", `undefined`},
		{"$partition(list, 0)", `undefined`},
		{"$partition(list, -0.5)", `undefined`},
		{"$partition(nothing, 2)", `undefined`},
		{"$partition(list, -1)", `D3137: Second argument must be zero or greater`},
		{"$partition('not-array', 2)", `T0412: Argument 1 of function "partition" must be an array of undefined`},
		{"$partition(list, '2')", `T0410: Argument 2 of function "partition" does not match function signature`},
		{"$partition(list, 2, 99)", `T0410: Argument 3 of function "partition" does not match function signature`},

		{"$range(0, 10, 5)", `[0,5,10]`},
		{"$range(3, 1, -1)", `[3,2,1]`},
		{"$range(-1.7, 2, 1)", `[-1,0,1,2]`},
		{"$range(5, 1, -1.5)", `[5,4,3,2,1]`},
		{"$range(3, 3, 1)", `3`},
		{"[$range(1, 9, 9)]", `[1]`},
		{"$range(1, 5)", `undefined`},
		{"$range(1, 5, 0)", `undefined`},
		{"$range(5, 1, 1)", `undefined`},
		{"$range(nothing, 3, 1)", `undefined`},
		{"$range(1)", `T0410: Argument 2 of function "range" does not match function signature`},
		{"$range('a', 5, 1)", `T0410: Argument 1 of function "range" does not match function signature`},
		{"$range(1, 5, 1, 99)", `T0410: Argument 4 of function "range" does not match function signature`},
		{"$count($range(-9223372036854775808, 9223372036854775807, 9223372036854775807))", `3`},
		{"$count($range(1, 360145, 1))", `360145`},
		{"$range(1, 360146, 1)", `Expression evaluation memory limit exceeded: Check for excessive memory usage`},
		{"$range(1, 1000000000, 1)", `Expression evaluation memory limit exceeded: Check for excessive memory usage`},

		{"$hash('abc', 'MD5')", `"900150983cd24fb0d6963f7d28e17f72"`},
		{"$hash('input', 'SHA-1')", `"140f86aae51ab9e1cda9b4254fe98a74eb54c1a1"`},
		{"$hash('Hello', 'SHA-256')", `"185f8db32271fe25f561a6fc938b2e264306ec304eda518007d1764826381969"`},
		{"$hash('ñ', 'MD5')", `"94e9342ecbb1458b6043ecd3bfcbc192"`},
		{"$hash('a')", `undefined`},
		{"$hash(nothing, 'SHA-256')", `undefined`},
		{"$hash('a', nothing)", `D3137: Hash algorithm 'null' must be one of SHA-1, SHA-384, SHA-256, SHA-512, MD5`},
		{"$hash('a', 'sha-256')", `D3137: Hash algorithm 'sha-256' must be one of SHA-1, SHA-384, SHA-256, SHA-512, MD5`},
		{"$hash()", `T0410: Argument 1 of function "hash" does not match function signature`},
		{"$hash('a', 5)", `T0410: Argument 2 of function "hash" does not match function signature`},
		{"$hash('a', 'MD5', 1)", `T0410: Argument 3 of function "hash" does not match function signature`},

		{`$parse('{"b": 1, "a": [1.0, 1e2, 1.5]}')`, `{"b":1,"a":[1,100,1.5]}`},
		{`$map(['{"a":1}', '{"a":2}'], $parse).a`, `[1,2]`},
		{"$parse('null')", `null`},
		{"$parse()", `undefined`},
		{"$parse(null)", `T0410: Argument 1 of function "parse" does not match function signature`},
		{"$parse('')", `D3137: Invalid JSON`},
		{"$parse('{\"a\":1}{\"b\":2}')", `D3137: Invalid JSON`},
		{"$parse('{\"a\":1,\"a\":2}')", `D3137: Invalid JSON`},
		{"$parse('{\"a:\":\"\\\\\":\"}')", `{"a:":"\":"}`},
		{"$parse('1e400')", `D3137: Invalid JSON`},
		{"$eval('1+1')", `T1006: Attempted to invoke a non-function`},

		{"amount", `1`},
		{"long", `9223372036854775807`},
		{"beyond", `9.223372036854776E18`},
		{"[1/0, -1/0, 0/0]", `["Infinity","-Infinity","NaN"]`},
		{"{'k': 1e308 * 10}", `{"k":"Infinity"}`},
		{"$parseInteger('abc', '0')", `"NaN"`},
		{"$string(2/3) & ' ' & -2/3", `"0.666666666666666 -0.666666666666667"`},
		{"$string([1234567890123456.7, 123456789012345.5, 100.0000000000001, 0.0000015, 0.00000015])", `"[1.23456789012345e+15,123456789012345,1e+2,0.0000015,1.5e-7]"`},
		{"$string([15000000000000000, 1.5e21, 1.7976931348623157e308, -0.99999999999999999, 0.1 + 0.2])", `"[15000000000000000,1.5e+21,1.7976931348623157e+308,-1,0.3]"`},
		{`$string({"\t\"": "\u0001\n/é"})`, "\"{\\\"\\\\t\\\\\\\"\\\":\\\"\\u0001\\\\n/é\\\"}\""},
		{"$string(1e20) & ' ' & 1e21", `"100000000000000000000 1e+21"`},
		{"$base64decode('5pel5pysIGE=')", `"日本 a"`},
		{"$fromMillis('a')", `undefined`},
		{"$fromMillis(0, '[H01]', 'utc')", `"00"`},
		{"$fromMillis(0, 1)", `T0410: Argument 2 of function "fromMillis" does not match function signature`},
		{"$count(null)", `1`},
		{"$base64decode('YWJ')", `"ab"`},
		{"$base64decode('!!')", `D3137: Invalid base64 text`},
		{"$base64encode('日本 a')", `"5pel5pysIGE="`},
		{"$decodeUrlComponent('a+b%2Bc%20d')", `"a b+c d"`},
		{"$decodeUrlComponent('%E6')", `"` + "\ufffd" + `"`},
		{"$formatNumber(0.125, '0.00')", `"0.12"`},
		{"$formatNumber(2.675, '0.00')", `"2.68"`},
		{"$formatNumber(1, 'x')", `D3086: The sub-picture must not contain a passive character that is preceded by an active character and that is followed by another active character`},
		{"$sum(['a'])", `T0412: Argument 1 of function "sum" must be an array of "numbers"`},
		{"1 < 'a'", `T2009: The values 1 and "a" either side of operator "<" must be of the same data type`},
		{"1 + {}", `T2002: The right side of the "+" operator must evaluate to a number`},
		{"$sqrt(-1)", `D3060: The sqrt function cannot be applied to a negative number: -1`},
		{"$split('a', 'b', -1)", `D3020: Third argument of split function must evaluate to a positive number`},
		{"phone[1,2)", `S0202: Expected "]", got ","`},
		{"phone %.other", `S0211: The symbol "." cannot be used as a unary operator`},
		{"", `S0207: Unexpected end of expression`},
		{"$x :=", `S0207: Unexpected end of expression`},
		{"{\"a\":}", `S0211: The symbol "}" cannot be used as a unary operator`},
		{"\"unterminated", `S0101: String literal must be terminated by a matching quote`},
		{"$match('a', /abc", `S0302: No terminating / in regular expression`},
	} {
		if got := evaluate(t, c.text, input, jsonata.Limits{}); got != c.want {
			t.Errorf("%s: got %s, want %s", c.text, got, c.want)
		}
	}
}

// TestAWSLimits shows the limits where AWS has them: on either side is what AWS accepts and what it refuses.
func TestAWSLimits(t *testing.T) {
	const recursive = "($f := function($x){ $x <= 0 ? 0 : 1 + $f($x-1) }; $f("
	const doubling = "($f := function($s, $n){ $n = 0 ? $s : $f($s & $s, $n - 1) }; $length($f('x', "
	for _, c := range []struct{ accepted, want, refused, limit string }{
		{"1" + strings.Repeat("+1", 99), "100", "1" + strings.Repeat("+1", 100), "Stack overflow error"},
		{strings.Repeat("(", 99) + "1" + strings.Repeat(")", 99), "1", strings.Repeat("(", 100) + "1" + strings.Repeat(")", 100), "Stack overflow error"},
		{strings.Repeat("[", 99) + "1" + strings.Repeat("]", 99), strings.Repeat("[", 99) + "1" + strings.Repeat("]", 99), strings.Repeat("[", 100) + "1" + strings.Repeat("]", 100), "Stack overflow error"},
		{"1" + strings.Repeat("~>$string", 99), `"1"`, "1" + strings.Repeat("~>$string", 100), "Stack overflow error"},
		{recursive + "31))", "31", recursive + "32))", "Stack overflow error"},
		{"[1..873782] ~> $count()", "873782", "[1..873783] ~> $count()", "Expression evaluation memory limit exceeded"},
		{doubling + "22)))", "4194304", doubling + "23)))", "Expression evaluation memory limit exceeded"},
	} {
		if got := evaluate(t, c.accepted, `{}`, jsonata.Limits{}); got != c.want {
			t.Errorf("%.60s: got %s, want %s", c.accepted, got, c.want)
		}
		if got := evaluate(t, c.refused, `{}`, jsonata.Limits{}); !strings.HasPrefix(got, c.limit) {
			t.Errorf("%.60s: got %s, want %s", c.refused, got, c.limit)
		}
	}
}

// TestEnding shows how AWS goes on after "threw an error during evaluation".
func TestEnding(t *testing.T) {
	for text, want := range map[string]string{
		"$nope(1)":                              ". T1006: Attempted to invoke a non-function",
		"($f := function(){1 + $f()}; $f())":    ": Stack overflow error: Check for non-terminating recursive function. Consider rewriting as tail-recursive.",
		"($f := function($n){$f($n)}; $f(1))":   ": Expression evaluation timeout: Check for infinite loop",
		"$range(1, 1000000, 1) ~> $count() > 1": ": Expression evaluation memory limit exceeded: Check for excessive memory usage",
	} {
		x, err := jsonata.Compile(text)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = x.Eval(jsonata.Env{Limits: jsonata.Limits{Steps: 100_000}})
		var e *jsonata.Error
		if !errors.As(err, &e) || e.Ending() != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}
