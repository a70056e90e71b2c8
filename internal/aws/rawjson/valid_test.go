package rawjson

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// Valid says what json.Valid says.
func FuzzValid(f *testing.F) {
	for _, s := range []string{`{"a":[1,{"b":2}],"c":null,"d":true,"e":false}`, ` [ ] `, `{ }`, `"\u00e9\"\\\/\b\f\n\r\t"`, `"\u00g9"`, `"\x"`, "\"a\x01\"", "\"\x7f\xff\"", `01`, `-`, `-0.5e+10`, `1.`, `1e`, `.5`, `+1`, `tru`,
		`truex`, `{"a" 1}`, `{"a":1,}`, `[1,]`, `{a:1}`, `""x`, ``, ` `, "\ufeff{}", `"12345678`, `"1234567"`, `"12345678\`, "\"1234567\n\"", `{"a":1}{}`, `-01`, `1E5`, `[1 2]`, `{"a":}`, `[,1]`, `nul`, "\v1"} {
		f.Add([]byte(s))
	}
	for _, n := range []int{depthMax - 1, depthMax, depthMax + 1} {
		f.Add([]byte(strings.Repeat("[", n) + strings.Repeat("]", n)))
		f.Add([]byte(strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, want := Valid(b), json.Valid(b); got != want {
			t.Errorf("%.200q: %v, want %v", b, got, want)
		}
	})
}

func BenchmarkValid(b *testing.B) {
	inner := `{"orders":[` + strings.TrimSuffix(strings.Repeat(`{"id":12345,"items":["first","second"],"price":12.5,"paid":true},`, 500), ",") + `]}`
	text, err := json.Marshal(inner)
	if err != nil {
		b.Fatal(err)
	}
	small := []byte(`{"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:m","name":"n-1","input":"{\"order\":{\"id\":12345,\"items\":[1,2,3]}}"}`)
	for name, data := range map[string][]byte{"small": small, "values": []byte(inner), "text": text} {
		for of, valid := range map[string]func([]byte) bool{"ours": Valid, "encoding-json": json.Valid} {
			b.Run(fmt.Sprintf("%s/%s", name, of), func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				for b.Loop() {
					valid(data)
				}
			})
		}
	}
}
