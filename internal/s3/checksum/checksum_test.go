package checksum

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestKnown(t *testing.T) {
	for a, want := range map[Algorithm]string{
		"CRC32": "y/Q5Jg==", "CRC32C": "4waSgw==", "CRC64NVME": "rosUhgp5mIg=",
	} {
		h, ok := New(a)
		if !ok {
			t.Fatal(a)
		}
		h.Write([]byte("123456789"))
		if got := Text(h); got != want {
			t.Errorf("%s: %s, want %s", a, got, want)
		}
	}
}

// The checksum worked out from the parts' is that of the whole.
func TestCombineFullObject(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, a := range []Algorithm{"CRC32", "CRC32C", "CRC64NVME"} {
		for range 50 {
			whole, _ := New(a)
			var parts []Part
			for range 1 + r.IntN(5) {
				b := bytes.Repeat([]byte{byte(r.Uint32()), byte(r.Uint32())}, r.IntN(3000))
				whole.Write(b)
				h, _ := New(a)
				h.Write(b)
				parts = append(parts, Part{Text(h), int64(len(b))})
			}
			got, err := Combine(a, FullObject, parts)
			if err != nil || got != Text(whole) {
				t.Fatalf("%s of %v: %s, %v, want %s", a, parts, got, err, Text(whole))
			}
		}
	}
	if _, err := Combine("SHA256", FullObject, []Part{{"AA==", 1}}); err == nil {
		t.Error("SHA256 has no FULL_OBJECT")
	}
}
