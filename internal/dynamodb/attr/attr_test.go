package attr_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/newel-run/newel/internal/dynamodb/attr"
	"pgregory.net/rapid"
)

// number draws a number within DynamoDB's range as a client might write it.
func number(t *rapid.T, label string) string {
	digits := rapid.StringMatching(`[0-9]{1,38}`).Draw(t, label+" digits")
	point := rapid.IntRange(0, len(digits)).Draw(t, label+" point")
	exp := rapid.IntRange(-90, 87).Draw(t, label+" exp")
	sign := rapid.SampledFrom([]string{"", "-", "+"}).Draw(t, label+" sign")
	if rapid.Bool().Draw(t, label+" plain") {
		return sign + digits
	}
	return fmt.Sprintf("%s%s.%se%d", sign, digits[:point], digits[point:], exp)
}

func rat(t *rapid.T, text string) *big.Rat {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("math/big does not read %q", text)
	}
	return r
}

func normal(t *rapid.T, text string) string {
	n, err := attr.Number(text)
	if err != nil {
		t.Fatalf("Number(%q): %v", text, err)
	}
	return n
}

// TestNumbersAgreeWithBig: normal texts keep the value, are unique for it, and their key bytes sort as the values.
func TestNumbersAgreeWithBig(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := number(t, "a"), number(t, "b")
		ra, rb := rat(t, a), rat(t, b)
		na, nb := normal(t, a), normal(t, b)
		if rat(t, na).Cmp(ra) != 0 {
			t.Fatalf("%q became %q", a, na)
		}
		want := ra.Cmp(rb)
		if got := attr.CompareNumbers(na, nb); got != want {
			t.Fatalf("CompareNumbers(%s, %s) = %d, want %d", na, nb, got, want)
		}
		if (na == nb) != (want == 0) {
			t.Fatalf("texts %s and %s, order %d", na, nb, want)
		}
		ka, kb := attr.AppendKey(nil, attr.NumberText(na)), attr.AppendKey(nil, attr.NumberText(nb))
		if got := bytes.Compare(ka, kb); got != want {
			t.Fatalf("keys of %s (%x) and %s (%x) sort %d, want %d", na, ka, nb, kb, got, want)
		}
		if want != 0 && bytes.HasPrefix(ka, kb) {
			t.Fatalf("key of %s begins with that of %s", na, nb)
		}
		for i, minus := range []bool{false, true} {
			sum := new(big.Rat).Add(ra, rb)
			if minus {
				sum.Sub(ra, rb)
			}
			got, err := attr.AddNumbers(na, nb, minus)
			if err == nil && rat(t, got).Cmp(sum) != 0 {
				t.Fatalf("operation %d of %s and %s gave %s", i, na, nb, got)
			}
		}
	})
}

func TestNumberForms(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "-0": "0", "0.0e7": "0", "007": "7", "+1": "1", "1.": "1", ".5": "0.5", "-.50": "-0.5", "1E3": "1000", "1.5e-3": "0.0015",
		"100": "100", "1e2": "100", "12.340": "12.34", "1e-130": "0." + strings.Repeat("0", 129) + "1",
		"9.9999999999999999999999999999999999999E+125":      "9999999999999999999999999999999999999900" + strings.Repeat("0", 86),
		"0.00000000000000000000000000000000000000000001230": "0.0000000000000000000000000000000000000000000123",
	} {
		if got, err := attr.Number(text); got != want || err != nil {
			t.Errorf("Number(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":          "The parameter cannot be converted to a numeric value",
		"x":         "The parameter cannot be converted to a numeric value: x",
		" 1":        "The parameter cannot be converted to a numeric value:  1",
		"1e":        "The parameter cannot be converted to a numeric value: 1e",
		"1e+":       "The parameter cannot be converted to a numeric value: 1e+",
		"--1":       "The parameter cannot be converted to a numeric value: --1",
		"-":         "The parameter cannot be converted to a numeric value: -",
		".":         "The parameter cannot be converted to a numeric value: .",
		"1.2.3":     "The parameter cannot be converted to a numeric value: 1.2.3",
		"0x10":      "The parameter cannot be converted to a numeric value: 0x10",
		"NaN":       "The parameter cannot be converted to a numeric value: NaN",
		"1e+-1":     "The parameter cannot be converted to a numeric value: 1e+-1",
		"1e126":     "Number overflow. Attempting to store a number with magnitude larger than supported range",
		"-1e999999": "Number overflow. Attempting to store a number with magnitude larger than supported range",
		"1e-131":    "Number underflow. Attempting to store a number with magnitude smaller than supported range",
		"1.00000000000000000000000000000000000001": "Attempting to store more than 38 significant digits in a Number",
	} {
		if got, err := attr.Number(text); err == nil || err.Error() != want {
			t.Errorf("Number(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
}

// TestStringKeysSortAsStrings, with zero bytes and prefixes in them.
func TestStringKeysSortAsStrings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gen := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 'a', 0xfe, 0xff}), 0, 6)
		a, b := string(gen.Draw(t, "a")), string(gen.Draw(t, "b"))
		ka, kb := attr.AppendKey(nil, &attr.Value{Kind: attr.B, Str: a}), attr.AppendKey(nil, &attr.Value{Kind: attr.B, Str: b})
		if bytes.Compare(ka, kb) != strings.Compare(a, b) {
			t.Fatalf("%q and %q: keys %x and %x", a, b, ka, kb)
		}
		prefix := attr.AppendKeyPrefix(nil, &attr.Value{Kind: attr.B, Str: a})
		if bytes.HasPrefix(kb, prefix) != strings.HasPrefix(b, a) {
			t.Fatalf("%q begins %q, but key %x and prefix %x", a, b, kb, prefix)
		}
	})
}

// TestSizes are worked by hand from the Developer Guide's rules.
func TestSizes(t *testing.T) {
	for text, want := range map[string]int{
		`{"id":{"S":"abc"}}`:                        5,
		`{"é":{"S":"é"}}`:                           4,
		`{"n":{"N":"0"}}`:                           2,
		`{"n":{"N":"12"}}`:                          3,
		`{"n":{"N":"-12.50"}}`:                      5,
		`{"n":{"N":"100"}}`:                         3,
		`{"t":{"BOOL":true},"u":{"NULL":true}}`:     4,
		`{"b":{"B":"AAEC"}}`:                        4,
		`{"s":{"SS":["ab","c"]}}`:                   4,
		`{"l":{"L":[]}}`:                            4,
		`{"l":{"L":[{"S":"a"},{"S":"b"}]}}`:         8,
		`{"m":{"M":{"k":{"S":"v"},"l":{"S":"w"}}}}`: 10,
	} {
		var it attr.Item
		if err := json.Unmarshal([]byte(text), &it); err != nil || it.Bad != nil {
			t.Fatal(text, err, it.Bad)
		}
		if got := it.Size(); got != want {
			t.Errorf("size of %s is %d, want %d", text, got, want)
		}
	}
}

func nested(depth int) string {
	return `{"a":` + strings.Repeat(`{"L":[`, depth) + `{"S":"x"}` + strings.Repeat(`]}`, depth) + `}`
}

func TestNestingIsLimited(t *testing.T) {
	for depth, bad := range map[int]bool{1: false, attr.MaxDepth: false, attr.MaxDepth + 1: true, 3000: true} {
		var it attr.Item
		if err := json.Unmarshal([]byte(nested(depth)), &it); err != nil || (it.Bad != nil) != bad {
			t.Errorf("depth %d: %v, %v", depth, err, it.Bad)
		}
		if !bad && it.Depth() != depth {
			t.Errorf("depth %d is counted as %d", depth, it.Depth())
		}
	}
}

// FuzzItem: JSON that is valid never makes the decoder panic, and what it accepts comes back the same.
func FuzzItem(f *testing.F) {
	for _, seed := range []string{`{"a":{"S":"x\u0000\ud800"},"b":{"N":"1e5"},"c":{"B":"AA=="},"d":{"SS":["a"]},"e":{"L":[{"M":{}}]},"f":{"BOOL":true},"g":{"NULL":true}}`,
		`{"a":null}`, `{"a":{"S":null}}`, `[]`, `{"a":[]}`, `{"a":{"M":[]}}`, `{"a":{"L":{}}}`, `{"a":{"B":[1]}}`, `{"a":{"BOOL":"yes"}}`, nested(40), `null`, `{"a":{"X":[[{}]],"S":"1"}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var it, again attr.Item
		if !json.Valid(text) || json.Unmarshal(text, &it) != nil || it.Bad != nil || it.Map == nil {
			return
		}
		out := it.AppendJSON(nil)
		if !json.Valid(out) {
			t.Fatalf("not JSON: %s", out)
		}
		if err := json.Unmarshal(out, &again); err != nil || again.Bad != nil {
			t.Fatalf("%s: %v %v", out, err, again.Bad)
		}
		if !attr.EqualMaps(it.Map, again.Map) || it.Size() != again.Size() {
			t.Fatalf("%s is not what it was", out)
		}
	})
}
