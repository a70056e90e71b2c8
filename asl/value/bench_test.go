package value

import (
	"strings"
	"testing"
)

var payload = []byte(`{"orders":[` + strings.TrimSuffix(strings.Repeat(`{"id":"o-1839","total":129.90,"paid":true,"note":"a \"quoted\" word","items":[1,2,3]},`, 12), ",") + `]}`)

func BenchmarkParse(b *testing.B) {
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(payload); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValid(b *testing.B) {
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if err := Valid(payload); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkElements(b *testing.B) {
	array, _ := Field(payload, "orders")
	b.SetBytes(int64(len(array)))
	b.ReportAllocs()
	for b.Loop() {
		if e, ok := Elements(array); !ok || len(e) != 12 {
			b.Fatal(e)
		}
	}
}
