package jsonata_test

import (
	"fmt"
	"testing"

	"github.com/newel-run/newel/asl/jsonata"
)

// TestReferences: what stands in the context column AWS names in "Reference to '...' at the top level is not supported.",
// and accepts where the column is empty.
func TestReferences(t *testing.T) {
	for _, c := range []struct{ text, variables, states, context string }{
		{"phone", "", "", "phone"},
		{"phone[0].number", "", "", "phone"},
		{"phone.number.street", "", "", "phone"},
		{"-phone", "", "", "phone"},
		{"phone ? 1 : 2", "", "", "phone"},
		{"$states.input.a ? phone : 2", "", "input", "phone"},
		{"phone in $states.input.b", "", "input", "phone"},
		{"$sum(phone)", "", "", "phone"},
		{"phone(1)", "", "", "phone"},
		{"phone ~> $string()", "", "", "phone"},
		{"[1..phone]", "", "", "phone"},
		{"(phone).other", "", "", "phone"},
		{"[phone].other", "", "", "phone"},
		{"{phone: 1}", "", "", "phone"},
		{"($x := phone; $x)", "", "", "phone"},
		{"$map($states.input.a, function($y){ phone })", "", "input", "phone"},
		{"$count(phone[inner])", "", "", "phone"},
		{"phone.**.deeper", "", "", "phone"},
		{"aaa + bbb", "", "", "aaa bbb"},
		{"[bbb, aaa, bbb]", "", "", "bbb aaa"},
		{"states.input", "", "", "states"},
		{"$", "", "", "$"},
		{"$.phone", "", "", "$"},
		{"$[0]", "", "", "$"},
		{"$map($states.input.a, function($x){ $ })", "", "input", "$"},
		{"$states.input.items[phone > 3]", "", "input", ""},
		{"$states.input.a^(phone)", "", "input", ""},
		{"$states.input.a{'k': phone}", "", "input", ""},
		{"$states.input.a.(phone)", "", "input", ""},
		{"$states.input.a.$phone", "phone", "input", ""},
		{"$states.input ~> |phone|{'b': 1}|", "", "input", ""},
		{"**.phone", "", "", ""},
		{"{'k': 1}.phone", "", "", ""},
		{"$states.input.a[$ > 1]", "", "input", ""},
		{"function($x){ $x.phone }", "", "", ""},
		{"'$phone'", "", "", ""},
		{"$now()", "", "", ""},
		{"$states", "", "*", ""},
		{"($states).result", "", "*", ""},
		{"$states.`result`", "", "result", ""},
		{"$states.result[0]", "", "result", ""},
		{"$states.input.x.$states.qux", "", "input *", ""},
		{"[$states.errorOutput.Cause, $states.context, $states.input]", "", "errorOutput context input", ""},
		{"$theAnswer + $sum($list) + $other.field", "theAnswer list other", "", ""},
		{"$randomSeeded(1)", "randomSeeded", "", ""},
		{"($x := $y; $x + $z)", "y z", "", ""},
		{"($x; $x := 1; $x)", "x", "", ""},
		{"(($x := 1); $x)", "x", "", ""},
		{"($f := function($n){ $n = 0 ? $k : $f($n - 1) }; $f(3))", "k", "", ""},
		{"$l.a@$v#$i.[$v, $i, $j]", "l j", "", ""},
		{"$l{$k: $v}", "l k v", "", ""},
	} {
		x, err := jsonata.Compile(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		r := x.References()
		for i, field := range r.States {
			if field == "" {
				r.States[i] = "*"
			}
		}
		got := fmt.Sprint(r.Variables, r.States, r.Context, r.Root)
		if want := fmt.Sprintf("[%s] [%s] [%s] false", c.variables, c.states, c.context); got != want {
			t.Errorf("%s: got %s, want %s", c.text, got, want)
		}
	}
	for _, text := range []string{"$$", "$$.phone", "$states.input[$$.a]"} {
		x, err := jsonata.Compile(text)
		if err != nil {
			t.Fatal(err)
		}
		if r := x.References(); !r.Root || len(r.Context) > 0 {
			t.Errorf("%s: got %+v", text, r)
		}
	}
}
